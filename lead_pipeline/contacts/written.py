"""How the same text is written in other characters."""

from __future__ import annotations

import re
import unicodedata

_FILLERS = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
)
"""Characters without a glyph that Unicode does not count as format characters."""
_FILLER = re.compile(f"[{_FILLERS}]")


def without_invisible(text: str) -> str:
    """The text without what nobody sees: zero-width blanks, soft hyphens, marks of direction, BOMs.

    Blanks and line ends stay: they separate words.
    """
    if text.isascii():
        return text
    visible = _FILLER.sub("", text)
    return "".join(letter for letter in visible if unicodedata.category(letter) != "Cf")


def in_one_width(text: str) -> str:
    """The text with full-width and half-width letters in their usual width, and accents composed.

    Other letters that look alike stay different (NFKC would make ﬁ and fi one, and ² a 2).
    """
    if text.isascii():
        return text
    usual = (
        unicodedata.normalize("NFKC", letter)
        if unicodedata.decomposition(letter).startswith(("<wide>", "<narrow>"))
        else letter
        for letter in text
    )
    return unicodedata.normalize("NFC", "".join(usual))
