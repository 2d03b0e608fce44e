"""Names that are said twice are found, however JSON is written; the standard library is the judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lead_pipeline.providers.json_text import fault_of
from lead_pipeline_tests.properties import examples

BLANKS = st.sampled_from(["", "", " ", "\n\t"])
TEXTS = st.one_of(
    st.sampled_from(['"a"', '"b"', r'"\u0061"', '""', r'"a\":"', r'"\\"', r'"\u0022:"', '"a: b"']),
    st.text(max_size=4).map(json.dumps),
    st.text(max_size=4).map(lambda text: json.dumps(text, ensure_ascii=False)),
)
SCALARS = TEXTS | st.sampled_from(["1", "-0", "1.50", "75e-1", "1" * 30, "null", "true"])


def _between(values: list[str], blank: str, brackets: str) -> str:
    return f"{brackets[0]}{blank}{f'{blank},{blank}'.join(values)}{blank}{brackets[1]}"


def _containers(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds(
        lambda name, blank, value: f"{name}{blank}:{blank}{value}", TEXTS, BLANKS, values
    )
    return st.builds(_between, st.lists(members, max_size=3), BLANKS, st.just("{}")) | st.builds(
        _between, st.lists(values, max_size=3), BLANKS, st.just("[]")
    )


def says_a_name_twice(text: str) -> bool:
    """By the standard library, which shows all members."""
    found: list[bool] = []

    def pairs(members: list[tuple[str, Any]]) -> None:
        found.append(len({name for name, _ in members}) < len(members))

    json.loads(text, object_pairs_hook=pairs)
    return any(found)


@examples(300)
@given(st.recursive(SCALARS, _containers, max_leaves=8))
@example('{"a":1,"a":1}')
@example(r'{"a":1,"\u0061":2}')
@example(r'{"a":1,"a":2,"b":"\u0022:"}')
@example(r'{"a\\":1,"a\\":2,"b":"\":"}')
@example('{"a" :1,"b":2,"b":3}')
@example('{"a":{"b":1},"a":{"b":1}}')
def test_a_name_that_is_said_twice_is_a_fault_and_nothing_else_is(text: str) -> None:
    fault = fault_of(text.encode("utf-8", "surrogatepass"))
    if says_a_name_twice(text):
        assert fault == "an object in it says a name twice"
    else:
        assert fault in (None, "it is not UTF-8 text")


@pytest.mark.parametrize("text", ['{"a":1}{"a":2}', '{"a":1,}', '{"a":"\x01"}', '{"a":NaN}'])
def test_what_is_no_json_is_a_fault(text: str) -> None:
    assert fault_of(text.encode()) is not None
