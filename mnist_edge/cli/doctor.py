"""mnist-edge doctor"""

import shutil

from mnist_edge.cli.console import echo, echo_json
from mnist_edge.cli.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Say what can be measured on this machine, and how well."""
    from mnist_edge.report import doctor as health

    found = health.examine()
    if as_json:
        echo_json(health.as_json(found))
        return
    for line in health.lines(found, shutil.get_terminal_size().columns):
        echo(line)
