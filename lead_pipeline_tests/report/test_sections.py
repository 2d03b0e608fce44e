"""What the parts of the report say, against a second computation from the leads of an invented world."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from lead_pipeline.report import values
from lead_pipeline.report.sections import (
    calls,
    cohorts,
    coverage,
    created,
    funnel,
    news,
    parts,
    stages,
    targets,
)
from lead_pipeline.report.tables import Section
from lead_pipeline_tests.report.pages import changed, looked_at, rows, texts_of

WEEK = timedelta(days=7)


LAST_DAY = date(2026, 3, 1)
"""The last whole day of the world's newest accounts."""


@pytest.fixture(scope="module")
def level(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, as if the data of all accounts were complete through the end of that day."""
    return changed(
        published,
        tmp_path_factory.mktemp("level"),
        "update meta.publish set complete_through = timestamptz '2026-03-02 00:00:00+00'",
    )


def news_of(published: Path) -> Section:
    with looked_at(published) as file:
        return news.section(file)


def told(section: Section, label: str) -> tuple[str, str]:
    """Of a tile: the figures of the day and of the week."""
    [tile] = [tile for tile in section.tiles if tile.label == label]
    return tile.figure.text, tile.lines[0].text.removeprefix("7 days: ")


# News --------------------------------------------------------------------------------------------


def test_new_leads_are_those_created_on_the_last_whole_day_and_in_its_week(published: Path) -> None:
    # The data of two of the world's accounts is complete through that day; the others are behind.
    [counts] = rows(
        published,
        "select count(*) filter (where created_at::date = $day), "
        "count(*) filter (where created_at::date between $day - 6 and $day) "
        "from normalized.leads where account in ('mega', 'mega_quiet')",
        day=LAST_DAY,
    )
    assert told(news_of(published), "new leads") == tuple(f"{count:,}" for count in counts)


def test_accounts_that_are_behind_are_named(published: Path) -> None:
    assert news_of(published).notes[:3] == [
        "expert_ai_labs is in none of these figures: it is complete through 31 Jan 2026, 00:00 only.",
        "vorel is in none of these figures: nothing of it is complete yet.",
        "vorel_eu is in none of these figures: it is complete through 10 Jan 2026, 00:00 only.",
    ]


@pytest.mark.parametrize(
    ("metric", "bounds", "before", "figure", "said", "tone"),
    [
        ("leads_won", (3, 3, 3), (1, 2, 2), "3", "+2 against the day before (1)", "more"),
        (
            "leads_won",
            (3, 1, 4),
            (1, -1, 3),
            "3",
            f"1{values.NOTHING}4; {values.MINUS}1 to +3 against the day before (1)",
            "",
        ),
        ("leads_won", (3, 3, 3), (None, None, None), "3", "the day before not known", ""),
        ("leads_won", (None, None, None), (None, None, None), "not known", "", "unknown"),
        (
            "leads_lost",
            (3, 3, 3),
            (1, 2, 2),
            "3",
            "+2 against the day before (1)",
            "more unwelcome",
        ),
        (
            "leads_lost",
            (1, 1, 1),
            (3, -2, -2),
            "1",
            f"{values.MINUS}2 against the day before (3)",
            "fewer unwelcome",
        ),
        ("leads_reopened", (3, 3, 3), (1, 2, 2), "3", "+2 against the day before (1)", ""),
    ],
)
def test_a_figure_says_its_bounds_and_a_change_only_where_it_is_certain(
    metric: str,
    bounds: tuple[int | None, ...],
    before: tuple[int | None, ...],
    figure: str,
    said: str,
    tone: str,
    published: Path,
    tmp_path: Path,
) -> None:
    now = dict(zip(("value", "value_lower", "value_upper"), bounds, strict=True))
    then = dict(
        zip(("previous_value", "difference_lower", "difference_upper"), before, strict=True)
    )
    known, compared = (
        ", ".join(f"{name} = {'null' if value is None else value}" for name, value in some.items())
        for some in (now, then)
    )
    file = changed(
        published,
        tmp_path,
        f"update marts.period_comparison set {known} "  # noqa: S608 - numbers of ours
        "where account = 'mega' and period = 'day'",
        "update marts.period_comparison set value = null, value_lower = null, value_upper = null "
        "where account not in ('mega', 'all') and period = 'day'",
        f"update marts.period_comparison set {compared}, accounts_counted = 1 "  # noqa: S608 - ours
        f"where is_all_accounts and period = 'day' and metric = '{metric}'",
        "update marts.period_comparison set value_upper = 1 where metric = 'leads_reopened' "
        "and period = 'seven_days' and account = 'mega'",
    )
    [cell] = [tile.figure for tile in news_of(file).tiles if tile.label == news.WHAT[metric]]
    assert (cell.text, cell.below, cell.tone) == (figure, said, tone)


def test_what_is_not_complete_anywhere_has_no_news(published: Path, tmp_path: Path) -> None:
    section = news_of(changed(published, tmp_path, "delete from marts.period_comparison"))
    assert section.is_empty
    assert section.if_empty == "No account's data is complete for a whole day yet."


def test_days_are_those_of_the_file_s_zone(level: Path, tmp_path: Path) -> None:
    columns = [
        name
        for (name,) in rows(
            level,
            "select column_name from duckdb_columns() where schema_name = 'meta' and table_name = 'publish'",
        )
    ]
    add = (
        [] if "time_zone" in columns else ["alter table meta.publish add column time_zone varchar"]
    )
    there = changed(
        level, tmp_path, *add, "update meta.publish set time_zone = 'America/Los_Angeles'"
    )
    with looked_at(there) as file:
        # Midnight of UTC is the afternoon before there: the day is not over yet.
        assert (file.zone, file.last_day) == ("America/Los_Angeles", LAST_DAY - timedelta(days=1))


# Targets ------------------------------------------------------------------------------------------


def test_targets_of_the_present_periods_say_how_far_they_are_met(
    published: Path, tmp_path: Path
) -> None:
    with looked_at(published) as file:
        assert targets.section(file) is None
    columns = (
        "account, is_all_accounts, owner_id, owner_name, metric, period, starts_on, ends_on, days, counted_through, "
        "days_counted, target, value, value_lower, value_upper, target_share, time_share, accounts_counted, "
        "accounts_left_out"
    )
    file_with = changed(
        published,
        tmp_path,
        f"insert into marts.target_progress ({columns}) values "  # noqa: S608 - names of ours
        "('all', true, null, null, 'leads_won', 'month', '2026-03-01', '2026-03-31', 31, '2026-03-01', 1, 40, 3, 2, "
        "5, 0.075, 0.032, 2, 1), "
        "('mega', false, 'abcdefghij', 'Olga Owner', 'leads_created', 'week', '2026-02-23', '2026-03-01', 7, null, "
        "null, 10, null, null, null, null, 0, 0, 1), "
        "('all', true, null, null, 'leads_won', 'month', '2026-02-01', '2026-02-28', 28, '2026-02-28', 28, 40, 40, "
        "40, 40, 1, 1, 2, 0)",
    )
    with looked_at(file_with) as file:
        section = targets.section(file)
    assert section is not None
    assert texts_of(section) == [
        ["new leads this week", "not known", "10", "not known", "\N{EN DASH}"],
        ["won this month", "3", "40", "7.5%", "3.2%"],
    ]
    week, month = section.tables[0].rows
    assert week[0].below == "owner abcdefgh, mega; 1 not known since its beginning"
    assert month[1].below == "between 2 and 5"
    assert month[3].bar == pytest.approx(0.075)


# Leads to call ----------------------------------------------------------------------------------------


def test_leads_to_call_are_open_shown_by_their_provider_and_ten_at_most(level: Path) -> None:
    with looked_at(level) as file:
        section = calls.section(file)
    keys = [row[0] for row in texts_of(section)]
    assert 0 < len(keys) == len(set(keys)) <= 10
    [(good,)] = rows(
        level,
        "select count(*) from marts.lead_facts where is_open and not is_missing and not is_terminal "
        "and list_contains($keys, lead_key)",
        keys=keys,
    )
    assert good == len(keys)


def test_leads_that_are_closed_or_gone_are_called_by_nobody(level: Path, tmp_path: Path) -> None:
    gone = changed(level, tmp_path, "update marts.lead_facts set is_missing = true")
    with looked_at(gone) as file:
        assert calls.section(file).is_empty


# Parts -------------------------------------------------------------------------------------------------


def test_open_leads_of_owners_and_sources_add_up_to_all(level: Path) -> None:
    [(leads,)] = rows(
        level, "select count(*) from marts.lead_facts where is_open and not is_missing"
    )
    with looked_at(level) as file:
        of_owners = sum(row.open for row in file.rows("owners", day=file.last_day))
        of_sources = sum(row.open for row in file.rows("sources", day=file.last_day))
        of_stages = sum(row.open for row in file.rows("stages"))
        tables = (parts.owners(file), parts.sources(file), stages.section(file))
    assert of_owners == of_sources == of_stages == leads
    assert all(len(section.tables[0].rows) > 0 for section in tables)


def test_owners_are_told_apart_without_their_names(level: Path) -> None:
    with looked_at(level) as file:
        owners = parts.owners(file).tables[0].rows
    assert len({(row[0].text, row[0].below) for row in owners}) == len(owners)


# Funnel and cohorts ------------------------------------------------------------------------------------


def test_the_funnel_is_that_of_the_mart_and_never_widens(level: Path) -> None:
    [sums] = rows(
        level,
        "select sum(leads_watched), sum(reached_qualified), sum(reached_qualified_upper), sum(reached_won), "
        "sum(reached_won_upper) from marts.funnel_by_cohort",
    )
    with looked_at(level) as file:
        everything = file.rows("funnel")[0]
        shown = texts_of(funnel.section(file))
    found = [
        everything.new,
        everything.qualified,
        everything.qualified_upper,
        everything.won,
        everything.won_upper,
    ]
    assert found == list(sums)
    lower = [getattr(everything, stage) for stage in funnel.PATH]
    assert lower == sorted(lower, reverse=True)
    assert [row[0] for row in shown] == list(funnel.PATH)


def test_a_cohort_that_is_too_young_has_no_figure_and_a_ripe_one_has_that_of_its_leads(
    published: Path,
) -> None:
    with looked_at(published) as file:
        shown = file.rows("cohorts", weeks=8, accounts=file.current)
        texts = texts_of(cohorts.section(file))
    assert len(shown) > 4
    for row, cells in zip(shown, texts, strict=True):
        assert [cell == "not yet" for cell in cells[2:]] == [
            row.qualified[age] is None for age in cohorts.AGES
        ]
        # Its last lead has the age at the end of the data, at the earliest.
        for age in cohorts.AGES:
            if row.cohort_starts_on + WEEK + timedelta(days=age - 1) > LAST_DAY:
                assert row.qualified[age] is None
    ripe = next(row for row in shown if row.qualified[14] is not None)
    [(within,)] = rows(
        published,
        "select count(*) from marts.lead_facts where is_watched and account in ('mega', 'mega_quiet') and date_trunc('week', created_at) = $week "
        "and reached_qualified_at <= created_at + interval 336 hours",
        week=ripe.cohort_starts_on,
    )
    assert ripe.qualified[14][0] <= within <= ripe.qualified[14][1]


# The rest ---------------------------------------------------------------------------------------------------


def test_new_leads_per_day_add_up_and_days_that_are_not_over_everywhere_are_marked(
    level: Path, tmp_path: Path
) -> None:
    with looked_at(level) as file:
        section = created.section(file)
    assert section.chart is not None
    [(leads,)] = rows(
        level,
        "select count(*) from normalized.leads where created_at::date between $first and $last",
        first=LAST_DAY - timedelta(days=created.DAYS - 1),
        last=LAST_DAY,
    )
    assert sum(height for _, height, _ in section.chart.points) == leads
    assert len(section.chart.points) == len(section.tables[0].rows) == created.DAYS
    assert all(is_whole for _, _, is_whole in section.chart.points)

    late = changed(
        level,
        tmp_path,
        "update meta.publish set complete_through = complete_through - interval 48 hours "
        "where account = (select min(account) from meta.publish)",
    )
    with looked_at(late) as file:
        chart = created.section(file).chart
    assert chart is not None
    assert [is_whole for _, _, is_whole in chart.points][-3:] == [True, False, False]


def test_each_account_says_how_far_it_reaches(level: Path) -> None:
    with looked_at(level) as file:
        shown = [row[0] for row in texts_of(coverage.section(file))]
    assert shown == [
        account for (account,) in rows(level, "select account from meta.publish order by 1")
    ]


def test_what_only_some_accounts_can_compare_is_told_with_their_own_figure(
    published: Path, tmp_path: Path
) -> None:
    file = changed(
        published,
        tmp_path,
        "update marts.period_comparison set value = case account when 'mega' then 5 else 14 end "
        "where account in ('mega', 'mega_quiet') and period = 'day' and metric = 'leads_won'",
        "update marts.period_comparison set value_lower = value, value_upper = value "
        "where account in ('mega', 'mega_quiet') and period = 'day' and metric = 'leads_won'",
        "update marts.period_comparison set value = null, value_lower = null, value_upper = null "
        "where account not in ('mega', 'mega_quiet', 'all') and period = 'day'",
        "update marts.period_comparison set value = 5, previous_value = 6, difference_lower = -1, "
        "difference_upper = -1, accounts_counted = 1 "
        "where is_all_accounts and period = 'day' and metric = 'leads_won'",
    )
    [cell] = [tile.figure for tile in news_of(file).tiles if tile.label == "won"]
    assert (cell.text, cell.below) == (
        "19",
        f"5 in 1 of 2 accounts, {values.MINUS}1 against the day before (6)",
    )
