"""A build that takes leads away from readers is refused, unless it is meant."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lead_pipeline.bi.gate import Loss, PublishRules, losses_of
from lead_pipeline.errors import PublishError
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.sample_builds import (
    MASK,
    Bi,
    as_an_earlier_version_masked_it,
    leads_of,
    read,
    run_of,
)
from lead_pipeline_tests.sample_warehouse import SEEN, SampleLead

TEN_EACH = (*leads_of("mega", 10), *leads_of("vorel", 10))


@pytest.fixture
def bi(tmp_path: Path) -> Bi:
    """A home whose readers have ten leads of each of two accounts."""
    bi = Bi(tmp_path)
    bi.build_and_publish(TEN_EACH, run_id="good")
    return bi


def test_account_that_loses_too_much_stops_the_publication_by_name(bi: Bi) -> None:
    before = bi.published.read_bytes()
    bi.build((*leads_of("mega", 10), *leads_of("vorel", 7)))
    with pytest.raises(
        PublishError,
        match=r"vorel 3 of 10 in normalized\.leads \(30 %\)\. LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT "
        r"is 20; .* stays\. .*lead-pipeline rebuild; .*lead-pipeline publish --allow-row-count-drop",
    ) as refused:
        bi.publish("dropped")
    assert "mega" not in str(refused.value).partition("from readers")[2].partition("stays")[0]
    assert bi.published.read_bytes() == before


def test_loss_within_the_limit_is_published(bi: Bi) -> None:
    bi.build_and_publish((*leads_of("mega", 10), *leads_of("vorel", 8)), run_id="fewer")
    assert run_of(bi.published) == "fewer"


def test_growth_of_one_account_does_not_make_up_for_the_loss_of_another(bi: Bi) -> None:
    bi.build((*leads_of("mega", 100), *leads_of("vorel", 5)))
    with pytest.raises(PublishError, match="vorel 5 of 10"):
        bi.publish()


def test_account_that_loses_all_its_leads_is_refused_whatever_the_limit(bi: Bi) -> None:
    bi.build(leads_of("mega", 10))
    with pytest.raises(PublishError, match=r"vorel 10 of 10 .*\(100 %\)"):
        bi.publish(rules=PublishRules(max_row_count_drop_percent=100))


def test_model_that_drops_leads_is_refused_although_they_were_loaded(bi: Bi) -> None:
    bi.build(TEN_EACH)
    with closing(connect_utc(bi.candidate)) as connection:
        connection.execute("delete from marts.lead_facts where account = 'mega' and lead_id < '5'")
    with pytest.raises(
        PublishError, match=r"readers: mega 5 of 10 in marts\.lead_facts \(50 %\)\. "
    ):
        bi.publish()


def test_loss_that_is_meant_is_published_once(bi: Bi) -> None:
    bi.build_and_publish(
        leads_of("mega", 5), run_id="meant", rules=PublishRules(allow_row_count_drop=True)
    )
    assert run_of(bi.published) == "meant"
    bi.build(leads_of("mega", 1))
    with pytest.raises(PublishError, match="mega 4 of 5"):
        bi.publish("not meant")


def test_refused_build_can_be_published_when_it_is_meant_after_all(bi: Bi) -> None:
    bi.build(leads_of("mega", 5))
    with pytest.raises(PublishError, match="mega 5 of 10"):
        bi.publish("refused")
    bi.publish("meant", PublishRules(allow_row_count_drop=True))
    assert run_of(bi.published) == "meant"


def test_empty_build_replaces_an_empty_file(tmp_path: Path) -> None:
    bi = Bi(tmp_path)
    bi.build_and_publish((), run_id="first")
    bi.build_and_publish((), run_id="second")
    assert read(bi.published, "select run_id from meta.build") == [("second",)]


def test_damaged_file_is_replaced_but_not_by_an_empty_one(bi: Bi) -> None:
    bi.published.unlink()
    bi.published.write_bytes(b"not a database")
    bi.build(())
    with pytest.raises(PublishError, match=r"has no leads, and .* cannot be read"):
        bi.publish("empty")
    bi.build_and_publish(leads_of("mega", 1), run_id="good")
    assert run_of(bi.published) == "good"


def test_build_masked_otherwise_than_the_settings_say_is_refused(bi: Bi) -> None:
    bi.build(TEN_EACH)
    with pytest.raises(PublishError, match=r"not masked as .* say now.*lead-pipeline publish"):
        bi.publish(rules=PublishRules(masking_key_id=MASK.key_id))
    assert run_of(bi.published) == "good"


def test_build_that_an_earlier_version_masked_is_refused(bi: Bi) -> None:
    bi.build(TEN_EACH, mask=MASK)
    as_an_earlier_version_masked_it(bi.candidate)
    with pytest.raises(PublishError, match=r"not masked as .* say now.*lead-pipeline publish"):
        bi.publish(rules=PublishRules(masking_key_id=MASK.key_id))
    assert run_of(bi.published) == "good"


def test_losses_name_the_marts_only_where_they_differ() -> None:
    before = {("normalized.leads", "a"): 10, ("marts.lead_facts", "a"): 10}
    assert losses_of(before, {}, 20) == [Loss("normalized.leads", "a", 10, 0)]
    after = {("normalized.leads", "a"): 10, ("marts.lead_facts", "a"): 1}
    assert losses_of(before, after, 20) == [Loss("marts.lead_facts", "a", 10, 1)]


# Leads that are no longer shown ---------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Bi:
    """A home whose readers have a hundred leads, ten of them missing, and another account."""
    bi = Bi(tmp_path / "large")
    bi.build_and_publish((*hundred(10), *leads_of("vorel", 10)), run_id="good")
    return bi


def hundred(missing: int) -> list[SampleLead]:
    """A hundred leads, of which so many are missing."""
    return [
        replace(lead, missing_since=SEEN if number < missing else None)
        for number, lead in enumerate(leads_of("mega", 100))
    ]


def test_build_that_marks_too_many_as_missing_is_refused_by_account(large: Bi) -> None:
    before = large.published.read_bytes()
    large.build((*hundred(29), *leads_of("vorel", 10)))
    with pytest.raises(
        PublishError,
        match=r"marks leads as missing that readers have as present: mega 19 of 90 \(21 %\)\. "
        r"LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT is 20; .* stays\. .*publish --allow-row-count-drop",
    ):
        large.publish("vanished")
    assert large.published.read_bytes() == before


@pytest.mark.parametrize("missing", [0, 10, 28])
def test_as_many_may_vanish_as_may_be_lost(large: Bi, missing: int) -> None:
    large.build_and_publish((*hundred(missing), *leads_of("vorel", 10)), run_id="fewer")
    assert run_of(large.published) == "fewer"


def test_new_leads_do_not_make_up_for_those_that_vanished(large: Bi) -> None:
    new = leads_of("mega", 300)[100:]
    large.build((*hundred(29), *new, *leads_of("vorel", 10)))
    with pytest.raises(PublishError, match="mega 19 of 90"):
        large.publish()


def test_a_handful_may_vanish_from_a_small_account(bi: Bi) -> None:
    gone = [replace(lead, missing_since=SEEN) for lead in leads_of("mega", 10)]
    bi.build_and_publish((*gone, *leads_of("vorel", 10)), run_id="quiet")
    assert run_of(bi.published) == "quiet"


@pytest.mark.parametrize(
    "rules", [PublishRules(allow_missing=True), PublishRules(allow_row_count_drop=True)]
)
def test_missing_leads_that_are_meant_are_published_once(large: Bi, rules: PublishRules) -> None:
    build = (*hundred(60), *leads_of("vorel", 10))
    large.build_and_publish(build, run_id="meant", rules=rules)
    assert run_of(large.published) == "meant"
    large.build((*hundred(90), *leads_of("vorel", 10)))
    with pytest.raises(PublishError, match=r"mega 30 of 40 \(75 %\)"):
        large.publish("not meant")


def test_that_leads_are_missing_does_not_excuse_that_rows_are_lost(large: Bi) -> None:
    large.build((*hundred(10)[:50], *leads_of("vorel", 10)))
    with pytest.raises(PublishError, match=r"mega 50 of 100 in normalized\.leads"):
        large.publish(rules=PublishRules(allow_missing=True))
