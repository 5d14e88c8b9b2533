"""The bar under a training: which epoch, how far, how fast, how long still."""

from typing import TYPE_CHECKING

from mnist_edge.cli.shell import error_console

if TYPE_CHECKING:
    from mnist_edge.lab.progress import EpochResult, StepResult


class Watch:
    """The live bar of one process's training; silent in all but the first.

    `which` stands in front where there are several runs: "run 2 of 4, plain56".
    """

    def __init__(self, leads: bool, which: str = "") -> None:
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
        self.task = self.bar.add_task("", epoch="1", figures="starting", total=None)
        self.leads = leads
        self.validation = ""

    def __enter__(self) -> "Watch":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def step(self, now: "StepResult") -> None:
        from mnist_edge.report import text

        self.bar.update(
            self.task,
            completed=now.step,
            total=now.steps,
            epoch=f"{now.epoch}/{now.epochs}",
            figures=f"loss {now.loss:.3f}{self.validation}  {now.images_per_s:,.0f} images/s  "
            f"{text.duration(now.left_s)} left",
        )

    def epoch(self, result: "EpochResult") -> None:
        """A line that stays, for an epoch that is done."""
        if not self.leads:
            return
        self.validation = f"  validation {result.validation_accuracy:.2%}"
        self.bar.console.print(
            f"epoch {result.epoch:>3}/{result.epochs}  loss {result.loss:.4f}{self.validation}  "
            f"{result.images_per_s:,.0f} images/s"
        )
