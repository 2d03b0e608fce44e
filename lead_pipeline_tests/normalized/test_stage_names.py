"""Names of stages are the same whatever their case, blanks, unseen signs and Unicode form."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.normalized.stage_names import fold

LETTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(LETTERS, max_size=20)
WORDS = st.text(
    st.sampled_from(
        "abcXYZiIßẞéÉñÑüÜőŐçÇğĞşŞ\u0130\u0131\u0049\u0069"
        "άέήίόύώϊΐΆΈΩΣσς"
        "бБвВйЙёЁжЖ"
        "ơƠưƯđĐấẤộỘỹỸ"
        "ＡＢｃｄﬁﬂﬀ\u0301\u0308\u0327\u0323"
        "0123-_/"
    ),
    min_size=1,
    max_size=12,
)
BLANKS = st.text(st.sampled_from(" \t\r\n\u00a0\u2007\u202f\u3000"), min_size=1, max_size=3)
UNSEEN = st.text(st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u00ad"), max_size=3)
CASES: tuple[Callable[[str], str], ...] = (str.upper, str.lower, str.title, str.swapcase)


@given(TEXTS)
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(TEXTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_no_unicode_form_makes_another_name(text: str, form: str) -> None:
    assert fold(unicodedata.normalize(form, text)) == fold(text)  # type: ignore[arg-type]


@given(WORDS, st.sampled_from(CASES))
def test_no_case_makes_another_name(word: str, other_case: Callable[[str], str]) -> None:
    assert fold(other_case(word)) == fold(word)


@given(WORDS, WORDS, BLANKS, BLANKS, BLANKS)
def test_blanks_of_any_kind_and_number_are_one(
    first: str, second: str, before: str, between: str, after: str
) -> None:
    assert fold(before + first + between + second + after) == fold(f"{first} {second}")


@given(WORDS, WORDS, UNSEEN, UNSEEN)
def test_signs_that_nobody_sees_make_no_other_name(
    first: str, second: str, inside: str, after: str
) -> None:
    assert fold(first + inside + second + after) == fold(first + second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("STRAẞE", "straße"),
        ("\u0130leti\u015fim", "ileti\u015fim"),
        ("\u0130LET\u0130\u015e\u0130M", "\u0130leti\u015fim"),
        ("ILETI\u015eIM", "ileti\u015fim"),
        ("Kapal\u0131", "KAPALI"),
        ("Kapal\u0131", "kapali"),
        ("Κερδισμένος", "ΚΕΡΔΙΣΜΕΝΟΣ"),
        ("κερδισμενοσ", "ΚΕΡΔΙΣΜΈΝΟΣ"),
        ("Μάιος", "ΜΑΪΟΣ"),
        ("Выигран", "ВЫИГРАН"),
        ("Đã bán", "ĐÃ BÁN"),
        ("Ｗｏｎ", "won"),  # noqa: RUF001 - full-width letters are what is tested
        ("Ofﬁce", "OFFICE"),
        ("follow\u2011up", "follow-up"),
        ("closed\u00a0won", "Closed  Won"),
        ("ge\u00adwonnen", "gewonnen"),
        ("won\u200b", "won"),
        ("✔\ufe0f Won", "✔ won"),
    ],
)
def test_two_ways_to_write_one_name(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mới", "môi"),
        ("bán", "bạn"),
        ("gewonnen", "gewönnen"),
        ("й", "и"),
        ("follow_up", "follow-up"),
        ("closed won", "closedwon"),
        ("", "new"),
    ],
)
def test_two_names(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u00a0\t"])
def test_a_name_of_nothing_that_can_be_seen_is_empty(text: str) -> None:
    assert fold(text) == ""
