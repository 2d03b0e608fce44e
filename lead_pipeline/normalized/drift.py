"""Contract drift: what APIs serve that no mapping knows, counted instead of dropped in silence.

    landed ──┬─ fields, types, values of each record ──▶ those not in contract.csv ──▶ contract_drift

Known are the fields that the providers' `contract.csv` lists (`providers/contract.py`), and, of
those that tell the stage, the values that the stage mapping has. Members of free-form objects
(custom fields, attributes, the diff of an event) are not listed, so they are never drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lead_pipeline.normalized.steps import Parameters, StepContext


def paths_by_stream(context: StepContext) -> Iterator[Parameters]:
    """Per stream of the batch: which objects and fields of its records are looked at."""
    for provider, stream in sorted({(f.crawl.provider, f.crawl.stream) for f in context.batch}):
        fields = [f for f in context.known_fields if (f.provider, f.stream) == (provider, stream)]
        objects = sorted({f.field.rpartition(".")[0] for f in fields})
        typed = [f.field for f in fields]
        valued = [f.field for f in fields if f.values or f.stage_field]
        yield {
            "provider": provider,
            "stream": stream,
            "objects": objects,
            "object_paths": _paths(objects),
            "typed": typed,
            "typed_paths": _paths(typed),
            "valued": valued,
            "valued_paths": _paths(valued),
        }


def _paths(fields: Sequence[str]) -> list[str]:
    return [f"$.{field}" if field else "$" for field in fields]
