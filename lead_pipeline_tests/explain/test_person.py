"""What `lead-pipeline explain` says of the other leads of a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.bi.candidate import mark_tested, prepare_candidate
from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.bi.masking import Mask
from lead_pipeline.bi.publish import publish
from lead_pipeline.explain.document import PersonLink
from lead_pipeline.explain.person import Link, links_from
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.explain.conftest import Explain, Explained
from lead_pipeline_tests.marts.building import run_dbt
from lead_pipeline_tests.normalized.landings import Landing

MASK = Mask.of_key("a key that nobody can guess, really")
NUMBER, DESK = "+1 503 555 0144", "+44 20 7946 0018"


def build_and_publish(settings: Settings, folder: Path, mask: Mask | None = None) -> None:
    load_landing(settings)
    candidate = folder / "candidate" / "leads.duckdb"
    prepare_candidate(settings.warehouse_path, candidate, mask)
    run_dbt(folder / "target", candidate, "build", "--exclude", "test_type:unit")
    mark_tested(candidate, run_id="run", tests_passed=1)
    rules = PublishRules(masking_key_id=mask.key_id if mask else None)
    publish(candidate, settings.published_path, run_id="run", rules=rules)


@pytest.fixture
def one_person(landing: Landing) -> None:
    """Lead 1 and 2 share an address, 2 and 3 a number and the name; 4 shares a switchboard with 1."""
    landing.leads(
        "vorel",
        vorel_lead(1, name="Mira Lund", email="mira@nordbo.example", phone=f"{DESK} ext. 1"),
        vorel_lead(2, name="Mira Lund-Berg", email="MIRA@nordbo.example.", phone=NUMBER),
        vorel_lead(4, name="Pia Moe", email="pia@nordbo.example", phone=f"{DESK} x2"),
    )
    landing.leads(
        "mega",
        mega_lead(
            3,
            contact_name="mira lund-berg",
            contact_email="lund@work.example",
            contact_phone="503-555-0144",
        ),
    )


@pytest.mark.parametrize("mask", [None, pytest.param(MASK, marks=pytest.mark.long)])
@pytest.mark.usefixtures("one_person")
def test_each_other_lead_of_the_person_comes_with_what_joined_it(
    settings: Settings, explained: Explained, tmp_path: Path, mask: Mask | None
) -> None:
    build_and_publish(settings, tmp_path, mask)
    first, second, third = f"vorel:{lead_id(1)}", f"vorel:{lead_id(2)}", f"mega:{lead_id(3)}"
    assert explained(first)["person_links"] == [
        {
            "lead_key": second,
            "linked_to": first,
            "identifier_kind": "own_email",
            "is_same_name": False,
            "strength": 4,
        },
        {
            "lead_key": third,
            "linked_to": second,
            "identifier_kind": "phone",
            "is_same_name": True,
            "strength": 7,
        },
    ]
    assert explained(f"vorel:{lead_id(4)}")["person_links"] == []


@pytest.mark.long
@pytest.mark.usefixtures("one_person")
def test_the_terminal_shows_what_joined_them_and_no_value_of_it(
    settings: Settings, explain: Explain, tmp_path: Path
) -> None:
    build_and_publish(settings, tmp_path)
    output = explain(f"mega:{lead_id(3)}").output
    table = output.partition("The same person")[2].partition("Timeline")[0]
    assert "same phone and name" in table
    assert "same own_email" in table
    assert "nordbo" not in table
    assert "5550144" not in table


def test_without_a_published_file_it_says_so(landing: Landing, explained: Explained) -> None:
    landing.leads("vorel", vorel_lead(1))
    load_landing(landing.settings)
    lead = explained(lead_id(1))
    assert lead["person_links"] == []
    assert "`lead-pipeline publish`" in lead["notes"][-1]


def test_a_published_file_without_links_is_named(landing: Landing, explained: Explained) -> None:
    landing.leads("vorel", vorel_lead(1))
    load_landing(landing.settings)
    landing.settings.published_path.parent.mkdir(parents=True, exist_ok=True)
    landing.settings.published_path.write_bytes(b"not a database")
    assert "`lead-pipeline publish` makes a new one" in explained(lead_id(1))["notes"][-1]


def test_leads_are_reached_on_the_shortest_way_over_the_strongest_links() -> None:
    links = [
        Link("b", "a", "phone", False, 2),
        Link("c", "a", "own_email", True, 9),
        Link("d", "b", "own_email", False, 4),
        Link("d", "c", "mobile", True, 8),
    ]
    assert links_from("a", links) == (
        PersonLink("c", "a", "own_email", True, 9),
        PersonLink("b", "a", "phone", False, 2),
        PersonLink("d", "c", "mobile", True, 8),
    )
    assert [link.lead_key for link in links_from("d", reversed(links))] == ["c", "b", "a"]
    assert links_from("x", links) == ()
