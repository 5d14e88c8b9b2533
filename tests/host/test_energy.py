from pathlib import Path

import pytest

from mnist_edge.host import energy

_RANGE_UJ = 1_000_000


def write_zone(root: Path, zone: str, name: str, energy_uj: int) -> Path:
    """A RAPL zone as the kernel shows it."""
    folder = root / zone
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two packages; parts of them, the whole machine and the same again by another road."""
    (tmp_path / "intel-rapl").mkdir()
    (tmp_path / "intel-rapl" / "enabled").write_text("1\n")
    write_zone(tmp_path, "intel-rapl:0", "package-0", 400_000)
    write_zone(tmp_path, "intel-rapl:1", "package-1", 900_000)
    write_zone(tmp_path, "intel-rapl:2", "psys", 0)
    write_zone(tmp_path, "intel-rapl:0:0", "core", 0)
    write_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0)
    return tmp_path


def count(root: Path, zone: str, energy_uj: int) -> None:
    (root / zone / "energy_uj").write_text(f"{energy_uj}\n")


def test_joules_are_those_of_all_packages_since_the_meter_was_made(root: Path) -> None:
    joules = energy.meter(root)
    assert joules
    assert joules() == 0
    count(root, "intel-rapl:0", 450_000)
    assert joules() == pytest.approx(0.05)
    count(root, "intel-rapl:1", 910_000)
    assert joules() == pytest.approx(0.06)
    for zone in ("intel-rapl:2", "intel-rapl:0:0", "intel-rapl-mmio:0"):
        count(root, zone, 77_777)
    assert joules() == pytest.approx(0.06)
    assert energy.unavailable_reason(root) == ""


def test_a_counter_that_starts_again_is_carried_on(root: Path) -> None:
    joules = energy.meter(root)
    assert joules
    readings = [joules()]
    for energy_uj in (950_000, 20_000, 990_000, 10_000, 10_000):  # around twice
        count(root, "intel-rapl:1", energy_uj)
        readings.append(joules())
    assert readings == pytest.approx([0, 0.05, 0.12, 1.09, 1.11, 1.11])


def test_without_rapl_there_is_no_meter_and_it_is_said(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        assert energy.meter(root) is None
        assert energy.unavailable_reason(root) == "this machine shows no RAPL counters"


def test_zones_that_are_no_packages_are_no_rapl(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "psys", 0)
    (tmp_path / "intel-rapl:1").mkdir()  # nameless
    assert energy.meter(tmp_path) is None
    assert energy.unavailable_reason(tmp_path) == "this machine shows no RAPL counters"


def test_counters_for_root_alone_say_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_text = Path.read_text

    def refuse(path: Path, *args: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert energy.meter(root) is None
    expected = f"only root may read energy: sudo chmod o+r {root}/intel-rapl:*/energy_uj"
    assert energy.unavailable_reason(root) == expected


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("?")])
def test_a_counter_that_cannot_be_understood_is_no_energy(root: Path, damage: object) -> None:
    assert callable(damage)
    damage(root / "intel-rapl:1" / "energy_uj")
    assert energy.meter(root) is None
    assert energy.unavailable_reason(root).startswith(
        f"{root}/intel-rapl:1/energy_uj cannot be read: "
    )


def test_this_machine_has_a_meter_or_a_reason() -> None:
    joules = energy.meter()
    assert (joules is None) is bool(energy.unavailable_reason())
    assert joules is None or joules() >= 0
