"""One publication for a batch: when all have landed, or at the deadline for those that are late."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import AssetKey, DagsterRunStatus
from dagster._core.storage.tags import RUN_KEY_TAG

from lead_pipeline.orchestration.batches import PUBLISH_TAG
from lead_pipeline.orchestration.publish_sensor import build_publish_sensor
from lead_pipeline.orchestration.tags import ACCOUNT_TAG
from lead_pipeline_tests.commands import instance_of

DEADLINE = timedelta(hours=2)
MEGA, VOREL = AssetKey(["landing", "mega", "leads"]), AssetKey(["landing", "vorel", "leads"])
LEADS, PUBLISHED = AssetKey(["normalized", "leads"]), AssetKey(["bi", "published"])
FAILS = {"fails": True}


class Broken(dg.Config):
    """Whether the asset fails."""

    fails: bool = False


def asset_of(key: AssetKey, *deps: AssetKey) -> dg.AssetsDefinition:
    @dg.asset(key=key, deps=list(deps))
    def made(config: Broken) -> None:
        if config.fails:
            raise dg.Failure("It is said to fail.")

    return made


ASSETS = [asset_of(MEGA), asset_of(VOREL), asset_of(LEADS, MEGA, VOREL), asset_of(PUBLISHED, LEADS)]


class Night:
    """Recorded runs of small assets, and what the sensor makes of them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.now = datetime.now(UTC)
        job = dg.define_asset_job("publish_leads", selection=[LEADS, PUBLISHED])
        self.definitions = dg.Definitions(
            assets=ASSETS, jobs=[job], sensors=[build_publish_sensor(job, DEADLINE, self._now)]
        )

    def _now(self) -> datetime:
        return self.now

    def run(
        self,
        *keys: AssetKey,
        fails: Sequence[AssetKey] = (),
        tags: dict[str, str] | None = None,
    ) -> None:
        """A run of these assets, to its end."""
        config = {"ops": {"__".join(key.path): {"config": FAILS} for key in fails}}
        dg.materialize(
            ASSETS,
            selection=list(keys),
            instance=self.instance,
            run_config=config,
            tags=tags or {},
            raise_on_error=False,
        )

    def land(self, key: AssetKey, *, fails: bool = False) -> None:
        """A run of the schedule that has landed an account."""
        tags = {PUBLISH_TAG: "when all have landed", ACCOUNT_TAG: key.path[1]}
        self.run(key, fails=[key] if fails else [], tags=tags)

    def begin(self, key: AssetKey, status: DagsterRunStatus = DagsterRunStatus.STARTED) -> str:
        """A run of the schedule that has not ended; returns its id."""
        return self.instance.create_run_for_job(
            self.definitions.resolve_implicit_global_asset_job_def(),
            asset_selection={key},
            status=status,
            tags={PUBLISH_TAG: "when all have landed", ACCOUNT_TAG: key.path[1]},
        ).run_id

    def publish(self, request: dg.RunRequest, *, fails: bool = False) -> None:
        """The run that the sensor has asked for."""
        self.run(
            LEADS,
            PUBLISHED,
            fails=[PUBLISHED] if fails else [],
            tags={RUN_KEY_TAG: request.run_key or ""},
        )

    def look(self) -> dg.RunRequest | str:
        """What the sensor asks for now, or why it asks for nothing."""
        context = dg.build_sensor_context(
            instance=self.instance, repository_def=self.definitions.get_repository_def()
        )
        data = self.definitions.resolve_sensor_def("publish_sensor").evaluate_tick(context)
        requests = data.run_requests or []
        return requests[0] if requests else data.skip_message or ""


@pytest.fixture
def night(home: Path) -> Iterator[Night]:
    with instance_of(home) as instance:
        yield Night(instance)


def requested(answer: dg.RunRequest | str) -> dg.RunRequest:
    assert isinstance(answer, dg.RunRequest), answer
    return answer


def test_batch_that_has_landed_is_published_once(night: Night) -> None:
    night.land(MEGA)
    night.land(VOREL)
    night.publish(requested(night.look()))
    assert night.look() == "Nothing has landed that waits for a publication."


def test_batch_is_not_published_while_an_account_is_under_way(night: Night) -> None:
    night.land(MEGA)
    night.begin(VOREL)
    assert str(night.look()).startswith("Waits for vorel, until ")


def test_account_that_fails_keeps_no_other_from_being_published(night: Night) -> None:
    night.land(MEGA)
    night.land(VOREL, fails=True)
    requested(night.look())


def test_nothing_is_published_where_every_account_fails(night: Night) -> None:
    night.land(MEGA, fails=True)
    assert night.look() == "Nothing has landed that waits for a publication."


def test_late_account_is_not_waited_for_beyond_the_deadline(night: Night) -> None:
    night.land(MEGA)
    night.begin(VOREL)
    night.now += DEADLINE + timedelta(seconds=10)
    requested(night.look())


def test_late_accounts_wait_for_each_other_after_the_deadline(night: Night) -> None:
    night.begin(VOREL)
    night.now += DEADLINE + timedelta(minutes=1)
    night.publish(requested_after(night, lambda: night.land(MEGA)))
    night.land(MEGA)
    night.now = datetime.now(UTC)
    assert str(night.look()).startswith("Waits for vorel, until ")


def requested_after(night: Night, step: Callable[[], None]) -> dg.RunRequest:
    step()
    return requested(night.look())


def test_late_account_is_published_when_it_has_landed(night: Night) -> None:
    night.land(MEGA)
    late = night.begin(VOREL)
    night.now += DEADLINE + timedelta(seconds=10)
    night.publish(requested(night.look()))
    run = night.instance.get_run_by_id(late)
    assert run is not None
    night.instance.report_run_canceled(run)
    night.land(VOREL)
    requested(night.look())


@pytest.mark.parametrize("keys", [(MEGA,), (LEADS,)], ids=["landing", "a load"])
def test_what_is_materialized_by_hand_starts_no_build(
    night: Night, keys: tuple[AssetKey, ...]
) -> None:
    night.run(*keys)
    assert night.look() == "Nothing has landed that waits for a publication."


def test_materialize_all_is_published_by_itself(night: Night) -> None:
    night.run(MEGA, VOREL, LEADS, PUBLISHED)
    assert night.look() == "Nothing has landed that waits for a publication."


def test_materialize_all_is_published_although_an_account_fails(night: Night) -> None:
    night.run(MEGA, VOREL, LEADS, PUBLISHED, fails=[VOREL])
    requested(night.look())


def test_publication_that_failed_is_not_tried_again_before_something_lands(night: Night) -> None:
    night.land(MEGA)
    night.publish(requested(night.look()), fails=True)
    assert str(night.look()).startswith("The publication of this batch has failed")
    night.land(VOREL)
    requested(night.look())


def test_nothing_is_asked_for_while_a_publication_is_under_way(night: Night) -> None:
    night.land(MEGA)
    run = night.instance.create_run_for_job(
        night.definitions.resolve_implicit_global_asset_job_def(),
        asset_selection={LEADS, PUBLISHED},
        status=DagsterRunStatus.STARTED,
    )
    assert night.look() == f"Run {run.run_id[:8]} loads and publishes."
