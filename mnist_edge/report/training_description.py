"""How a file's network was trained and quantized, from its metadata: rows of a name and a value.

What this version does not know is shown by its own name; what was not done is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_edge.report import formatting

Row = tuple[str, str]
Columns = Mapping[str, tuple[str, Callable[[Any], str]]]
"""The name of a value, and how it is written, by its key in the metadata."""

_UNITS = {"deg": "°", "px": " px", "s": " s", "hz": " Hz", "us": " µs"}
_SHOWN_ELSEWHERE = ("model", "dataset", "seed")
_ONE_CYCLE = "one-cycle"
_OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD with momentum"}
_SCHEDULES = {
    _ONE_CYCLE: "one cycle, falling to 0 along a cosine",
    "steps": "falls to a tenth after half of all steps, and to a hundredth after three quarters",
}


def training_rows(values: Mapping[str, Any]) -> list[Row]:
    """Of a card's `trained`."""
    recipe = values.get("recipe")
    if not isinstance(recipe, Mapping):
        return _rows(values, _CIRCUMSTANCES)
    own = {key: value for key, value in recipe.items() if key not in _SHOWN_ELSEWHERE}
    if own.get("schedule", _ONE_CYCLE) != _ONE_CYCLE:
        own.pop("warmup", None)  # which means nothing then
    # Parts that have rows of their own.
    for whole, part in (("strong_augmentation", "corruptions"), ("distillation", "teachers")):
        if isinstance(nested := own.get(whole), Mapping):
            own[part] = nested.get(part)
            own[whole] = {key: value for key, value in nested.items() if key != part}
    others = {key: value for key, value in values.items() if key != "recipe"}
    return [*_rows(own, _RECIPE), *_rows(others, _CIRCUMSTANCES)]


def quantization_rows(values: Mapping[str, Any]) -> list[Row]:
    """Of a card's `calibration`."""
    return _rows(values, _CALIBRATION)


def _rows(values: Mapping[str, Any], known: Columns) -> list[Row]:
    """Those that are known come first, in their own order."""
    rows = [_known_row(values[key], *known[key]) for key in known if key in values]
    rows += [_row(key, value) for key, value in values.items() if key not in known]
    return [(name, text) for name, text in rows if text]


def _known_row(value: Any, name: str, write: Callable[[Any], str]) -> Row:
    try:
        return name, write(value)
    except (TypeError, ValueError, KeyError, AttributeError):  # written by another version
        return name, _plain(value)


def _row(key: str, value: Any) -> Row:
    """rotation_deg, 12.0: rotation, 12°"""
    name, _, unit = key.rpartition("_")
    if not name or unit not in _UNITS or not isinstance(value, int | float):
        return key.replace("_", " "), _plain(value)
    text = formatting.duration(value) if unit == "s" else _plain(value) + _UNITS[unit]
    return name.replace("_", " "), text


def _plain(value: Any) -> str:
    """Any value of JSON: epochs 3, rotation 12°, warp (scale 0.1); empty for what says nothing."""
    match value:
        case None:
            return ""
        case Mapping():
            parts = [(*_row(key, part), isinstance(part, Mapping)) for key, part in value.items()]
            texts = [
                (name, f"({text})" if nested else text) for name, text, nested in parts if text
            ]
            return ", ".join(f"{name} {text}" for name, text in texts)
        case list() | tuple():
            return ", ".join(filter(None, map(_plain, value)))
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
    return str(value)


def _share(value: float) -> str:
    return f"{value * 100:g} %"


def _of_images(share: float) -> str:
    return f"{_share(share)} of all training images" if share else ""


def _transform(values: Mapping[str, float]) -> str:
    """How far an image may be transformed, at most, in either direction."""
    return ", ".join(_extent(key, value) for key, value in values.items() if value)


def _extent(key: str, value: float) -> str:
    if key in ("scale", "shift"):
        return f"{key} ±{_share(value)}"
    name, text = _row(key, value)
    return f"{name} {text}" if name == "elastic" else f"{name} ±{text}"


def _weights(values: Sequence[float]) -> str:
    return f"{min(values):g} to {max(values):g}" if values else ""


def _photographs(values: Mapping[str, Any]) -> str:
    """How photographs are changed, at most, in either direction."""
    parts = ["mirrored at random"] if values["flip"] else []
    for name in ("shift", "brightness", "contrast", "saturation"):
        if value := values[name]:
            parts.append(f"{name} ±{_share(value)}")
    if value := values["cutout"]:
        parts.append(f"cutout of {_share(value)} of the side")
    return ", ".join(parts)


def augmentation_names(recipe: Mapping[str, Any]) -> list[str]:
    """What is done to every training image, of a recipe's plain values: rotation, scale, …"""
    names = [
        _row(name, value)[0] for name, value in recipe.get("augmentation", {}).items() if value
    ]
    photographs = recipe.get("photograph_augmentation") or {}
    names += [name for name in ("flip", "shift") if photographs.get(name)]
    jitter = [name for name in ("brightness", "contrast") if photographs.get(name)]
    names += ["colour jitter"] if photographs.get("saturation") else jitter
    return names + ["cutout"] * bool(photographs.get("cutout"))


def _corruptions(values: Mapping[str, float]) -> str:
    kinds = {key: value for key, value in values.items() if value and key != "probability"}
    return f"each with probability {values['probability']:g}: {_plain(kinds)}" if kinds else ""


def _distillation(values: Mapping[str, Any]) -> str:
    teachers = " and ".join(values.get("models", ())) or "its teachers"
    views = formatting.count(values["views"], "augmented view")
    return (
        f"{_share(values['share'])} of the loss is against the probabilities of {teachers} at "
        f"temperature {values['temperature']:g}, on {views} of each image"
    )


def _pretrained(values: Mapping[str, str]) -> str:
    return f"{values['name']}, trained on {values['dataset']} (SHA-256 {values['sha256']})"


_RECIPE: Columns = {
    "part_share": (
        "smaller parts of the data set",
        lambda share: f"repeated until they are {_share(share)} as many images as the largest",
    ),
    "pretrained": ("fine-tuned from", _pretrained),
    "epochs": ("epochs", _plain),
    "batch_size": ("batch", lambda size: formatting.count(size, "image")),
    "images": ("training images", _plain),
    "optimizer": ("optimizer", lambda name: _OPTIMIZERS.get(name) or _plain(name)),
    "lr": ("peak learning rate", _plain),
    "schedule": ("schedule", lambda name: _SCHEDULES.get(name) or _plain(name)),
    "warmup": ("warm-up", lambda share: f"over the first {_share(share)} of all steps"),
    "weight_decay": ("weight decay", _plain),
    "label_smoothing": ("label smoothing", _plain),
    "ema_decay": (
        "exponential moving average of the weights",
        lambda decay: f"{decay:g} a step" if decay else "",
    ),
    "shortcut": ("shortcuts", _plain),
    "augmentation": ("augmentation", _transform),
    "photograph_augmentation": ("augmentation of photographs", _photographs),
    "strong_augmentation": (
        "strong augmentation",
        lambda one: f"{_share(one['share'])} of each batch: {_transform(one['transform'])}",
    ),
    "corruptions": ("corruptions, with strong augmentation", _corruptions),
    "synthetic_share": ("synthetic digits", _of_images),
    "outlier_share": ("outliers: no digits, every class equally probable", _of_images),
    "outlier_folder": (
        "pictures of no class",
        lambda name: f"those of {name}: every class equally probable",
    ),
    "class_weights": ("class weights in the loss", _weights),
    "distillation": ("distillation", _distillation),
    "teachers": ("SHA-256 of the teachers", _plain),
}
_CIRCUMSTANCES: Columns = {
    "seed": ("seed", str),
    "torch": ("PyTorch", _plain),
    "precision": ("training precision", _plain),
}
_CALIBRATION: Columns = {
    "method": ("calibration", _plain),
    "images": ("calibrated on", lambda images: formatting.count(images, "training image")),
    "seed": ("seed", str),
    "weight_bits": ("weights", lambda bits: f"{bits:d} bits, per channel"),
    "keep_float": ("layers left in float", _plain),
    "finetune": ("quantization-aware fine-tuning", _plain),
}
