"""The pages as people meet them: in Chromium, on a phone, a tablet and a desk, light, dark and printed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from lead_pipeline.report.pages import write_pages
from lead_pipeline.report.server import PageServer
from lead_pipeline_tests.report.browsing import VIEWS, View, opened, running_browser
from lead_pipeline_tests.report.pages import changed, rows

PAGES = ("report.html", "explore/index.html")
DESK = View(1280, "light")
CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
}).map(element => element.outerHTML.slice(0, 80))"""
HIDDEN_TEXT = """() => [...document.querySelectorAll('th, td, dd, dt, li, p, h1, h2, label')].filter(element =>
    element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== 'visible'
    && element.clientWidth > 1).map(element => element.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def folder(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of the world, as if all of its accounts were complete through 1 March."""
    copy = changed(
        published,
        tmp_path_factory.mktemp("browsed"),
        "update meta.publish set complete_through = timestamptz '2026-03-02 00:00:00+00'",
    )
    write_pages(copy)
    return copy.parent


# Both pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_or_has_to_be_scrolled_sideways(
    name: str, view: View, browser: Browser, folder: Path
) -> None:
    with opened(browser, (folder / name).as_uri(), view) as found:
        assert found.page.evaluate("document.documentElement.scrollWidth") <= view.width
        assert found.page.evaluate(CUT_OFF) == []
        assert found.page.evaluate(HIDDEN_TEXT) == []
        # Nothing was refused, nothing failed, and no address but its own was asked for.
        assert found.complaints == []
        assert found.loaded == [(folder / name).as_uri()]


@pytest.mark.parametrize("view", [View(360, "dark"), View(1280, "light")], ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_to_object_to(
    name: str, view: View, browser: Browser, folder: Path
) -> None:
    with opened(browser, (folder / name).as_uri(), view) as found:
        found.page.evaluate(
            "document.querySelectorAll('details').forEach(part => part.open = true)"
        )
        answer = Axe().run(found.page).response
        assert [
            (violation["id"], violation["nodes"][0]["html"]) for violation in answer["violations"]
        ] == []
        # A rule that could not decide on a contrast has not found one either.
        assert [doubt["id"] for doubt in answer["incomplete"]] == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_bars_stand_out_from_what_is_behind_them(look: str, browser: Browser, folder: Path) -> None:
    view = View(1280, "dark" if look == "dark" else "light")
    with opened(browser, (folder / "report.html").as_uri(), view) as found:
        colours = found.page.evaluate(
            "['--bar', '--card', '--ink', '--quiet', '--accent', '--good', '--bad'].map(name => "
            "getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
        )
    bar, card, *texts = (luminance(colour) for colour in colours)
    assert contrast(bar, card) >= 3
    assert all(contrast(text, card) >= 4.5 for text in texts)


def luminance(colour: str) -> float:
    """Of a colour such as #0b5c94 or #fff, as WCAG defines it."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    """Of two luminances, from 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_each_chart_has_its_table(browser: Browser, folder: Path) -> None:
    for name in PAGES:
        with opened(browser, (folder / name).as_uri(), DESK) as found:
            charts = found.page.locator("svg")
            assert charts.count() == 1
            columns = charts.locator("rect").count()
            assert found.page.locator("section:has(svg) details tbody tr").count() == columns > 0


def test_pages_lead_to_each_other_also_when_they_are_served(browser: Browser, folder: Path) -> None:
    with PageServer(folder, "127.0.0.1", 0) as server, opened(browser, server.url, DESK) as found:
        found.page.get_by_role("link", name="Explore by").click()
        assert found.page.title().startswith("Explore leads")
        found.page.get_by_role("link", name="Back to the report").click()
        assert found.page.url == f"{server.url}/report.html"
        assert found.complaints == []


# The explore page --------------------------------------------------------------------------------------


MEASURES = (
    "leads_created",
    "leads_responded",
    "reached_qualified",
    "reached_booked",
    "leads_won",
    "leads_lost",
)


def figures(page: Page) -> dict[str, int]:
    """What the page says happened; bounds are left out."""
    return {
        measure: int(
            page.locator(f"[data-figure={measure}]")
            .inner_text()
            .removeprefix("at least")
            .replace(",", "")
        )
        for measure in MEASURES
    }


def counted(folder: Path, first: date, last: date, where: str = "true") -> dict[str, int]:
    """What DuckDB adds up in the file that the page was made of."""
    sums = ", ".join(f"coalesce(sum({measure}), 0)" for measure in MEASURES)
    [found] = rows(
        folder / "leads.duckdb",
        f"select {sums} from marts.metrics_daily where date_day between $first and $last and {where}",  # noqa: S608
        first=first,
        last=last,
    )
    return dict(zip(MEASURES, found, strict=True))


LAST_DAY = date(2026, 3, 1)


@pytest.fixture
def explore(browser: Browser, folder: Path) -> Iterator[Page]:
    with opened(browser, (folder / "explore" / "index.html").as_uri(), DESK) as found:
        yield found.page
        assert found.complaints == []


@pytest.mark.parametrize("days", [7, 28, 91])
def test_a_period_shows_what_duckdb_counts_in_it(days: int, explore: Page, folder: Path) -> None:
    explore.get_by_label("Period", exact=True).select_option(str(days))
    assert figures(explore) == counted(folder, LAST_DAY - timedelta(days=days - 1), LAST_DAY)


def test_days_that_are_entered_are_the_period(explore: Page, folder: Path) -> None:
    first, last = date(2026, 1, 12), date(2026, 2, 3)
    explore.get_by_label("From", exact=True).fill(first.isoformat())
    explore.get_by_label("Through", exact=True).fill(last.isoformat())
    explore.get_by_label("Through", exact=True).blur()
    assert explore.get_by_label("Period", exact=True).input_value() == "own"
    assert figures(explore) == counted(folder, first, last)


def test_account_source_and_owner_narrow_it_down(explore: Page, folder: Path) -> None:
    first = LAST_DAY - timedelta(days=90)
    explore.get_by_label("Period", exact=True).select_option("91")
    explore.get_by_label("Account", exact=True).select_option(label="mega")
    assert figures(explore) == counted(folder, first, LAST_DAY, "account = 'mega'")
    [(source,)] = rows(
        folder / "leads.duckdb", "select mode(source) from marts.lead_facts where account = 'mega'"
    )
    explore.get_by_label("Source", exact=True).select_option(label=source)
    assert figures(explore) == counted(
        folder, first, LAST_DAY, f"account = 'mega' and source = '{source}'"
    )
    explore.get_by_label("Source", exact=True).select_option(label="all")
    explore.get_by_label("Owner", exact=True).select_option(label="unassigned (mega)")
    assert figures(explore) == counted(folder, first, LAST_DAY, "owner_key = 'mega:unassigned'")
    explore.get_by_role("button", name="Show all").click()
    assert figures(explore) == counted(folder, LAST_DAY - timedelta(days=27), LAST_DAY)


def test_parts_add_up_to_the_whole_and_change_with_the_choice(explore: Page) -> None:
    explore.get_by_label("Period", exact=True).select_option("91")
    for part in ("account", "source", "owner"):
        explore.locator("#part").select_option(part)
        texts = explore.locator("#parts tbody td:nth-child(2)").all_inner_texts()
        assert (
            sum(int(text.replace(",", "")) for text in texts) == figures(explore)["leads_created"]
        )


def test_the_funnel_is_of_watched_leads_that_were_created_in_the_period(
    explore: Page, folder: Path
) -> None:
    explore.get_by_label("Period", exact=True).select_option("28")
    [found] = rows(
        folder / "leads.duckdb",
        "select count(*), count(*) filter (where has_reached_engaged), count(*) filter (where has_reached_qualified), "
        "count(*) filter (where has_reached_booked), count(*) filter (where has_reached_won) from marts.lead_facts "
        "where is_watched and created_at::date between $first and $last",
        first=LAST_DAY - timedelta(days=27),
        last=LAST_DAY,
    )
    texts = explore.locator("#funnel tbody td:nth-child(2)").all_inner_texts()
    assert [int(text.replace(",", "")) for text in texts] == list(found)


def test_what_is_open_now_does_not_depend_on_the_period(explore: Page, folder: Path) -> None:
    shown = []
    for period in ("7", "all"):
        explore.get_by_label("Period", exact=True).select_option(period)
        texts = explore.locator("#now tbody td:nth-child(2)").all_inner_texts()
        shown.append(sum(int(text.replace(",", "")) for text in texts))
    [(open_now,)] = rows(
        folder / "leads.duckdb",
        "select count(*) from marts.lead_facts where is_open and not is_missing",
    )
    assert shown == [open_now, open_now]


def test_changes_before_the_watch_are_said_to_be_unknown(explore: Page) -> None:
    explore.get_by_label("Period", exact=True).select_option("all")
    assert explore.locator("[data-figure=leads_won]").inner_text().startswith("at least")
    assert "Not watched for the whole period" in explore.locator("#notes").inner_text()


def test_a_choice_is_kept_in_the_address(browser: Browser, folder: Path, explore: Page) -> None:
    explore.get_by_label("Period", exact=True).select_option("91")
    explore.get_by_label("Account", exact=True).select_option(label="mega")
    with opened(browser, explore.url, DESK) as found:
        assert found.page.locator("#chosen").inner_text() == explore.locator("#chosen").inner_text()
        assert figures(found.page) == figures(explore)


def test_an_address_that_names_what_is_gone_shows_everything(
    browser: Browser, folder: Path
) -> None:
    address = (
        f"{(folder / 'explore' / 'index.html').as_uri()}#account=gone&period=forever&from=never"
    )
    with opened(browser, address, DESK) as found:
        assert figures(found.page) == counted(folder, LAST_DAY - timedelta(days=27), LAST_DAY)
        assert found.complaints == []


def test_without_scripts_the_page_says_what_is_missing(browser: Browser, folder: Path) -> None:
    address = (folder / "explore" / "index.html").as_uri()
    with opened(browser, address, DESK, has_scripts=False) as found:
        assert "which is switched off" in found.page.locator("noscript").inner_text()
