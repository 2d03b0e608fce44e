"""JSON that SQL alone cannot clean: what only lenient parsers take, and values written in several ways."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from lead_pipeline.normalized.steps import Columns, StepContext


def repair_json(payload: str) -> str:
    """JSON that DuckDB reads, from a payload that only lenient parsers take.

    Half of a cut-off emoji becomes the replacement character, a number beyond any range null.
    """

    def finite(text: str) -> float | None:
        number = float(text)
        return number if math.isfinite(number) else None

    value = json.loads(payload, parse_float=finite, parse_constant=lambda _: None)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _number(text: str) -> int | float:
    """A JSON number with a fraction or an exponent: an integer where it is a whole number."""
    number = float(text)
    return int(number) if number.is_integer() else number


_decoder = msgspec.json.Decoder(float_hook=_number)
_encoder = msgspec.json.Encoder(order="sorted")


def json_value(text: str) -> str:
    """The same text for all JSON texts of one value, however keys are ordered or numbers written."""
    return _encoder.encode(_decoder.decode(text)).decode()


def json_values(contents: Sequence[str], context: StepContext) -> Sequence[Sequence[str]]:
    """Of each JSON text, the text that all texts of the same value have."""
    del context
    return ([json_value(content) for content in contents],)


def repaired_payloads(rows: Sequence[Any], context: StepContext) -> Columns:
    """Broken payloads, each beside its row's number, as JSON that DuckDB reads."""
    del context
    return {
        "record_row": [number for number, _ in rows],
        "payload": [repair_json(payload) for _, payload in rows],
    }
