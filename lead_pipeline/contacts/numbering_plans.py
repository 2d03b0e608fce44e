"""Numbers written in digits alone, read by the numbering plans that phonenumbers ships.

    "+1 (415) 555-0132" ──▶ digits ──▶ country code, plan of the country ──▶ Planned(1, "4155550132", …)

Ten times as fast as asking phonenumbers, which takes a text apart in ways that such numbers do not
need: nine of ten leads have one. Only what follows from its plans without a doubt is read here; of
anything else this says nothing, and phonenumbers is asked. That both agree is a property test's to
say. Belongs here: matching digits with plans. Does not belong here: extensions, words, and which
numbers are believed (`phones.py`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

_WRITTEN_PLAINLY = re.compile(r"[ (]*\+?[0-9 ().-]{6,60}")
"""Digits and what people put between them, none of which phonenumbers takes for an extension."""
_BETWEEN_DIGITS = str.maketrans("", "", " ().-")
_PLAN_LENGTHS = range(4, 18)
"""Digits of a number without its country code that are looked at here; plans have 17 at most."""
_NOT_GEOGRAPHICAL = "001"
_TYPES_IN_ORDER = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
"""The order in which phonenumbers tries them: a number that two of them match is of the first."""


class Planned(NamedTuple):
    """A number that a plan has."""

    country_code: int
    national: str
    """The digits after the country code."""
    type: str
    """As phonenumbers calls it, in lower case: fixed_line, mobile, …"""


class _Plan:
    """The numbers of one region; None of its patterns captures anything."""

    def __init__(self, metadata: PhoneMetadata, general: PhoneNumberDesc) -> None:
        self.country_code = str(metadata.country_code)
        self.lengths = frozenset(general.possible_length)
        self.is_general = _compiled(general.national_number_pattern).fullmatch
        self.has_leading_digits = bool(metadata.leading_digits)
        self.leading_digits = _compiled(metadata.leading_digits).match
        self.international_prefix = _compiled(metadata.international_prefix).match
        self.national_prefix = _compiled(metadata.national_prefix_for_parsing).match
        self.transforms = bool(metadata.national_prefix_transform_rule)
        self._types = _pattern_of_types(metadata)

    def type_of(self, national: str) -> str | None:
        """The type of a number in this plan; None where it has no such number."""
        if len(national) not in self.lengths or not self.is_general(national):
            return None
        found = self._types.fullmatch(national)
        return found and found.lastgroup

    def without_prefix(self, digits: str) -> str | None:
        """The number without a national prefix; None where that is not certain."""
        prefix = self.national_prefix(digits)
        if prefix is None:
            return digits
        if prefix.re.groups or self.transforms:
            # A carrier, or digits that are to be replaced, stand in it.
            return digits if prefix.end() == 0 and not any(prefix.groups()) else None
        rest = digits[prefix.end() :]
        return rest if len(rest) in self.lengths and self.is_general(rest) else None


def planned_number(text: str, region: str) -> Planned | None:
    """The number that `text` writes, read as of `region` where it names no country.

    None where it is no number of any plan, or more than digits must be understood to say so.
    """
    if not _WRITTEN_PLAINLY.fullmatch(text):
        return None
    digits = text.translate(_BETWEEN_DIGITS)
    found = _abroad(digits[1:]) if digits[0] == "+" else _at_home(digits, region)
    if found is None:
        return None
    country_code, national = found
    if len(national) not in _PLAN_LENGTHS or national[0] == "0":
        return None
    kind = _type_of(country_code, national)
    return Planned(int(country_code), national, kind) if kind else None


def _abroad(digits: str) -> tuple[str, str] | None:
    """Country code and the rest of a number that states it; no code begins with 0."""
    if digits.startswith("0"):
        return None
    for size in (1, 2, 3):
        plans = _plans_of(digits[:size])
        if plans:
            national = plans[0].without_prefix(digits[size:])
            return None if national is None else (digits[:size], national)
    return None


def _at_home(digits: str, region: str) -> tuple[str, str] | None:
    """The same of a number that does not."""
    plan = _plan_of(region.upper())
    if plan is None or plan.international_prefix(digits):
        return None
    if digits.startswith(plan.country_code):
        rest = digits[len(plan.country_code) :]
        if plan.national_prefix(rest) or plan.is_general(digits) or not plan.is_general(rest):
            return None
        return plan.country_code, rest
    national = plan.without_prefix(digits)
    return None if national is None else (plan.country_code, national)


def _type_of(country_code: str, national: str) -> str | None:
    plans = _plans_of(country_code)
    if len(plans) == 1:
        return plans[0].type_of(national)
    for plan in plans:
        if plan.has_leading_digits:
            if plan.leading_digits(national):
                return plan.type_of(national)
        elif kind := plan.type_of(national):
            return kind
    return None


@cache
def _plans_of(country_code: str) -> tuple[_Plan, ...]:
    """The plans of a country code, its main region first; empty where not all of them can be used."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(country_code or 0), ())
    plans = tuple(_plan_of(region) for region in regions)
    return tuple(plan for plan in plans if plan) if all(plans) else ()


@cache
def _plan_of(region: str) -> _Plan | None:
    if region == _NOT_GEOGRAPHICAL:
        return None
    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.general_desc is None:
        return None
    return _Plan(metadata, metadata.general_desc)


def _compiled(pattern: str | None) -> re.Pattern[str]:
    """The pattern; where there is none, one that nothing matches."""
    return re.compile(pattern or "(?!)")


def _pattern_of_types(metadata: PhoneMetadata) -> re.Pattern[str]:
    """One pattern for all types: the group that matched is the type."""
    patterns = [(name, _pattern_of(getattr(metadata, name))) for name in _TYPES_IN_ORDER]
    fixed, mobile = _pattern_of(metadata.fixed_line), _pattern_of(metadata.mobile)
    if metadata.same_mobile_and_fixed_line_pattern:
        patterns.append(("fixed_line_or_mobile", fixed))
    else:
        both = fixed and mobile and rf"(?={mobile}\Z){fixed}"
        patterns += [("fixed_line_or_mobile", both), ("fixed_line", fixed), ("mobile", mobile)]
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns if pattern))


def _pattern_of(numbers: PhoneNumberDesc | None) -> str:
    """Numbers of these lengths that match; empty where there are none."""
    if numbers is None or not numbers.national_number_pattern:
        return ""
    lengths = "|".join(f"[0-9]{{{length}}}" for length in numbers.possible_length if length > 0)
    length = rf"(?=(?:{lengths})\Z)" if lengths else ""
    return f"{length}(?:{numbers.national_number_pattern})"
