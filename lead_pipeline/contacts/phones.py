"""Phone numbers as people write them, to numbers that can be called and their extensions.

    "(415) 555-0132 ext. 12" ──▶ Phone("+14155550132", extension "12", type "fixed_line_or_mobile")

Null where it is not certain: a number that no plan has assigned, one without its area code, and
digits that only fill a required field.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from lead_pipeline.contacts.written import without_invisible

SAME_DIGITS = 7
"""Digits in a row that are all the same (555 5555), from which on a number is made up."""
DIGITS_IN_ORDER = 8
"""Digits in a row that count up or down (1234 5678), from which on a number is made up."""
MOST_EXTENSION_DIGITS = 8
FEWEST_DIGITS = 6
"""Of what stands before an extension."""

_EXTENSION_WORDS = (
    # German, French, Italian, Portuguese and Spanish
    "durchwahl|dw|nebenstelle|nst|klappe|poste|interno|interne|int|ramal|extensi[oó]n|extens[aã]o|anexo"
    # Dutch, Nordic, Polish, Czech, Hungarian, Turkish
    "|toestel|tst|anknytning|ank|lokal|wewn[eę]trzny|wewn|wew|klapka|linka|mell[eé]k|dahili"
    # Russian, Arabic, Persian
    "|добавочный|доб|внутр|вн|تحويلة|داخلی"
    # English
    "|extension|extn|ext|local|desk|room"
)
_EXTENSION = re.compile(
    rf"[\s,;.(\[/-]*(?:\b(?:{_EXTENSION_WORDS})\b|内線|内线|分机|分機|내선|\*)"
    rf"[\s.:#]*(?:(?:no|nr|num)\b[\s.:#]*)?(\d{{1,{MOST_EXTENSION_DIGITS}}})[\s)\].]*$",
    re.IGNORECASE,
)
"""Extensions that phonenumbers does not know, or knows in some forms only."""
_WORDS_AT_END = re.compile(r"[^\d]*[^\W\d_][^\d]*$")
"""What is said of a number after it: (mobile), evenings."""


class Phone(NamedTuple):
    """A number that can be called; all None where there is none."""

    e164: str | None = None
    """The number that reaches the line or its switchboard, without the extension."""
    extension: str | None = None
    type: str | None = None
    """By the numbering plan: mobile, fixed_line, fixed_line_or_mobile, toll_free, voip, …"""


NOBODY = Phone()


def read_phone(text: str, region: str) -> Phone:
    """The number that `text` writes, read as of `region` where it names no country."""
    plain = without_invisible(unicodedata.normalize("NFKC", text))
    plain = _WORDS_AT_END.sub("", plain)
    found = _EXTENSION.search(plain)
    if found and sum(map(str.isdigit, plain[: found.start()])) >= FEWEST_DIGITS:
        plain = f"{plain[: found.start()]} ext. {found[1]}"
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        return NOBODY
    if (
        not phonenumbers.is_valid_number(number)
        or _is_made_up(number)
        or _has_words_inside(plain, number.extension or "")
    ):
        return NOBODY
    return Phone(
        e164=str(phonenumbers.format_number(number, PhoneNumberFormat.E164)),
        extension=number.extension or None,
        type=PhoneNumberType.to_string(phonenumbers.number_type(number)).lower(),
    )


def _has_words_inside(text: str, extension: str) -> bool:
    """Whether letters stand between the digits, which phonenumbers would dial as on a keypad.

    No person has a number like 1-800-FLOWERS, and "Berlin 030 901820 or 901821" has no such digits.
    """
    number = text[: text.rfind(extension)] if extension else text
    digits = [place for place, letter in enumerate(number) if letter.isdigit()]
    return any(map(str.isalpha, number[digits[0] : digits[-1]]))


def _is_made_up(number: phonenumbers.PhoneNumber) -> bool:
    """Whether the digits fill a field (all the same, or counted up or down) within a valid plan."""
    digits = [int(digit) for digit in phonenumbers.national_significant_number(number)]
    steps = [(after - before) % 10 for before, after in itertools.pairwise(digits)]
    return (
        _longest_run(steps, 0) >= SAME_DIGITS - 1
        or max(_longest_run(steps, 1), _longest_run(steps, 9)) >= DIGITS_IN_ORDER - 1
    )


def _longest_run(steps: Sequence[int], step: int) -> int:
    longest = run = 0
    for each in steps:
        run = run + 1 if each == step else 0
        longest = max(longest, run)
    return longest
