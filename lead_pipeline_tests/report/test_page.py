"""The report page: one file, nobody's data unless it is asked for, readable by everyone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lead_pipeline.errors import PublishError
from lead_pipeline.report.pages import write_pages
from lead_pipeline_tests.report.pages import Outline, changed, rendered, rows

PERSONAL = "select full_name, email, phone, phone_e164, company, pain_points from normalized.leads"
LEADS = "https://crm.example.com/leads/{lead_id}?tab=calls"


def texts(published: Path, query: str) -> set[str]:
    """All texts of some length that a query answers."""
    return {value for row in rows(published, query) for value in row if value and len(value) > 4}


@pytest.fixture(scope="module")
def report(published: Path) -> str:
    return published.with_name("report.html").read_text("utf-8")


def test_the_news_come_first_and_the_coverage_last(report: str) -> None:
    headings = Outline(report).headings
    assert headings[0].startswith("What changed on ")
    assert headings[-1] == "How far the data reaches"
    assert {
        "Ten leads to call",
        "By owner",
        "By source",
        "Funnel",
        "Cohorts at the same age",
        "New leads per day",
        "Where leads wait",
    } < set(headings)


def test_nothing_is_loaded_from_anywhere_and_no_script_runs(report: str) -> None:
    outline = Outline(report)
    assert outline.loaded == []
    assert {"script", "link", "iframe", "img", "object"} & set(outline.tags) == set()
    assert "@import" not in report
    assert "url(" not in report
    assert "default-src 'none'" in report


def test_links_lead_to_parts_of_the_page_and_to_the_explore_page(report: str) -> None:
    outside = [link for link in Outline(report).links if not link.startswith("#")]
    assert outside == ["explore/index.html"]


def test_a_page_of_two_thousand_leads_is_small(published: Path, tmp_path: Path) -> None:
    leads = rows(published, "select count(*) from marts.lead_facts")[0][0]
    copies = -(-2000 // leads)
    larger = changed(
        published,
        tmp_path,
        "create table larger as select leads.* replace (lead_key || copy as lead_key, "  # noqa: S608
        f"account || copy as account) from marts.lead_facts as leads, range({copies}) as copies (copy)",
        "delete from marts.lead_facts",
        "insert into marts.lead_facts from larger",
        "insert into meta.publish by name select publish.* replace (account || copy as account) "  # noqa: S608
        f"from meta.publish, range({copies}) as copies (copy)",
    )
    write_pages(larger)
    assert len(rendered(larger).encode()) < 500_000
    assert (tmp_path / "explore" / "index.html").stat().st_size < 500_000


# Whose names are shown ---------------------------------------------------------------------------


def test_nobody_is_named_unless_the_settings_say_so(report: str, published: Path) -> None:
    explore = published.with_name("explore") / "index.html"
    named = texts(
        published,
        f"{PERSONAL} union all select owner_name, null, null, null, null, null from normalized.leads",  # noqa: S608
    )
    assert len(named) > 100
    for page in (report, explore.read_text("utf-8")):
        assert [value for value in named if value in page] == []


def test_names_of_owners_are_shown_where_they_are_asked_for_and_those_of_leads_are_not(
    published: Path,
) -> None:
    page = rendered(published, "owners")
    owners = texts(published, "select distinct owner_name from normalized.leads")
    assert owners
    assert [name for name in owners if name not in page] == []
    assert [value for value in texts(published, PERSONAL) if value in page] == []


def test_leads_to_call_are_named_where_all_names_are_asked_for(
    published: Path, tmp_path: Path
) -> None:
    told = changed(
        published, tmp_path, "update normalized.leads set full_name = 'Name of ' || lead_key || '.'"
    )
    keys = [key for (key,) in rows(told, "select lead_key from marts.lead_facts")]
    page = rendered(told, "all")
    named = {key for key in keys if f"Name of {key}." in page}
    assert len(named) == 10
    assert named == {key for key in keys if f">{key}, " in page}
    contacts = texts(told, "select email, phone from normalized.leads")
    assert [value for value in contacts if value in page] == []


def test_a_masked_file_has_no_names_whatever_is_asked_for(published: Path, tmp_path: Path) -> None:
    masked = changed(
        published,
        tmp_path,
        "insert into meta.masking values ('normalized.leads', 'full_name', 'hash_name', 'a key')",
    )
    named = texts(masked, "select full_name, owner_name from normalized.leads")
    page = rendered(masked, "all")
    assert [name for name in named if name in page] == []


# Links to the CRM -----------------------------------------------------------------------------------


def test_leads_to_call_are_linked_where_the_account_says_where(published: Path) -> None:
    accounts = [account for (account,) in rows(published, "select account from meta.publish")]
    links = Outline(rendered(published, lead_urls=dict.fromkeys(accounts, LEADS))).links
    ids = {lead_id for (lead_id,) in rows(published, "select lead_id from marts.lead_facts")}
    linked = [link for link in links if link.startswith("https://crm.example.com/leads/")]
    assert len(linked) == 10
    assert {
        link.removeprefix("https://crm.example.com/leads/").removesuffix("?tab=calls")
        for link in linked
    } <= ids


def test_an_id_cannot_leave_its_place_in_a_link(published: Path, tmp_path: Path) -> None:
    evil = changed(published, tmp_path, """update marts.lead_facts set lead_id = '../x?"><b>&y'""")
    accounts = [account for (account,) in rows(published, "select account from meta.publish")]
    page = rendered(evil, lead_urls=dict.fromkeys(accounts, LEADS))
    assert "https://crm.example.com/leads/..%2Fx%3F%22%3E%3Cb%3E%26y?tab=calls" in page
    assert "<b>" not in page


def test_what_providers_say_is_text_and_never_markup(published: Path, tmp_path: Path) -> None:
    evil = changed(
        published,
        tmp_path,
        "update marts.lead_facts set source = '</script><script>alert(1)</script>'",
    )
    write_pages(evil)
    report = (tmp_path / "report.html").read_text("utf-8")
    explore = (tmp_path / "explore" / "index.html").read_text("utf-8")
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in report
    for page in (report, explore):
        assert "<script>alert(1)" not in page


# Files --------------------------------------------------------------------------------------------------


def test_both_pages_are_written_whole_and_privately_beside_the_file(
    published: Path, tmp_path: Path
) -> None:
    copy = changed(published, tmp_path)
    (tmp_path / "report.html").write_text("the page before")
    write_pages(copy)
    pages = (tmp_path / "report.html", tmp_path / "explore" / "index.html")
    for page in pages:
        assert page.read_text("utf-8").rstrip().endswith("</html>")
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {copy, *pages}


def test_pages_of_one_file_are_always_the_same(published: Path, tmp_path: Path) -> None:
    write_pages(changed(published, tmp_path))
    for name in ("report.html", "explore/index.html"):
        assert (tmp_path / name).read_bytes() == (published.parent / name).read_bytes()


def test_pages_that_cannot_be_made_are_an_error_that_says_readers_have_the_file(
    published: Path, tmp_path: Path
) -> None:
    older = changed(published, tmp_path, "drop table marts.lead_facts")
    (tmp_path / "report.html").write_text("the page before")
    with pytest.raises(PublishError, match=r"Readers have .*leads\.duckdb, but its pages"):
        write_pages(older)
    assert (tmp_path / "report.html").read_text() == "the page before"


def test_a_file_without_any_lead_makes_pages_that_say_so(published: Path, tmp_path: Path) -> None:
    tables = rows(
        published,
        "select schema_name || '.' || table_name from duckdb_tables() where schema_name <> 'meta'",
    )
    empty = changed(
        published,
        tmp_path,
        "delete from meta.publish",
        *(f"delete from {table}" for (table,) in tables),  # noqa: S608
    )
    write_pages(empty)
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "No account has been published yet." in report
    assert "No open lead waits." in report
    assert {"table", "svg"} & set(Outline(report).tags) == set()
