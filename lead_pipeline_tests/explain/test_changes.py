"""Comparing payloads: complete, whatever the JSON, and with numbers as written."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.explain.changes import compare, field_of
from lead_pipeline.explain.mapped import MappedRecord
from lead_pipeline.providers.payload import leaves
from lead_pipeline_tests.normalized.landings import POLL
from lead_pipeline_tests.pulling import MAKE_LEAD, SLUGS

_WORDS = st.sampled_from(["", "a", "b.c", "[0]", "é", "\ud83d", '"'])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WORDS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
PAYLOADS = st.dictionaries(st.sampled_from(["score", "a", "b.c", "custom_fields"]), _VALUES)


def record(number: int, payload: dict[str, Any]) -> MappedRecord:
    return MappedRecord(
        account="mega",
        lead_id="1",
        stream="leads",
        file="f",
        crawl_id="c",
        page=1,
        fetched_at=POLL,
        updated_at=POLL + timedelta(seconds=number),
        payload=json.dumps({"id": "1", **payload}),
        has_details=True,
        columns={},
    )


@given(st.lists(PAYLOADS, min_size=1, max_size=4))
def test_the_changes_of_all_records_together_make_the_last_payload(
    payloads: list[dict[str, Any]],
) -> None:
    records = [(number, record(number, payload)) for number, payload in enumerate(payloads)]
    known: dict[str, str] = {}
    for compared in compare("mega", records).compared.values():
        for change in compared.changes:
            assert change.path is not None
            # A field that was null from the beginning is no news.
            assert known.get(change.path, change.before) == change.before
            assert change.before in (known.get(change.path), "null")
            known[change.path] = change.after
    last = leaves(records[-1][1].payload)
    assert told(known) == told({path: last[path] for path in last if path != "id"})


def told(texts: dict[str, str]) -> dict[str, str]:
    return {path: text for path, text in texts.items() if text not in (None, "null")}


@given(PAYLOADS)
def test_the_same_payload_again_changes_nothing(payload: dict[str, Any]) -> None:
    again = compare("mega", [(1, record(1, payload)), (2, record(2, payload))]).compared[2]
    assert (again.changes, again.is_update_only) == ((), True)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ('{"a": {"b": [1.0, {"c": null}]}}', {"a.b[0]": "1.0", "a.b[1].c": "null"}),
        ('{"a": {}, "b": []}', {"a": "{}", "b": "[]"}),
        ('{"x.y": 12345678901234567890123}', {'["x.y"]': "12345678901234567890123"}),
        (r'{"a": "caf\u00e9", "b": "\ud83d"}', {"a": '"café"', "b": r'"\ud83d"'}),
        ('{"a": NaN, "b": -1E+400}', {"a": "NaN", "b": "-1E+400"}),
        ("{}", {"": "{}"}),
    ],
)
def test_leaves_have_paths_and_texts_as_written(payload: str, found: dict[str, str]) -> None:
    assert leaves(payload) == found


def test_payloads_of_any_depth_are_read() -> None:
    depth = 900
    assert leaves('{"a":' * depth + "1" + "}" * depth) == {".".join(["a"] * depth): "1"}


@pytest.mark.parametrize("provider", SLUGS)
def test_every_field_of_a_plain_lead_is_known_to_go_into_a_column(provider: str) -> None:
    paths = set(leaves(json.dumps(MAKE_LEAD[provider](1)))) - {"id", "updated_at"}
    unknown = {path for path in paths if field_of(provider, path) is None}
    assert unknown <= {"current_stage.color", "current_stage.order"}
