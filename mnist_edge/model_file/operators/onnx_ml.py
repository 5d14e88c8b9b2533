"""ai.onnx.ml: classifiers that scikit-learn and its like export."""

from math import prod

from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.operators.base import (
    CURVED,
    ML,
    Call,
    Outcome,
    Sizes,
    fits,
    one,
    product_work,
    rule,
)
from mnist_edge.model_file.tensors import DOUBLE, FLOAT, INT64, STRING

_MAP_ENTRY = 32  # doubles that an entry of a map is counted as


@rule("Scaler", "Normalizer", "Imputer", "Binarizer", domain=ML)
def scaled(call: Call) -> Outcome:
    return one(call.shape(0), FLOAT, CURVED * prod(call.shape(0)))


@rule("ArrayFeatureExtractor", domain=ML)
def features(call: Call) -> Outcome:
    shape, count = call.shape(0), call.given(1).size
    fits(bool(shape), call)
    return one((*(shape[:-1] or (1,)), count), call.dtype(0))


@rule("LinearClassifier", domain=ML)
def linear_classifier(call: Call) -> Outcome:
    rows, columns = _table(call)
    return _classified(call, rows, rows * columns * _classes(call))


@rule("LinearRegressor", domain=ML)
def linear_regressor(call: Call) -> Outcome:
    rows, columns = _table(call)
    targets = _targets(call, "targets")
    return one((rows, targets), FLOAT, product_work(rows * columns * targets, FLOAT))


@rule("SVMClassifier", domain=ML)
def svm_classifier(call: Call) -> Outcome:
    rows, columns = _table(call)
    classes = _classes(call)
    pairs = max(classes, classes * (classes - 1) // 2)
    vectors = len(call.attribute("support_vectors", ())) + columns * max(1, pairs)
    work = CURVED * rows * (vectors + len(call.attribute("coefficients", ())))
    outcome = _classified(call, rows, work)
    calibrated = bool(call.attribute("prob_a", ()))
    outcome.outputs = [outcome.outputs[0], ((rows, classes if calibrated else pairs), FLOAT)]
    return outcome


@rule("TreeEnsembleClassifier", domain=ML)
def tree_classifier(call: Call) -> Outcome:
    rows, _ = _table(call)
    return _classified(call, rows, rows * _tree_work(call))


@rule("TreeEnsembleRegressor", domain=ML)
def tree_regressor(call: Call) -> Outcome:
    rows, _ = _table(call)
    targets = _targets(call, "n_targets")
    return one((rows, targets), FLOAT, rows * (_tree_work(call) + targets))


def _tree_work(call: Call) -> float:
    """All nodes, for one image. RefusedError unless each node comes before those below it: so no
    way down a tree is endless."""
    ids, trees = call.whole("nodes_nodeids", ()), call.whole("nodes_treeids", ())
    modes = [bytes(one) for one in call.attribute("nodes_modes", ())]
    below = [call.whole(name, ()) for name in ("nodes_truenodeids", "nodes_falsenodeids")]
    if len({len(ids), len(trees), len(modes), *map(len, below)}) > 1:
        raise RefusedError("its trees are damaged")
    for at, number in enumerate(ids):
        if modes[at] != b"LEAF" and min(below[0][at], below[1][at]) <= number:
            raise RefusedError("its trees are not in order")
    return CURVED * len(ids)


@rule("ZipMap", domain=ML)
def maps(call: Call) -> Outcome:
    """A list of maps, from which no operator of this list takes anything."""
    return one((prod(call.shape(0)) * _MAP_ENTRY,), DOUBLE)


@rule("LabelEncoder", domain=ML)
def labels(call: Call) -> Outcome:
    values = {"values_strings": STRING, "values_int64s": INT64, "values_floats": FLOAT}
    values |= {"classes_strings": STRING}
    found = [kind for name, kind in values.items() if name in call.node.attributes]
    tensor = call.attribute("values_tensor", None)
    dtype = found[0] if found else getattr(tensor, "dtype", DOUBLE)
    return one(call.shape(0), dtype, CURVED * prod(call.shape(0)))


@rule("OneHotEncoder", domain=ML)
def one_hot(call: Call) -> Outcome:
    counts = [len(call.attribute(name, ())) for name in ("cats_int64s", "cats_strings")]
    return one((*call.shape(0), max(counts)), FLOAT)


@rule("FeatureVectorizer", domain=ML)
def vectors(call: Call) -> Outcome:
    tables = [call.shape(at) for at in range(len(call.inputs))]
    fits(all(len(some) == 2 and some[0] == tables[0][0] for some in tables), call)
    return one((tables[0][0], sum(some[1] for some in tables)), FLOAT)


def _table(call: Call) -> tuple[int, int]:
    shape: Sizes = call.shape(0)
    fits(len(shape) in (1, 2), call)
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


def _names(call: Call) -> tuple[int, int]:
    """How many classes have names, and of which type these are."""
    for name in ("classlabels_int64s", "classlabels_ints"):
        if found := call.attribute(name, ()):
            return len(found), INT64
    return len(call.attribute("classlabels_strings", ())), STRING


def _classes(call: Call) -> int:
    return max(_names(call)[0], len(call.attribute("intercepts", ())), 2)


def _targets(call: Call, name: str) -> int:
    targets: int = call.attribute(name, 1)
    fits(0 < targets <= 2**20, call)
    return targets


def _classified(call: Call, rows: int, work: float) -> Outcome:
    """The most probable class, and a value for each."""
    return Outcome([((rows,), _names(call)[1]), ((rows, _classes(call)), FLOAT)], work)
