"""One export from beginning to end: a run or an fp32 file in, drafts that passed their gate out.

    checkpoint -> original -> fp32 draft -> (fine-tuned ->) int8 draft

Both drafts are made alike: the graph is measured, its card says what was found, and graph and card
are the bytes of the file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, load_model_from_string

from mnist_edge import datasets
from mnist_edge.backends import find_original
from mnist_edge.datasets import FOLDER, Dataset
from mnist_edge.datasets.class_names import align_classes
from mnist_edge.errors import DataError, EdgeError
from mnist_edge.fingerprint import describe_changes
from mnist_edge.lab.export import gate
from mnist_edge.lab.export.diagnose import Diagnosis, diagnose
from mnist_edge.lab.export.finetune import Finetuning, finetune, trial_step
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.original import Original, coming, open_original
from mnist_edge.lab.export.publish import Coming, Draft
from mnist_edge.lab.export.qdq import Quantizer
from mnist_edge.lab.export.quantize import Plan, Source, calibration, open_source
from mnist_edge.lab.training import threads
from mnist_edge.lab.training.checkpoint import Checkpoint, load_checkpoint
from mnist_edge.model_file.contract import Card
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.types import Progress

_DIAGNOSED_IMAGES = 1000

Tuned = tuple[ModelProto, dict[str, Any]]
"""The graph of a fine-tuned network, and what was done to it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is exported: a run's `original`, or an fp32 file, which is the `given` one. The original
    of a file is None where its run is not here."""

    data: Dataset
    original: Original | None
    given: Source | None

    @classmethod
    def of(
        cls,
        target: Path,
        runs: Path,
        data_dir: Path | None,
        progress: Progress,
        allow: Callable[[Coming], None] = lambda coming: None,
    ) -> "Job":
        """Open a run's folder, or an fp32 file whose run is looked for in `runs`.

        `allow` is told what will be made of a finished run, before any work. Raises EdgeError for
        whatever is missing, unfinished, foreign, or quantized already.
        """
        if target.is_file():
            return cls._of_file(target, runs, data_dir, progress)
        checkpoint = load_checkpoint(target)
        if checkpoint.result is not None:
            allow(coming(checkpoint))
        data = _data_of(target, checkpoint, data_dir, progress)
        return cls.of_run(target, checkpoint, data, progress)

    @classmethod
    def of_run(cls, run: Path, checkpoint: Checkpoint, data: Dataset, progress: Progress) -> "Job":
        """Open a run whose checkpoint and data are at hand. EdgeError for an unfinished one."""
        progress("exporting", 0, 0)
        return cls(data, open_original(run, checkpoint, data), None)

    @classmethod
    def _of_file(cls, target: Path, runs: Path, data_dir: Path | None, progress: Progress) -> "Job":
        source = open_source(target)
        card, found = source.card, find_original(source.card, runs)
        if found is None and card.dataset.startswith(FOLDER):
            raise EdgeError(
                f"{target} was trained on {card.dataset}, and its run is not in {runs}/, "
                "which knows where that lies: export the run instead"
            )
        if found is None:
            data = datasets.load(card.dataset, data_dir, progress)
            data = align_classes(
                data, card.classes, str(target), "quantize it where its own set is"
            )
            if told := describe_changes(card.fingerprint, data.fingerprint):
                raise DataError(
                    f"{data.name} is not what {target} was trained on: {told}. "
                    "Name the right one with --data-dir"
                )
            return cls(data, None, source)
        run = found.path.parent
        checkpoint = load_checkpoint(run)
        data = _data_of(run, checkpoint, data_dir, progress)
        progress("opening the original", 0, 0)
        return cls(data, open_original(run, checkpoint, data), source)

    @property
    def card(self) -> Card:
        """What is known of the network before it is measured."""
        if self.given is not None:
            return self.given.card
        assert self.original is not None  # one of both was given
        return self.original.card

    def drafts(
        self,
        plan: Plan | None,
        tuning: Finetuning | None,
        progress: Progress,
        asked_threads: int | None = None,
        stem: str | None = None,
    ) -> Iterator[Draft]:
        """The fp32 file of a run and, where there is a plan, the int8 one, fine-tuned before where
        that is asked for. They are called after `stem`, or else the model.

        Each is given before its gate is asked, which raises GateError after it.
        """
        source = self.given
        if source is None:
            fp32 = self._fp32(stem)
            yield fp32
            source = _passed(fp32)
        if plan is None:
            return
        logits = None if self.original is None else self.original.logits
        tune = partial(self._finetuned, tuning, progress, asked_threads) if tuning else None
        int8 = int8_draft(source, self.data, plan, logits, tune, stem, progress)
        yield int8
        _passed(int8, plan.max_drop)

    def diagnose(self, plan: Plan, progress: Progress) -> Diagnosis:
        """What each layer loses, on validation images."""
        source = self.given or _passed(self._fp32(None))
        images = calibration(source, self.data, plan)
        return diagnose(
            Quantizer(source.model, images, plan.method),
            self.data.validation.images[:_DIAGNOSED_IMAGES],
            lambda done, total: progress("diagnosing", done, total),
        )

    def _fp32(self, stem: str | None) -> Draft:
        assert self.original is not None  # else a file was given
        return fp32_draft(self.original, self.data, stem)

    def _finetuned(self, tuning: Finetuning, progress: Progress, asked: int | None) -> Tuned:
        """The fine-tuned network, and how that was done: its bits depend on the threads too."""
        if self.original is None:
            raise EdgeError(
                "fine-tuning starts from the PyTorch network, whose run is not in runs/: "
                "train it again, or leave --finetune-epochs away"
            )
        work = self.original.network, self.data.training, self.original.checkpoint.recipe, tuning
        progress("timing threads", 0, 0)
        choice = threads.choose_threads(asked, None, lambda: trial_step(*work))
        with threads.torch_threads(choice.count):
            network = finetune(*work, lambda done, total: progress("fine-tuning", done, total))
        return to_onnx(network), tuning.as_dict() | {"threads": choice.count}


def fp32_draft(original: Original, data: Dataset, stem: str | None = None) -> Draft:
    """A network as an fp32 file that has been measured against its gate, and lies nowhere yet."""
    name = f"{stem or original.card.model}.onnx"
    return Draft.of(name, to_onnx(original.network), original.card, data, original.logits)


def int8_draft(
    source: Source,
    data: Dataset,
    plan: Plan,
    original: NDArray[np.float32] | None,
    tune: Callable[[], Tuned] | None = None,
    stem: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Draft:
    """An fp32 file in int8, measured against its gate. EdgeError before any work for a wrong plan.

    `original` are the PyTorch network's logits of the test split, None where it is not here.
    `tune` gives the network that is quantized in the source's stead.
    """
    images = calibration(source, data, plan)
    model, did = tune() if tune else (source.model, None)
    progress("quantizing", 0, 0)
    model = Quantizer(model, images, plan.method).quantize(plan.keep_float)
    calibrated = {"method": plan.method, "images": len(images), "seed": plan.seed, "weight_bits": 7}
    if plan.keep_float:
        calibrated |= {"keep_float": list(plan.keep_float)}
    if did:
        calibrated |= {"finetune": did}
    card = replace(
        source.card,
        precision="int8",
        source_sha256=source.file.sha256,
        original_sha256=source.card.checkpoint_sha256,
        calibration=calibrated,
    )
    before = source.logits
    if before is None:
        before = gate.Answers.of(source.file, data.test).logits
    name = f"{stem or card.model}-int8.onnx"
    return Draft.of(name, model, card, data, original, before)


def _passed(draft: Draft, max_drop: float = 0.0) -> Source:
    """A draft as what may be quantized. GateError unless it passes its gate."""
    gate.check(draft.gate, draft.name, max_drop)
    model = load_model_from_string(draft.content)
    return Source(ModelFile(Path(draft.name), draft.content), model, draft.card, draft.logits)


def _data_of(
    run: Path, checkpoint: Checkpoint, data_dir: Path | None, progress: Progress
) -> Dataset:
    """The set that a run was trained on, its labels numbered as they were then."""
    data = datasets.load(checkpoint.recipe.dataset, data_dir, progress)
    return align_classes(data, checkpoint.classes, str(run), "train it again")
