"""A landed file that cannot be read is named, and nothing of what is in it is told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lead_pipeline.causes import stack_of
from lead_pipeline.errors import LoadError
from lead_pipeline.explain.mapped import mapped_records
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, without_digests
from lead_pipeline_tests.pulling import at

NAME = "Ada Planted Lovelace"


@pytest.fixture(params=["with digests", "of an earlier release"])
def damaged(settings: Settings, request: pytest.FixtureRequest) -> Path:
    """One of two landed files, with a payload that is no text any more."""
    landing = Landing(settings)
    for day in (2, 3):
        landing.leads("vorel", vorel_lead(day, at(day), at(day), name=NAME))
    # Of files of this release, their digest says first that they are damaged.
    without_digests(settings)
    if request.param == "of an earlier release":
        # DuckDB meets the damage itself.
        without_digests(settings)
    return damage(sorted(settings.landing_path.rglob("date=*/*.parquet"))[-1])


def damage(path: Path) -> Path:
    """Turn the first byte of each payload into one that begins no letter; sizes stay."""
    table = pq.read_table(path)
    payloads = [b"\xff" + text.encode()[1:] for text in table["payload"].to_pylist()]
    broken = pa.array(payloads, pa.binary()).view(pa.string())
    at_ = table.column_names.index("payload")
    pq.write_table(table.set_column(at_, "payload", broken), path)
    return path


def test_damage_makes_duckdb_quote_the_whole_payload(damaged: Path) -> None:
    with closing(duckdb.connect()) as connection, pytest.raises(duckdb.Error, match=NAME):
        connection.execute("select max(payload) from read_parquet(?)", [str(damaged)]).fetchall()


def test_load_names_the_file_and_tells_nothing_of_it(settings: Settings, damaged: Path) -> None:
    with pytest.raises(LoadError) as caught:
        load_landing(settings)
    assert str(damaged) in str(caught.value)
    assert "Restore the file from a backup" in str(caught.value)
    for said in (str(caught.value), stack_of(caught.value)):
        assert "Planted" not in said


def test_explain_names_the_file_and_tells_nothing_of_it(settings: Settings, damaged: Path) -> None:
    files = [str(path) for path in settings.landing_path.rglob("date=*/*.parquet")]
    with pytest.raises(LoadError) as caught:
        mapped_records("vorel", files, [lead_id(3)], ())
    assert str(damaged) in str(caught.value)
    assert "Planted" not in str(caught.value)
