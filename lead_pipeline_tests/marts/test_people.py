"""Which leads are one person: invented people whose identity is known, on the models' own SQL.

The models are compiled by dbt once, and then run on one small world after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.contacts.emails import normalized_email
from lead_pipeline.contacts.phones import read_phone
from lead_pipeline_tests.marts.building import BuiltWorld, rows_of, run_dbt
from lead_pipeline_tests.marts.persons import MAX_IDENTIFIERS, MAX_IDENTITIES, Persons
from lead_pipeline_tests.properties import examples

Contact = tuple[str | None, str | None, str | None]
"""Name, address and number, as somebody typed them in."""
Row = dict[str, Any]

MODELS = ("int_person_identifiers", "int_person_links", "int_lead_persons", "person_links")
RELATIONS = (
    "attach ':memory:' as leads; create schema leads.staging; create schema leads.intermediate;"
    " create schema leads.marts; create schema leads.seeds;"
    " create table leads.seeds.identifier_strengths as from read_csv($seed);"
    " create table leads.staging.stg_leads (lead_key varchar, full_name varchar,"
    " email_normalized varchar, phone_e164 varchar, phone_extension varchar, phone_type varchar)"
)
SEED = Path(__file__).parents[2] / "dbt_project" / "seeds" / "identifier_strengths.csv"


class People:
    """The models of people, in a database of their own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, compiled: Path) -> None:
        self.connection = connection
        self.queries = {path.stem: path.read_text("utf-8") for path in compiled.rglob("*.sql")}
        for statement in RELATIONS.split(";"):
            given = {"seed": str(SEED)} if "$seed" in statement else None
            connection.execute(statement, given)

    def of_rows(self, rows: Sequence[Row]) -> dict[str, str]:
        """The person of each lead, once the models have run on these rows."""
        self.connection.execute("delete from leads.staging.stg_leads")
        self.connection.executemany(
            "insert into leads.staging.stg_leads values ($lead_key, $full_name, $email_normalized,"
            " $phone_e164, $phone_extension, $phone_type)",
            rows,
        )
        for model in MODELS:
            schema = "intermediate" if model.startswith("int_") else "marts"
            query = self.queries[model]
            self.connection.execute(f"create or replace table leads.{schema}.{model} as {query}")
        return dict(self.connection.execute("from leads.intermediate.int_lead_persons").fetchall())

    def links(self) -> list[Row]:
        """The rows of `person_links`."""
        result = self.connection.execute("from leads.marts.person_links")
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def groups(self, contacts: Sequence[Contact]) -> list[list[int]]:
        """The places of the contacts that are one person each, in order."""
        persons = self.of_rows(rows_of_contacts(contacts))
        groups: dict[str, list[int]] = {}
        for place in range(len(contacts)):
            groups.setdefault(persons[key_of(place)], []).append(place)
        return list(groups.values())


def key_of(place: int) -> str:
    return f"vorel:{place:03}"


def rows_of_contacts(contacts: Sequence[Contact]) -> list[Row]:
    """Rows as loading makes them of contacts."""
    rows = []
    for place, (name, email, phone) in enumerate(contacts):
        read = read_phone(phone or "", "US")
        rows.append(
            {
                "lead_key": key_of(place),
                "full_name": name,
                "email_normalized": normalized_email(email or ""),
                "phone_e164": read.e164,
                "phone_extension": read.extension,
                "phone_type": read.type,
            }
        )
    return rows


@pytest.fixture(scope="module")
def people(built_world: BuiltWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    target = tmp_path_factory.mktemp("people")
    candidate = tmp_path_factory.mktemp("candidate") / "leads.duckdb"
    candidate.write_bytes(built_world.candidate.read_bytes())
    run_dbt(target, candidate, "compile", "--select", *MODELS)
    with closing(duckdb.connect()) as connection:
        yield People(connection, target / "compiled")


# One person ----------------------------------------------------------------------------------

US, DE_MOBILE, DESK = "+1 503 555 0144", "+49 1512 3557799", "+44 20 7946 0018"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            ("Mira Lund", "mira@nordbo.example", US),
            ("Mira Lund", "mira@nordbo.example", "(503) 555-0144"),
            id="one name, one address, one number",
        ),
        pytest.param(
            ("Mira Lund", "Mira@Nordbo.example.", None),
            (None, "<mailto:mira@nordbo.example>", US),
            id="one address, written in two ways",
        ),
        pytest.param(
            ("Mira Lund", "mira@nordbo.example", None),
            ("M. Lund-Berg", "mira@nordbo.example", None),
            id="one address, another name",
        ),
        pytest.param(
            ("Mira Lund", "mira@nordbo.example", DE_MOBILE),
            ("  mira LUND", "lund@work.example", DE_MOBILE),
            id="one number and one name, another address",
        ),
        pytest.param(
            ("José Lund", None, US), ("Jose  Lund", None, US), id="a name with and without accents"
        ),
        pytest.param(("Mira Lund", None, US), (None, None, US), id="one number, one name unknown"),
        pytest.param(
            ("Mira Lund", None, f"{DESK} ext. 4"),
            ("Mira Lund", None, f"{DESK} x4"),
            id="one name at one extension",
        ),
        pytest.param(
            ("Mira Lund", "info@nordbo.example", DE_MOBILE),
            ("Mira Lund", "sales@nordbo.example", DE_MOBILE),
            id="one number behind two shared mailboxes",
        ),
    ],
)
def test_what_is_one_person_s_own_joins(people: People, one: Contact, other: Contact) -> None:
    assert people.groups([one, other]) == [[0, 1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            ("Mira Lund", "mira@nordbo.example", US),
            ("Pia Moe", "pia@nordbo.example", US),
            id="a number that two names share",
        ),
        pytest.param(
            ("Mira Lund", "mira@a.example", None),
            ("Mira Lund", "mira@b.example", None),
            id="a name alone",
        ),
        pytest.param(
            ("Mira Lund", None, f"{DESK} ext. 4"),
            ("Pia Moe", None, f"{DESK} Durchwahl 5"),
            id="two extensions of a switchboard",
        ),
        pytest.param(
            ("Mira Lund", None, f"{DESK} #4"), (None, None, DESK), id="an extension, and the number"
        ),
        pytest.param(
            ("Mira Lund", None, "867-5309"), ("Mira Lund", None, "867 5309"), id="no area code"
        ),
        pytest.param(
            ("Mira Lund", None, "999-999-9999"), ("Mira Lund", None, "9999999999"), id="one digit"
        ),
        pytest.param(
            ("Mira Lund", None, "234-567-8901"), ("Mira Lund", None, "2345678901"), id="counted up"
        ),
        pytest.param(
            ("Mira Lund", "n/a", None), ("Mira Lund", "n/a", None), id="words for no address"
        ),
        pytest.param(
            ("Mira Lund", "noemail@nordbo.example", None),
            ("Mira Lund", "noemail@nordbo.example", None),
            id="an address that fills the field",
        ),
        pytest.param(
            ("Mira Lund", "x@none.com", None),
            ("Mira Lund", "x@none.com", None),
            id="nobody's domain",
        ),
        pytest.param(
            ("Mira Lund", "kontakt@nordbo.example", None),
            ("Pia Moe", "KONTAKT+web@nordbo.example", None),
            id="a shared mailbox",
        ),
        pytest.param(
            ("Mira Lund", None, "+1 800 356 9377"),
            ("Mira Lund", None, "+1 800 356 9377"),
            id="a company's free number",
        ),
        pytest.param((None, None, None), (None, None, None), id="nothing at all"),
    ],
)
def test_what_several_people_may_have_joins_nobody(
    people: People, one: Contact, other: Contact
) -> None:
    assert people.groups([one, other]) == [[0], [1]]


def test_who_shares_a_number_stays_apart_and_an_unnamed_lead_is_neither(people: People) -> None:
    contacts: list[Contact] = [
        ("Mira Lund", "mira@nordbo.example", US),
        ("Pia Moe", "pia@nordbo.example", US),
        ("Mira Lund", None, US),
        (None, None, US),
    ]
    assert people.groups(contacts) == [[0, 2], [1], [3]]


@pytest.mark.parametrize("kind", ["email", "phone"])
def test_what_comes_with_too_many_names_is_nobody_s_own(people: People, kind: str) -> None:
    names = ["Mira", "Pia", "Ole", "Kai", "Mira"]
    contacts: list[Contact] = [
        (name, "we@nordbo.example", None) if kind == "email" else (name, None, US) for name in names
    ]
    assert people.groups(contacts) == [[0], [1], [2], [3], [4]]


# Chains --------------------------------------------------------------------------------------


def chain(names: Sequence[str | None]) -> list[Contact]:
    """Each shares an address with one neighbour and a number with the other."""
    return [
        (name, f"desk{(place + 1) // 2}@chain.example", f"+1503555{2000 + place // 2}")
        for place, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([f"Person {number}" for number in range(45)], id="as many names"),
        pytest.param([None] * 45, id="no names"),
        pytest.param(["Mira Lund"] * 45, id="one name"),
        pytest.param(["Mira Lund", None, "Pia Moe"] * 15, id="names and none"),
    ],
)
def test_a_chain_is_not_one_person(people: People, names: Sequence[str | None]) -> None:
    groups = people.groups(chain(names))
    assert max(map(len, groups)) <= 6
    assert sorted(place for group in groups for place in group) == list(range(45))


def test_a_chain_leaves_those_alone_whom_stronger_links_join(people: People) -> None:
    twice: list[Contact] = [("Mira Lund", "mira@nordbo.example", US)] * 2
    hooked: list[Contact] = [(None, "mira@nordbo.example", "+15035552000")]
    groups = people.groups([*twice, *hooked, *chain([None] * 30)])
    assert next(group for group in groups if 0 in group)[:2] == [0, 1]
    assert max(map(len, groups)) <= 6


def test_one_person_who_writes_often_stays_one(people: People) -> None:
    assert people.groups([("Mira Lund", "mira@nordbo.example", US)] * 300) == [list(range(300))]


# Any world -----------------------------------------------------------------------------------

NAMES = [None, "Mira Lund", "Pia Moe", "Ole Berg", "Kai Dahl"]
EMAILS = [None, *(f"p{number}@nordbo.example" for number in range(6)), "info@nordbo.example"]
PHONES = [None, *(f"+150355501{number:02}" for number in range(6)), DE_MOBILE, DESK, f"{DESK} x1"]
CONTACTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(EMAILS), st.sampled_from(PHONES)),
    min_size=1,
    max_size=40,
)
LONG_CHAINS = st.lists(st.sampled_from([None, "Mira Lund", "Pia Moe"]), max_size=30).map(chain)


@examples(7)
@given(contacts=st.builds(lambda some, chained: some + chained, CONTACTS, LONG_CHAINS))
def test_persons_and_links_are_what_a_second_computation_says(
    people: People, contacts: list[Contact]
) -> None:
    rows = rows_of_contacts(contacts)
    expected = Persons(rows)
    assert people.of_rows(rows) == expected.of_leads()
    for link in people.links():
        pair = (link["other_lead_key"], link["lead_key"])
        assert link["strength"] == expected.weight[pair]
        assert link["is_joined"] == (expected.of_leads()[pair[0]] == expected.of_leads()[pair[1]])


@examples(5)
@given(contacts=CONTACTS, data=st.data())
def test_the_order_of_rows_changes_nothing(
    people: People, contacts: list[Contact], data: st.DataObject
) -> None:
    rows = rows_of_contacts(contacts)
    before = people.of_rows(rows)
    assert people.of_rows(data.draw(st.permutations(rows))) == before


@examples(5)
@given(contacts=CONTACTS)
def test_nobody_has_more_names_or_identifiers_than_the_limits(
    people: People, contacts: list[Contact]
) -> None:
    rows = {row["lead_key"]: row for row in rows_of_contacts(contacts)}
    persons = people.of_rows(list(rows.values()))
    for person in set(persons.values()):
        mine = [rows[key] for key, of in persons.items() if of == person]
        assert len({row["full_name"] for row in mine} - {None}) <= MAX_IDENTITIES
        assert len({row["email_normalized"] for row in mine} - {None}) <= MAX_IDENTIFIERS


# The marts -----------------------------------------------------------------------------------


def test_links_of_a_built_world_connect_exactly_its_persons(built_world: BuiltWorld) -> None:
    person = {
        row["lead_key"]: row["person_key"]
        for row in rows_of(built_world.candidate, "marts.lead_facts")
    }
    links = rows_of(built_world.candidate, "marts.person_links")
    reached = {key: key for key in person}

    def first(key: str) -> str:
        while reached[key] != key:
            key = reached[key]
        return key

    for link in links:
        if link["is_joined"]:
            one, other = sorted((first(link["lead_key"]), first(link["other_lead_key"])))
            reached[other] = one
    assert {key: first(key) for key in person} == person
    assert {link["is_joined"] for link in links} == {True, False}, "no person beyond the limits"
