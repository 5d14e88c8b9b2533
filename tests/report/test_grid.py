"""A table is a value of text, and every renderer shows the same one."""

import subprocess
import sys
from dataclasses import replace

from mnist_edge.report import markdown_elements, terminal
from mnist_edge.report.grid import Grid
from mnist_edge.report.html import elements

SHOWN = Grid(
    ("file", "what", "p50", "size"),
    (("a.onnx", "int8", "20", "85 kB"), ("openvino", "int8", "19", "85 kB")),
    left=2,
    breaks=(2,),
    under=(1,),
)


def test_a_grid_brings_none_of_what_it_shows() -> None:
    code = (
        "import sys; before = set(sys.modules); import mnist_edge.report.grid; "
        "print([one for one in set(sys.modules) - before if one.partition('.')[0] in "
        "('mnist_edge', 'rich', 'numpy', 'onnxruntime')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = ["mnist_edge", "mnist_edge.report", "mnist_edge.report.grid"]
    assert sorted(eval(done.stdout)) == modules


def test_each_renderer_indents_what_belongs_to_the_row_above() -> None:
    first, second = terminal.table(SHOWN).columns[0].cells
    assert (first, second) == ("a.onnx", "  openvino")
    told = markdown_elements.grid(SHOWN)
    assert told[2].startswith("| a.onnx ")
    assert told[3].startswith("| &nbsp;&nbsp;openvino ")
    page = elements.table(SHOWN, "caption")
    assert page.count('class="under"') == 1
    assert page.index("a.onnx") < page.index('class="under"') < page.index("openvino")


def test_a_name_that_begins_with_blanks_of_its_own_belongs_to_nothing() -> None:
    own = Grid(("file",), (("  a.onnx",),))
    assert "under" not in elements.table(own, "caption")
    assert "nbsp" not in "".join(markdown_elements.grid(own))


def test_a_part_begins_where_a_column_says_so() -> None:
    (whole,) = terminal.parts(SHOWN, 28)
    assert [column.justify for column in whole.columns] == ["left", "left", "right", "right"]
    assert headers(SHOWN, 27) == [["file", "what"], ["file", "p50", "size"]]
    unbroken = replace(SHOWN, breaks=())
    assert headers(unbroken, 27) == [["file", "what", "p50"], ["file", "size"]]


def headers(shown: Grid, width: int) -> list[list[str]]:
    return [[str(one.header) for one in part.columns] for part in terminal.parts(shown, width)]


def test_a_table_fits_as_far_as_it_is_wide() -> None:
    wide = sum(len(word) for word in ("  openvino", "what", "p50", "85 kB")) + 3 * SHOWN.gap
    assert terminal.fits(SHOWN, wide)
    assert not terminal.fits(SHOWN, wide - 1)
