"""Opening an ONNX file that may come from anywhere: looked through, tried out, then let run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mnist_edge.errors import ModelError
from mnist_edge.opening.model_file import AnyModel, ModelFile

MOST_MEMORY = 256 << 20
"""Bytes that a file may take for a single answer, beside its weights."""

# A session that treats denormals as zero does so for its whole thread, and NumPy (1.26 to 2.0, at
# least) warns of that when it is first asked for these, which are remembered.
_LIMITS = tuple(np.finfo(kind) for kind in (np.float16, np.float32, np.float64))

_LONGEST_S = 10.0  # a single answer, and files that never end have to end
_ONE_AT_A_TIME = threading.RLock()  # MOST_MEMORY is of one trial


def open_session(
    model: AnyModel, threads: int = 1, optimize: bool = True, spinning: bool = True
) -> ort.InferenceSession:
    """An ONNX Runtime session for a small network on this CPU. ModelError when it will not open.

    A file of unknown origin is to pass a `trial` first: what was read is not looked through once
    more here, where benchmarks time the opening. Stated thread counts also avoid the affinity
    errors that ONNX Runtime's own count meets in containers. `optimize=False` runs the graph as
    written: a reference. Several threads wait for work `spinning`, or asleep: in a tight loop
    that makes a large network's answer up to a third slower, and at 20 answers a second it leaves
    the CPU to others (0.6 % of its time in place of 8 to 56 %).
    """
    options = session_options(threads, optimize)
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return session(ModelFile.of(model), options)


@contextmanager
def trial(model: AnyModel) -> Iterator["Trial"]:
    """A file of unknown origin, run as written, with MOST_MEMORY and ten seconds for an answer.

    To be made before it is opened for use: a few bytes can ask for gigabytes, and ONNX Runtime
    gives them. ModelError for a file that does not open.
    """
    model = ModelFile.of(model)
    options = session_options(1, optimize=False)  # optimizing computes what is constant, unbounded
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Weights are as large as the file; outside of the arena, they go when the trial ends.
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    with _ONE_AT_A_TIME:
        _bound_arena()
        yield Trial(model, session(model, options))


@dataclass(frozen=True, slots=True)
class Trial:
    """A session with bounds."""

    model: ModelFile
    session: ort.InferenceSession

    def answer(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs for these inputs. ModelError for a file that does not run, or not within
        its memory and time."""
        run = ort.RunOptions()
        run.log_severity_level = 4
        run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        clock = threading.Timer(_LONGEST_S, setattr, (run, "terminate", True))
        clock.daemon = True
        clock.start()
        try:
            outputs: list[NDArray[Any]] = self.session.run(None, given, run)
            return outputs
        except Exception as error:  # its exceptions have no common base of their own
            if run.terminate:
                reason = f": it takes more than {_LONGEST_S:g} s for an answer"
            elif "Available memory" in str(error) or "Failed to allocate" in str(error):
                reason = f": it asks for more than {MOST_MEMORY >> 20} MB"
            else:
                reason = f" by ONNX Runtime: {str(error).splitlines()[0][:200]}"
            raise ModelError(f"{self.model.path} cannot be run{reason}") from error
        finally:
            clock.cancel()
            clock.join()


@cache
def _bound_arena() -> None:
    """Once a process: an allocator for the sessions that ask for it, and for no others."""
    place = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    as_requested = 1  # in place of powers of two
    ort.create_and_register_allocator(place, ort.OrtArenaCfg(MOST_MEMORY, as_requested, -1, -1))


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


def session(model: ModelFile, options: ort.SessionOptions) -> ort.InferenceSession:
    """A session on a file's bytes. ModelError when it will not open."""
    try:
        return ort.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base of their own
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"{model.path} cannot be opened by ONNX Runtime: {reason}") from error
