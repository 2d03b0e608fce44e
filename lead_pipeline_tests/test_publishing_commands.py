"""`lead-pipeline publish` and `rollback`, as real processes over the leads of a demo."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.storage.locks import held
from lead_pipeline.storage.publication import PAGES
from lead_pipeline_tests.bi.attacker import Needles
from lead_pipeline_tests.commands import Demo, Ran, environment, lead_pipeline, lead_pipeline_here
from lead_pipeline_tests.sample_builds import read, run_of

pytestmark = pytest.mark.timeout(600)

MASKED = {
    "LEAD_PIPELINE_MASKING": "true",
    "LEAD_PIPELINE_MASKING_KEY": "a key that nobody can guess, really",
}


ODD_SURROUNDINGS = {
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "tr_TR.UTF-8",
    "DBT_EMPTY": "true",
    "DBT_TARGET": "production",
    "DBT_PROJECT_DIR": "/somewhere/else",
    "DBT_PROFILES_DIR": "/somewhere/else",
    "DBT_ENGINE_EMPTY": "true",
    "DBT_VARS": "{person_max_identities: 1}",
    "DBT_WARN_ERROR": "true",
}
"""A shell far from UTC, with dbt's variables of another project."""


@dataclass(frozen=True)
class Story:
    """Published by the demo and again, then rolled back."""

    home: Path
    first_run: str
    first_tables: str
    second_run: str
    second_tables: str
    rolled_back: Ran
    run_after_rollback: str
    listed: Ran


@pytest.fixture(scope="module")
def story(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    home = demo.copy_to(folder)
    published = home / "bi" / "leads.duckdb"
    variables = environment(home)
    first_run = run_of(published)
    first_tables = digest_of_tables(published)
    assert lead_pipeline(folder, {**variables, **ODD_SURROUNDINGS}, "publish").status == 0
    second_run = run_of(published)
    second_tables = digest_of_tables(published)
    rolled_back = lead_pipeline_here(folder, variables, "rollback")
    run_after_rollback = run_of(published)
    with held(home / ".locks" / "publish", "building for a long time"):
        wide = {**variables, "COLUMNS": "250"}
        listed = lead_pipeline_here(folder, wide, "rollback", "--list")
    return Story(
        home,
        first_run,
        first_tables,
        second_run,
        second_tables,
        rolled_back,
        run_after_rollback,
        listed,
    )


@dataclass(frozen=True)
class Masked:
    """A home that was published plainly, then masked, and a rollback after that."""

    home: Path
    masked: Ran
    refused: Ran


@pytest.fixture(scope="module")
def masked(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Masked:
    folder = tmp_path_factory.mktemp("masked")
    home = demo.copy_to(folder)
    variables = environment(home) | MASKED
    published = lead_pipeline(folder, variables, "publish")
    return Masked(home, published, lead_pipeline_here(folder, variables, "rollback"))


def digest_of_tables(published: Path) -> str:
    """Changes with any row of what readers report on."""
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where schema_name in ('normalized', 'marts') order by all"
        ).fetchall()
        return "\n".join(
            f"{schema}.{table} {connection.execute(query).fetchone()}"
            for schema, table in tables
            for query in [
                f"select count(*), bit_xor(hash(t::varchar)) from {schema}.{table} as t"  # noqa: S608
            ]
        )


def test_publish_makes_a_new_build_without_any_api(story: Story) -> None:
    assert story.second_run != story.first_run


def test_time_zone_locale_and_dbt_s_variables_of_another_project_change_no_row(
    story: Story,
) -> None:
    assert "marts.lead_facts (" in story.first_tables
    assert story.second_tables == story.first_tables


def test_rollback_gives_readers_the_build_before_and_says_so(story: Story) -> None:
    assert (story.rolled_back.status, story.rolled_back.errors) == (0, "")
    assert story.run_after_rollback == story.first_run
    assert "now see the build published 20" in story.rolled_back.output
    assert f"by run {story.first_run}: " in story.rolled_back.output
    assert "The next publication replaces it." in story.rolled_back.output


def test_pages_are_those_of_the_build_that_readers_have_after_a_rollback(story: Story) -> None:
    for page in PAGES:
        text = (story.home / "bi" / page).read_text("utf-8")
        assert f"run {story.first_run}" in text
        assert story.second_run not in text


def test_masked_pages_name_nobody_and_the_settings_that_ask_for_names_are_refused(
    masked: Masked, demo: Demo, tmp_path: Path
) -> None:
    with closing(
        duckdb.connect(str(demo.home / "bi" / "leads.duckdb"), read_only=True)
    ) as connection:
        named = connection.execute(
            "select full_name from normalized.leads union select owner_name from normalized.leads"
        ).fetchall()
    texts = [(masked.home / "bi" / page).read_text("utf-8") for page in PAGES]
    assert [name for (name,) in named if name and any(name in text for text in texts)] == []
    variables = environment(masked.home) | MASKED | {"LEAD_PIPELINE_REPORT_NAMES": "all"}
    refused = lead_pipeline_here(tmp_path, variables, "publish")
    assert refused.status == 1
    assert "LEAD_PIPELINE_REPORT_NAMES: must be none" in refused.errors


def test_list_shows_each_build_and_which_one_readers_have(story: Story) -> None:
    assert (story.listed.status, story.listed.errors) == (0, "")
    newest, oldest = (line for line in story.listed.output.splitlines() if "Z-" in line)
    assert story.second_run[:8] in newest
    assert "yes" not in newest
    assert story.first_run[:8] in oldest
    assert "yes" in oldest


def test_list_waits_for_no_publication(story: Story) -> None:
    assert "Waiting" not in story.listed.output
    assert story.listed.status == 0


# A masked build of the same kind is searched in every `make test`: `bi/test_reidentification`.
@pytest.mark.long
def test_masked_publication_leaves_no_personal_data_below_the_folder_of_readers(
    masked: Masked,
) -> None:
    assert (masked.masked.status, masked.masked.errors) == (0, "")
    personal = personal_data(masked.home / "warehouse.duckdb")
    assert len(personal) > 100
    written = b"".join(
        path.read_bytes() for path in (masked.home / "bi").rglob("*") if path.is_file()
    )
    searched = Needles.of((value.encode(), value) for value in personal)
    assert searched.found_in(written) == set()
    assert MASKED["LEAD_PIPELINE_MASKING_KEY"].encode() not in written
    texts = text_of(masked.home / "bi" / "leads.duckdb")
    assert searched.found_in(texts.encode()) == set()
    assert searched.found_in((masked.home / "warehouse.duckdb").read_bytes()) != set()


def personal_data(warehouse: Path) -> set[str]:
    """Names, addresses and numbers of all leads; short ones could be found by chance."""
    rows = read(
        warehouse,
        "select distinct unnest([full_name, email, email_normalized, phone, phone_e164,"
        " owner_name]) as value from normalized.leads",
    )
    return {value for (value,) in rows if value and len(value) > 7}


def text_of(published: Path) -> str:
    """Every text in every table, uncompressed."""
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where not internal"
            " and data_type in ('VARCHAR', 'JSON')"
        ).fetchall()
        return "\n".join(
            str(value)
            for schema, table, column in columns
            for (value,) in connection.execute(
                f'select distinct "{column}" from "{schema}"."{table}"'  # noqa: S608
            ).fetchall()
        )


@pytest.mark.long
def test_rollback_never_goes_back_to_plain_data(masked: Masked) -> None:
    assert masked.refused.status == 1
    assert "No earlier build is kept" in masked.refused.last_line
