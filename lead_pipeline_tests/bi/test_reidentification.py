"""An address book of everybody in a masked home finds nobody in it, also not in the raw bytes.

The home is made as in production: three APIs, landing, load, dbt, publications.
"""

from __future__ import annotations

import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance, materialize

from lead_pipeline.normalized.load import load_landing
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.published_asset import build_published_asset
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import attach, connect_utc
from lead_pipeline_tests.bi.attacker import Attacker, address_book, is_duckdb
from lead_pipeline_tests.bi.test_masking import KEY, PERSONAL
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    account_of,
    at,
    days,
    pull_all,
    server_of,
    settings_in,
)
from lead_pipeline_tests.sample_builds import read

pytestmark = pytest.mark.timeout(600)

PEOPLE_EACH = 40
"""People per provider."""


def details(provider: str, number: int) -> Record:
    """What a provider knows of one person; names, addresses and ids sort in other orders."""
    one, other = number * 17 % 41, number * 29 % 43
    name = f"Person{one:03} Of{provider.title()}"
    mail = f"Mail.{other:03}@{provider}-family{one}.example"
    if provider == "mega":
        return {
            "contact_name": name,
            "contact_email": mail,
            "contact_phone": f"+1206555{other:04}",
            "custom_fields": {"childs_school": f"School number {one:03} {other:03}"},
        }
    if provider == "vorel":
        # An address that several people read is somebody's, too.
        shared = f"office@{provider}-family{one}.example"
        return {
            "name": name,
            "email": shared if number == 0 else mail,
            "phone": f"+1312555{other:04}",
            "conversation_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "intent": f"wants the house of family {one:03}",
            "attributes": {"preferred_stylist": f"Stylist {other:03} of {one:03}"},
        }
    return {
        "name": name,
        "email": mail,
        "company": f"Company {other:03} and {one:03} Ltd",
        "pain_points": f"cannot sleep since {other:03}",
        "ai_reasoning": f"{name} is about to divorce",
    }


@dataclass(frozen=True)
class MaskedHome:
    """A home of which two masked builds were published, and who is in it."""

    settings: Settings
    attacker: Attacker

    @property
    def everybody(self) -> set[str]:
        """The lead_key of each person."""
        return {person.lead_key for person in self.attacker.people}

    @property
    def withheld(self) -> tuple[Path, ...]:
        """What holds plain data by design, and nobody gets: landing and the warehouse."""
        return (self.settings.landing_path, self.settings.warehouse_path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> MaskedHome:
    folder = tmp_path_factory.mktemp("masked")
    settings = settings_in(folder)
    with pytest.MonkeyPatch.context() as patch, Sandbox(World.empty(), limits=False) as sandbox:
        patch.setenv("LEAD_PIPELINE_HOME", str(folder))
        patch.setenv("LEAD_PIPELINE_MASKING", "true")
        patch.setenv("LEAD_PIPELINE_MASKING_KEY", KEY)
        put_people(sandbox, range(PEOPLE_EACH), night=0)
        load_and_publish(sandbox, settings)
        put_people(sandbox, range(0, PEOPLE_EACH, 3), night=1)
        load_and_publish(sandbox, settings)
    people = address_book(settings.warehouse_path, PERSONAL)
    return MaskedHome(settings, Attacker(people))


def put_people(sandbox: Sandbox, numbers: range, *, night: int) -> None:
    """Let each API have these people, updated in that night."""
    for provider in SLUGS:
        server_of(sandbox, provider).store.put_all(
            MAKE_LEAD[provider](
                number,
                at(2, 8, number),
                at(2, 9, number) + timedelta(days=night),
                **details(provider, number),
            )
            for number in numbers
        )


def load_and_publish(sandbox: Sandbox, settings: Settings) -> None:
    """Pull, load, build the marts with dbt, publish."""
    for provider in SLUGS:
        pull_all(settings, account_of(sandbox, provider), days(1, 5))
    load_landing(settings)
    models = build_dbt_assets()
    with DagsterInstance.ephemeral() as instance:
        assert materialize([models, build_published_asset(models.keys)], instance=instance).success


def test_address_book_of_everybody_finds_nobody_below_the_home(home: MaskedHome) -> None:
    assert len(home.everybody) == 3 * PEOPLE_EACH
    folder = home.settings.home
    databases = {
        str(path.relative_to(folder)).partition("-")[0]
        for path in folder.joinpath("bi").rglob("*")
        if path.is_file() and is_duckdb(path)
    }
    [kept] = folder.joinpath("bi", ".builds").iterdir()
    assert databases == {
        "bi/leads.duckdb",
        "bi/.sources/leads.duckdb",
        str(kept.relative_to(folder)).partition("-")[0],
    }
    assert home.attacker.finds(folder, besides=home.withheld) == {}


def test_address_book_finds_everybody_in_the_warehouse(home: MaskedHome) -> None:
    warehouse = home.settings.warehouse_path
    assert home.attacker.finds_in_cells(warehouse) == home.everybody


@pytest.mark.parametrize(
    "leak",
    [
        "version_id",
        "md5(lower(email))::uuid",
        "md5(payload)::uuid",
        "hash(email)",
        "sha256(lower(full_name) || '|' || lower(email))",
        "to_base64(unhex(sha256(lower(email))))",
    ],
)
def test_address_book_finds_everybody_by_a_digest_of_plain_rows_beside_masked_ones(
    home: MaskedHome, tmp_path: Path, leak: str
) -> None:
    leaking = with_leak(home.settings.warehouse_path, tmp_path / "leaking.duckdb", leak)
    assert len(home.attacker.finds_in_cells(leaking)) >= 3 * PEOPLE_EACH - 1


def test_address_book_finds_everybody_in_blocks_that_a_dropped_table_leaves(
    home: MaskedHome, tmp_path: Path
) -> None:
    leaking = with_leak(home.settings.warehouse_path, tmp_path / "leaking.duckdb", "version_id")
    with closing(connect_utc(leaking)) as connection:
        connection.execute("create table later as from range(1000); checkpoint")
        connection.execute("drop schema internal cascade; checkpoint")
    assert home.attacker.finds_in_cells(leaking) == set()
    assert home.attacker.finds_in_bytes(leaking) == home.everybody


def test_address_book_finds_everybody_uncompressed_where_the_bytes_are_compressed(
    home: MaskedHome, tmp_path: Path
) -> None:
    leaking = with_leak(
        home.settings.warehouse_path, tmp_path / "leaking.duckdb", "hash(email)", "lead_key"
    )
    assert len(home.attacker.finds_uncompressed(leaking)) >= 3 * PEOPLE_EACH - 1


def test_address_book_finds_people_in_statistics_and_in_what_the_file_says_of_itself(
    home: MaskedHome, tmp_path: Path
) -> None:
    leaking = with_leak(
        home.settings.warehouse_path, tmp_path / "leaking.duckdb", "full_name", "lead_key"
    )
    assert home.attacker.finds_in_statistics(leaking)
    ada = next(person for person in home.attacker.people if person.columns["email"])
    with closing(connect_utc(leaking)) as connection:
        connection.execute("drop table internal.lead_versions")
    assert home.attacker.finds_in_cells(leaking) == set()
    with closing(connect_utc(leaking)) as connection:
        connection.execute(f"create view one as select '{ada.columns['email'][0]}'")
    assert home.attacker.finds_in_cells(leaking) == {ada.lead_key}


@pytest.mark.parametrize("order", ["version_id", "full_name", "email"])
def test_address_book_finds_people_by_the_order_of_rows(
    home: MaskedHome, tmp_path: Path, order: str
) -> None:
    leaking = with_leak(home.settings.warehouse_path, tmp_path / "leaking.duckdb", "null", order)
    assert home.attacker.finds_in_cells(leaking) == set()
    assert len(home.attacker.finds_in_order(leaking)) > len(home.everybody) / 2


def with_leak(warehouse: Path, path: Path, leak: str, order: str = "lead_key") -> Path:
    """A file as earlier versions made them: `leak` beside each lead, in rows of some `order`."""
    with closing(connect_utc(path)) as connection:
        attach(connection, warehouse, "warehouse", options="read_only")
        connection.execute("create schema internal")
        connection.execute(
            f"create table internal.lead_versions as select lead_key, {leak} as digest"  # noqa: S608
            f" from warehouse.normalized.lead_versions order by {order}"
        )
    return path


def test_published_file_has_no_block_that_no_table_uses(home: MaskedHome) -> None:
    assert read(home.settings.published_path, "select free_blocks from pragma_database_size()") == [
        (0,)
    ]
