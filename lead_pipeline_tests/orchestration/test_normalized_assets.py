"""The load as Dagster runs it: its checks are seen, and those that must stop the run do."""

from __future__ import annotations

from contextlib import closing

import dagster as dg
import duckdb
import pytest

from lead_pipeline.normalized.checks import CHECKS
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.orchestration.normalized_assets import LEADS, build_normalized_assets
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import at


@pytest.fixture
def landing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Landing:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(settings.home))
    return Landing(settings)


def materialize() -> tuple[dg.ExecuteInProcessResult, list[str]]:
    """A run of the load and of something downstream of it; what ran downstream."""
    built: list[str] = []

    @dg.asset(deps=[LEADS])
    def downstream() -> None:
        built.append("downstream")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [build_normalized_assets([]), downstream], instance=instance, raise_on_error=False
        )
    return result, built


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    evaluations = result.get_asset_check_evaluations()
    return {evaluation.check_name: evaluation.passed for evaluation in evaluations}


def test_every_check_is_told_to_dagster(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    result, built = materialize()
    assert outcomes(result) == {check.name: True for check in CHECKS}
    assert (result.success, built) == (True, ["downstream"])


def test_a_check_that_knows_nothing_says_so(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    result, _ = materialize()
    found = {e.check_name: e for e in result.get_asset_check_evaluations()}
    unknown, known = found["count_agrees_with_total"], found["lead_key_is_unique"]
    assert (unknown.description or "").startswith("not evaluated: ")
    assert (unknown.metadata["evaluated"].value, unknown.severity) == (
        False,
        dg.AssetCheckSeverity.WARN,
    )
    assert (known.description, known.metadata["evaluated"].value) == (None, True)


def test_a_warning_is_seen_and_stops_nothing(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="hibernating"))
    result, built = materialize()
    failed = {name for name, passed in outcomes(result).items() if not passed}
    assert failed == {"stages_are_mapped", "contract_is_known"}
    assert (result.success, built) == (True, ["downstream"])


def test_nothing_is_built_on_tables_that_would_mislead(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), at(1)))
    load_landing(landing.settings)
    with closing(duckdb.connect(str(landing.settings.warehouse_path))) as connection:
        connection.execute("insert into normalized.lead_versions from normalized.lead_versions")
    landing.leads("vorel", vorel_lead(1, at(1), at(2)))
    result, built = materialize()
    failed = {name for name, passed in outcomes(result).items() if not passed}
    assert (failed, result.success, built) == ({"version_key_is_unique"}, False, [])
