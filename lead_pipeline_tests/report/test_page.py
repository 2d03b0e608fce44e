"""The report page: right figures, one file, nobody's data, readable by everyone."""

from __future__ import annotations

import base64
import re
import shutil
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from lead_pipeline.bi.candidate import mark_tested
from lead_pipeline.bi.publish import publish
from lead_pipeline.errors import PublishError
from lead_pipeline.report.figures import SOURCES, Figures, read_figures
from lead_pipeline.report.page import render, write_report
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import BuiltWorld

TITLES = (
    "Freshness and coverage",
    "Funnel",
    "New leads per day and source",
    "Stage velocity",
    "Stale leads",
)


@pytest.fixture(scope="module")
def published(built_world: BuiltWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    candidate = folder / ".candidate" / "leads.duckdb"
    candidate.parent.mkdir()
    shutil.copy(built_world.candidate, candidate)
    mark_tested(candidate, run_id="run-1", tests_passed=123)
    publish(candidate, folder / "leads.duckdb", run_id="run-1")
    return folder / "leads.duckdb"


@pytest.fixture(scope="module")
def figures(published: Path) -> Figures:
    return read_figures(published)


@pytest.fixture(scope="module")
def page(figures: Figures) -> str:
    return render(figures)


def frame(published: Path, query: str) -> pd.DataFrame:
    with closing(connect_utc(published, read_only=True)) as connection:
        rows: pd.DataFrame = connection.execute(query).to_arrow_table().to_pandas()
    return rows


# Figures -------------------------------------------------------------------------------------


def test_the_headline_counts_the_marts(figures: Figures, published: Path) -> None:
    leads = frame(published, "from marts.leads")
    decided = leads["stage"].isin(["won", "lost"]).sum()
    won = (leads["stage"] == "won").sum()
    assert {name: figures.headline[name] for name in ("leads", "leads_open", "leads_won")} == {
        "leads": len(leads),
        "leads_open": leads["is_open"].sum(),
        "leads_won": won,
    }
    assert figures.headline["win_rate"] == pytest.approx(won / decided)


def test_the_funnel_starts_with_all_watched_leads_and_never_widens(
    figures: Figures, published: Path
) -> None:
    leads = frame(published, "from marts.leads where is_watched")
    reached = figures.funnel.pivot_table(index="provider", columns="stage", values="leads")
    assert reached["new"].to_dict() == leads.groupby("provider").size().to_dict()
    path = reached[["new", "engaged", "qualified", "booked", "won"]]
    assert (path.diff(axis="columns").iloc[:, 1:] <= 0).all(axis=None)


def test_every_day_has_every_source_and_the_days_add_up(figures: Figures, published: Path) -> None:
    days = figures.leads_per_day
    per_day = days.groupby("date_day")["source"].nunique()
    leads = frame(published, "from marts.leads")
    created = leads["created_at"].dropna().dt.tz_convert("UTC").dt.floor("D").dt.tz_localize(None)
    shown = created.between(days["date_day"].min(), days["date_day"].max())
    assert per_day.nunique() == 1
    assert days["leads"].sum() == shown.sum()


def test_at_most_a_few_sources_have_a_name(figures: Figures) -> None:
    assert figures.leads_per_day["source"].nunique() <= SOURCES + 1


def test_stale_leads_are_counted_once(figures: Figures, published: Path) -> None:
    stale = frame(published, "from marts.stale_leads where is_stale or is_stale_for_provider")
    assert figures.stale["leads"].sum() == len(stale)


# The page ------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Headings, pictures, tables and everything that a browser would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self._in_heading = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in_heading = tag == "h2"
        attributes = dict(attrs)
        self.loaded += [
            str(attributes[name])
            for name in ("src", "srcset", "href", "data", "action", "poster")
            if name in attributes
        ]
        if tag == "img":
            self.images.append(attributes)

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.headings.append(data)
            self._in_heading = False


def test_the_page_has_its_sections_with_a_chart_and_a_table_each(page: str) -> None:
    outline = Outline(page)
    assert tuple(outline.headings) == TITLES
    assert outline.tags.count("img") == outline.tags.count("table") == len(TITLES)


def test_nothing_is_loaded_from_anywhere_and_no_script_runs(page: str) -> None:
    outline = Outline(page)
    outside = [url for url in outline.loaded if not url.startswith(("data:image/svg+xml", "#"))]
    assert outside == []
    assert {"script", "link", "iframe"} & set(outline.tags) == set()
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_charts_are_pictures_without_scripts_or_links(page: str) -> None:
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    texts = [base64.b64decode(picture).decode() for picture in pictures]
    assert len(texts) == 2 * len(TITLES)
    for text in texts:
        assert "<script" not in text
        assert re.sub(r"http://www\.w3\.org/[^\"]*", "", text).count("http") == 0


def test_each_chart_has_a_picture_for_light_and_one_for_dark(page: str) -> None:
    assert page.count('media="screen and (prefers-color-scheme: dark)"') == len(TITLES)


def test_each_chart_says_what_it_shows(page: str) -> None:
    assert all(str(image.get("alt", "")).startswith("Chart: ") for image in Outline(page).images)


def test_the_tables_show_the_figures_of_the_charts(page: str, figures: Figures) -> None:
    first = figures.funnel.iloc[0]
    assert f"<td>{first['leads']:,}</td>" in page
    assert page.count("<tr>") == sum(
        len(table) + 1
        for table in (
            figures.accounts,
            figures.funnel,
            figures.leads_per_day,
            figures.velocity,
            figures.stale,
        )
    )


def test_no_lead_s_personal_data_is_on_the_page(page: str, published: Path) -> None:
    leads = frame(published, "select full_name, email, phone, owner_name from marts.leads")
    values = {value for column in leads for value in leads[column].dropna() if len(value) > 4}
    assert len(values) > 100
    assert [value for value in values if value in page] == []


def test_what_providers_say_is_text_and_never_markup(figures: Figures) -> None:
    evil = "<script>alert(1)</script>"
    changed = figures.leads_per_day.assign(source=evil)
    html = render(Figures(**{**vars(figures), "leads_per_day": changed}))
    assert evil not in html
    assert "&lt;script&gt;" in html


def test_the_page_is_written_whole_beside_the_file(published: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("the page before")
    write_report(published, target)
    assert target.read_text("utf-8").rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_made_is_an_error_that_says_readers_have_the_file(
    published: Path, tmp_path: Path
) -> None:
    older = tmp_path / "leads.duckdb"
    shutil.copy(published, older)
    older.chmod(0o600)
    with closing(connect_utc(older)) as connection:
        connection.execute("drop table marts.people")
    target = tmp_path / "report.html"
    target.write_text("the page before")
    with pytest.raises(PublishError, match=r"Readers have .*leads\.duckdb, but its page"):
        write_report(older, target)
    assert target.read_text() == "the page before"


def test_a_file_without_any_lead_makes_a_page_that_says_so(figures: Figures) -> None:
    empty = Figures(
        headline={name: None if name == "win_rate" else 0 for name in figures.headline},
        build=figures.build,
        **{
            name: getattr(figures, name).iloc[:0]
            for name in ("accounts", "funnel", "leads_per_day", "velocity", "stale")
        },
    )
    html = render(empty)
    assert "No account has been published yet." in html
    assert html.count("Nothing to show.") == len(TITLES)
    assert "<img" not in html
