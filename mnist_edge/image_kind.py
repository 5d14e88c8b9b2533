"""What images are of: glyphs on an even background, or photographs. Training moves and changes the
two in different ways."""

from enum import StrEnum


class ImageKind(StrEnum):
    """What images are of."""

    GLYPHS = "glyphs"
    """Digits, letters, signs: strokes on an even background. Mirrored, they are others."""
    PHOTOGRAPHS = "photographs"
    """Things, as a camera sees them: most are the same things when mirrored."""
