"""What is said of a data set: what a folder holds besides pictures, and what becomes of those."""

from collections.abc import Sequence
from typing import Any

from mnist_edge.dataset_names import has_folder
from mnist_edge.datasets import Dataset, FolderFindings, Outliers
from mnist_edge.fingerprint import Fingerprint, describe_changes
from mnist_edge.image_shape import Fit
from mnist_edge.report.formatting import count

_MOST_PAIRS = 3
_HEIF = (".heic", ".heif", ".hif")


def lines(data: Dataset) -> list[str]:
    """What a person should know of their folder: a line for each finding; none of other sets but
    for images of no class."""
    if data.parts:
        texts = [f"{part.name}: {line}" for part in data.parts for line in lines(part)]
        is_given = data.outliers and not any(part.outliers for part in data.parts)
        return texts + [_outliers(data.outliers)] * bool(is_given)
    found = data.findings
    texts = [] if found is None else [_images(data, found), _split(data, found)]
    texts.append(_outliers(data.outliers))
    if found is not None:
        texts += _other_findings(found)
    return [line for line in texts if line]


def _other_findings(found: FolderFindings) -> list[str]:
    texts = [_passed_over(found)]
    if found.unreadable:
        reasons = "; ".join(reason for _, reason in found.unreadable)
        texts.append(f"{count(len(found.unreadable), 'picture')} left out, unreadable: {reasons}")
    if found.of_several:
        texts.append(
            f"{count(found.of_several, 'file')} of several frames or pages: of each only the first "
            "is read"
        )
    if found.untested:
        texts.append(
            f"no test images of {', '.join(found.untested)}: nothing will be known of them"
        )
    if found.in_two_splits:
        pairs = _pairs(found.in_two_splits)
        texts.append(f"the same picture is in two splits: {pairs}: keep one, or the test knows it")
    if found.in_two_classes:
        pairs = _pairs(found.in_two_classes)
        texts.append(f"the same picture is in two classes: {pairs}: one of them is wrong")
    return texts


def _outliers(outliers: Outliers | None) -> str:
    if outliers is None:
        return ""
    return (
        f"{count(len(outliers), 'picture')} of no class: {len(outliers.training):,} to train on, "
        f"{len(outliers.validation):,} for validation, {len(outliers.test):,} for the test"
    )


def as_json(found: FolderFindings | None) -> dict[str, Any] | None:
    """The findings for a script."""
    if found is None:
        return None
    return {
        "pictures": found.pictures,
        "of_several": found.of_several,
        "unreadable": [{"picture": name, "reason": reason} for name, reason in found.unreadable],
        "coloured": found.coloured,
        "smallest": list(found.smallest),
        "largest": list(found.largest),
        "passed_over": {
            "files": found.suffixes,
            "loose_pictures": found.loose,
            "folders": list(found.folders),
        },
        "test_split": "by hash" if found.cut_test else "own",
        "untested": list(found.untested),
        "in_two_splits": [list(pair) for pair in found.in_two_splits],
        "in_two_classes": [list(pair) for pair in found.in_two_classes],
    }


def changed_images_note(
    whose: str, trained_on: str, before: Fingerprint | None, data: Dataset
) -> str:
    """What is said where a model meets other test images than those that it was measured on; ""
    where there is nothing to say. `trained_on` is the name of the model's own set."""
    now = data.fingerprint
    if before is None:
        if not (has_folder(trained_on) and has_folder(data.name)):
            return ""
        return (
            f"note: {whose} does not say which pictures it was trained on, as files of older "
            "versions: some of these test images may be among them"
        )
    if now is None or before.test == now.test:
        return ""
    changes = describe_changes(before, now)
    return f"note: {data.name} is not what {whose} was trained and measured on: {changes}"


def missing_outliers_note(
    whose: str, trained_on: str, before: Fingerprint | None, data: Dataset, consequence: str
) -> str:
    """What is said where the images of no class are missing that a model was trained with; "" where
    they are not. `trained_on` is the name of the model's own set, `consequence` what follows."""
    if before is None or before.outliers is None or data.outliers or data.name != trained_on:
        return ""
    pictures = count(before.outliers.images, "picture")
    return f"note: the {pictures} of no class of {whose} are not here: {consequence}"


def _images(data: Dataset, found: FolderFindings) -> str:
    """What the pictures become; that they lose their colour, where they do."""
    small, large = (f"{width}×{height}" for width, height in (found.smallest, found.largest))
    sizes = small if small == large else f"{small} to {large}"
    how = "" if sizes == data.shape.size else _FITTED[data.fit]
    line = f"{found.pictures:,} pictures of {sizes} pixels become {data.shape}{how}"
    if data.shape.is_color or not found.coloured:
        return line
    return (
        f"{line}. Colour is not used, though {found.coloured:,} of them have some: --color keeps "
        "it. Classes that differ in colour alone cannot be told apart"
    )


_FITTED = {
    Fit.DIGIT: ", their digits in MNIST's form",
    Fit.PAD: ", padded",
    Fit.CROP: ", cut to the middle",
    Fit.ZERO_PAD: ", padded with black",
}


def _split(data: Dataset, found: FolderFindings) -> str:
    if not found.cut_test:
        return ""
    return (
        f"test split: {len(data.test):,} of {found.pictures:,} pictures, by a hash of each file: "
        "pictures that are added later move no other into it"
    )


def _passed_over(found: FolderFindings) -> str:
    parts = [
        f"{count:,} {suffix or 'without a suffix'}{_advice(suffix)}"
        for suffix, count in found.suffixes.items()
    ]
    if found.loose:
        parts.append(f"{count(found.loose, 'picture')} in no class's folder")
    files = sum(found.suffixes.values()) + found.loose
    line = f"{count(files, 'file')} passed over: {', '.join(parts)}" if files else ""
    if found.folders:
        beside = f"folders beside the splits passed over: {', '.join(found.folders)}"
        line = f"{line}; {beside}" if line else beside
    return line


def _advice(suffix: str) -> str:
    return " (save as PNG or JPEG, or pip install pillow-heif)" if suffix in _HEIF else ""


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    more = len(pairs) - _MOST_PAIRS
    parts = ", ".join(f"{one} = {other}" for one, other in pairs[:_MOST_PAIRS])
    return parts + (f" and {more:,} more" if more > 0 else "")
