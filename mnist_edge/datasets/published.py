"""What was published: the files of MNIST and of the sets in its format, and where they are."""

from dataclasses import dataclass

_DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a set, by its name as published, and a digest that proves it.

    `sha256` is of the uncompressed bytes, which do not differ between mirrors; where only the
    publisher's `md5` of the .gz is known, it checks downloads.
    """

    name: str
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """A set: its files in the order train images, train labels, test images, test labels.

    `torchvision` is the folder in which that library keeps them.
    """

    files: tuple[PublishedFile, PublishedFile, PublishedFile, PublishedFile]
    mirrors: tuple[str, ...]
    torchvision: str
    classes: tuple[str, ...] = _DIGITS


# Mirrors and MD5 sums are those of torchvision.datasets.
SOURCES: dict[str, PublishedSet] = {
    "mnist": PublishedSet(
        (
            PublishedFile(
                "train-images-idx3-ubyte.gz",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            PublishedFile(
                "train-labels-idx1-ubyte.gz",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            PublishedFile(
                "t10k-images-idx3-ubyte.gz",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            PublishedFile(
                "t10k-labels-idx1-ubyte.gz",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        "MNIST",
    ),
    "fashion-mnist": PublishedSet(
        (
            PublishedFile("train-images-idx3-ubyte.gz", md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            PublishedFile("train-labels-idx1-ubyte.gz", md5="25c81989df183df01b3e8a0aad5dffbe"),
            PublishedFile("t10k-images-idx3-ubyte.gz", md5="bef4ecab320f06d8554ea6380940ec79"),
            PublishedFile("t10k-labels-idx1-ubyte.gz", md5="bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        "FashionMNIST",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    "kmnist": PublishedSet(
        (
            PublishedFile("train-images-idx3-ubyte.gz", md5="bdb82020997e1d708af4cf47b453dcf7"),
            PublishedFile("train-labels-idx1-ubyte.gz", md5="e144d726b3acfaa3e44228e80efcd344"),
            PublishedFile("t10k-images-idx3-ubyte.gz", md5="5c965bf0a639b31b8f53240b1b52f4d7"),
            PublishedFile("t10k-labels-idx1-ubyte.gz", md5="7320c461ea6c1c855c0b718fb2a4b134"),
        ),
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        "KMNIST",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "qmnist": PublishedSet(
        (
            PublishedFile(
                "qmnist-train-images-idx3-ubyte.gz", md5="ed72d4157d28c017586c42bc6afe6370"
            ),
            PublishedFile(
                "qmnist-train-labels-idx2-int.gz", md5="0058f8dd561b90ffdd0f734c6a30e5e4"
            ),
            PublishedFile(
                "qmnist-test-images-idx3-ubyte.gz", md5="1394631089c404de565df7b7aeaf9412"
            ),
            PublishedFile("qmnist-test-labels-idx2-int.gz", md5="5b5b05890a5e13444e108efe57b788aa"),
        ),
        ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
        "QMNIST",
    ),
}
