"""Addresses that SQL reads by itself are read as Python reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lead_pipeline.contacts.emails import normalized_email
from lead_pipeline.normalized.session import Session
from lead_pipeline_tests.properties import examples

LETTERS = "aZ09.-_%+@ xnXN\n\u212a\u0131\u0130ß("
ADDRESSES = st.one_of(
    st.text(LETTERS, max_size=16),
    st.builds(
        "{}@{}.{}".format,
        st.text("aZ0.-_%+", min_size=1, max_size=70),
        st.text("aZ0.-xnXN", min_size=1, max_size=12),
        st.text("aZ0", min_size=1, max_size=4),
    ),
    st.emails(),
)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with closing(duckdb.connect()) as connection:
        session = Session(connection)
        session.run("load/session")
        yield session


@pytest.mark.parametrize(
    "text",
    ["Jane.Doe+crm@Example.com", "a@b.co", "x_%1@sub-domain.Example.museum", "a" * 57 + "@b.com"],
)
def test_usual_addresses_are_read_without_python(session: Session, text: str) -> None:
    assert session.fetch("select plain_email(?)", [text]) == [(text.lower(),)]


@given(text=ADDRESSES)
@example("kim@XN--bcher-kva.example")
@example("kim@b.xn--p1ai")
@example("xn--kim@b.example")
@example("a" * 65 + "@b.com")
@example("\u212aim@b.example")
@example(" kim@b.example")
@example("kim@b.example\n")
@examples(200)
def test_what_sql_reads_is_what_python_reads(session: Session, text: str) -> None:
    [(plain,)] = session.fetch("select plain_email(?)", [text])
    assert plain is None or plain == normalized_email(text)
