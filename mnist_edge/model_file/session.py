"""Opening an ONNX file that may come from anywhere: looked through, bounded, then let run."""

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mnist_edge.errors import ModelError
from mnist_edge.model_file.reader import AnyModel, ModelFile

# A session that treats denormals as zero does so for its whole thread, and NumPy (1.26 to 2.0, at
# least) warns of that when it is first asked for these, which are remembered.
_LIMITS = tuple(np.finfo(kind) for kind in (np.float16, np.float32, np.float64))


def open_session(
    model: AnyModel, threads: int = 1, optimize: bool = True, spinning: bool = True
) -> ort.InferenceSession:
    """An ONNX Runtime session for a small network on this CPU. ModelError when it will not open.

    A file of unknown origin has to have its `ModelFile.bounds` first: what was read is not looked
    through once more here, where benchmarks time the opening. Stated thread counts also avoid the
    affinity errors that ONNX Runtime's own count meets in containers. `optimize=False` runs the
    graph as written: a reference. Several threads wait for work `spinning`, or asleep: in a tight
    loop that makes a large network's answer up to a third slower, and at 20 answers a second it
    leaves the CPU to others (0.6 % of its time in place of 8 to 56 %).
    """
    options = session_options(threads, optimize)
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return create_session(ModelFile.of(model), options)


def session_options(threads: int, optimize: bool) -> ort.SessionOptions:
    """How sessions are opened here."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what goes wrong is raised, and said in one line
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    # Not what its name or its bytes say: another format has not been looked through.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Weights that decay into denormals cost 5 to 30 times (onnxruntime #6865).
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def create_session(model: ModelFile, options: ort.SessionOptions) -> ort.InferenceSession:
    """A session on a file's bytes. ModelError when it will not open."""
    try:
        return ort.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base of their own
        raise ModelError(
            f"{model.path} cannot be opened by ONNX Runtime: {_reason(error)}"
        ) from error


def run_once(
    model: ModelFile, opened: ort.InferenceSession, given: dict[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    """The outputs for these inputs. ModelError for a file that opens and does not run."""
    run = ort.RunOptions()
    run.log_severity_level = 4
    try:
        outputs: list[NDArray[Any]] = opened.run(None, given, run)
    except Exception as error:
        raise ModelError(f"{model.path} cannot be run by ONNX Runtime: {_reason(error)}") from error
    return outputs


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or ["it does not say why"])[0][:200]
