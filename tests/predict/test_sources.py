import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_edge.predict.results import Failure
from mnist_edge.predict.sources import Source, count, find
from mnist_edge.preprocess.formats import SUFFIXES


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(*paths: object, recursive: bool = False) -> list[str]:
    return [source.name for source in find([str(path) for path in paths], recursive)]


def inside(root: Path, recursive: bool = False) -> list[str]:
    return [str(Path(name).relative_to(root)) for name in names(root, recursive=recursive)]


def test_a_folder_gives_the_pictures_directly_inside_in_natural_order(tmp_path: Path) -> None:
    write(tmp_path, "10.png", "9.png", "b2.JPG", "b10.jpg", "B1.jpg", "below/1.png", "07.png")
    assert inside(tmp_path) == ["07.png", "9.png", "10.png", "B1.jpg", "b2.JPG", "b10.jpg"]


def test_below_come_the_folders_in_natural_order_too(tmp_path: Path) -> None:
    write(tmp_path, "z.png", "10/a.png", "9/b.png", "9/deep/er/c.png", "10/notes.txt")
    assert inside(tmp_path, recursive=True) == ["z.png", "9/b.png", "9/deep/er/c.png", "10/a.png"]


def test_hidden_files_and_what_has_no_pictures_suffix_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, ".hidden.png", ".cache/1.png", "notes.txt", "no suffix", "a.pdf", "a.eps")
    write(tmp_path, "seen.png")
    assert inside(tmp_path, recursive=True) == ["seen.png"]


def test_every_suffix_of_a_picture_is_taken(tmp_path: Path) -> None:
    """Of formats that are read, and of others: they are refused by name, not passed over."""
    read = {".png", ".jpg", ".mpo", ".gif", ".bmp", ".webp", ".tif", ".pgm", ".ico", ".avif"}
    assert read | {".heic"} <= SUFFIXES
    others = {".psd", ".tga", ".jp2", ".icns", ".dds"}
    assert not others & SUFFIXES
    names = {f"a{suffix}" for suffix in SUFFIXES | others}
    write(tmp_path, *names)
    assert set(inside(tmp_path)) == names


def test_what_is_named_is_taken_as_it_is_named_and_as_often(tmp_path: Path) -> None:
    write(tmp_path, "1.png")
    path = f"{tmp_path}//./1.png"
    assert names(path, "notes.txt", path, "-", "gone.png") == [
        *(path, "notes.txt", path),
        *("-", "gone.png"),
    ]


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    write(tmp_path, "below/notes.txt")
    without = "is a folder without pictures"
    (here,) = find([str(tmp_path)])
    assert here.failure == (f"{without} directly inside", "--recursive looks below", str(tmp_path))
    (below,) = find([str(tmp_path)], recursive=True)
    assert below.failure == (without, None, str(tmp_path))


def test_a_folder_that_cannot_be_listed_says_so_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "1.png", "closed/2.png", "open/3.png")
    closed = str(tmp_path / "closed")
    scan = os.scandir

    def refusing(path: str) -> object:  # as for a user who is not root
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = list(find([str(tmp_path)], recursive=True))
    failure = Failure("cannot be listed: Permission denied", None, closed)
    assert [source.failure for source in found] == [None, failure, None]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_read_where_they_are_named_and_passed_over_in_folders(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    write(tmp_path, "1.png")
    assert inside(tmp_path) == ["1.png"]
    assert list(find([str(tmp_path / "pipe.png"), "-"])) == [
        Source(str(tmp_path / "pipe.png"), streams=True),
        Source("-", streams=True),
    ]


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_links_to_pictures_count_and_links_to_folders_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "set/1.png")
    (tmp_path / "set" / "2.png").symlink_to("1.png")
    (tmp_path / "set" / "3.png").symlink_to("gone.png")  # its reader will say what is wrong
    (tmp_path / "set" / "around").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "folder.png").symlink_to(tmp_path / "set")
    assert inside(tmp_path / "set", recursive=True) == ["1.png", "2.png", "3.png"]


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_links_in_a_circle_are_errors_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").symlink_to("2.png")
    assert inside(tmp_path) == ["1.png", "2.png", "3.png"]


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """1,500 folders in each other, with a picture in the last."""
    monkeypatch.chdir(tmp_path)  # whole paths would be too long to make
    folders = 0
    while folders < 1500:
        Path("d").mkdir()
        os.chdir("d")
        folders += 1
    Path("7.png").touch()
    yield tmp_path
    Path("7.png").unlink()
    for _ in range(folders):  # pytest's own way to remove them is recursive
        os.chdir("..")
        Path("d").rmdir()


def test_folders_may_lie_deeper_than_the_stack(deep: Path) -> None:
    (found,) = find([str(deep)], recursive=True)
    assert found == Source(os.path.join(deep, *["d"] * 1500, "7.png"))  # noqa: PTH118


def test_counting_counts_what_is_found(tmp_path: Path) -> None:
    write(tmp_path, *(f"{at}.png" for at in range(30)))
    (tmp_path / "empty").mkdir()
    paths = [str(tmp_path), str(tmp_path / "3.png"), str(tmp_path / "empty"), "-"]
    assert count(paths) == len(list(find(paths))) == 33


def test_a_name_that_no_system_takes_is_left_to_the_reader() -> None:
    assert list(find(["nul\0.png"])) == [Source("nul\0.png")]


@pytest.mark.parametrize(
    ("name", "reason", "remedy"),
    [
        ("https://example.org/3.png", "is an address", "download the picture"),
        ("s3://bucket/3.png", "is an address", "download the picture"),
        ("scan.pdf", "is a PDF", "make pictures of its pages first"),
        ("SCAN.PDF", "is a PDF", "make pictures of its pages first"),
        ("digits.npz", "holds several arrays", "save the one of pictures"),
    ],
)
def test_what_is_given_in_a_pictures_place_gets_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str, remedy: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if "://" not in name:
        write(tmp_path, name)
    (source,) = find([name])
    assert source.failure
    assert (source.failure.file, source.failure.reason) == (name, reason)
    assert source.failure.remedy
    assert source.failure.remedy.startswith(remedy)


def test_a_file_that_is_not_there_is_left_to_its_reader() -> None:
    assert list(find(["gone.pdf", "gone.png"])) == [Source("gone.pdf"), Source("gone.png")]
