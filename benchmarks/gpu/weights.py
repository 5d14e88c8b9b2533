"""Trained weights that travel: the averaged weights of each run, in pieces of a size that a lent
machine gives back, and the way back to runs:

    python -m benchmarks.gpu.weights FOLDER-WITH-THE-PIECES RUNS
"""

import io
import json
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from mnist_edge.lab.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mnist_edge.lab.training.recipe import Recipe

PIECE_BYTES = 12 << 20
MOST_BYTES = 5 * PIECE_BYTES  # of all pieces: beside two files of the record, eight may come back
_NAME = "runs.tar"


def pack(run: Path) -> dict[str, bytes]:
    """What a run is remembered by: averaged weights, recipe, history and result."""
    saved = load_checkpoint(run)
    weights = io.BytesIO()
    arrays = {name: tensor.numpy() for name, tensor in saved.average.items()}
    np.savez_compressed(weights, **arrays)
    facts = {
        "recipe": saved.recipe.as_dict(),
        "classes": saved.classes,
        "epochs_done": saved.epochs_done,
        "history": saved.history,
        "trained": saved.trained,
        "result": saved.result,
    }
    return {
        f"{run.name}/weights.npz": weights.getvalue(),
        f"{run.name}/run.json": json.dumps(facts).encode(),
    }


def write(runs: Iterable[Path], out: Path) -> list[str]:
    """Write runs as pieces into `out`, in their order, as many as fit; their names."""
    buffer, kept = io.BytesIO(), list[str]()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for run in runs:
            contents = pack(run)
            if buffer.tell() + sum(map(len, contents.values())) + (16 << 10) > MOST_BYTES:
                continue
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            kept.append(run.name)
    whole = buffer.getvalue()
    for old in out.glob(f"{_NAME}.*"):
        old.unlink()
    for number, at in enumerate(range(0, len(whole), PIECE_BYTES)):
        (out / f"{_NAME}.{number:02}").write_bytes(whole[at : at + PIECE_BYTES])
    return kept


def read(pieces: Path, runs: Path) -> list[Path]:
    """Make runs of pieces again: finished, exported and taught from like others, not resumed."""
    whole = b"".join(piece.read_bytes() for piece in sorted(pieces.glob(f"{_NAME}.*")))
    made = []
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        names = [name for name in archive.getnames() if name.endswith("/run.json")]
        for name in names:
            facts = json.loads(_member(archive, name))
            average = _tensors(_member(archive, name.replace("run.json", "weights.npz")))
            facts["recipe"] = Recipe.from_dict(facts["recipe"])
            facts["classes"] = tuple(facts["classes"])
            run = runs / name.split("/")[0]
            save_checkpoint(
                run, Checkpoint(**facts, network=average, average=average, optimizer={})
            )
            made.append(run)
    return made


def _tensors(content: bytes) -> dict[str, torch.Tensor]:
    with np.load(io.BytesIO(content)) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()


if __name__ == "__main__":
    for run in read(Path(sys.argv[1]), Path(sys.argv[2])):
        print(run)
