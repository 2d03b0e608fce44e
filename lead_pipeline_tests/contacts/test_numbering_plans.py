"""What digits alone say of a number is what phonenumbers says of it."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from lead_pipeline.contacts.numbering_plans import Planned, planned_number

EXAMPLES = [
    (region, number)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in sorted(phonenumbers.supported_types_for_region(region))
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
]
"""A number of each type that each region has."""
WRITTEN = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
)


def asked(text: str, region: str) -> tuple[str, str] | None:
    """Number and type as phonenumbers reads them; None where it has no such number."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        return None
    assert not number.extension
    return (
        str(phonenumbers.format_number(number, PhoneNumberFormat.E164)),
        PhoneNumberType.to_string(kind).lower(),
    )


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number of some region, right or damaged, and the region that it is read as of."""
    region, number = draw(st.sampled_from(EXAMPLES))
    national = phonenumbers.national_significant_number(number)
    text = draw(
        st.sampled_from(
            [
                *(phonenumbers.format_number(number, form) for form in WRITTEN),
                national,
                f"{number.country_code}{national}",
                f"00{number.country_code}{national}",
            ]
        )
    )
    text = draw(st.sampled_from(["", "", "", "0", "1", "+", "+0", "(+", " ", "8"])) + text
    for place in draw(st.lists(st.integers(0, len(text) - 1), max_size=6)):
        if text[place].isdigit():
            text = text[:place] + draw(st.sampled_from("0123456789")) + text[place + 1 :]
    cut = draw(st.none() | st.integers(0, len(text) - 1))
    if cut is not None:
        text = text[:cut] + draw(st.sampled_from("0123456789 ().-")) * 2 + text[cut + 1 :]
    home = draw(st.sampled_from([region, region, "US", "DE", "IT", "AR", "BR", "MX"]))
    return text, home


@given(written_numbers())
@example(("+03616213898", "BR"))
@example(("+1 242 365 1234", "US"))
@example(("14155550132", "US"))
@example(("+44 (0)20 7946 0018", "US"))
@example(("(0)30 901820", "DE"))
@example(("+39 06 698 12345", "IT"))
@example(("+54 9 11 2345 6789", "AR"))
def test_numbers_that_the_plans_say_are_those_of_phonenumbers(written: tuple[str, str]) -> None:
    planned = planned_number(*written)
    if planned is not None:
        assert asked(*written) == (f"+{planned.country_code}{planned.national}", planned.type)


@pytest.mark.parametrize(
    ("written", "region", "planned"),
    [
        ("+1 (415) 555-0132", "DE", Planned(1, "4155550132", "fixed_line_or_mobile")),
        ("415.555.0132", "US", Planned(1, "4155550132", "fixed_line_or_mobile")),
        ("1-800-555-0132", "US", Planned(1, "8005550132", "toll_free")),
        ("030 901820", "DE", Planned(49, "30901820", "fixed_line")),
        ("+447400123456", "US", Planned(44, "7400123456", "mobile")),
        ("+1 242 365 1234", "US", Planned(1, "2423651234", "fixed_line")),
    ],
)
def test_numbers_of_digits_alone_are_read_without_asking(
    written: str, region: str, planned: Planned
) -> None:
    assert planned_number(written, region) == planned


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("415 555 0132 ext. 12", "US"),
        ("011 49 30 901820", "US"),
        ("+800 1234 5678", "US"),
        ("+39 06 698 12345", "US"),
        ("415-555-0132", "ZZ"),
        ("1-800-FLOWERS", "US"),
        ("٠١٢٣٤٥٦٧٨", "EG"),
        ("", "US"),
    ],
)
def test_whatever_takes_more_than_digits_is_left_to_phonenumbers(written: str, region: str) -> None:
    assert planned_number(written, region) is None
