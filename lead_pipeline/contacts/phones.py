"""Phone numbers as people write them, to numbers that can be called and their extensions.

    "(415) 555-0132 ext. 12" ──▶ Phone("+14155550132", extension "12", type "fixed_line_or_mobile")

Null where it is not certain: a number that no plan has assigned, one without its area code, and
digits that only fill a required field.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from lead_pipeline.contacts.numbering_plans import planned_number
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


_ALL_THE_SAME = re.compile(rf"(\d)\1{{{SAME_DIGITS - 1}}}")
_COUNTED = frozenset(
    "".join(str((first + step * place) % 10) for place in range(DIGITS_IN_ORDER))
    for first in range(10)
    for step in (1, -1)
)
"""After 9 comes 0 again."""
_STEPS = frozenset(f"{digit}{(digit + step) % 10}" for digit in range(10) for step in (0, 1, -1))
"""Two digits that can stand beside each other in a row of the same digits, or of counted ones."""
_MIDDLE = slice(SAME_DIGITS - 2, SAME_DIGITS)
_SHORT = 2 * SAME_DIGITS - 2
"""Up to so many digits, each row that is long enough holds the two of `_MIDDLE`."""
_TYPES = {kind: PhoneNumberType.to_string(kind).lower() for kind in PhoneNumberType.values()}


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
    if planned := planned_number(text, region):
        if is_made_up(planned.national):
            return NOBODY
        return Phone(f"+{planned.country_code}{planned.national}", None, planned.type)
    plain = without_invisible(unicodedata.normalize("NFKC", text))
    plain = _WORDS_AT_END.sub("", plain)
    found = _EXTENSION.search(plain)
    if found and sum(map(str.isdigit, plain[: found.start()])) >= FEWEST_DIGITS:
        plain = f"{plain[: found.start()]} ext. {found[1]}"
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        return NOBODY
    kind = phonenumbers.number_type(number)
    if (
        # Numbers that are not valid, and no others, have no type; asking for both takes twice as long.
        kind == PhoneNumberType.UNKNOWN
        or is_made_up(phonenumbers.national_significant_number(number))
        or _has_words_inside(plain, number.extension or "")
    ):
        return NOBODY
    return Phone(
        e164=str(phonenumbers.format_number(number, PhoneNumberFormat.E164)),
        extension=number.extension or None,
        type=_TYPES[kind],
    )


def _has_words_inside(text: str, extension: str) -> bool:
    """Whether letters stand between the digits, which phonenumbers would dial as on a keypad.

    No person has a number like 1-800-FLOWERS, and "Berlin 030 901820 or 901821" has no such digits.
    """
    number = text[: text.rfind(extension)] if extension else text
    digits = [place for place, letter in enumerate(number) if letter.isdigit()]
    return any(map(str.isalpha, number[digits[0] : digits[-1]]))


def is_made_up(digits: str) -> bool:
    """Whether the digits fill a field (all the same, or counted up or down) within a valid plan."""
    # Most numbers are told by two digits, in a quarter of the time.
    if SAME_DIGITS <= len(digits) <= _SHORT and digits[_MIDDLE] not in _STEPS:
        return False
    if _ALL_THE_SAME.search(digits):
        return True
    places = range(len(digits) - DIGITS_IN_ORDER + 1)
    return any(digits[place : place + DIGITS_IN_ORDER] in _COUNTED for place in places)
