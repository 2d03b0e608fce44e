"""Every cause, provoked once: it arrives at a web server and at an SMTP server, once each.

Failures come out of real runs, drift out of a real load, findings out of landing and of what is
published. Whatever arrives is searched for personal data and secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg
import pytest

from lead_pipeline import definitions
from lead_pipeline.alerts.alert import TITLES
from lead_pipeline.alerts.failures import Ended
from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.orchestration.ended_runs import ended_run
from lead_pipeline.orchestration.normalized_assets import KEYS
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline_tests.alerts.healthy import ACCOUNT, look, make_healthy, told
from lead_pipeline_tests.alerts.servers import WebServer, mail_server
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.health.situations import land, publish
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import at
from lead_pipeline_tests.sample_warehouse import SampleLead

PASSWORD = "p4ssword-of-the-mail-server"
API_KEY = "vapk_live_of_nobody"
WRONG_KEY = "vapk_live_" + "0badcafe" * 6
PERSON = {"name": "Ada Lovelace", "email": "ada@lovelace.example", "phone": "+442079460958"}
PRIVATE = (*PERSON.values(), "Grace Hopper", "teal", PASSWORD, API_KEY, WRONG_KEY, "/hook", "ops@")
"""What no message may hold; of mail, headers tell whom it goes to."""

Provoke = Callable[[Settings, Sandbox], list[Ended]]


def land_records(settings: Settings, *records: Record) -> None:
    plan = CrawlPlan(
        "20260105T030000000000Z-leads-0badcafe",
        "vorel",
        [list(records)],
        account="acme",
        at=at(5, 3),
        window=Window(at(3), at(4)),
    )
    Landing(settings).land(plan)


def missed_days(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    assert settings.accounts is not None
    other = ACCOUNT.replace("acme", "newcomer")
    settings.accounts.write_text(ACCOUNT + other)
    return []


def old_file_for_readers(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    publish(settings, at(3))
    return []


def records_without_id(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    land_records(settings, dict(PERSON), {"name": "Grace Hopper"})
    return []


def unknown_stage(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    publish(settings, at(5), [SampleLead("1", ((1, "unmapped", "limbo"),), "acme")])
    return []


def far_fewer_leads(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    land(settings, 5, 5, state="doubtful", complete=False, doubt="3 records came, before 1,000")
    return []


def key_not_set(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    assert settings.accounts is not None
    settings.accounts.write_text(
        ACCOUNT.replace(f'api_key = "{API_KEY}"', 'api_key_env = "ACME_KEY"')
    )
    return []


def stuck_crawl(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    land(settings, 5, 5, state="stuck", complete=False, pages=7)
    return []


def new_field(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    land_records(settings, {**vorel_lead(1, at(3)), **PERSON, "favourite_colour": "teal"})
    load_landing(settings)
    return []


def refused_key(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    url = sandbox.environment()["VOREL_BASE_URL"]
    assert settings.accounts is not None
    entry = ACCOUNT.replace(API_KEY, WRONG_KEY) + f'base_url = "{url}"\n'
    settings.accounts.write_text(entry)
    return run(settings, "landing/acme/leads", partition_key="2026-01-05")


def unusable_stages(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    (settings.home / "stages.csv").write_text(
        "account,provider,field,value,stage\n,vorel,age,x,y\n"
    )
    return run(settings, *(f"normalized/{key.path[-1]}" for key in KEYS))


def build_that_is_not_there(settings: Settings, sandbox: Sandbox) -> list[Ended]:
    del sandbox
    return run(settings, "bi/published")


PROVOKED: Mapping[str, tuple[str, Provoke]] = {
    "gap": ("newcomer", missed_days),
    "stale": ("acme", old_file_for_readers),
    "rejected": ("acme", records_without_id),
    "unmapped": ("acme", unknown_stage),
    "doubtful": ("acme", far_fewer_leads),
    "missing-account": ("acme", key_not_set),
    "unfinished": ("acme", stuck_crawl),
    "drift": ("acme", new_field),
    "refused-key": ("acme", refused_key),
    "failed-run": ("bi/published", unusable_stages),
    "build-refused": ("bi/published", build_that_is_not_there),
}


def run(settings: Settings, *paths: str, partition_key: str | None = None) -> list[Ended]:
    """What a real run of these assets has shown."""
    with instance_of(settings.home) as instance:
        result = (
            definitions.defs()
            .resolve_job_def("daily_leads")
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(path.split("/")) for path in paths],
                partition_key=partition_key,
                raise_on_error=False,
            )
        )
        recorded = instance.get_run_by_id(result.run_id)
        assert recorded is not None
        return list(ended_run(instance, recorded).ended)


def test_every_kind_of_cause_is_provoked_here() -> None:
    assert PROVOKED.keys() == TITLES.keys()


@pytest.mark.parametrize("kind", PROVOKED)
def test_cause_arrives_once_by_each_channel_without_anything_private(
    kind: str, home: Path, web: WebServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, provoke = PROVOKED[kind]
    with mail_server({"robot": PASSWORD}) as mail:
        settings = told(home, web, mail, user=f"robot:{PASSWORD}")
        make_healthy(settings)
        monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
        monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(settings.accounts))
        ended = provoke(settings, sandbox)
        assert [look(settings, *ended), look(settings, *ended)] == [[], []]

    for texts in (web.texts, mail.texts):
        [text] = texts
        assert text.startswith(f"lead-pipeline: {where}: {TITLES[kind]} (on ")
        assert f" {where}: {TITLES[kind]}\n" in text
        assert "\nSince 2026-01-" in text
        assert "\nTo do: " in text
        assert [secret for secret in PRIVATE if secret in text] == []
    assert [secret for secret in PRIVATE if secret in str(mail.mails[0]["Subject"])] == []
