"""What `lead-pipeline explain` takes for a lead, and how it ends when it cannot choose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_pipeline.explain import loaded
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id, mega_lead, vorel_lead
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.explain.conftest import Explain, Explained
from lead_pipeline_tests.normalized.landings import Landing, files_below
from lead_pipeline_tests.pulling import at

ONE = lead_id(1)


def keys_listed(output: str) -> list[str]:
    return [match["lead_key"] for match in json.loads(output)["matches"]]


@pytest.mark.parametrize("text", [f"mega:{ONE}", ONE, f"  {ONE}\n", "jane1@example.com"])
def test_a_lead_is_found_by_its_key_its_id_and_its_email(
    landing: Landing, explained: Explained, text: str
) -> None:
    landing.leads("mega", mega_lead(1), mega_lead(2))
    assert explained(text)["lead_key"] == f"mega:{ONE}"


def test_one_id_in_several_accounts_asks_for_the_key(landing: Landing, explain: Explain) -> None:
    for account in ("mega_eu", "mega_us"):
        landing.leads("mega", mega_lead(1), account=account)
    ran = explain(ONE, "--json")
    assert keys_listed(ran.output) == [f"mega_eu:{ONE}", f"mega_us:{ONE}"]
    assert (ran.status, ran.last_line) == (
        1,
        "lead-pipeline: 2 leads match. Explain one by its lead_key: "
        f"lead-pipeline explain mega_eu:{ONE}",
    )


def test_the_key_chooses_the_account(landing: Landing, explained: Explained) -> None:
    for account, name in (("mega_eu", "Eva"), ("mega_us", "Uma")):
        landing.leads("mega", mega_lead(1, contact_name=name), account=account)
    lead = explained(f"mega_us:{ONE}")
    assert [json.loads(e["payload"])["contact_name"] for e in lead["timeline"]] == ["Uma"]


def test_a_lead_is_found_by_an_email_it_had_before(landing: Landing, explained: Explained) -> None:
    landing.leads("mega", mega_lead(1, contact_email="Old.Name+x@Example.com "))
    landing.leads("mega", mega_lead(1, updated_at=at(3), contact_email="new@example.com"))
    assert explained("old.name+X@example.com")["lead_key"] == f"mega:{ONE}"


def test_an_email_is_found_however_json_wrote_it(landing: Landing, explained: Explained) -> None:
    text = json.dumps(vorel_lead(1, email="a+b@example.com")).replace("+b", r"\u002bb")
    landing.leads("vorel", text.encode())
    assert explained("a+b@example.com")["lead_key"] == f"vorel:{ONE}"


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        ("mira\u200b.lund@nordbo.example", "mira.lund@nordbo.example"),
        ("\uff4d\uff49\uff52\uff41.lund@nordbo.example", "Mira.Lund@nordbo.example."),
        ("mailto:mira%2Elund%40nordbo.example", "<mira.lund@nordbo.example>"),
        ("kim@xn--bcher-kva.example", "kim@bücher.example"),
        ("kim@BÜCHER.example", "kim@xn--bcher-kva.example"),
    ],
)
def test_a_mailbox_is_found_in_all_ways_of_writing_it(
    landing: Landing, explained: Explained, served: str, asked: str
) -> None:
    landing.leads("mega", mega_lead(1, contact_email=served), mega_lead(2))
    assert explained(asked)["lead_key"] == f"mega:{ONE}"


def test_an_email_is_no_part_of_a_longer_one(landing: Landing, explain: Explain) -> None:
    landing.leads("mega", mega_lead(1, contact_email="jane@example.com"))
    assert explain("ane@example.com").status == 1


def test_an_email_of_several_leads_lists_them(landing: Landing, explain: Explain) -> None:
    landing.leads("mega", mega_lead(1, contact_email="a@example.com"))
    landing.leads("vorel", vorel_lead(2, email="A@example.com"))
    ran = explain("a@example.com")
    assert (ran.status, f"mega:{ONE}" in ran.output, f"vorel:{lead_id(2)}" in ran.output) == (
        1,
        True,
        True,
    )


def test_an_unknown_lead_ends_with_what_was_searched_and_what_to_try(
    landing: Landing, explain: Explain
) -> None:
    landing.leads("mega", mega_lead(1))
    ran = explain("nobody@example.com")
    assert (ran.status, ran.output, len(ran.errors.splitlines())) == (1, "", 1)
    assert ran.last_line.startswith("lead-pipeline: No such lead in what has landed of mega: ")
    assert "lead_key" in ran.last_line
    assert "nobody@example.com" not in ran.last_line


@pytest.mark.parametrize("text", ["", "mega:", ":", "%", "@"])
def test_an_argument_that_names_nothing_finds_nothing(
    landing: Landing, explain: Explain, text: str
) -> None:
    landing.leads("mega", mega_lead(1))
    assert explain(text).last_line.startswith("lead-pipeline: No such lead")


def test_an_empty_landing_is_named(explain: Explain, home: Path) -> None:
    ran = explain(ONE)
    assert ran.status == 1
    assert str(home / "landing") in ran.last_line


def test_a_lost_landed_file_is_named(landing: Landing, explain: Explain) -> None:
    commit = landing.leads("mega", mega_lead(1))
    lost = landing.settings.landing_path / commit.files[0].path
    lost.unlink()
    ran = explain(ONE)
    assert ran.status == 1
    assert lost.name in ran.last_line


def test_a_warehouse_that_a_writer_holds_is_left_alone(
    landing: Landing, explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.leads("mega", mega_lead(1))
    load_landing(landing.settings)
    monkeypatch.setattr(loaded, "PATIENCE_SECONDS", 0.1)
    with held(landing.settings.warehouse_lock, "loading landed files"):
        ran = explain(ONE, "--json")
    lead = json.loads(ran.output)["lead"]
    assert ran.status == 0
    assert "(loading landed files, since " in lead["notes"][0]
    assert (len(lead["timeline"]), lead["current_values"], lead["not_loaded"]) == (1, [], None)


def test_explaining_writes_nothing(landing: Landing, explain: Explain) -> None:
    landing.leads("mega", mega_lead(1))
    load_landing(landing.settings)
    before = files_below(landing.settings.home)
    explain(ONE)
    assert files_below(landing.settings.home) == before
