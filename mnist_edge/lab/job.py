"""One export from beginning to end: a run or an fp32 file in, checked drafts out.

Export, fine-tuning and quantization know nothing of each other; here they meet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

from mnist_edge import datasets
from mnist_edge.contenders import original_of
from mnist_edge.datasets import FOLDER, Dataset
from mnist_edge.datasets.classes import in_order_of
from mnist_edge.errors import DataError, EdgeError
from mnist_edge.fingerprint import changes
from mnist_edge.lab import checkpoint as disk
from mnist_edge.lab import export, quantize, threads
from mnist_edge.lab.checkpoint import Checkpoint
from mnist_edge.lab.diagnose import Diagnosis, diagnose
from mnist_edge.lab.export import Original
from mnist_edge.lab.finetune import Finetuning, finetune, trial_step
from mnist_edge.lab.graph import to_onnx
from mnist_edge.lab.progress import Progress
from mnist_edge.lab.qdq import Quantizer
from mnist_edge.lab.quantize import Plan, Source
from mnist_edge.lab.shelf import Coming, Draft

_DIAGNOSED_IMAGES = 1000


@dataclass(frozen=True, slots=True)
class Job:
    """What is exported. `original` is None where the run of a file is not here, `fp32` where a
    file was given, which lies in its place already."""

    data: Dataset
    source: Source
    original: Original | None
    fp32: Draft | None

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
        checkpoint = disk.load(target)
        if checkpoint.result is not None:
            allow(export.coming(checkpoint))
        data = _data_of(target, checkpoint, data_dir, progress)
        return cls.of_run(target, checkpoint, data, progress)

    @classmethod
    def of_run(cls, run: Path, checkpoint: Checkpoint, data: Dataset, progress: Progress) -> "Job":
        """Open a run whose checkpoint and data are at hand. EdgeError for an unfinished one."""
        progress("exporting", 0, 0)
        original = export.open_original(run, checkpoint, data)
        fp32 = export.draft(original, data)
        return cls(data, Source.of(fp32), original, fp32)

    @classmethod
    def _of_file(cls, target: Path, runs: Path, data_dir: Path | None, progress: Progress) -> "Job":
        source = quantize.open_source(target)
        found = original_of(source.card, runs)
        if found is None and source.card.dataset.startswith(FOLDER):
            raise EdgeError(
                f"{target} was trained on {source.card.dataset}, and its run is not in {runs}/, "
                "which knows where that lies: export the run instead"
            )
        if found is None:
            data = datasets.load(source.card.dataset, data_dir, progress)
            advice = "quantize it where its own set is"
            data = in_order_of(data, source.card.classes, str(target), advice)
            if told := changes(source.card.fingerprint, data.fingerprint):
                raise DataError(
                    f"{data.name} is not what {target} was trained on: {told}. "
                    "Name the right one with --data-dir"
                )
            return cls(data, source, None, None)
        checkpoint = disk.load(found.path.parent)
        data = _data_of(found.path.parent, checkpoint, data_dir, progress)
        progress("opening the original", 0, 0)
        original = export.open_original(found.path.parent, checkpoint, data)
        return cls(data, source, original, None)

    def int8(
        self,
        plan: Plan,
        tuning: Finetuning | None,
        progress: Progress,
        asked: int | None = None,
    ) -> Draft:
        """The int8 draft, fine-tuned before it is quantized where that is asked for, on the
        number of threads that is `asked` for or faster."""
        quantize.check_plan(self.source, self.data, plan)
        tuned = None
        if tuning:
            if self.original is None:
                raise EdgeError(
                    "fine-tuning starts from the PyTorch network, whose run is not in runs/: "
                    "train it again, or leave --finetune-epochs away"
                )
            tuned = self._finetuned(self.original, tuning, progress, asked)
        progress("quantizing", 0, 0)
        logits = None if self.original is None else self.original.logits
        return quantize.draft(self.source, self.data, plan, logits, tuned)

    def _finetuned(
        self, original: Original, tuning: Finetuning, progress: Progress, asked: int | None
    ) -> tuple[ModelProto, dict[str, Any]]:
        """The fine-tuned network, and how that was done: its bits depend on the threads too."""
        training = self.data.training
        recipe = original.checkpoint.recipe
        progress("timing threads", 0, 0)
        choice = threads.choose(
            asked, None, lambda: trial_step(original.network, training, recipe, tuning)
        )
        with threads.used(choice.count):
            network = finetune(
                original.network,
                training,
                recipe,
                tuning,
                lambda done, total: progress("fine-tuning", done, total),
            )
        return to_onnx(network), tuning.as_dict() | {"threads": choice.count}

    def diagnose(self, plan: Plan, progress: Progress) -> Diagnosis:
        """What each layer loses, on validation images."""
        quantize.check_plan(self.source, self.data, plan)
        images = quantize.calibration_images(self.data, plan.images, plan.seed)
        validation = self.data.validation
        return diagnose(
            Quantizer(self.source.model, images, plan.method),
            validation.images[:_DIAGNOSED_IMAGES],
            lambda done, total: progress("diagnosing", done, total),
        )


def _data_of(
    run: Path, checkpoint: Checkpoint, data_dir: Path | None, progress: Progress
) -> Dataset:
    """The set that a run was trained on, its labels numbered as they were then."""
    data = datasets.load(checkpoint.recipe.dataset, data_dir, progress)
    return in_order_of(data, checkpoint.classes, str(run), "train it again")
