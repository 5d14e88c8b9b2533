"""The bar under a training: which epoch, how far, how fast, how long still."""

from typing import TYPE_CHECKING

from mnist_edge.cli.console import error_console
from mnist_edge.cli.train_output import slowdown_text

if TYPE_CHECKING:
    from mnist_edge.lab.training.distributed import ProcessGroup
    from mnist_edge.lab.training.events import EpochResult, StepResult
    from mnist_edge.lab.training.runs import TrainingRun
    from mnist_edge.lab.training.threads import ThreadChoice


_EACH, _LINES = 60, 40


class TrainingBar:
    """The live bar of one process's training; silent in all but the first.

    `which` stands in front where there are several runs: "run 2 of 4, plain56"; `starting` says
    what is done before the first step.
    """

    def __init__(self, leads: bool, which: str = "", starting: str = "starting") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.bar: Progress = Progress(
            TextColumn(f"{which}  " if which else "", markup=False),
            "epoch {task.fields[epoch]}",
            BarColumn(),
            MofNCompleteColumn(),
            "{task.fields[figures]}",
            console=error_console(),
            transient=True,
            disable=not (leads and error_console().is_terminal),
        )
        self.task = self.bar.add_task("", epoch="1", figures=starting, total=None)
        self.leads = leads
        self.validation = ""

    def __enter__(self) -> "TrainingBar":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def follow(
        self, run: "TrainingRun", group: "ProcessGroup", choice: "ThreadChoice", on_one_thread: str
    ) -> None:
        """Complete a run under this bar. Where a CPU has become slow, a line says so, and the
        command by which the run goes on with one thread."""
        from mnist_edge.lab.training.runs import complete
        from mnist_edge.lab.training.slowdown import SpeedWatch

        speed = SpeedWatch(choice.images_per_s)

        def step(now: "StepResult") -> None:
            speed.step(now)
            self.step(now)

        for result in complete(run, group, step):
            self.epoch(result)
            slow = speed.epoch(result)
            if slow and group.device.type == "cpu" and group.size == 1:
                self.print(slowdown_text(slow, choice.count, on_one_thread))

    def step(self, now: "StepResult") -> None:
        from mnist_edge.report import formatting

        self.bar.update(
            self.task,
            completed=now.step,
            total=now.steps,
            epoch=f"{now.epoch}/{now.epochs}",
            figures=f"loss {now.loss:.3f}{self.validation}  {now.images_per_s:,.0f} images/s  "
            f"{formatting.duration(now.left_s)} left",
        )

    def epoch(self, result: "EpochResult") -> None:
        """A line that stays, for an epoch that is done; in long runs for every n-th."""
        if not self.leads:
            return
        self.validation = f"  validation {result.validation_accuracy:.2%}"
        if result.epoch % _every(result.epochs) and result.epoch not in (1, result.epochs):
            return
        self.print(
            f"epoch {result.epoch:>3}/{result.epochs}  loss {result.loss:.4f}{self.validation}  "
            f"{result.images_per_s:,.0f} images/s"
        )

    def print(self, line: str) -> None:
        """Another line that stays."""
        if self.leads:
            self.bar.console.print(line, soft_wrap=True)


def _every(epochs: int) -> int:
    """Of how many epochs one has a line: of all in a run of 60, of every 10th in one of 300."""
    if epochs <= _EACH:
        return 1
    step = 1
    while epochs > step * _LINES:  # 1, 2, 5, 10, 20, 50, …
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
