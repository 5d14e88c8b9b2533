"""What can be trained, timed and reproduced, described: for help texts and lists, which import
nothing for it, and on a device, where PyTorch is not.

The networks themselves are in `lab.training.models`, the trainings of the experiments in
`lab.reproduce.experiments`, the backends in `backends`, the data sets in `datasets`. All take
their descriptions from here, and a test holds the counts of parameters and multiply-adds against
the real networks. CONTRIBUTING.md says how one is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_edge.image_kind import ImageKind
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape

SHORTCUTS = ("zero", "projection")


@dataclass(frozen=True, slots=True)
class Network:
    """What a network is, and what it costs where it runs, with 10 classes: `params`, `macs`
    (multiply-adds for one image). `shortcuts` are the choices of --shortcut, the default first."""

    what: str
    params: int
    macs: int
    shortcuts: tuple[str, ...] = ()


NETWORKS: dict[str, Network] = {
    "edge": Network("folding blocks of 32/32/64/64; the default", 70_394, 1_053_568),
    "edge-xs": Network("folding blocks of 16/16/16/24/24", 18_250, 386_352),
    "resnet3": Network("three wide residual blocks of 64/256/512", 4_804_746, 111_214_080),
    "resnet8": Network("ResNet-8 of MLPerf Tiny", 77_754, 9_345_920),
    "resnet18": Network("torchvision's ResNet-18", 11_175_370, 33_010_944),
    "resnet20": Network("He et al. 2015, section 4.2, n = 3", 269_434, 30_821_248, SHORTCUTS),
    "resnet56": Network("He et al. 2015, section 4.2, n = 9", 852_730, 95_849_344, SHORTCUTS),
    "plain20": Network("resnet20 without its skips", 269_434, 30_821_248),
    "plain56": Network("resnet56 without its skips", 852_730, 95_849_344),
}


@dataclass(frozen=True, slots=True)
class PublicDataset:
    """What a data set is of, and by whom. `mnist_digits`: it is of the ten digits in MNIST's form;
    `kind` is what its images are of, None: as their pixels say; `shape` is theirs. `fit` is how
    pictures become images like its own. `module` is the one whose `load` makes it; "" for four
    files in MNIST's format, which `datasets.published` names."""

    what: str
    mnist_digits: bool = False
    module: str = ""
    kind: ImageKind | None = None
    fit: Fit = Fit.DIGIT
    shape: ImageShape = MNIST_SHAPE


DATASETS: dict[str, PublicDataset] = {
    "mnist": PublicDataset(
        "handwritten digits, by LeCun, Cortes and Burges", mnist_digits=True, kind=ImageKind.GLYPHS
    ),
    "fashion-mnist": PublicDataset(
        "articles of clothing, by Xiao, Rasul and Vollgraf (Zalando Research)",
        kind=ImageKind.PHOTOGRAPHS,
        fit=Fit.PAD,
    ),
    "kmnist": PublicDataset(
        "cursive Japanese characters, by Clanuwat et al.", kind=ImageKind.GLYPHS
    ),
    "qmnist": PublicDataset(
        "MNIST rebuilt, with more test digits, by Yadav and Bottou",
        mnist_digits=True,
        kind=ImageKind.GLYPHS,
    ),
    "cifar10": PublicDataset(
        "small photographs in colour, by Krizhevsky, Nair and Hinton",
        module="mnist_edge.datasets.cifar10",
        kind=ImageKind.PHOTOGRAPHS,
        fit=Fit.PAD,
        shape=ImageShape(32, 32, 3),
    ),
    "digits": PublicDataset(
        "UCI's handwritten digits, by Alpaydin and Kaynak; 8×8 pixels made 28×28",
        mnist_digits=True,
        kind=ImageKind.GLYPHS,
        module="mnist_edge.datasets.digits",
    ),
}


@dataclass(frozen=True, slots=True)
class Backend:
    """A runtime of `bench --contender`: the `entry_point` of its class, "module:Class", and
    what it runs.

    `extra` is the optional part of the package that installs it, "" where it is always there. An
    extra of its own says what it brings: the `modules` that are imported, and the `packages` whose
    versions a record keeps.
    """

    entry_point: str
    runs: str
    extra: str = ""
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


_ORIGINAL = "the PyTorch network that a file was exported from"
BACKENDS: dict[str, Backend] = {  # in the order of a table
    "onnxruntime": Backend("mnist_edge.backends.onnxruntime:OnnxRuntime", "ONNX files"),
    "openvino": Backend(
        "mnist_edge.backends.openvino:OpenVino",
        "ONNX files",
        extra="openvino",
        modules=("openvino",),
        packages=("openvino",),
    ),
    "ncnn": Backend(
        "mnist_edge.backends.ncnn:Ncnn",
        "fp32 files of mnist-edge",
        extra="ncnn",
        modules=("ncnn", "pnnx"),
        packages=("ncnn",),
    ),
    "torch-compile": Backend("mnist_edge.backends.pytorch:TorchCompile", _ORIGINAL, extra="train"),
    "pytorch": Backend("mnist_edge.backends.pytorch:PyTorch", _ORIGINAL, extra="train"),
}


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part of the package: what it gives, the modules that it needs, which the edge
    imports late or never, and the packages whose versions a record keeps."""

    name: str
    gives: str
    modules: tuple[str, ...]
    packages: tuple[str, ...] = ()


_ORIGINALS = ", ".join(sorted(name for name, one in BACKENDS.items() if one.extra == "train"))
EXTRAS: tuple[Extra, ...] = (
    Extra(
        "train",
        f"train, export, and the PyTorch originals in bench ({_ORIGINALS})",
        ("torch", "torchvision", "onnx", "onnxscript", "sklearn", "matplotlib"),
        ("torch", "torchvision", "onnx"),
    ),
    *(
        Extra(one.extra, f"bench --contender {name}", one.modules, one.packages)
        for name, one in BACKENDS.items()
        if one.modules
    ),
    Extra(
        "loadgen",
        "bench --loadgen: MLCommons' own load generator",
        ("mlperf_loadgen",),
        ("mlcommons-loadgen",),
    ),
    Extra("report", "bench --html and --plot", ("matplotlib",)),
    Extra("check", "data --check (with [train])", ("cleanlab",)),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs where it runs: `params`, `macs` (multiply-adds for one image)."""

    params: int
    macs: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A module without modules of its own, or whatever else holds parameters.

    `name` is its place in the network's body, `kind` its class and what shapes its output.
    `output` is the shape for one image, without the N in front; None for a layer that did not
    run, or gave no tensor. `params` are trainable and counted where they are met first, `macs`
    are multiply-adds for one image.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    params: int
    macs: int


def total(layers: Sequence[Layer]) -> Cost:
    """What all layers cost together."""
    return Cost(sum(layer.params for layer in layers), sum(layer.macs for layer in layers))


@dataclass(frozen=True, slots=True)
class Claim:
    """A published figure: of what, as it was written, and as a number in 0..1."""

    of: str
    figure: str
    value: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """A name, one line of what it is, where it comes from, what was claimed, what is trained.

    `seeds` is over how many it is repeated unless a person says how many, None for an experiment
    that is not repeated; `sized`: it has a small and a full size; `of_mnist`: what is claimed or
    aimed at is of MNIST.
    """

    name: str
    what: str
    source: str
    claims: tuple[Claim, ...]
    trains: str
    sized: bool = False
    seeds: int | None = None
    of_mnist: bool = True

    def is_as_claimed(self, dataset: str, epochs: int | None) -> bool:
        """Whether its claims or aims are of a training on this data set, for so many epochs (None:
        the recipe's own)."""
        return epochs is None and (dataset == "mnist" or not self.of_mnist)


_HE = "He et al. 2015, arXiv 1512.03385"
EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        Experiment(
            "three-block",
            "a residual network of three wide blocks, as a Keras project trained it",
            "the first of the two projects that this tool grew from",
            (Claim("accuracy, test split", "99.3 %", 0.993),),
            "resnet3: Adam 0.001, cross-entropy, 10 epochs, batch 128, no augmentation",
            seeds=1,
        ),
        Experiment(
            "resnet18-one-epoch",
            "torchvision's ResNet-18 with a 1-channel stem, after one epoch",
            "the second of the two projects that this tool grew from",
            (
                Claim("accuracy, test split", "98.2 %", 0.982),
                Claim("macro F1, test split", "0.981", 0.981),
            ),
            "resnet18: RMSprop 0.005, cross-entropy, 1 epoch, batch 64, no augmentation",
            seeds=3,
        ),
        Experiment(
            "depth",
            "deeper plain networks train worse; with skips they do not",
            f"{_HE}, figures 1 and 6",
            (),
            "plain20, plain56, resnet20, resnet56: SGD 0.1 with momentum, as for CIFAR-10; "
            "0.02 in the small size",
            sized=True,
            of_mnist=False,
        ),
        Experiment(
            "shortcuts",
            "zero-padded shortcuts (option A) against 1×1 projections (option B)",
            f"{_HE}, section 3.3 and table 3",
            (),
            "resnet20 with either, over seeds: SGD 0.1 with momentum, as for CIFAR-10",
            sized=True,
            of_mnist=False,
            seeds=3,
        ),
        Experiment(
            "best",
            "our own recipes: how far they come, and what a teacher adds",
            "mnist-edge; the published records are 99.83 % (single) and 99.91 % (ensemble)",
            (),
            "resnet3, edge and edge-xs, over seeds; edge and edge-xs again, taught by resnet3",
            seeds=3,
        ),
    )
}
