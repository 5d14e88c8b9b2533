"""One target under libFuzzer: python -m tests.fuzz.child TARGET LIBFUZZER_OPTION…"""

import sys

import atheris

# Before anything of ours is imported: what is there already is not instrumented.
with atheris.instrument_imports(include=["mnist_edge"]):
    from tests.fuzz.targets import TARGETS

    if "checkpoint" in sys.argv[1:2]:  # the edge never imports it by itself
        import mnist_edge.lab.training.checkpoint  # noqa: F401

if __name__ == "__main__":
    target, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()
