"""Names that the fields of a recipe had in checkpoints and files of version 0.1."""

from collections.abc import Mapping
from typing import Any

_RECIPE = {
    "rough": "strong_augmentation",
    "drawn_share": "synthetic_share",
    "nondigit_share": "outlier_share",
}
_STRONG_AUGMENTATION = {"warp": "transform", "wear": "corruptions"}
_CORRUPTIONS = {
    "often": "probability",
    "thinner": "erode",
    "fatter": "dilate",
    "gaps": "dropout",
    "specks": "speckle",
    "coarse": "downsample",
    "hard": "contrast",
    "faint": "fade",
}


def rename_fields(recipe: Any) -> Any:
    """A recipe's plain values under the names of this version; what is no dict, as it is."""
    recipe = _renamed(recipe, _RECIPE)
    if not isinstance(recipe, dict):
        return recipe
    strong = _renamed(recipe.get("strong_augmentation"), _STRONG_AUGMENTATION)
    if isinstance(strong, dict):
        if "corruptions" in strong:
            strong["corruptions"] = _renamed(strong["corruptions"], _CORRUPTIONS)
        recipe["strong_augmentation"] = strong
    return recipe


def _renamed(values: Any, names: Mapping[str, str]) -> Any:
    """A name stands as it is where both the old and the new one are there: neither is dropped."""
    if not isinstance(values, dict):
        return values
    return {
        new if (new := names.get(name, name)) not in values else name: value
        for name, value in values.items()
    }
