"""Which numbers can be called, whose they are, and what stands for no number."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.contacts.phones import (
    DIGITS_IN_ORDER,
    SAME_DIGITS,
    Phone,
    is_made_up,
    read_phone,
)
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, query

NOBODY = Phone()
"""What is read where nobody can be called."""


@pytest.mark.parametrize(
    ("written", "region", "e164"),
    [
        ("(206) 555-0123", "US", "+12065550123"),
        ("12065550123", "US", "+12065550123"),
        ("+1 206 555 0123", "GB", "+12065550123"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("0044 20 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("tel:+1-503-555-0144", "US", "+15035550144"),
        ("Mobile: (503) 555-0144", "US", "+15035550144"),
        ("503.555.0144 (evenings)", "US", "+15035550144"),
        ("\u202a+1\u00a0503\u00ad5550144\u202c", "US", "+15035550144"),
        ("＋１ ５０３ ５５５ ０１４４", "US", "+15035550144"),
    ],
)
def test_one_number_has_one_form_however_it_is_written(
    written: str, region: str, e164: str
) -> None:
    assert read_phone(written, region).e164 == e164


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("867-5309", "US"),
        ("555 0199", "US"),
        ("946 0018", "GB"),
        ("030 901820", "US"),
        ("(555) 234-1111", "US"),
        ("+1 123 456 7890", "US"),
        ("+49 1", "DE"),
        ("911", "US"),
        ("112", "DE"),
        ("5" * 4000, "US"),
    ],
)
def test_a_number_that_no_plan_has_cannot_be_called(written: str, region: str) -> None:
    assert read_phone(written, region) == NOBODY


@pytest.mark.parametrize(
    "written",
    [
        "000-000-0000", "222 222 2222", "(888) 888-8888", "+44 7777 777777", "+61 400 000 000",
        "1234567890", "0123456789", "234-567-8901", "9876543210", "+33 1 23 45 67 89",
        "+49 1512 3456789", "+91 98765 43210", "(415) 555-5555", "-", "none", "n/a", "", "+",
    ],
)  # fmt: skip
def test_digits_that_only_fill_a_field_are_nobody_s(written: str) -> None:
    assert read_phone(written, "US") == NOBODY


@pytest.mark.parametrize("region", ["GB", "FR", "DE"])
@pytest.mark.parametrize("written", ["0123456789", "01234567890", "0000000000", "01111111111"])
def test_they_are_nobody_s_where_a_plan_has_them_too(written: str, region: str) -> None:
    assert read_phone(written, region) == NOBODY


@pytest.mark.parametrize(
    "behind",
    [
        "ext. 407", "ext 407", "ext:407", "ext407", "Ext. No. 407", "extension 407", "x407", "x 407",
        "#407", ";ext=407", ",407", ",,407#", "(ext. 407)", "[x407]", "~407", "*407", "доб. 407",
        "добавочный 407", "int. 407", "interno 407", "anexo 407", "ramal 407", "extensión 407",
        "Durchwahl 407", "DW 407", "poste 407", "toestel 407", "wew. 407", "klapka 407",
        "dahili 407", "内線407", "分机 407", "내선 407", "ｘ４０７", "desk 407",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("number", "e164"), [("503-555-0144", "+15035550144"), ("+49 30 901820", "+4930901820")]
)
def test_an_extension_is_told_apart_from_the_number(number: str, e164: str, behind: str) -> None:
    assert read_phone(f"{number} {behind}", "US")[:2] == (e164, "407")


@pytest.mark.parametrize(
    "written",
    ["503-555-0144 or 503-555-0145", "503-555-0144 / 0145", "+49 30 901820 ab 12", "1-800-FLOWERS"],
)
def test_digits_and_words_that_are_not_one_person_s_number_are_none(written: str) -> None:
    assert read_phone(written, "US") == NOBODY


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("+49 1512 3557799", "mobile"),
        ("+44 20 7946 0018", "fixed_line"),
        ("+1 503 555 0144", "fixed_line_or_mobile"),
        ("+1 800 356 9377", "toll_free"),
    ],
)
def test_the_plan_tells_the_type_of_the_line(written: str, kind: str) -> None:
    assert read_phone(written, "US").type == kind


@given(written=st.text(max_size=40) | st.from_regex(r"[+0-9 ().x#;,/-]{0,30}", fullmatch=True))
def test_whatever_is_written_gives_a_valid_number_or_none(written: str) -> None:
    read = read_phone(written, "US")
    assert (read.e164 is None) == (read.type is None)
    if read.e164 is None:
        assert read.extension is None
    else:
        assert phonenumbers.is_valid_number(phonenumbers.parse(read.e164))


@st.composite
def digits_with_a_row(draw: st.DrawFn) -> tuple[str, bool]:
    """Digits of which some may be a row, and whether that is long enough to be made up."""
    step, length = draw(st.sampled_from([0, 1, -1])), draw(st.integers(5, 10))
    first = draw(st.integers(0, 9))
    row = "".join(str((first + step * place) % 10) for place in range(length))
    before, after = draw(st.text("09", max_size=8)), draw(st.text("09", max_size=8))
    return f"{before}{row}{after}", length >= (DIGITS_IN_ORDER if step else SAME_DIGITS)


@given(digits_with_a_row())
def test_a_row_of_digits_is_found_wherever_it_stands(drawn: tuple[str, bool]) -> None:
    digits, is_row = drawn
    same = any(digit * SAME_DIGITS in digits for digit in "0123456789")
    counted = any(
        (two * 2)[place : place + DIGITS_IN_ORDER] in digits
        for two in ("0123456789", "9876543210")
        for place in range(10)
    )
    assert is_made_up(digits) == (same or counted)
    assert is_made_up(digits) or not is_row


def test_the_tables_have_number_extension_and_type_beside_the_served_form(
    settings: Settings,
) -> None:
    Landing(settings).leads(
        "vorel",
        vorel_lead(1, phone="+44 20 7946 0018 ext. 9"),
        vorel_lead(2, phone="867-5309"),
        vorel_lead(3, phone=None),
    )
    load_landing(settings)
    columns = "phone, phone_e164, phone_extension, phone_type"
    for table in ("leads", "lead_versions"):
        rows = query(settings, f"select {columns} from normalized.{table} order by lead_id")  # noqa: S608
        assert [tuple(row.values()) for row in rows] == [
            ("+44 20 7946 0018 ext. 9", "+442079460018", "9", "fixed_line"),
            ("867-5309", None, None, None),
            (None, None, None, None),
        ]
