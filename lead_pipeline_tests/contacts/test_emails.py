"""When two addresses are one mailbox, and what is no address of one mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.contacts.emails import normalized_email

MAILBOX = "mira.lund@nordbo.example"


@pytest.mark.parametrize(
    "written",
    [
        MAILBOX,
        "Mira.Lund@NordBo.Example",
        "\t mira.lund@nordbo.example\r\n",
        "\u2003mira.lund@nordbo.example\u00a0",
        "mira.lund @ nordbo.example",
        "mira\u200b.lund@nordbo.example",
        "mira.lund@nord\u00adbo.example",
        "\ufeffmira.lund@nordbo.example",
        "\u202amira.lund@nordbo.example\u202c",
        "\u2068mira.lund@nordbo.example\u2069",
        "mira.lund@nordbo\u2060.example\u200e",
        "mira.lund\ufe0f@nordbo.example",
        "mira.lund@nordbo.example.",
        "mira.lund@nordbo.example...",
        "mira.lund@nordbo.example;",
        "<mira.lund@nordbo.example>",
        "Mira Lund <mira.lund@nordbo.example>",
        '"Lund, Mira" <Mira.Lund@nordbo.example>;',
        '"mira@elsewhere.example" <mira.lund@nordbo.example>',
        "mira.lund@nordbo.example (Mira)",
        "'mira.lund@nordbo.example'",
        "mailto:mira.lund@nordbo.example",
        "MAILTO:mira.lund@nordbo.example?subject=An%20offer&cc=b@x.example",
        "mailto:mira.lund%40nordbo.example",
        "<mailto:mira.lund@nordbo.example>",
        "mira.lund@nordbo.example<mailto:mira.lund@nordbo.example>",
        "ｍｉｒａ．ｌｕｎｄ＠ｎｏｒｄｂｏ．ｅｘａｍｐｌｅ",
        "mira.lund＠nordbo.example",
        "mira.lund@nordbo。example",
        "＜mira.lund@nordbo.example＞",
    ],
)
def test_one_mailbox_has_one_form_however_it_is_written(written: str) -> None:
    assert normalized_email(written) == MAILBOX


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("kim@BÜCHER.example", "kim@xn--bcher-kva.example"),
        ("kim@bu\u0308cher.example", "kim@bücher.example"),
        ("kim@XN--BCHER-KVA.example", "kim@bücher.example"),
        ("kim@例え.テスト", "kim@例え。テスト"),
        ("jose\u0301@casa.example", "JOSÉ@casa.example"),
    ],
)
def test_domains_are_compared_by_idna_and_letters_by_their_composed_form(
    one: str, other: str
) -> None:
    assert normalized_email(one) == normalized_email(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kim@strasse.example", "kim@straße.example"),
        ("jose@casa.example", "josé@casa.example"),
        ("kim+a@casa.example", "kim@casa.example"),
        ("k.im@casa.example", "kim@casa.example"),
        ("o'neil@casa.example", "oneil@casa.example"),
        ("ﬁn@casa.example", "fin@casa.example"),
        ("kim@casa.example", "kim@casa.example.org"),
    ],
)
def test_what_other_mailboxes_may_have_stays_apart(one: str, other: str) -> None:
    assert normalized_email(one) is not None
    assert normalized_email(one) != normalized_email(other)


@pytest.mark.parametrize(
    "written",
    [
        "", "   ", "\u200b", "n/a", "none", "mira", "@", "mira@", "@nordbo.example", "mira@nordbo",
        "mira@localhost", "mira@.example", "mira@nordbo..example", "mira@192.0.2.1", "mailto:",
        "a@x.example, b@y.example", "a@x.example b@y.example", "mira lund@nordbo.example",
        "mira@@nordbo.example", "call me at noon", "x" * 65 + "@nordbo.example",
        "mira@" + "a" * 300 + ".example", "mira@-nordbo.example",
    ],
)  # fmt: skip
def test_what_is_no_address_of_one_mailbox_has_no_form(written: str) -> None:
    assert normalized_email(written) is None


@given(text=st.text(max_size=40) | st.emails() | st.text("ab.@<>:;, ＠。ü\u200b", max_size=15))
def test_the_form_of_a_form_is_itself(text: str) -> None:
    form = normalized_email(text)
    if form is not None:
        assert form.count("@") == 1
        assert normalized_email(form) == form
