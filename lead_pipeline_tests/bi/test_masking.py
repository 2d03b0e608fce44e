"""A masked file holds nobody's data, and can still be joined."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.bi import masking as masking_rules
from lead_pipeline.bi.candidate import COPIED_TABLES, INTERNAL_TABLES, prepare_candidate
from lead_pipeline.bi.dbt_project import project_variable
from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.bi.masking import TREATMENTS, Mask, prepare_masking, treatments
from lead_pipeline.errors import PublishError
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.sample_builds import MASK, Bi, leads_of, read
from lead_pipeline_tests.sample_warehouse import SAMPLE

KEY = "a key that nobody can guess, really"
RULES = PublishRules(masking_key_id=MASK.key_id)
PERSONAL = {
    "full_name": "Planted Fullname",
    "email": "Planted.Person@Example.com",
    "email_normalized": "planted.person@example.com",
    "phone": "(206) 555-0199",
    "phone_e164": "+12065550199",
    "company": "Planted Company Ltd",
    "owner_id": "planted-owner-id",
    "owner_name": "Planted Owner",
    "conversation_id": "planted-conversation",
    "intent": "planted intent: call +12065550198",
    "timeline": "planted timeline",
    "budget_range": "planted budget",
    "pain_points": "planted pain of Planted Fullname",
    "ai_reasoning": "planted reasoning",
    "custom_fields": '{"planted_key": "planted value"}',
}


@pytest.fixture
def bi(tmp_path: Path) -> Bi:
    """A home whose warehouse has the same person in two accounts."""
    bi = Bi(tmp_path)
    bi.load(SAMPLE)
    plant(bi.warehouse)
    return bi


def plant(warehouse: Path) -> None:
    """Write the data of `PERSONAL` wherever the warehouse has a place for it."""
    with closing(connect_utc(warehouse)) as connection:
        places = connection.execute(
            "select table_name, column_name from duckdb_columns() where schema_name = 'normalized'"
            " and list_contains($columns, column_name)",
            {"columns": list(PERSONAL)},
        ).fetchall()
        for table, column in places:
            connection.execute(
                f"update normalized.{table} set {column} = ?",  # noqa: S608
                [PERSONAL[column]],
            )


def found_below(folder: Path) -> set[str]:
    """Which planted values stand in any byte of any file below the folder."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert contents, folder
    return {
        value
        for value in PERSONAL.values()
        if any(value.encode() in content for content in contents)
    }


def hashed(value: str) -> str:
    """What the key makes of a value, as everybody who has it can compute it."""
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.fixture(scope="module")
def masking() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect()) as connection:
        prepare_masking(connection, MASK)
        yield connection


@given(value=st.text(st.characters(codec="utf-8"), min_size=1))
def test_mask_is_the_hmac_that_everybody_can_compute_with_the_key(
    masking: duckdb.DuckDBPyConnection, value: str
) -> None:
    assert masking.execute("select masked(?)", [value]).fetchall() == [(hashed(value),)]


@pytest.mark.parametrize("key", ["k" * 32, "k" * 64, "k" * 65, "ключ " * 20])
def test_mask_follows_the_standard_for_keys_of_every_length(key: str) -> None:
    expected = hmac.new(key.encode(), b"x", hashlib.sha256).hexdigest()[:32]
    with closing(duckdb.connect()) as connection:
        prepare_masking(connection, Mask.of_key(key))
        assert connection.execute("select masked('x')").fetchall() == [(expected,)]


def test_null_and_empty_stay_what_they_are(masking: duckdb.DuckDBPyConnection) -> None:
    for function in ("masked", "masked_name", "masked_email"):
        assert masking.execute(f"select {function}(null), {function}('')").fetchall() == [
            (None, "")
        ]


def test_names_that_differ_in_case_and_spaces_stay_one_name(
    masking: duckdb.DuckDBPyConnection,
) -> None:
    masked = masking.execute(
        "select count(distinct masked_name(name))"
        " from (values ('Ada Lovelace'), (' ada   lovelace '), ('ADA LOVELACE'),"
        " ('Áda Lovelace')) as names(name)"
    )
    assert masked.fetchall() == [(1,)]


def test_address_stays_an_address_and_a_malformed_one_malformed(
    masking: duckdb.DuckDBPyConnection,
) -> None:
    masked = masking.execute("select masked_email('ada@example.com'), masked_email('ada at home')")
    assert masked.fetchall() == [
        (f"lead@{hashed('ada@example.com')}.invalid", hashed("ada at home"))
    ]


def test_key_shows_nowhere_but_in_the_hashes() -> None:
    assert KEY not in repr(MASK)
    assert len(MASK.key_id) == 8
    assert Mask.of_key(KEY) == MASK
    assert Mask.of_key(KEY + "!").key_id != MASK.key_id


def test_every_copied_column_has_a_treatment_that_it_can_take(bi: Bi) -> None:
    bi.build_loaded()
    columns = read(
        bi.candidate,
        "select table_name, column_name, is_nullable, data_type = 'VARCHAR' from duckdb_columns()"
        " where schema_name in ('normalized', 'internal') or table_name = 'coverage'",
    )
    # Working hours are nobody's data: they come from the settings.
    columns = [column for column in columns if column[0] != "working_time"]
    copied = {(table, column) for table, column, *_ in columns}
    assert {table for table, _ in copied} == {*COPIED_TABLES, *INTERNAL_TABLES}
    listed = {(line.table, line.column): line.treatment for line in treatments()}
    assert set(listed) == copied
    assert set(listed.values()) == set(TREATMENTS)
    nullable = {(table, column) for table, column, is_nullable, _ in columns if is_nullable}
    text = {(table, column) for table, column, _, is_text in columns if is_text}
    assert {key for key, treatment in listed.items() if treatment == "remove"} <= nullable
    assert {key for key, treatment in listed.items() if treatment.startswith("hash")} <= text


def test_column_that_nobody_has_thought_of_is_refused_not_published(bi: Bi) -> None:
    with closing(connect_utc(bi.warehouse)) as connection:
        connection.execute("alter table normalized.leads add column nickname varchar")
    with pytest.raises(PublishError, match=r"masking\.csv .* leads,nickname\. Add a line"):
        prepare_candidate(bi.warehouse, bi.candidate, MASK)
    prepare_candidate(bi.warehouse, bi.candidate)


def test_internal_column_that_nobody_has_thought_of_is_refused_too(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tuple(line for line in treatments() if line.column != "owner_name")
    monkeypatch.setattr(masking_rules, "treatments", lambda: known)
    with pytest.raises(PublishError, match=r"lead_versions,owner_name"):
        prepare_candidate(bi.warehouse, bi.candidate, MASK)


@pytest.mark.parametrize("mask", [None, MASK])
def test_models_get_the_order_of_versions_and_no_digest_of_them(bi: Bi, mask: Mask | None) -> None:
    with closing(connect_utc(bi.warehouse)) as connection:
        connection.execute(VERSIONS)
    prepare_candidate(bi.warehouse, bi.candidate, mask)
    assert read(
        bi.candidate,
        "select lead_key, version_number, score from internal.lead_versions order by all",
    ) == [("a:1", 1, 10.0), ("a:1", 2, 20.0), ("a:1", 3, 30.0), ("a:1", 4, 40.0), ("b:1", 1, 5.0)]
    digests = "select table_name, column_name from duckdb_columns() where data_type = 'UUID'"
    assert read(bi.candidate, digests) == []


VERSIONS = """
insert into normalized.lead_versions by name
select
    col0 as version_id, col1 as lead_key, col2 as updated_at, col3 as last_seen_at,
    col4 as score, 'x' as provider, 'x' as account, 'x' as lead_id, now() as first_seen_at,
    false as has_details, 'leads' as stream, 'c' as crawl_id, 1 as page, now() as fetched_at,
    '{}' as payload
from (values
    ('00000000-0000-0000-0000-000000000009'::uuid, 'a:1', '2026-01-02 00:00:00Z'::timestamptz, '2026-01-03 00:00:00Z'::timestamptz, 40),
    ('00000000-0000-0000-0000-000000000008'::uuid, 'a:1', '2026-01-02 00:00:00Z', '2026-01-03 00:00:00Z', 30),
    ('00000000-0000-0000-0000-000000000007'::uuid, 'b:1', '2026-01-01 00:00:00Z', '2026-01-09 00:00:00Z', 5),
    ('10000000-0000-0000-0000-000000000001'::uuid, 'a:1', '2026-01-02 00:00:00Z', '2026-01-02 00:00:00Z', 20),
    ('20000000-0000-0000-0000-000000000001'::uuid, 'a:1', '2026-01-01 00:00:00Z', '2026-01-09 00:00:00Z', 10)
)
"""
"""Five versions of two leads: the newest update counts, then the last sighting, then the id."""


@pytest.mark.parametrize("order", ["full_name", "lead_key desc", "hash(lead_key)"])
def test_rows_stand_in_the_order_of_their_keys_whatever_order_the_warehouse_has(
    bi: Bi, order: str
) -> None:
    bi.load(leads_of("mega", 50))
    with closing(connect_utc(bi.warehouse)) as connection:
        connection.execute("update normalized.leads set full_name = md5(lead_key)")
        for table in ("leads", "lead_stage_history"):
            by = "lead_key desc" if order == "full_name" and table != "leads" else order
            connection.execute(
                f"create temp table sorted as from normalized.{table} order by {by};"  # noqa: S608
                f" delete from normalized.{table}; insert into normalized.{table} from sorted;"
                " drop table sorted"
            )
    prepare_candidate(bi.warehouse, bi.candidate, MASK)
    for table in ("normalized.leads", "normalized.lead_stage_history"):
        keys = read(bi.candidate, f"select lead_key from {table}")  # noqa: S608
        assert keys == sorted(keys)


def test_masked_file_hashes_identifiers_and_leaves_free_text_out(bi: Bi) -> None:
    bi.build_loaded(mask=MASK)
    bi.publish(rules=RULES)
    columns = ", ".join(PERSONAL)
    for table in ("normalized.leads", "marts.leads"):
        [row] = read(bi.published, f"select distinct {columns} from {table}")  # noqa: S608
        masked = dict(zip(PERSONAL, row, strict=True))
        removed = {name for name, value in masked.items() if value is None}
        assert removed == {
            "intent", "timeline", "budget_range", "pain_points", "ai_reasoning", "custom_fields"
        }  # fmt: skip
        assert {name: masked[name] for name in PERSONAL.keys() - removed} == {
            "full_name": hashed("planted fullname"),
            "email": f"lead@{hashed('Planted.Person@Example.com')}.invalid",
            "email_normalized": f"lead@{hashed('planted.person@example.com')}.invalid",
            "phone": hashed("(206) 555-0199"),
            "phone_e164": hashed("+12065550199"),
            "company": hashed("planted company ltd"),
            "owner_id": hashed("planted-owner-id"),
            "owner_name": hashed("planted owner"),
            "conversation_id": hashed("planted-conversation"),
        }


def test_masked_leads_join_as_the_plain_ones_do(bi: Bi) -> None:
    join = (
        "select one.lead_key, other.lead_key from normalized.leads as one"
        " join marts.leads as other using (email_normalized) order by all"
    )
    bi.build_loaded()
    plain = read(bi.candidate, join)
    bi.build_loaded(mask=MASK)
    assert read(bi.candidate, join) == plain
    assert len({key.partition(":")[0] for key, _ in plain}) == 2, "one account only"


def test_masked_file_keeps_types_comments_and_everything_else(bi: Bi) -> None:
    shape = (
        "select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where schema_name = 'normalized' order by all"
    )
    rest = f"select * exclude ({', '.join(PERSONAL)}) from normalized.leads order by lead_key"  # noqa: S608
    history = "from normalized.lead_stage_history order by all"
    bi.build_loaded()
    plain = [read(bi.candidate, query) for query in (shape, rest, history)]
    bi.build_loaded(mask=MASK)
    assert [read(bi.candidate, query) for query in (shape, rest, history)] == plain


def test_file_says_with_which_key_it_is_masked(bi: Bi) -> None:
    bi.build_loaded(mask=MASK)
    bi.publish(rules=RULES)
    assert read(bi.published, "select distinct masking_key_id from meta.publish") == [
        (MASK.key_id,)
    ]
    assert ("leads", "email", "hash_email", MASK.key_id) in read(bi.published, "from meta.masking")
    assert ("leads", "custom_fields", "remove", MASK.key_id) in read(
        bi.published, "from meta.masking"
    )


def test_plain_file_says_that_it_is_not_masked(bi: Bi) -> None:
    bi.build_loaded()
    bi.publish()
    assert read(bi.published, "select distinct masking_key_id from meta.publish") == [(None,)]
    assert read(bi.published, "from meta.masking") == []


def test_mailbox_of_several_people_stays_one_and_does_not_say_which(
    masking: duckdb.DuckDBPyConnection,
) -> None:
    addresses = ["sales@ada.example", "Info+x@ada.example", "ada@ada.example"]
    masked = [masking.execute("select masked_email(?)", [one]).fetchall() for one in addresses]
    first = project_variable("person_shared_mailboxes")[0]
    assert masked == [
        [(f"{first}@{hashed('sales@ada.example')}.invalid",)],
        [(f"{first}@{hashed('Info+x@ada.example')}.invalid",)],
        [(f"lead@{hashed('ada@ada.example')}.invalid",)],
    ]


def test_address_that_fills_a_field_stays_one_and_does_not_say_which(
    masking: duckdb.DuckDBPyConnection,
) -> None:
    domain = project_variable("person_placeholder_domains")[0]
    addresses = ["NoEmail@ada.example", f"ada@{domain}"]
    masked = [masking.execute("select masked_email(?)", [one]).fetchall() for one in addresses]
    first = project_variable("person_placeholder_mailboxes")[0]
    assert masked == [[(f"{first}@{hashed(one)}.invalid",)] for one in addresses]


def test_no_byte_below_the_folder_of_readers_tells_who_the_leads_are(bi: Bi) -> None:
    for run_id in ("plain 1", "plain 2"):
        bi.build_loaded(run_id=run_id)
        bi.publish(run_id)
    # The search finds what is there, and the earlier plain files are in the folder by now.
    assert found_below(bi.published.parent) == set(PERSONAL.values())
    assert len(bi.kept) == 1
    bi.published.with_name(".leads.duckdb.tmp").write_text(PERSONAL["email"])
    bi.build_loaded(run_id="masked", mask=MASK)
    bi.publish("masked", RULES)
    assert found_below(bi.published.parent) == set()
