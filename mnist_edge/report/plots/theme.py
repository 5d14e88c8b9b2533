"""The colours of charts, on light paper and on dark."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of text, of what stands back, of the grid, of the paper, and of the data."""

    ink: str
    quiet: str
    grid: str
    paper: str
    data: tuple[str, ...]

    def variables(self) -> dict[str, str]:
        """As CSS variables, by name."""
        data = {f"--data-{at}": colour for at, colour in enumerate(self.data)}
        return {
            "--ink": self.ink,
            "--quiet": self.quiet,
            "--grid": self.grid,
            "--paper": self.paper,
        } | data


# The colours of Okabe and Ito (2008), which colour-blind people can tell apart, each as much
# darker or lighter as a mark needs on this paper: a contrast of 3 (WCAG 2.2, 1.4.11).
LIGHT = Theme(
    ink="#1c2126",
    quiet="#59636e",
    grid="#d9dee3",
    paper="#ffffff",
    data=("#0072b2", "#d55e00", "#00875f", "#b3478a", "#9a6700", "#2b7fb0", "#59636e"),
)
DARK = Theme(
    ink="#e6e9ec",
    quiet="#9aa5b0",
    grid="#343b43",
    paper="#15191d",
    data=("#56b4e9", "#ff8a3d", "#2fc795", "#e092c0", "#e6ab2e", "#8fc7ee", "#9aa5b0"),
)
