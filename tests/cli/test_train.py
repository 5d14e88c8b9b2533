"""mnist-edge train: in this process where that is enough, as a real process where it matters."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_edge.cli import progress
from mnist_edge.cli.progress import TrainingBar
from mnist_edge.files import sha256
from mnist_edge.lab.export import pipeline
from mnist_edge.lab.training import distributed, threads
from mnist_edge.lab.training import trainer as lab
from mnist_edge.lab.training.checkpoint import (
    CHECKPOINT,
    CURVE,
    HISTORY,
    RESULT,
    load_checkpoint,
    save_checkpoint,
)
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.events import EpochResult, Watcher
from tests.helpers.cli import assert_fails, invoke, write_folder
from tests.helpers.exports import to_onnx_once
from tests.lab.conftest import one_thread  # noqa: F401

XS = ("train", "--dataset", "digits", "--model", "edge-xs", "--device", "cpu")
RUN = Path("runs/edge-xs")
# A network of 534 parameters, where any will do.
TINY = ("train", "--dataset", "digits", "--model", "4k5s2v-4s2", "--device", "cpu")
TINY_RUN = Path("runs/4k5s2v-4s2")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
EPOCH = re.compile(r"^epoch +(\d+)/(\d+)  loss \d+\.\d{4}  validation \d+\.\d\d%  [\d,]+ images/s$")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("short") / "edge-xs"
    assert invoke(*XS, "--epochs", 1, "--out", run).exit_code == 0
    return run


@pytest.fixture
def finished(short_run: Path) -> Path:
    """A finished run of one epoch, where `train --model edge-xs` would put it."""
    return Path(shutil.copytree(short_run, RUN))


def assert_same_runs(one: Path, other: Path) -> None:
    """Equal bit for bit, as far as a run's result goes."""
    first, second = load_checkpoint(one), load_checkpoint(other)
    assert first.result == second.result
    for name in ("network", "average", "optimizer"):
        torch.testing.assert_close(
            getattr(first, name), getattr(second, name), atol=0, rtol=0, equal_nan=True
        )
    assert [entry["loss"] for entry in first.history] == [e["loss"] for e in second.history]


# As `python -m mnist_edge`, but heeding Ctrl-C even where the tests are a job in the background,
# whose children ignore it.
HEEDING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from mnist_edge.cli import main
main()
"""


def start(*args: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HEEDING, *args],
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def test_says_what_it_does_and_what_is_next() -> None:
    done = invoke(*XS, "--epochs", 2)
    assert done.exit_code == 0
    intro, drawing, *told = done.stderr.splitlines()
    assert drawing == "drawing 191 digits and 127 images of no digit to train on as well"
    assert re.fullmatch(
        r"edge-xs on digits: 1,\d{3} training and 1\d\d validation images; 18\.2 k parameters, "
        r"386\.4 k MACs; 2 epochs on cpu, 1 thread",
        intro,
    )
    assert [EPOCH.sub(r"\1/\2", line) for line in told] == ["1/2", "2/2"]
    tested, worst, wrote, following = done.stdout.splitlines()
    assert re.fullmatch(
        r"test accuracy \d+\.\d\d % \(95 % interval \d+\.\d\d-\d+\.\d\d; \d+ of \d+\)", tested
    )
    assert re.fullmatch(r"worst class(: \d, .* \(\d+ of \d+\)|es: (\d, )+.* each)", worst)
    assert wrote == f"wrote {RUN / CHECKPOINT}, {HISTORY} and {CURVE}"
    assert following == f"next: mnist-edge export {RUN}"
    assert sorted(path.name for path in RUN.iterdir()) == sorted(
        [CHECKPOINT, HISTORY, CURVE, RESULT]
    )
    with Image.open(RUN / CURVE) as image:
        assert image.format == "PNG"


def test_json_is_all_that_stdout_holds() -> None:
    done = invoke(*XS, "--epochs", 1, "--seed", 5, "--lr", 0.01, "--batch-size", 64, "--json")
    values = json.loads(done.stdout)
    saved = load_checkpoint(RUN)
    assert values["run"] == str(RUN)
    assert values["recipe"] == saved.recipe.as_dict()
    assert (saved.recipe.seed, saved.recipe.lr, saved.recipe.batch_size) == (5, 0.01, 64)
    assert values["history"] == saved.history
    assert saved.result is not None
    assert values["test"]["correct"] == saved.result["correct"]
    recall = {name: one["value"] for name, one in values["recall"].items()}
    assert list(recall) == list(saved.classes)
    assert {recall[name] for name in values["worst_classes"]} == {min(recall.values())}


def test_a_small_set_gets_more_epochs_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def epoch(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab.Trainer, "epoch", epoch)
    done = invoke("train", "--dataset", "digits", "--model", "edge-xs")
    found = re.findall(r"(\d+) epochs, as each has only (\d+) steps, on", done.stderr)
    epochs, steps = map(int, found[0])
    assert steps == 1274 // 128
    assert epochs * steps >= 600
    assert "; 24 epochs on" in invoke(*XS, "--epochs", 24).stderr


@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (["--model", "lenet"], "there is no model 'lenet': choose one of edge, edge-xs", 2),
        (["--dataset", "cifar"], "there is no data set 'cifar': choose one of mnist", 2),
        (["--dataset", "folder:nowhere"], "there is no folder .*nowhere", 1),
        (
            ["--model", "resnet20", "--shortcut", "b"],
            "no shortcut 'b': choose one of zero, proj",
            2,
        ),
        (["--shortcut", "zero"], "'edge' has no shortcut 'zero': leave --shortcut away", 2),
        (["--device", "tpu"], "there is no device 'tpu': choose one of auto", 2),
        (["--resume"], "runs/edge holds no checkpoint: train one first", 1),
        (["--resume", "--out", "x"], "x holds no checkpoint", 1),
    ],
)
def test_a_mistake_is_one_line(args: list[str], message: str, code: int) -> None:
    assert_fails(invoke("train", *args), message, code)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "args",
    [
        ["--epochs", "0"],
        ["--epochs", "10001"],
        ["--batch-size", "1"],
        ["--seed", "-1"],
        ["--seed", "2147483648"],
        ["--lr", "x"],
        ["--lr", "-1"],
        ["--lr", "0"],
        ["--lr", "nan"],
        ["--threads", "two"],
        ["--threads", "-1"],
        ["--threads", ""],
        ["extra"],
    ],
)
def test_wrong_usage_exits_2(args: list[str]) -> None:
    done = invoke("train", *args)
    assert done.exit_code == 2
    assert args[0] in done.stderr
    assert not Path("runs").exists()


def test_a_batch_larger_than_the_set_is_said() -> None:
    done = invoke(*XS, "--epochs", 1, "--batch-size", 100_000)
    assert "; 1 epoch on cpu" in done.stderr
    assert "a batch has all 1,592 images: 100,000, the batch size, are more" in done.stderr
    assert done.exit_code == 0


def test_a_long_run_has_a_line_for_every_tenth_epoch(capfd: pytest.CaptureFixture[str]) -> None:
    with TrainingBar(True) as watch:
        for number in range(1, 301):
            watch.epoch(EpochResult(number, 300, 1.0, 0.5, 1, 2, 1000.0, 1.0))
    told = re.findall(r"^epoch +(\d+)/300 ", capfd.readouterr().err, re.MULTILINE)
    assert told == ["1", *map(str, range(10, 301, 10))]


@pytest.mark.parametrize(
    ("epochs", "every"), [(1, 1), (60, 1), (61, 2), (149, 5), (400, 10), (601, 20), (9999, 500)]
)
def test_how_many_epochs_have_a_line(epochs: int, every: int) -> None:
    assert progress._every(epochs) == every


def test_threads_are_timed_said_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "candidate_counts", lambda: (1, 2))
    monkeypatch.setattr(threads, "time_counts", lambda step, counts: {1: 40 + step(), 2: 8100.0})
    monkeypatch.setattr(threads, "usable_threads", lambda: 2)
    epoch = lab.Trainer.epoch

    def one_epoch(self: lab.Trainer, number: int, watch: Watcher) -> EpochResult:
        if number == 1:
            raise KeyboardInterrupt
        return replace(epoch(self, number, watch), images_per_s=100.0)

    with monkeypatch.context() as patch:
        patch.setattr(lab.Trainer, "epoch", one_epoch)
        done = invoke(*TINY, "--epochs", 2)
    first, *others = done.stderr.splitlines()
    assert first.endswith("2 epochs on cpu, 2 threads (8,100 images/s; with 1: 168)")
    assert (
        f"'mnist-edge train --resume --threads 1 --out {TINY_RUN}' goes on with one" in others[-2]
    )
    assert load_checkpoint(TINY_RUN).trained["threads"] == 2
    monkeypatch.setattr(threads, "time_counts", None)  # not again
    same = invoke("train", "--resume", "--device", "cpu", "--out", TINY_RUN)
    assert same.stderr.splitlines()[0].endswith("2 epochs on cpu, 2 threads")
    assert load_checkpoint(TINY_RUN).trained["threads"] == 2
    assert torch.get_num_threads() == 1  # as it was


def test_a_run_goes_on_with_other_threads_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def epoch(*args: object) -> None:
        raise KeyboardInterrupt

    assert invoke(*TINY, "--epochs", 2, "--threads", 1).exit_code == 0
    saved = load_checkpoint(TINY_RUN)
    half = replace(saved, epochs_done=1, history=saved.history[:1], result=None)
    save_checkpoint(TINY_RUN, replace(half, trained=saved.trained | {"threads": 2}))
    monkeypatch.setattr(lab.Trainer, "epoch", epoch)
    done = invoke("train", "--resume", "--device", "cpu", "--threads", 1, "--out", TINY_RUN)
    assert "it was begun with 2 threads: the weights will not be as they would be" in done.stderr


def ends_with_error(result: Any, message: str) -> None:
    """Exit code 1, and the last line on stderr is the only `error: `, without a traceback."""
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert re.search(message, lines[-1]), lines[-1]
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_diverged_loss_says_lower_lr() -> None:
    done = invoke(*XS, "--epochs", 1, "--lr", "1e30")
    ends_with_error(done, "the loss diverged in epoch 1: use a lower --lr")
    assert not (RUN / CHECKPOINT).exists()


def test_no_memory_says_smaller_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def epoch(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB")

    monkeypatch.setattr(lab.Trainer, "epoch", epoch)
    ends_with_error(invoke(*XS), "cpu ran out of memory at batch size 128: use a smaller --batch-")


def test_an_earlier_run_is_kept(finished: Path) -> None:
    first = (finished / CHECKPOINT).read_bytes()
    done = invoke(*XS, "--epochs", 1, "--seed", 1)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"kept the run that was in {RUN} as {RUN}-1\n")
    assert (Path(f"{RUN}-1") / CHECKPOINT).read_bytes() == first
    assert load_checkpoint(RUN).recipe.seed == 1


def test_a_run_where_one_stands_is_not_moved_away(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    before = Path(CHECKPOINT).read_bytes()
    assert_fails(invoke(*XS, "--out", "."), "is where you are: choose another --out")
    assert Path(CHECKPOINT).read_bytes() == before


def test_resuming_a_finished_run_says_so_and_shows_it_again(finished: Path) -> None:
    before = (RUN / CHECKPOINT).read_bytes()
    again = invoke(*XS, "--epochs", 1, "--resume")
    assert again.exit_code == 0
    assert again.stderr == (
        f"{RUN} is finished already: train again without --resume, or choose --out\n"
    )
    assert again.stdout.startswith("test accuracy ")
    assert (RUN / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model", "edge"], "was trained with model edge-xs, not edge"),
        (["--model", "lenet"], "was trained with model edge-xs, not lenet"),
        (["--epochs", "9"], "was trained with epochs 1, not 9"),
        (["--dataset", "mnist"], "was trained with dataset digits, not mnist"),
        (["--shortcut", "zero"], "was trained with shortcut None, not zero"),
    ],
)
def test_resuming_something_else_is_refused(finished: Path, args: list[str], message: str) -> None:
    before = (RUN / CHECKPOINT).read_bytes()
    assert_fails(invoke("train", "--resume", "--out", RUN, *args), message)
    assert (RUN / CHECKPOINT).read_bytes() == before


def test_resuming_a_damaged_checkpoint_is_refused() -> None:
    RUN.mkdir(parents=True)
    (RUN / CHECKPOINT).write_bytes(b"damaged")
    assert_fails(invoke("train", "--resume", "--out", RUN), "checkpoint.pt is damaged or not ours")


def test_stopped_before_the_first_epoch_says_that_nothing_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def epoch(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab.Trainer, "epoch", epoch)
    done = invoke(*XS)
    assert done.exit_code == 130
    assert done.stderr.endswith("stopped before the first epoch was done: nothing was saved\n")
    assert not RUN.exists()


def test_stopped_run_goes_on_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = lab.Trainer.epoch

    def two_epochs(self: lab.Trainer, number: int, watch: Watcher) -> EpochResult:
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number, watch)

    with monkeypatch.context() as patch:
        patch.setattr(lab.Trainer, "epoch", two_epochs)
        done = invoke(*TINY, "--epochs", 3)
    assert done.exit_code == 130
    assert (TINY_RUN / CURVE).exists()
    said = re.search(r"epoch 2 of 3 is saved in \S+: go on with 'mnist-edge (.*)'\n", done.stderr)
    assert said
    resumed = invoke(*said[1].split())
    assert resumed.exit_code == 0
    assert re.findall(r"^epoch +(\d)/3", resumed.stderr, re.MULTILINE) == ["3"]
    invoke(*TINY, "--epochs", 3, "--out", "whole")
    assert_same_runs(TINY_RUN, Path("whole"))


def test_a_killed_run_goes_on_bit_for_bit() -> None:
    args = (*XS, "--epochs", "4")
    killed = start(*args)
    wait_for(RUN / CHECKPOINT, killed)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert 1 <= load_checkpoint(RUN).epochs_done < 4
    assert invoke(*args, "--resume").exit_code == 0
    whole = invoke(*args, "--out", "whole")
    assert whole.exit_code == 0
    assert_same_runs(RUN, Path("whole"))


def test_ctrl_c_leaves_a_run_that_goes_on() -> None:
    stopped = start(*XS, "--epochs", "60")
    wait_for(RUN / CHECKPOINT, stopped)
    stopped.send_signal(signal.SIGINT)
    out, err = stopped.communicate(timeout=120)
    assert stopped.returncode == 130
    assert out == ""
    last = err.splitlines()[-1]
    assert re.fullmatch(
        rf"stopped; epoch \d+ of 60 is saved in {RUN}: go on with "
        rf"'mnist-edge train --resume --out {RUN}'",
        last,
    )
    assert "Traceback" not in err
    assert f"epoch {load_checkpoint(RUN).epochs_done} of 60" in last


def together(*args: object) -> "subprocess.CompletedProcess[str]":
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    return subprocess.run(
        [*torchrun, "--nproc-per-node=2", "-m", "mnist_edge", *map(str, args)],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs gloo's POSIX transport")
def test_two_processes_train_as_well_as_one() -> None:
    args = (*XS, "--epochs", 3, "--batch-size", 32, "--lr", 0.005)
    done = together(*args, "--out", "two")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^test accuracy", done.stdout, re.MULTILINE)) == 1
    assert len(done.stdout.splitlines()) == 4
    told = [line for line in done.stderr.splitlines() if EPOCH.match(line)]
    assert [EPOCH.sub(r"\1", line) for line in told] == list("123")
    assert "3 epochs on 2 processes on cpu, 1 thread each" in done.stderr
    two = load_checkpoint(Path("two"))
    assert two.trained["processes"] == 2
    invoke(*args, "--out", "one")
    one = load_checkpoint(Path("one"))
    assert one.result is not None
    assert two.result is not None
    assert one.history[-1]["validation_accuracy"] > 0.9
    difference = two.history[-1]["validation_accuracy"] - one.history[-1]["validation_accuracy"]
    assert abs(difference) < 0.05
    assert abs(two.result["correct"] - one.result["correct"]) < 0.06 * one.result["total"]
    # The processes stay in step: rank 0's loss is of half of each batch, of the same weights.
    for half, whole in zip(two.history, one.history, strict=True):
        assert half["loss"] == pytest.approx(whole["loss"], rel=0.2)


def test_only_rank_0_says_that_a_run_is_finished(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def process_group(device: str) -> Iterator[ProcessGroup]:
        yield ProcessGroup(1, 2, torch.device(device))

    monkeypatch.setattr(distributed, "process_group", process_group)
    done = invoke(*XS, "--epochs", 1, "--resume")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def write_signs(root: Path, count: int = 30) -> Path:
    """Three easy classes of 28×28 PNGs: a bar across, a bar down, a disc."""
    random, (rows, columns) = np.random.default_rng(0), np.mgrid[:28, :28]
    for at in range(count):
        middle = random.integers(10, 18, 2)
        across, down = abs(rows - middle[0]) < 3, abs(columns - middle[1]) < 3
        disc = np.hypot(rows - middle[0], columns - middle[1]) < 7
        for name, shape in (("across", across), ("down", down), ("disc", disc)):
            (root / name).mkdir(parents=True, exist_ok=True)
            noise = random.integers(0, 30, (28, 28))
            image = (shape * 220 + noise).astype(np.uint8)
            Image.fromarray(image).save(root / name / f"{at}.png")
    return root


def test_test_images_choose_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_signs(tmp_path / name / "train")
        write_folder(tmp_path / name / "test", "across", "down", "disc", count=5)
    for picture in (tmp_path / "b" / "test").rglob("*.png"):
        Image.new("L", (28, 28), 77).save(picture)
    for name in ("a", "b"):
        args = ("--dataset", f"folder:{name}", "--epochs", 2, "--batch-size", 16, "--out", name)
        assert invoke("train", "--model", "edge-xs", *args).exit_code == 0
    one, other = load_checkpoint(tmp_path / "a"), load_checkpoint(tmp_path / "b")
    torch.testing.assert_close(one.average, other.average, atol=0, rtol=0)
    assert one.classes == ("across", "disc", "down")


def test_a_folder_is_found_again_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_signs(tmp_path / "signs", 6)
    args = ("train", "--model", "edge-xs", "--dataset", "folder:signs", "--epochs", 1)
    assert invoke(*args, "--out", tmp_path / "run").exit_code == 0
    assert (
        load_checkpoint(tmp_path / "run").recipe.dataset == f"folder:{tmp_path.resolve() / 'signs'}"
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = invoke("export", tmp_path / "run")
    assert done.exit_code == 0, done.stderr


def test_a_student_learns_from_a_finished_run_and_finds_it_again(finished: Path) -> None:
    student = Path("runs/student")
    taught = (*TINY, "--epochs", 2, "--seed", 1, "--out", student)
    assert_fails(
        invoke(*taught, "--teacher", "runs/nobody"), "runs/nobody holds no checkpoint: train one"
    )
    assert invoke(*taught, "--teacher", finished).exit_code == 0
    saved = load_checkpoint(student)
    assert saved.recipe.distillation is not None
    assert saved.recipe.distillation.teachers == (sha256(finished / CHECKPOINT),)
    assert list(finished.glob("views-*/*.npz"))
    # As if it had been interrupted after its first epoch; the teacher is found in runs/.
    alone = Path("runs/alone")
    assert invoke(*taught[:-1], alone, "--teacher", finished).exit_code == 0
    save_checkpoint(alone, replace(saved, epochs_done=2, result=None))
    (alone / RESULT).unlink()
    assert invoke("train", "--resume", "--out", alone, "--device", "cpu").exit_code == 0
    assert load_checkpoint(alone).result == saved.result
    shutil.rmtree(finished)
    save_checkpoint(alone, replace(saved, epochs_done=1, history=saved.history[:1], result=None))
    assert_fails(
        invoke("train", "--resume", "--out", alone, "--device", "cpu"),
        "is not in runs/: name its run or file with --teacher",
    )


def test_fine_tuning_says_what_it_starts_from(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "to_onnx", to_onnx_once)
    assert invoke("export", finished).exit_code == 0
    tuned = Path("runs/edge-xs-finetuned")
    start = ("train", "--from", "edge-xs", "--dataset", "digits", "--epochs", 1)
    done = invoke(*start)
    assert done.exit_code == 0, done.stderr
    assert "it starts from edge-xs.onnx, which was trained on digits, with its last" in done.stderr
    assert f"next: mnist-edge export {tuned} --name edge-xs-finetuned" in done.stdout
    origin = load_checkpoint(tuned).recipe.pretrained
    assert origin is not None
    assert origin.sha256 == sha256(Path("exported/edge-xs.onnx"))
    assert invoke("export", tuned, "--name", "mine").exit_code == 0
    assert (
        f"edge-xs.onnx, trained on digits (SHA-256 {origin.sha256})"
        in Path("exported/mine.md").read_text()
    )
    write_signs(Path("signs"), 6)
    done = invoke(*start[:3], "--dataset", "folder:signs", "--epochs", 1, "--out", "runs/signs")
    assert "a new last layer: none of the 3 classes is one of its own" in done.stderr
    assert_fails(invoke(*start, "--resume", "--out", tuned), "leave --from away", code=2)
    assert_fails(invoke(*start, "--model", "edge"), "holds the network 'edge-xs'", code=2)
    assert_fails(invoke("train", "--from", "nobody"), "there is no model file nobody")
    assert_fails(invoke("train", "--from", "runs/nobody"), "runs/nobody holds no checkpoint")
    assert invoke("train", "--resume", "--out", tuned).exit_code == 0  # is finished


def test_sets_are_joined_trained_exported_and_measured_each(tmp_path: Path) -> None:
    write_folder(Path("mine"), *"0123456789", "star", count=4)
    args = ("train", "--model", "4k5s2v-4s2", "--dataset", "digits+folder:mine", "--epochs", 1)
    run = Path("runs/both")
    done = invoke(*args, "--device", "cpu", "--out", run)
    assert done.exit_code == 0, done.stderr
    assert "on digits+folder:mine: " in done.stderr
    assert re.search("folder:mine: its .* come .* times in an epoch", done.stderr)
    saved = load_checkpoint(run)
    assert saved.recipe.dataset == f"digits+folder:{tmp_path.resolve() / 'mine'}"
    assert saved.recipe.part_share is not None
    assert saved.classes == (*"0123456789", "star")
    done = invoke("export", run, "--name", "both")
    assert done.exit_code == 0, done.stderr
    bench = "mnist-edge bench exported/both.onnx --dataset digits+folder:mine"
    assert f"next: {bench}" in done.stdout + done.stderr
    assert str(tmp_path.resolve()) not in Path("exported/both.md").read_text()
    assert_fails(invoke("eval", "both"), "--dataset digits.folder:PATH")
    done = invoke("eval", "both", "--dataset", "digits+folder:mine", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    parts = told["parts"]
    assert list(parts) == ["digits", "folder:mine"]
    for key in ("correct", "total"):
        assert sum(part[key] for part in parts.values()) == told["accuracy"][key]
    assert told["dataset"] == "digits+folder:mine"


def test_a_student_learns_from_an_exported_file(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "to_onnx", to_onnx_once)
    assert invoke("export", finished, "--int8", "--max-drop", 100).exit_code == 0
    teacher, student = Path("exported/edge-xs-int8.onnx"), Path("runs/student")
    taught = (*TINY, "--epochs", 1, "--out", student, "--teacher", teacher)
    assert_fails(invoke(*taught[:-1], "nobody.onnx"), "there is no model file nobody.onnx")
    assert invoke(*taught).exit_code == 0
    plan = load_checkpoint(student).recipe.distillation
    assert plan is not None
    assert plan.teachers == (sha256(teacher),)
    assert plan.models == ("edge-xs in int8",)
    assert list(Path("runs").glob("views-*/*.npz"))
    assert invoke("export", student, "--out", "other").exit_code == 0
    assert "edge-xs in int8" in Path("other/4k5s2v-4s2.md").read_text()
