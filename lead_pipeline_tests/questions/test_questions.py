"""Each question of docs/questions.md, asked of a published file and answered by pandas."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.questions import amounts, happened, quality, speed
from lead_pipeline_tests.questions.asking import Question, differences, questions
from lead_pipeline_tests.questions.frames import Frames

ANSWERS: tuple[Callable[[Frames], pd.DataFrame], ...] = (
    happened.what_changed_yesterday,
    happened.new_leads_by_source,
    happened.won_yesterday,
    happened.reassigned_this_week,
    happened.reassigned_and_not_moved,
    happened.scores_that_changed_most,
    happened.went_back_this_week,
    happened.lost_and_opened_again,
    happened.no_longer_shown,
    speed.slowest_this_week,
    speed.answered_within_a_day,
    speed.nobody_answered_yet,
    speed.open_and_stale,
    speed.win_rates,
    speed.over_the_limit,
    quality.cohorts_after_14_days,
    quality.won_within_30_days,
    quality.from_stage_to_stage,
    quality.longest_stays,
    quality.won_month_by_month,
    quality.why_lost,
    quality.days_to_win,
    quality.does_answering_soon_help,
    amounts.worth_of_the_pipeline,
    amounts.against_targets,
    amounts.stages_of_30_days,
    amounts.open_by_account,
    amounts.in_several_accounts,
    amounts.how_far_data_reaches,
    amounts.how_sure_moments_are,
)
"""In the order of the page."""


def test_there_are_thirty_questions_with_a_query_of_at_most_ten_lines_each() -> None:
    asked = questions()
    assert [question.number for question in asked] == list(range(1, 31))
    assert [q.number for q in asked if len(q.query.strip().splitlines()) > 10] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("question", questions(), ids=lambda question: str(question.number))
def test_query_answers_as_pandas_does_from_the_known_changes(
    question: Question, published: Path, frames: Frames
) -> None:
    answer = ANSWERS[question.number - 1](frames)
    assert len(answer) > 0, "a world in which the question has no answer shows nothing"
    with closing(connect_utc(published, read_only=True)) as connection:
        assert differences(connection, question.query, answer) == [], question.text


@pytest.mark.timeout(600)
def test_an_answer_that_is_not_so_is_found_out(published: Path, frames: Frames) -> None:
    """With one figure changed, one row missing, or a truth outside of its bounds, none would pass."""
    by_number = {question.number: question.query for question in questions()}
    with closing(connect_utc(published, read_only=True)) as connection:
        for number, figure in ((14, "win_rate"), (22, "days"), (24, "leads")):
            answer = ANSWERS[number - 1](frames)
            wrong = answer.assign(**{figure: answer[figure] + 2})
            assert len(differences(connection, by_number[number], wrong)) >= len(answer)
            assert differences(connection, by_number[number], answer.iloc[1:])
