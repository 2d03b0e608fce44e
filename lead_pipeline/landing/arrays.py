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
    return encoded_texts(list(map(str.encode, values)))


def encoded_texts(values: Sequence[bytes]) -> pa.Array:
    """Texts that are known to be UTF-8; together less than 2 GB."""
    return binaries(values).view(pa.string())


def binaries(values: Sequence[bytes]) -> pa.Array:
    """Bytes; together less than 2 GB."""
    ends = array("i", accumulate(map(len, values), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers)


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
