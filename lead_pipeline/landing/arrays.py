"""Arrow arrays of plain values, made from their buffers.

`pa.array` and `pa.scalar` do the same, but import pandas at their first call if it is installed, which
takes longer than many a crawl. Belongs here: arrays without nulls. Does not belong here: what they mean.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, repeat

import pyarrow as pa

MOMENT = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def texts(values: Iterable[str]) -> pa.Array:
    """Texts."""
    values = list(values)
    together = "".join(values)
    if together.isascii():
        # As many bytes as letters: one text is encoded in place of many.
        return _joined(map(len, values), len(values), together.encode()).view(pa.string())
    return encoded_texts(list(map(str.encode, values)))


def encoded_texts(values: Sequence[bytes]) -> pa.Array:
    """Texts that are known to be UTF-8; together less than 2 GB."""
    return binaries(values).view(pa.string())


def binaries(values: Sequence[bytes]) -> pa.Array:
    """Bytes; together less than 2 GB."""
    return _joined(map(len, values), len(values), b"".join(values))


def _joined(lengths: Iterable[int], count: int, content: bytes) -> pa.Array:
    """`count` values of these lengths, which stand one after the other in `content`."""
    ends = array("i", accumulate(lengths, initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.binary(), count, buffers)


def numbers(values: Iterable[int]) -> pa.Array:
    """Whole numbers of 32 bits."""
    numbers = array("i", values)
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])


def moments(values: Iterable[datetime]) -> pa.Array:
    """Times that know their zone, to the microsecond."""
    since_epoch = array("q", ((value - _EPOCH) // _MICROSECOND for value in values))
    return pa.Array.from_buffers(MOMENT, len(since_epoch), [None, pa.py_buffer(since_epoch)])


def repeated(text: str, times: int) -> pa.Array:
    """The same text again and again."""
    return texts([text]).take(numbers(repeat(0, times)))
