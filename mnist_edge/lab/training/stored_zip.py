"""Zip archives that PyTorch and NumPy write: entries as they are, never compressed."""

import io
import zipfile
from pathlib import Path

from mnist_edge.errors import EdgeError
from mnist_edge.file_access import read_bytes

_MAX_ENTRIES = 10_000  # resnet56's run has 840
_DIRECTORY_ENTRY = b"PK\x01\x02"


class ArchiveError(EdgeError):
    """Why an archive is not read, to be said behind its name: "is damaged in data/3"."""


def read_entries(path: Path, most_bytes: int) -> dict[str, bytes]:
    """Every entry of a zip archive by its name, checked against its CRC.

    The file is read once, and by one parser alone: nothing that another would find in it matters.
    No more comes out than there is in the file, so a small one never becomes a large one.
    ArchiveError for anything else than whole, stored entries; FileError for what is no regular
    file, or larger than `most_bytes`.
    """
    content = read_bytes(path, most_bytes)
    # Counted before they are parsed: each becomes an object of ten times its size.
    if content.count(_DIRECTORY_ENTRY) > _MAX_ENTRIES:
        raise ArchiveError(f"is not ours: it has more than {_MAX_ENTRIES:,} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_all(archive, len(content))
    except ArchiveError:
        raise
    except Exception as error:  # zipfile raises whatever damaged bytes happen to spell
        raise ArchiveError("is damaged or not ours") from error


def _read_all(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    entries = archive.infolist()
    stored = all(
        entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
        for entry in entries
    )
    if not stored or sum(entry.file_size for entry in entries) > size:
        raise ArchiveError("is not ours: it would grow when it is unpacked")
    if len({entry.filename for entry in entries}) < len(entries):
        raise ArchiveError("is not ours: it has two entries of one name")
    found = {}
    for entry in entries:
        try:
            found[entry.filename] = archive.read(entry)
        except zipfile.BadZipFile as error:
            raise ArchiveError(f"is damaged in {entry.filename}") from error
        if len(found[entry.filename]) != entry.file_size:
            raise ArchiveError(f"is damaged in {entry.filename}")
    return found
