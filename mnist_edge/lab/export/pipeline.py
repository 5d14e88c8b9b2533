"""One export from beginning to end: a run or an fp32 file in, candidates with their gates out.

    checkpoint -> original -> fp32 candidate -> (fine-tuned ->) int8 candidate -> published

`inputs` opens what comes in, `publish` writes what passed. Both candidates are made alike: the
graph answers, its card says what was found, and graph and card are the bytes of the file.
"""

from dataclasses import dataclass, replace
from typing import Any

from onnx import ModelProto

from mnist_edge.errors import EdgeError, GateError
from mnist_edge.lab.export import gate
from mnist_edge.lab.export.candidate import Candidate, OnnxModel, measure_candidate
from mnist_edge.lab.export.diagnose import Diagnosis, diagnose_layers
from mnist_edge.lab.export.finetune import Finetuning, finetune, trial_step
from mnist_edge.lab.export.graph import to_onnx
from mnist_edge.lab.export.inputs import ExportInputs
from mnist_edge.lab.export.int8_plan import Int8Plan, calibration_images
from mnist_edge.lab.export.qdq import Quantizer, check_layers
from mnist_edge.lab.training import threads
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.types import Progress

_DIAGNOSED_IMAGES = 1000


@dataclass(frozen=True, slots=True)
class Export:
    """The files that were made, in order, and why the last of them did not pass its gate.

    One whose answers depend on other things than its image is refused before it is a candidate.
    """

    candidates: tuple[Candidate, ...]
    refused: GateError | None = None

    @property
    def passed(self) -> tuple[Candidate, ...]:
        refused = None if self.refused is None else self.refused.file
        return tuple(one for one in self.candidates if one.name != refused)


def export(
    inputs: ExportInputs,
    plan: Int8Plan | None,
    tuning: Finetuning | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    asked_threads: int | None = None,
    stem: str | None = None,
) -> Export:
    """The fp32 file of a run and, where there is a plan, the int8 one, fine-tuned before where
    that is asked for. They are called after `stem`, or else the model.

    Stops at the first that does not pass its gate. EdgeError for what cannot be done at all.
    """
    fp32, candidates = inputs.fp32, list[Candidate]()
    try:
        if fp32 is None:
            assert inputs.original is not None  # else a file was given
            progress("exporting", 0, 0)
            card, logits = inputs.original.card, inputs.original.logits
            graph = to_onnx(inputs.original.network)
            name = f"{stem or card.model}.onnx"
            fp32 = candidate = measure_candidate(name, graph, card, inputs.data, logits)
            candidates.append(candidate)
            gate.check(candidate.gate, name)
        if plan is not None:
            candidate = int8_candidate(
                fp32, inputs, plan, tuning, progress, asked_threads=asked_threads, stem=stem
            )
            candidates.append(candidate)
            gate.check(candidate.gate, candidate.name, plan.max_drop)
    except GateError as error:
        return Export(tuple(candidates), error)
    return Export(tuple(candidates))


def int8_candidate(
    fp32: OnnxModel,
    inputs: ExportInputs,
    plan: Int8Plan,
    tuning: Finetuning | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    asked_threads: int | None = None,
    stem: str | None = None,
) -> Candidate:
    """An fp32 file in int8, measured against its gate. EdgeError before any work for a wrong plan.

    With `tuning`, the original's fine-tuned network is quantized in the file's stead.
    """
    data, original = inputs.data, inputs.original
    check_layers(fp32.model, plan.keep_float)
    images = calibration_images(data, plan.images, plan.seed)
    graph, calibration = fp32.model, plan.calibration(len(images))
    if tuning:
        graph, calibration["finetune"] = finetuned_graph(inputs, tuning, progress, asked_threads)
    progress("quantizing", 0, 0)
    graph = Quantizer(graph, images, plan.method).quantize(plan.keep_float)
    card = replace(
        fp32.card,
        precision="int8",
        source_sha256=fp32.file.sha256,
        original_sha256=fp32.card.checkpoint_sha256,
        calibration=calibration,
    )
    name = f"{stem or card.model}-int8.onnx"
    expected = None if original is None else original.logits
    before = fp32.logits
    if before is None:
        before = gate.Answers.of(fp32.file, data.test).logits
    return measure_candidate(name, graph, card, data, expected, before)


def finetuned_graph(
    inputs: ExportInputs, tuning: Finetuning, progress: Progress, asked_threads: int | None
) -> tuple[ModelProto, dict[str, Any]]:
    """The fine-tuned network, and how that was done: its bits depend on the threads too."""
    original = inputs.original
    if original is None:
        raise EdgeError(
            "fine-tuning starts from the PyTorch network, whose run is not in runs/: "
            "train it again, or leave --finetune-epochs away"
        )
    trained = TrainingInputs.of(original.checkpoint.recipe, inputs.data)
    work = original.network, trained.training, trained.recipe, tuning
    progress("timing threads", 0, 0)
    choice = threads.choose_threads(asked_threads, None, lambda: trial_step(*work))
    with threads.torch_threads(choice.count):
        network = finetune(
            *work,
            lambda done, total: progress("fine-tuning", done, total),
            outliers=trained.outliers,
        )
    return to_onnx(network), tuning.as_dict() | {"threads": choice.count}


def diagnose(inputs: ExportInputs, plan: Int8Plan, progress: Progress) -> Diagnosis:
    """What each layer loses, on validation images. GateError for a network whose fp32 file does
    not compute the same."""
    fp32 = inputs.fp32
    if fp32 is None:
        made = export(inputs, None, progress=progress)
        if made.refused:
            raise made.refused
        (fp32,) = made.candidates
    images = calibration_images(inputs.data, plan.images, plan.seed)
    return diagnose_layers(
        Quantizer(fp32.model, images, plan.method),
        inputs.data.validation.images[:_DIAGNOSED_IMAGES],
        lambda done, total: progress("diagnosing", done, total),
    )
