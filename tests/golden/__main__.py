"""python -m tests.golden: write the golden files anew; those that no test asks for are deleted,
unless arguments of pytest (-k …) choose some of the tests."""

import os
import sys

import pytest

from tests.golden import FOLDER, REWRITE

if __name__ == "__main__":
    if not sys.argv[1:]:
        for path in FOLDER.glob("*/*.txt"):
            path.unlink()
    os.environ[REWRITE] = "1"
    sys.exit(pytest.main(["-q", str(FOLDER), *sys.argv[1:]]))
