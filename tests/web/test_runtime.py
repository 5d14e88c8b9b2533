import base64
import hashlib
import tarfile
from pathlib import Path

import pytest

from mnist_edge.errors import EdgeError
from mnist_edge.web import runtime as web
from mnist_edge.web.runtime import MODULE, NAME, VERSION, WASM, from_cdn, from_package, integrity
from tests.web.packages import contents, packed, unpacked


def test_integrity_is_written_as_browsers_read_it() -> None:
    kind, _, digest = integrity(b"abc").partition("-")
    assert kind == "sha384"
    assert base64.b64decode(digest) == hashlib.sha384(b"abc").digest()


@pytest.mark.parametrize("archive", [False, True])
def test_a_package_is_taken_along(tmp_path: Path, archive: bool) -> None:
    files = contents("1.25.0")
    path = packed(tmp_path / "a.tgz", files) if archive else unpacked(tmp_path / "a", files)
    found = from_package(path)
    assert (found.version, found.origin, found.sources) == ("1.25.0", str(path), "")
    assert set(found.files) == {f"runtime/{MODULE}", f"runtime/{WASM}", "runtime/NOTICE.txt"}
    assert found.files[f"runtime/{WASM}"] == b"\0asm"
    assert b"MIT" in found.files["runtime/NOTICE.txt"]
    assert found.engine["wasm"] == {"url": f"runtime/{WASM}", "integrity": integrity(b"\0asm")}
    assert found.engine["version"] == "1.25.0"


def test_without_a_package_the_cdn_is_pinned_by_version_and_hash() -> None:
    found = from_cdn()
    assert not found.files
    for part in ("module", "wasm"):
        assert found.engine[part]["url"].startswith(f"{found.sources}")
        assert f"{NAME}@{VERSION}/" in found.engine[part]["url"]
        assert found.engine[part]["integrity"].startswith("sha384-")


def test_a_package_of_the_pinned_version_must_be_the_published_one(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"is damaged: ort.* is not the published one"):
        from_package(unpacked(tmp_path / "a", contents(VERSION)))


@pytest.mark.parametrize(
    ("missing", "message"),
    [("package.json", "holds no npm package"), (f"dist/{WASM}", "holds no npm package")],
)
def test_what_lacks_a_file_is_no_package(tmp_path: Path, missing: str, message: str) -> None:
    files = contents()
    del files[missing]
    with pytest.raises(EdgeError, match=message):
        from_package(unpacked(tmp_path / "a", files))
    with pytest.raises(EdgeError, match="is no npm package"):
        from_package(packed(tmp_path / "a.tgz", files))


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"name": "onnxruntime-web"}', b"\xff"])
def test_a_package_that_says_nothing_of_itself_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(EdgeError, match="is no npm package of onnxruntime-web: npm install"):
        from_package(unpacked(tmp_path / "a", contents() | {"package.json": text}))


def test_another_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="is the package left-pad, not onnxruntime-web"):
        from_package(unpacked(tmp_path / "a", contents(name="left-pad")))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"nonsense")
    with pytest.raises(EdgeError, match="cannot be unpacked: npm pack onnxruntime-web"):
        from_package(tmp_path / "a.tgz")
    path = packed(tmp_path / "b.tgz", contents())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EdgeError, match=r"cannot be unpacked|is no npm package"):
        from_package(path)


def test_nothing_of_an_archive_is_written_and_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("package/package.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(EdgeError, match="is no npm package"):
        from_package(path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_MOST_BYTES", 30)
    files = contents() | {f"dist/{MODULE}": bytes(31)}
    with pytest.raises(EdgeError, match="too large"):
        from_package(unpacked(tmp_path / "a", files))
    with pytest.raises(EdgeError, match="is no npm package"):
        from_package(packed(tmp_path / "a.tgz", files))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="holds no npm package of onnxruntime-web: npm install"):
        from_package(tmp_path / "nowhere")
