"""What is told of errors of libraries holds no value, whatever the value is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_pipeline.causes import cause_of, stack_of, without_values
from lead_pipeline.errors import LoadError

NAME = "Ada O'Brien Lovelace"


def raised_by(fails: Callable[[], object]) -> Exception:
    """The error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many classes
        fails()
    return caught.value


def executed(*statements: str, value: object = NAME) -> Exception:
    """The error of the last of several statements; those with `?` are given the value."""

    def run() -> None:
        with closing(duckdb.connect()) as connection:
            for statement in statements:
                connection.execute(statement, [value] * statement.count("?"))

    return raised_by(run)


class Known(msgspec.Struct, forbid_unknown_fields=True):
    """What a test decodes into."""

    rows: int


UNIQUE = "create table t (name varchar primary key)"

QUOTING: dict[str, tuple[Callable[[], Exception], str]] = {
    "cast": (lambda: executed("select ?::int"), "a value cannot be converted to INT32"),
    "time": (lambda: executed("select ?::timestamptz"), "ConversionException"),
    "format": (lambda: executed("select strptime(?, '%Y')"), "InvalidInputException"),
    "json": (
        lambda: executed("select json_extract(?, '$.a')", value='{"n":"Ada Lovelace",,}'),
        "Malformed JSON at byte 20 of input",
    ),
    "duplicate": (
        lambda: executed(UNIQUE, "insert into t values (?)", "insert into t values (?)"),
        "violates primary key constraint",
    ),
    "raised in SQL": (lambda: executed("select error(?)"), "InvalidInputException"),
    "pattern": (lambda: executed("select regexp_matches('a', ? || '(')"), "InvalidInput"),
    "limit": (lambda: executed("select 1 limit ?"), "ConversionException"),
    "name of a table": (lambda: executed("from query_table(?)"), "CatalogException"),
    "key of a struct": (lambda: executed("select struct_extract({'a': 1}, ?)"), "BinderException"),
    "arrow cast": (lambda: raised_by(lambda: pa.array([NAME]).cast(pa.int32())), "ArrowInvalid"),
    "arrow type": (lambda: raised_by(lambda: pa.array([NAME], pa.int64())), "ArrowInvalid"),
    "unknown field": (
        lambda: raised_by(lambda: msgspec.json.decode(f'{{"{NAME}": 1}}', type=Known)),
        "unknown field",
    ),
    "python": (lambda: raised_by(lambda: int(NAME)), "ValueError"),
    "key": (lambda: raised_by(lambda: dict[str, int]()[NAME]), "KeyError"),
}


@pytest.mark.parametrize("provoked", QUOTING)
def test_error_that_quotes_a_value_is_told_without_it(provoked: str) -> None:
    provoke, told = QUOTING[provoked]
    error = provoke()
    assert any(part in str(error).lower() for part in ("ada", "lovelace")), "it quotes nothing"
    for said in (cause_of(error), stack_of(error)):
        assert "ada" not in said.lower().replace("lead_pipeline", "")
        assert "lovelace" not in said.lower()
        assert type(error).__name__ in said
    assert told in cause_of(error)
    assert "\n" not in cause_of(error)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for many statements."""
    with closing(duckdb.connect()) as connection:
        yield connection


@settings(deadline=None, max_examples=50)
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_no_value_passes_whatever_it_looks_like(
    database: duckdb.DuckDBPyConnection, value: str
) -> None:
    for statement in ("select ?::int", "select ?::date", "select error(?)", "select ?::json"):
        # DuckDB shortens its messages, also within a letter, of which Python then complains.
        with pytest.raises((duckdb.Error, UnicodeDecodeError)) as caught:
            database.execute(statement, [f"mallory{value}mallory"])
        assert "mallory" not in cause_of(caught.value)


@pytest.mark.parametrize(
    "value", ["x' to INT32", "1\n\nLINE 9: x", '"/etc/mallory"', "Could not convert x to DATE"]
)
def test_value_that_imitates_a_message_adds_nothing_of_its_own(value: str) -> None:
    said = cause_of(executed("select error(?)", value=f"mallory {value} mallory"))
    assert "mallory" not in said


def test_damaged_json_says_where_and_not_what() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads('{"name": "Ada Lovelace",\n "phone": }')
    assert cause_of(caught.value) == "JSONDecodeError: Expecting value in line 2, column 11"


def test_bytes_that_are_no_text_say_where() -> None:
    error = raised_by(lambda: b"Ada \xff".decode())
    assert cause_of(error) == "UnicodeDecodeError: invalid start byte at byte 4"


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(b"Ada Lovelace" * 9)
    for error in (
        executed(f"from read_parquet('{path}')"),
        raised_by(lambda: pq.read_table(path)),
        raised_by(lambda: (tmp_path / "missing" / "x").write_text("x")),
    ):
        assert str(tmp_path) in cause_of(error)
        assert "Ada" not in cause_of(error)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("select nme from (select 1 as name)", 'Referenced column "nme" not found'),
        ("from leads", "Table with name leads does not exist"),
        ("select\n1 +", "syntax error"),
        ("select sum('a'::uuid)", "No function matches the given name and argument types"),
    ],
)
def test_mistake_in_a_statement_is_told_by_name(statement: str, said: str) -> None:
    assert said in cause_of(executed(statement))


def test_line_of_the_statement_is_told() -> None:
    assert "line 3 of the statement" in cause_of(executed("select\n1,\nnope"))


def test_our_own_words_pass_whole() -> None:
    assert cause_of(LoadError("x.parquet is cut off. Restore it.")) == (
        "x.parquet is cut off. Restore it."
    )


def test_stack_has_every_error_that_led_to_it_and_the_places_in_the_code() -> None:
    def fail() -> None:
        try:
            executed_here("select ?::int", NAME)
        except duckdb.Error as error:
            raise RuntimeError(NAME) from error

    said = stack_of(raised_by(fail))
    assert said.index("ConversionException") < said.index("RuntimeError")
    assert "in executed_here" in said
    assert "Lovelace" not in said


def executed_here(statement: str, value: str) -> Any:
    """A frame with a name."""
    with closing(duckdb.connect()) as connection:
        return connection.execute(statement, [value]).fetchall()


def test_errors_of_duckdb_keep_their_class_and_lose_the_value() -> None:
    def fail() -> None:
        with without_values():
            executed_here("select ?::int", NAME)

    error = raised_by(fail)
    assert isinstance(error, duckdb.ConversionException)
    assert "Lovelace" not in str(error)
    assert error.__suppress_context__


def test_other_errors_pass_as_they_are() -> None:
    def fail() -> None:
        with without_values():
            raise KeyError("a")

    assert str(raised_by(fail)) == "'a'"
