"""Downloads, from a server on 127.0.0.1 that breaks off, forgets, lies and vanishes."""

import gzip
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.datasets import DATA_DIR_VARIABLE, download, load, load_if_here
from mnist_edge.datasets.download import fetch
from mnist_edge.datasets.idx_datasets import SOURCES, PublishedFile, cache_dir
from mnist_edge.errors import DataError
from tests.datasets.idx_files import small_arrays, write_set
from tests.datasets.server import Server, serving

CONTENT = np.random.default_rng(0).bytes(300_000)
ADVICE = f"put the set's files into a folder and name it with --data-dir or {DATA_DIR_VARIABLE}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.files["/file"] = CONTENT
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No waiting between tries, no proxy, no folder of data, an empty cache."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def is_content(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise DataError("it is another file")


def closed_port() -> str:
    """The address of a server that has just gone."""
    with serving() as gone:
        return gone.url


def refusal(urls: list[str], target: Path) -> str:
    with pytest.raises(DataError) as caught:
        fetch(urls, target, is_content)
    message = str(caught.value)
    assert message.startswith(f"cannot download {target.name} (")
    assert message.endswith(f"): {ADVICE}")
    assert "\n" not in message
    assert not target.exists()
    return message


def test_file_arrives_and_nothing_else(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file"
    told: list[tuple[str, int, int]] = []

    fetch([server.url + "file"], target, is_content, lambda *news: told.append(news))

    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert {what for what, _, _ in told} == {"downloading file"}
    assert {total for _, _, total in told} == {len(CONTENT)}
    done = [count for _, count, _ in told]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


def test_file_that_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert server.asked == []


def test_broken_transfer_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.breaks = 2
    told: list[int] = []

    fetch([server.url + "file"], tmp_path / "file", is_content, lambda *news: told.append(news[2]))

    assert (tmp_path / "file").read_bytes() == CONTENT
    ranges = [wanted for _, wanted in server.asked]
    assert ranges == [None, "bytes=150000-", "bytes=225000-"]
    assert set(told) == {len(CONTENT)}


def test_broken_transfer_starts_again_where_ranges_are_unknown(
    server: Server, tmp_path: Path
) -> None:
    server.breaks, server.knows_ranges = 1, False

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_third_break_gives_up_and_a_later_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.breaks = 3
    message = refusal([server.url + "file"], tmp_path / "file")
    assert "file broke off after 262,500 of 300,000 bytes" in message
    assert len(server.asked) == 3

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[-1] == ("/file", "bytes=262500-")


def test_part_that_is_whole_needs_only_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("/file", f"bytes={len(CONTENT)}-")]


@pytest.mark.parametrize("length", [7, len(CONTENT), len(CONTENT) + 1])
def test_foreign_part_is_replaced(server: Server, tmp_path: Path, length: int) -> None:
    (tmp_path / "file.part").write_bytes(bytes(length))

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_leads_elsewhere_is_not_followed(server: Server, tmp_path: Path) -> None:
    outside, cache = tmp_path / "outside", tmp_path / "cache"
    cache.mkdir()
    outside.write_bytes(b"precious")
    (cache / "file.part").symlink_to(outside)

    fetch([server.url + "file"], cache / "file", is_content)

    assert outside.read_bytes() == b"precious"
    assert not (cache / "file").is_symlink()
    assert (cache / "file").read_bytes() == CONTENT


def test_what_never_ends_is_cut_off(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_LARGEST", 100_000)

    for says_length in (True, False):
        server.says_length = says_length
        assert "what arrives is longer than" in refusal([server.url + "file"], tmp_path / "file")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", ["abc", "5, 5", "\u00b2"])
def test_length_that_is_no_number_is_one_clear_line(
    server: Server, tmp_path: Path, length: str
) -> None:
    server.length = length

    refusal([server.url + "file"], tmp_path / "file")


@pytest.mark.parametrize(
    "place",
    [
        *("http://x@[", f"http://{'h' * 300}.test/file", "http://127.0.0.1:no/", "http://a b/"),
        *("file:///etc/passwd", "ftp://127.0.0.1/file", "data:,content", "gopher://x/", "//[::"),
    ],
)
def test_redirection_to_nowhere_is_one_clear_line(
    server: Server, tmp_path: Path, place: str
) -> None:
    server.leads_to = place

    refusal([server.url + "file"], tmp_path / "file")


@pytest.mark.parametrize("slow", ["drips", "continues"])
def test_server_that_sends_too_slowly_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    setattr(server, slow, True)
    monkeypatch.setattr(download, "_WHOLE_S", 0.5)
    monkeypatch.setattr(download, "_ANSWER_S", 0.4)

    assert "it comes too slowly" in refusal([server.url + "file"], tmp_path / "file")
    assert len(server.asked) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_pipe_in_the_place_of_a_part_is_not_waited_for(server: Server, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file.part")

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_folder_in_the_place_of_a_part_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").mkdir()

    refusal([server.url + "file"], tmp_path / "file")


def test_second_mirror_helps_out(server: Server, tmp_path: Path) -> None:
    urls = [closed_port() + "file", server.url + "missing", server.url + "file"]

    fetch(urls, tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/missing", "/file"]


def test_wrong_file_is_removed_and_the_next_mirror_asked(server: Server, tmp_path: Path) -> None:
    server.files["/wrong"] = b"<html>log in first</html>"

    fetch([server.url + "wrong", server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[-1] == ("/file", None)


def test_wrong_file_is_never_renamed_into_place(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT[:-1]

    assert "(it is another file)" in refusal([server.url + "file"], tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_file_without_a_length_is_checked_all_the_same(server: Server, tmp_path: Path) -> None:
    server.says_length, server.breaks = False, 1
    refusal([server.url + "file"], tmp_path / "file")

    fetch([server.url + "file"], tmp_path / "file", is_content)

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_no_network_is_one_clear_line(tmp_path: Path) -> None:
    message = refusal([closed_port() + "file"], tmp_path / "file")

    assert "Connection refused" in message
    assert list(tmp_path.iterdir()) == []


def test_a_python_without_ssl_downloads_by_http_and_says_what_it_lacks(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was built where OpenSSL's headers were missing."""
    monkeypatch.delattr("http.client.HTTPSConnection")
    monkeypatch.delattr("urllib.request.HTTPSHandler")
    message = refusal(["https://127.0.0.1/file"], tmp_path / "file")
    assert "(URLError: this Python has no ssl module" in message
    fetch(["https://127.0.0.1/file", server.url + "file"], tmp_path / "file", is_content)


def test_missing_file_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    assert "(HTTPError: Not Found)" in refusal([server.url + "missing"], tmp_path / "file")


def test_answer_that_is_no_http_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    server.garbled = True

    assert "BadStatusLine: 220 ready" in refusal([server.url + "file"], tmp_path / "file")


def test_chunks_that_end_early_are_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.chunked = True

    assert "IncompleteRead" in refusal([server.url + "file"], tmp_path / "file")
    assert len(server.asked) == 3


def test_folder_that_cannot_be_made_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    message = refusal([server.url + "file"], tmp_path / "taken" / "file")

    assert str(tmp_path / "taken") in message
    assert server.asked == []


def test_without_mirrors_there_is_no_download(tmp_path: Path) -> None:
    assert "no mirror is known" in refusal([], tmp_path / "file")


def test_server_that_says_nothing_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 0.1)
    server.silent = True

    assert "TimeoutError: timed out" in refusal([server.url + "file"], tmp_path / "file")
    assert len(server.asked) == 3


# A whole set


@pytest.fixture
def kmnist(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A made-up KMNIST on the server, with the MD5 sums of its files published."""
    files = []
    for path in write_set(tmp_path / "published", "kmnist"):
        content = path.read_bytes()
        server.files[f"/{path.name}"] = content
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        files.append(PublishedFile(path.name, md5=md5))
    first, second, third, fourth = files
    published = replace(
        SOURCES["kmnist"], files=(first, second, third, fourth), mirrors=(server.url,)
    )
    monkeypatch.setitem(SOURCES, "kmnist", published)
    return server


def test_set_is_downloaded_once(kmnist: Server) -> None:
    found = load("kmnist")
    again = load("kmnist")

    np.testing.assert_array_equal(found.train.images, small_arrays()[0])
    np.testing.assert_array_equal(again.test.images, found.test.images)
    assert found.source == again.source == str(cache_dir() / "kmnist")
    assert len(kmnist.asked) == 4


def test_interrupted_set_is_completed(kmnist: Server) -> None:
    third = f"/{SOURCES['kmnist'].files[2].name}"
    kept = kmnist.files.pop(third)
    with pytest.raises(DataError, match=f"cannot download {third[1:]} "):
        load("kmnist")
    assert load_if_here("kmnist") is None
    kmnist.files[third] = kept
    kmnist.asked.clear()

    assert len(load("kmnist").test) == 20
    assert len(kmnist.asked) == 2


def test_damaged_set_never_reaches_the_cache(kmnist: Server) -> None:
    first = SOURCES["kmnist"].files[0]
    kmnist.files[f"/{first.name}"] = b"x" + kmnist.files[f"/{first.name}"]

    with pytest.raises(DataError) as caught:
        load("kmnist")

    assert str(caught.value) == (
        f"cannot download {first.name} (what arrived is not the published file: "
        f"its MD5 is not {first.md5}): {ADVICE}"
    )
    assert list((cache_dir() / "kmnist").iterdir()) == []


@pytest.mark.parametrize("damage", ["another content", "truncated"])
def test_sha256_of_the_content_is_checked_too(
    server: Server, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    packed = gzip.compress(b"another content")
    name = SOURCES["mnist"].files[0].name
    server.files[f"/{name}"] = packed if damage == "another content" else packed[:-3]
    monkeypatch.setitem(SOURCES, "mnist", replace(SOURCES["mnist"], mirrors=(server.url,)))

    with pytest.raises(DataError) as caught:
        load("mnist")

    assert str(caught.value) == (
        f"cannot download {name} (what arrived is not the published file: "
        f"its SHA-256 differs): {ADVICE}"
    )
    assert list((cache_dir() / "mnist").iterdir()) == []
