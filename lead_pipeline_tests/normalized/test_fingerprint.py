"""Whatever feeds the tables: a change of it builds them again, once, and is named."""

from __future__ import annotations

import inspect
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import duckdb
import msgspec
import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

import lead_pipeline
from lead_pipeline.bi.dbt_project import PROJECT_DIR
from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.declared_steps import PHASES
from lead_pipeline.normalized.fingerprint import code_of_steps, fingerprint_of, reason_of
from lead_pipeline.normalized.inputs import LoadInputs
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox.examples import mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, all_tables, table
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, changed, settings_in

LOAD = """
import os, signal, sys
import msgspec
from lead_pipeline.normalized import load
from lead_pipeline.normalized.verify import verify
from lead_pipeline.settings import load_settings

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

settings, told = load_settings(), []
order = sys.argv[1]
if order == "be killed before the tables are replaced":
    load.replace_warehouse = die
tell = die if order == "be killed as a rebuild begins" else told.append
result = load.load_landing(settings, tell=tell)
differing = [c.table for c in verify(settings) if not c.is_equal] if order == "verify" else []
print(msgspec.json.encode([result.rebuilt, told, differing]).decode())
"""


@dataclass(frozen=True)
class Loaded:
    """What one process has done."""

    rebuilt: bool
    told: list[str]
    differing: list[str]
    """Tables that `verify` finds to differ."""


@dataclass(frozen=True)
class Installation:
    """A copy of the package, which a test may edit; each load is a process of its own.

    The package itself has loaded once before.
    """

    folder: Path
    home: Path

    def edit(self, name: str, before: str, after: str) -> None:
        """Replace a text that stands in the one file whose path ends so."""
        [path] = (path for path in self.folder.rglob("*") if path.as_posix().endswith(f"/{name}"))
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), "utf-8")

    def start(self, order: str = "load") -> subprocess.Popen[bytes]:
        environment = {"PYTHONPATH": str(self.folder), "LEAD_PIPELINE_HOME": str(self.home)}
        command = [sys.executable, "-c", LOAD, order]
        return subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=self.home, stdout=subprocess.PIPE
        )

    def load(self, order: str = "load") -> Loaded:
        return finished(self.start(order))


def finished(process: subprocess.Popen[bytes]) -> Loaded:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return Loaded(*msgspec.json.decode(output.splitlines()[-1]))


@pytest.fixture
def landing(settings: Settings) -> Landing:
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1, colour="red"))
    landing.leads("vorel", vorel_lead(1, status="booked", phone="12"))
    landing.leads("expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events")
    return landing


@pytest.fixture
def installation(landing: Landing, tmp_path: Path) -> Installation:
    folder = tmp_path / "installed"
    # What is compiled already is copied, too: each load is a process that imports all of it.
    unneeded = shutil.ignore_patterns("target", "logs")
    for source in (Path(lead_pipeline.__file__).parent, PROJECT_DIR):
        shutil.copytree(source, folder / source.name, ignore=unneeded)
    load_landing(landing.settings)
    return Installation(folder, landing.settings.home)


EDITS = {
    "the contract of mega": (
        "mega/contract.csv",
        "leads,id,string,,,lead_id",
        "leads,id,string,,,lead_id\nleads,colour,string,,,",
    ),
    "the mapping of mega": (
        "mega/leads.sql",
        "lead.contact_name as full_name",
        "upper(lead.contact_name) as full_name",
    ),
    "the stage events of expert_ai_labs": (
        "expert_ai_labs/stage_events.sql",
        "record_id as event_id",
        "'event ' || record_id as event_id",
    ),
    "the stage mapping of vorel": (
        "vorel/stages.csv",
        "stage,booked,booked",
        "stage,booked,engaged",
    ),
    "the SQL of load/4_map/keyed": (
        "4_map/keyed.sql",
        "emails.email_normalized",
        "upper(emails.email_normalized) as email_normalized",
    ),
    "the code of lead_pipeline.contacts.phones": (
        "contacts/phones.py",
        "PhoneNumberFormat.E164",
        "PhoneNumberFormat.RFC3966",
    ),
}


def test_every_module_that_a_step_s_python_is_in_is_an_input(landing: Landing) -> None:
    inputs = fingerprint_of(LoadInputs.of(landing.settings))
    for step in chain.from_iterable(PHASES.values()):
        for value in vars(step).values():
            if inspect.isfunction(value) and value.__name__ != "<lambda>":
                assert f"the code of {value.__module__}" in inputs


def test_what_a_step_s_python_imports_is_an_input_and_what_only_words_messages_is_none() -> None:
    modules = code_of_steps()
    assert {"lead_pipeline.landing.coverage", "lead_pipeline.windows"} <= set(modules)
    assert "lead_pipeline.errors" not in modules
    # `providers.base` names it for type checkers alone, so that no process needs to have it.
    assert "lead_pipeline.providers.counted" not in modules


def test_the_sql_of_every_step_is_an_input_and_that_of_checks_is_none(landing: Landing) -> None:
    inputs = fingerprint_of(LoadInputs.of(landing.settings))
    found = {name.removeprefix("the SQL of ") for name in inputs if name.startswith("the SQL of ")}
    of_load = Path(lead_pipeline.__file__).parent.glob("normalized/sql/load/**/*.sql")
    names = {path.as_posix().split("/sql/")[1].removesuffix(".sql") for path in of_load}
    assert found == {*names, "schema"}


EACH_EDIT = [
    # Of each kind one at each change; the others are the same code.
    pytest.param(words, marks=() if place < 2 else pytest.mark.long)
    for place, words in enumerate(EDITS)
]


@pytest.mark.parametrize("words", EACH_EDIT)
def test_an_edited_file_leads_to_one_rebuild_that_names_it_and_then_verify_holds(
    installation: Installation, words: str
) -> None:
    installation.edit(*EDITS[words])
    rebuild, after = installation.load("verify"), installation.load()
    assert [f"again from all landed files: changed since they were built: {words}." in text
            for text in rebuild.told] == [True]  # fmt: skip
    assert (rebuild.rebuilt, rebuild.differing, after.rebuilt) == (True, [], False)


def test_a_field_added_to_the_contract_is_drift_no_longer(
    installation: Installation, landing: Landing
) -> None:
    before = [row["field"] for row in table(landing.settings, "contract_drift")]
    installation.edit(*EDITS["the contract of mega"])
    installation.load()
    after = [row["field"] for row in table(landing.settings, "contract_drift")]
    assert (before, after) == (["colour"], [])


@contextmanager
def upgraded_phonenumbers() -> Iterator[None]:
    """A release in whose plans every number is valid."""
    with (
        changed(phonenumbers, "__version__", "99.0.1"),
        changed(phonenumbers, "number_type", lambda number: PhoneNumberType.MOBILE),
    ):
        yield


@pytest.mark.long
def test_an_upgrade_of_phonenumbers_leads_to_one_rebuild_and_then_verify_holds(
    landing: Landing,
) -> None:
    load_landing(landing.settings)
    before = table(landing.settings, "leads")
    told: list[str] = []
    with upgraded_phonenumbers():
        results = [load_landing(landing.settings, tell=told.append) for _ in range(2)]
        assert all(comparison.is_equal for comparison in verify(landing.settings))
    now = table(landing.settings, "leads")
    assert [result.rebuilt for result in results] == [True, False]
    assert f"phonenumbers {phonenumbers.__version__} → 99.0.1." in told[0]
    assert {row["phone_e164"] for row in now} - {row["phone_e164"] for row in before} == {"+112"}


def test_another_release_of_duckdb_leads_to_a_rebuild(landing: Landing) -> None:
    load_landing(landing.settings)
    with changed(duckdb, "__version__", "99.0.2"):
        result = load_landing(landing.settings)
    assert result.rebuilt_because.endswith("→ 99.0.2")


def test_a_setting_that_changes_values_is_named_with_both_values(landing: Landing) -> None:
    load_landing(landing.settings)
    result = load_landing(settings_in(landing.settings.home, phone_region="GB"))
    assert "the phone region US → GB" in result.rebuilt_because


def test_a_setting_that_changes_no_value_builds_nothing_again(landing: Landing) -> None:
    load_landing(landing.settings)
    assert not load_landing(settings_in(landing.settings.home, memory_limit="1GB")).rebuilt


def test_verify_names_what_has_changed_since_the_last_load(landing: Landing) -> None:
    load_landing(landing.settings)
    with (
        upgraded_phonenumbers(),
        pytest.raises(LoadError, match=r"→ 99\.0\.1\. Do it now: lead-pipeline rebuild"),
    ):
        verify(landing.settings)


def test_tables_of_a_version_that_noted_no_fingerprint_are_built_again_once(
    landing: Landing,
) -> None:
    load_landing(landing.settings)
    with duckdb.connect(str(landing.settings.warehouse_path)) as connection:
        connection.execute("drop table normalized.fingerprint")
        connection.execute("create table normalized.settings (name varchar, value varchar)")
        connection.execute("insert into normalized.settings values ('schema_version', '4')")
    results = [load_landing(landing.settings) for _ in range(2)]
    assert [result.rebuilt for result in results] == [True, False]
    assert results[0].rebuilt_because == "an earlier version of lead-pipeline has built them"
    assert "settings" not in all_tables(landing.settings)


def test_many_changes_are_counted_beyond_the_first_six(landing: Landing) -> None:
    before = {f"the SQL of {letter}": "sha256:1" for letter in "abcdefgh"}
    now = dict.fromkeys(before, "sha256:2")
    named = ", ".join(f"the SQL of {letter}" for letter in "abcdef")
    assert reason_of(before, now) == f"changed since they were built: {named}, 2 more"


def test_an_input_that_came_or_went_is_a_change(landing: Landing) -> None:
    now = dict(fingerprint_of(LoadInputs.of(landing.settings)))
    before = {**now, "the mapping of acme": "sha256:1"}
    del before["the mapping of mega"]
    assert reason_of(before, now) == (
        "changed since they were built: the mapping of mega (new), the mapping of acme (gone)"
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "moment", ["be killed as a rebuild begins", "be killed before the tables are replaced"]
)
def test_a_killed_rebuild_leaves_the_old_tables_and_the_next_load_rebuilds(
    installation: Installation, landing: Landing, moment: str
) -> None:
    before = all_tables(landing.settings)
    installation.edit(*EDITS["the stage mapping of vorel"])
    killed = installation.start(moment)
    killed.communicate(timeout=120)
    assert (killed.returncode, all_tables(landing.settings)) == (-signal.SIGKILL, before)
    again = installation.load("verify")
    assert (again.rebuilt, again.differing) == (True, [])


@pytest.mark.long
def test_of_two_loads_at_once_one_rebuilds(installation: Installation) -> None:
    installation.edit(*EDITS["the stage mapping of vorel"])
    processes = [installation.start() for _ in range(2)]
    assert sorted(finished(process).rebuilt for process in processes) == [False, True]
