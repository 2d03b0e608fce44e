"""When two names of a stage are the same name, however a CRM and a CSV file write them.

    "  GEWONNEN\\N{NO-BREAK SPACE}"  ──fold──▶  "gewonnen"  ◀──fold──  "Gewonnen"

Case, blanks, characters that nobody sees, and Unicode forms (composed or combining, full-width,
ligatures) make no difference. Accents do: they tell words apart in most languages. Two alphabets
need more than Unicode's own folding of case. Turkish and Azeri have two letters i, whose capitals
or small letters other systems write as the other one: with and without a
dot, large and small, they are one letter here.
Greek capitals are written without the accents of the small letters: accents of Greek letters are
left out.

Belongs here: the folding, for the file and for what is served. Does not belong here: which name
is which stage (`stages.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from lead_pipeline.normalized.steps import Columns, StepContext

_OF_GREEK_LETTERS = re.compile("(?<=[\u0370-\u03ff])[\u0300-\u036f]+")
_DOTS_OF_I = re.compile("(?<=i)\u0307+")
_UNSEEN = re.compile("[\u034f\ufe00-\ufe0f]")
"""The grapheme joiner and the variation selectors: marks by category, yet nothing to see."""
_WRITTEN_AS = str.maketrans({"\N{LATIN SMALL LETTER DOTLESS I}": "i", "\N{HYPHEN}": "-"})
"""NFKD makes the hyphen of a no-break hyphen; keyboards have hyphen-minus."""


def fold(name: str) -> str:
    """The form in which a stage's name is compared; folding it again changes nothing."""
    seen = "".join(letter for letter in _UNSEEN.sub("", name) if not _is_unseen(letter))
    # Twice, because a compatibility form can hide a capital, and a capital a combining letter.
    folded = unicodedata.normalize("NFD", seen).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    folded = unicodedata.normalize("NFKD", folded).translate(_WRITTEN_AS)
    folded = _DOTS_OF_I.sub("", _OF_GREEK_LETTERS.sub("", folded))
    return unicodedata.normalize("NFC", " ".join(folded.split()))


def _is_unseen(letter: str) -> bool:
    """Whether it is a control or format character (soft hyphen, zero-width blank); no blank is."""
    return unicodedata.category(letter) in ("Cc", "Cf") and not letter.isspace()


def folded_names(rows: Sequence[Any], context: StepContext) -> Columns:
    """Names, one a row, beside their folded forms; a null is no name."""
    del context
    names = [name for (name,) in rows if name is not None]
    return {"name": names, "folded": [fold(name) for name in names]}
