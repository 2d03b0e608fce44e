"""Values that SQL alone cannot clean: phone numbers, and JSON that only lenient parsers take."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import phonenumbers

from lead_pipeline.normalized.steps import Columns, StepContext


def to_e164(phone: str, region: str) -> str | None:
    """The number in E.164 form, or None when it cannot be a phone number of any region."""
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


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


def json_values(rows: Sequence[Any], context: StepContext) -> Columns:
    """JSON texts, one a row, beside the text that all texts of the same value have."""
    del context
    contents = [content for (content,) in rows]
    return {"content": contents, "value": [json_value(content) for content in contents]}


def e164_phones(rows: Sequence[Any], context: StepContext) -> Columns:
    """Phone numbers, one a row, beside their E.164 forms."""
    phones = [phone for (phone,) in rows]
    return {
        "phone": phones,
        "phone_e164": [to_e164(phone, context.phone_region) for phone in phones],
    }


def repaired_payloads(rows: Sequence[Any], context: StepContext) -> Columns:
    """Broken payloads, each beside its row's number, as JSON that DuckDB reads."""
    del context
    return {
        "record_row": [number for number, _ in rows],
        "payload": [repair_json(payload) for _, payload in rows],
    }
