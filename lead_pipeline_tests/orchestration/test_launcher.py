"""One run that lands several accounts: one that fails keeps no other from what follows."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from lead_pipeline.orchestration.landing_assets import LANDS_TAG
from lead_pipeline.orchestration.launcher import locked_in_process_executor
from lead_pipeline_tests.commands import instance_of


class Broken(dg.Config):
    """Whether the account fails."""

    fails: bool = False


def landing(account: str) -> dg.AssetsDefinition:
    @dg.asset(key=["landing", account], op_tags={LANDS_TAG: account})
    def land(config: Broken) -> None:
        if config.fails:
            raise dg.Failure("The key is refused.")

    return land


@dg.asset(deps=[["landing", "mega"], ["landing", "vorel"]])
def loaded() -> None:
    """What follows landing."""


@dg.asset(deps=[loaded])
def published() -> None:
    """What follows that."""


def everything() -> dg.JobDefinition:
    definitions = dg.Definitions(
        assets=[landing("mega"), landing("vorel"), loaded, published],
        jobs=[dg.define_asset_job("everything", selection="*")],
        executor=locked_in_process_executor,
    )
    return definitions.resolve_job_def("everything")


def ran(home: Path, *failing: str) -> tuple[bool, list[str]]:
    """Whether a run in which these accounts fail succeeds, and its steps that did, in order."""
    config = {"ops": {f"landing__{name}": {"config": {"fails": True}} for name in failing}}
    with (
        instance_of(home) as instance,
        dg.execute_job(
            dg.reconstructable(everything), instance, run_config=config, raise_on_error=False
        ) as result,
    ):
        steps = [event.step_key or "" for event in result.all_events if event.is_step_success]
        return result.success, steps


@pytest.mark.parametrize(
    ("failing", "succeeds", "steps"),
    [
        pytest.param(
            [], True, ["landing__mega", "landing__vorel", "loaded", "published"], id="none fails"
        ),
        pytest.param(["mega"], False, ["landing__vorel", "loaded", "published"], id="one fails"),
        pytest.param(["mega", "vorel"], False, [], id="all fail"),
    ],
)
def test_what_has_landed_is_published_and_the_run_fails_where_an_account_does(
    home: Path, failing: Sequence[str], succeeds: bool, steps: list[str]
) -> None:
    assert ran(home, *failing) == (succeeds, steps)


def test_run_ends_with_a_line_that_sums_it_up(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ran(home, "mega")
    [line] = [line for line in capfd.readouterr().err.splitlines() if "run ended" in line]
    assert "steps=3 failed_steps=1 seconds=" in line
