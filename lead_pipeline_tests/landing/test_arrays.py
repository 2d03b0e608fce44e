"""Arrow arrays made from buffers: what `pa.array` makes, without the import of pandas."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.landing import arrays

_TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=5)
_INT32 = st.integers(-(2**31), 2**31 - 1)
_MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(_TEXTS, st.lists(st.binary(max_size=5), max_size=5), st.lists(_INT32), st.lists(_MOMENTS))
def test_arrays_are_those_that_arrow_makes(
    texts: list[str], binaries: list[bytes], numbers: list[int], moments: list[datetime]
) -> None:
    for made, values in (
        (arrays.texts(texts), texts),
        (arrays.encoded_texts([text.encode() for text in texts]), texts),
        (arrays.binaries(binaries), binaries),
        (arrays.numbers(numbers), numbers),
        (arrays.moments(moments), moments),
        (arrays.repeated("Zo\u00eb", len(texts)), ["Zo\u00eb"] * len(texts)),
    ):
        made.validate(full=True)
        assert made.equals(pa.array(values, made.type))


def test_pull_does_without_pandas() -> None:
    """Its import takes longer than a night in which little has changed."""
    program = """
import sys
from datetime import UTC, datetime
from lead_pipeline.landing import pull
from lead_pipeline.landing.commits import CommitRecord, Window
from lead_pipeline.landing.files import write_flush
from lead_pipeline.landing.records import file_records
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Walk
from pathlib import Path
import msgspec, tempfile
now = datetime(2026, 1, 2, tzinfo=UTC)
commit = CommitRecord(crawl_id="a", account="vorel", provider="vorel", stream="leads", window=Window(None, now), started_at=now)
records = [b'{"id":"a","updated_at":"2026-01-01T00:00:00Z"}', b'{"id":"b","updated_at":"2026-01-01T00:00:00Z","created_at":null}', b'{}']
walk = Walk("", {}, lambda body: None, keep_from=datetime(2025, 1, 1, tzinfo=UTC))
page = file_records(PROVIDERS["vorel"], "leads", walk, list(map(msgspec.Raw, records)), None, number=1, fetched_at=now, served_at=None)
with tempfile.TemporaryDirectory() as folder:
    flushed = write_flush(Path(folder), commit, [page])
assert flushed.records and flushed.rejected
sys.exit("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603 - our own text
    assert done.returncode == 0
