"""Jobs, tables and runs in the words of OpenLineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

PRODUCER = "urn:lead-pipeline"
"""Who says so: a URI, as the standard wants it."""


@dataclass(frozen=True)
class Table:
    """A table, a stream of landed files, or a file, as a job reads or writes it."""

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Types by name; none where they are not told."""
    made_of: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """Tables and columns that each column is made of."""
    rows: int | None = None


@dataclass(frozen=True)
class Job:
    """One run of a job, and the Dagster run that it is part of."""

    namespace: str
    name: str
    run_id: str
    """A UUID of its own, since a job can run several times in a run of Dagster."""
    parent_id: str
    parent_name: str
    inputs: Sequence[Table] = ()
    outputs: Sequence[Table] = ()


def event_of(job: Job, state: str, at: datetime, error: str | None = None) -> RunEvent:
    """The event that the job is in that `state` (START, COMPLETE, FAIL); `error`: what kind of one."""
    from openlineage.client.event_v2 import Job as NamedJob
    from openlineage.client.event_v2 import Run, RunEvent, RunState

    return RunEvent(
        eventTime=at.isoformat(),
        producer=PRODUCER,
        run=Run(job.run_id, _run_facets(job, error)),
        job=NamedJob(job.namespace, job.name, _job_facets()),
        eventType=RunState[state],
        inputs=[_input(table, job.namespace) for table in job.inputs],
        outputs=[_output(table, job.namespace) for table in job.outputs],
    )


def _run_facets(job: Job, error: str | None) -> dict[str, Any]:
    from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
    from openlineage.client.generated.parent_run import Job as ParentJob
    from openlineage.client.generated.parent_run import ParentRunFacet
    from openlineage.client.generated.parent_run import Run as ParentRun
    from openlineage.client.generated.processing_engine_run import ProcessingEngineRunFacet

    facets: dict[str, Any] = {
        "parent": ParentRunFacet(
            run=ParentRun(job.parent_id),
            job=ParentJob(job.namespace, job.parent_name),
            producer=PRODUCER,
        ),
        "processing_engine": ProcessingEngineRunFacet(
            version("lead-pipeline"), "lead-pipeline", producer=PRODUCER
        ),
    }
    if error is not None:
        facets["errorMessage"] = ErrorMessageRunFacet(error, "python", producer=PRODUCER)
    return facets


def _job_facets() -> dict[str, Any]:
    from openlineage.client.generated.job_type_job import JobTypeJobFacet

    return {"jobType": JobTypeJobFacet("BATCH", "LEAD_PIPELINE", "JOB", producer=PRODUCER)}


def _input(table: Table, namespace: str) -> Any:
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(namespace, table.name, facets=_table_facets(table, namespace))


def _output(table: Table, namespace: str) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.generated.output_statistics_output_dataset import (
        OutputStatisticsOutputDatasetFacet,
    )

    counted: dict[str, Any] = {}
    if table.rows is not None:
        counted["outputStatistics"] = OutputStatisticsOutputDatasetFacet(
            rowCount=table.rows, producer=PRODUCER
        )
    return OutputDataset(
        namespace, table.name, facets=_table_facets(table, namespace), outputFacets=counted
    )


def _table_facets(table: Table, namespace: str) -> dict[str, Any]:
    from openlineage.client.generated.column_lineage_dataset import (
        ColumnLineageDatasetFacet,
        Fields,
        InputField,
    )
    from openlineage.client.generated.schema_dataset import (
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    facets: dict[str, Any] = {}
    if table.columns:
        facets["schema"] = SchemaDatasetFacet(
            fields=[SchemaDatasetFacetFields(name, kind) for name, kind in table.columns.items()],
            producer=PRODUCER,
        )
    if table.made_of:
        facets["columnLineage"] = ColumnLineageDatasetFacet(
            fields={
                name: Fields([InputField(namespace, *parent) for parent in parents])
                for name, parents in table.made_of.items()
            },
            producer=PRODUCER,
        )
    return facets
