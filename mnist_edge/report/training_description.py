"""How a file's network was trained and quantized, in words, from what its metadata says of it."""

from collections.abc import Callable, Mapping
from typing import Any

from mnist_edge.report import formatting

Row = tuple[str, str]
_UNITS = {"deg": "°", "px": " px", "s": " s", "hz": " Hz", "us": " µs"}
_TOLD_ELSEWHERE = ("model", "dataset", "seed")
_ONE_CYCLE = "one-cycle"
_OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD with momentum"}
_SCHEDULES = {
    _ONE_CYCLE: "one cycle, falling to 0 along a cosine",
    "steps": "falls to a tenth after half of all steps, and to a hundredth after three quarters",
}


def trained(values: Mapping[str, Any]) -> list[Row]:
    """What and how: a name and a value each, of a card's `trained`.

    What this version does not know is told by its own name; what was not done is left out.
    """
    recipe = values.get("recipe")
    if not isinstance(recipe, Mapping):
        return _rows(values, _CIRCUMSTANCES)
    own = {key: value for key, value in recipe.items() if key not in _TOLD_ELSEWHERE}
    if own.get("schedule", _ONE_CYCLE) != _ONE_CYCLE:
        own.pop("warmup", None)  # which means nothing then
    for whole, part in (
        ("strong_augmentation", "corruptions"),
        ("distillation", "teachers"),
    ):  # rows of their own
        if isinstance(nested := own.get(whole), Mapping):
            own[part] = nested.get(part)
            own[whole] = {key: value for key, value in nested.items() if key != part}
    others = {key: value for key, value in values.items() if key != "recipe"}
    return [*_rows(own, _RECIPE), *_rows(others, _CIRCUMSTANCES)]


def quantized(values: Mapping[str, Any]) -> list[Row]:
    """The same for a card's `calibration`."""
    return _rows(values, _CALIBRATION)


def _rows(values: Mapping[str, Any], words: Mapping[str, "_Words"]) -> list[Row]:
    """Those that are known come first, in the order of the `words`."""
    order = [*(key for key in words if key in values), *(key for key in values if key not in words)]
    rows = (_row(key, values[key], words.get(key)) for key in order)
    return [(name, told) for name, told in rows if told]


def _row(key: str, value: Any, words: "_Words | None") -> Row:
    if words is None:
        return _named(key, value)
    name, tell = words
    try:
        return name, tell(value)
    except (TypeError, ValueError, KeyError, AttributeError):  # written by another version
        return name, _plain(value)


def _named(key: str, value: Any) -> Row:
    """rotation_deg, 12.0: rotation, 12°"""
    name, _, unit = key.rpartition("_")
    if name and unit in _UNITS and isinstance(value, int | float):
        return _spelled(name), formatting.duration(value) if unit == "s" else _plain(
            value
        ) + _UNITS[unit]
    return _spelled(key), _plain(value)


def _plain(value: Any) -> str:
    """Any value of JSON as words; empty for what says nothing."""
    if isinstance(value, Mapping):
        return ", ".join(_part(key, one) for key, one in value.items() if _plain(one))
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _part(key: str, value: Any) -> str:
    """epochs 3, rotation 12°, warp (scale 0.1, shift 0.08)"""
    name, told = _named(key, value)
    return f"{name} ({told})" if isinstance(value, Mapping) else f"{name} {told}"


def _spelled(key: str) -> str:
    return key.replace("_", " ")


def _share(value: float) -> str:
    return f"{value * 100:g} %"


def _some(of: str) -> "Callable[[float], str]":
    """A share of something; nothing where it is 0."""
    return lambda value: f"{_share(value)} of {of}" if value else ""


def _many(one: str, more: str) -> "Callable[[int], str]":
    return lambda count: f"{count:,} {one if count == 1 else more}"


def _known(words: Mapping[str, str]) -> "Callable[[str], str]":
    return lambda name: words.get(name) or _plain(name)


def _decay(decay: float) -> str:
    return f"{decay:g} a step" if decay else ""


def _transform(values: Mapping[str, float]) -> str:
    """How far an image may be transformed, at most, in either direction."""
    return ", ".join(_extent(key, value) for key, value in values.items() if value)


def _extent(key: str, value: float) -> str:
    if key in ("scale", "shift"):
        return f"{key} ±{_share(value)}"
    name, told = _named(key, value)
    return f"{name} {told}" if name == "elastic" else f"{name} ±{told}"


def _strong(values: Mapping[str, Any]) -> str:
    return f"{_share(values['share'])} of each batch: {_transform(values['transform'])}"


def _corruptions(values: Mapping[str, float]) -> str:
    kinds = {key: value for key, value in values.items() if value and key != "probability"}
    return f"each with probability {values['probability']:g}: {_plain(kinds)}" if kinds else ""


def _taught(values: Mapping[str, Any]) -> str:
    copies = _many("warped copy", "warped copies")(values["views"])
    whose = " and ".join(values.get("models", ())) or "its teachers"
    return (
        f"{_share(values['share'])} of the loss is against the probabilities of {whose} at "
        f"temperature {values['temperature']:g}, on {copies} of each image"
    )


_Words = tuple[str, Callable[[Any], str]]
_RECIPE: dict[str, _Words] = {
    "epochs": ("epochs", _plain),
    "batch_size": ("batch", _many("image", "images")),
    "images": ("training images", _plain),
    "optimizer": ("optimizer", _known(_OPTIMIZERS)),
    "lr": ("peak learning rate", _plain),
    "schedule": ("schedule", _known(_SCHEDULES)),
    "warmup": ("warm-up", lambda share: f"over the first {_share(share)} of all steps"),
    "weight_decay": ("weight decay", _plain),
    "label_smoothing": ("label smoothing", _plain),
    "ema_decay": ("exponential moving average of the weights", _decay),
    "shortcut": ("shortcuts", _plain),
    "augmentation": ("augmentation", _transform),
    "strong_augmentation": ("strong augmentation", _strong),
    "corruptions": ("corruptions of these", _corruptions),
    "synthetic_share": ("synthetic digits", _some("all training images")),
    "outlier_share": (
        "outliers: no digits, every class equally probable",
        _some("all training images"),
    ),
    "distillation": ("distillation", _taught),
    "teachers": ("SHA-256 of the teachers", _plain),
}
_CIRCUMSTANCES: dict[str, _Words] = {
    "seed": ("seed", str),
    "torch": ("PyTorch", _plain),
    "precision": ("precision of the training", _plain),
}
_CALIBRATION: dict[str, _Words] = {
    "method": ("calibration", _plain),
    "images": ("calibrated on", _many("training image", "training images")),
    "seed": ("seed", str),
    "weight_bits": ("weights", lambda bits: f"{bits:d} bits, per channel"),
    "keep_float": ("layers left in float", _plain),
    "finetune": ("quantization-aware fine-tuning", _plain),
}
