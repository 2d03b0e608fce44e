"""The steps of a load, in order: what each reads and what it writes.

    START ─▶ per batch: READ, FIND_DRIFT, MAP, MERGE ─▶ LEDGER ─▶ per chunk: LEADS, HISTORY ─▶ ABSENCE, WATCH

Names are those of the files below `sql/`. Everything that decides a row of the tables is here or
imported from here, which is how the fingerprint knows it (`fingerprint.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from lead_pipeline.normalized import cleaning, drift, emails, given, ledger, phones, stage_names
from lead_pipeline.normalized.batches import Contents
from lead_pipeline.normalized.steps import (
    ComputedStep,
    FileStep,
    GivenStep,
    ProviderStep,
    SqlStep,
    Step,
    TextStep,
)

FOLDED = {"name": "varchar", "folded": "varchar"}
COVERED = {"account": "varchar", "covered_from": "timestamptz", "covered_until": "timestamptz"}

STREAMS = GivenStep(
    "load/1_start/streams",
    writes=("streams",),
    columns={
        "provider": "varchar",
        "stream": "varchar",
        "kind": "varchar",
        "tells_history": "boolean",
    },
    values=given.streams,
)
"""The streams of all providers, by kind."""
COLLECTED = SqlStep(
    "load/1_start/collected",
    reads=("normalized.lead_observations",),
    writes=(
        "leads_with_records",
        "seen_leads",
        "phones",
        "observations_of_known",
        "stage_pairs",
    ),
)

START: tuple[Step, ...] = (
    STREAMS,
    GivenStep(
        "load/1_start/known_fields",
        writes=("known_fields",),
        columns={
            "provider": "varchar",
            "stream": "varchar",
            "field": "varchar",
            "type": "varchar",
            "known_values": "varchar[]",
            "stage_field": "varchar",
            "lead_column": "varchar",
        },
        values=given.known_fields,
    ),
    GivenStep(
        "load/1_start/crawls_of_load",
        writes=("crawls_of_load",),
        columns={
            "crawl_id": "varchar",
            "account": "varchar",
            "provider": "varchar",
            "stream": "varchar",
            "proven_from": "timestamptz",
            "proven_until": "timestamptz",
            "started_at": "timestamptz",
            "finished_at": "timestamptz",
            "served_from": "timestamptz",
            "unchanged_until": "timestamptz",
            "is_complete": "boolean",
            "is_full": "boolean",
            "shows_absence": "boolean",
            "total": "bigint",
            "note": "varchar",
        },
        values=given.crawls,
    ),
    GivenStep(
        "load/1_start/absences_of_load",
        writes=("absences_of_load",),
        columns={
            "crawl_id": "varchar",
            "account": "varchar",
            "lead_key": "varchar",
            "not_shown_at": "timestamptz",
        },
        values=given.absences,
    ),
    GivenStep(
        "load/1_start/files_of_load",
        writes=("files_of_load",),
        columns={"path": "varchar", "crawl_id": "varchar", "loaded_rows": "bigint"},
        values=given.files,
    ),
    COLLECTED,
)
"""What the load was given, and empty tables that its batches add to."""

READ_SEEN: tuple[Step, ...] = (
    FileStep(
        "load/2_read/seen_leads",
        reads=("seen_leads",),
        writes=("seen_leads",),
        parameters=given.batch_files,
    ),
)
"""A batch of ids that crawls saw without landing their records."""

READ: tuple[Step, ...] = (
    FileStep(
        "load/2_read/landed_records",
        writes=("landed_records",),
        parameters=given.batch_records,
    ),
)
"""A batch of records, as they came."""

REPAIR: tuple[Step, ...] = (
    ComputedStep(
        "load/2_read/repaired_payloads",
        reads=("landed_records",),
        writes=("repaired_payloads",),
        columns={"record_row": "bigint", "payload": "varchar"},
        compute=cleaning.repaired_payloads,
    ),
    SqlStep(
        "load/2_read/landed", reads=("landed_records", "repaired_payloads"), writes=("landed",)
    ),
)
"""The records with JSON that DuckDB reads."""

FIND_DRIFT: tuple[Step, ...] = (
    SqlStep(
        "load/3_drift/record_shapes",
        reads=("landed",),
        writes=("record_shapes",),
        parameters=drift.paths_by_stream,
    ),
    ComputedStep(
        "load/3_drift/folded_values",
        reads=("record_shapes",),
        writes=("folded_values",),
        columns=FOLDED,
        compute=stage_names.folded_names,
    ),
    SqlStep(
        "load/3_drift/found_drift",
        reads=("record_shapes", "known_fields", "folded_values", "normalized.stages"),
        writes=("found_drift",),
    ),
)
"""What the records hold that no mapping knows."""

LOOK_UP_STAGES: tuple[Step, ...] = (
    SqlStep(
        "load/4_map/unmapped_pairs",
        reads=("stage_pairs", "normalized.mapped_stages"),
        writes=("unmapped_pairs",),
    ),
    ComputedStep(
        "load/4_map/folded_names",
        reads=("unmapped_pairs",),
        writes=("folded_names",),
        columns=FOLDED,
        compute=stage_names.folded_names,
    ),
    SqlStep(
        "load/4_map/mapped_stages",
        reads=(
            "unmapped_pairs",
            "folded_names",
            "normalized.stages",
            "normalized.canonical_stages",
        ),
        writes=("normalized.mapped_stages",),
    ),
)
"""The canonical stage of each pair of status and stage that was found for the first time."""

MAP_LEADS: tuple[Step, ...] = (
    ProviderStep("load/4_map/mapped", reads=("landed",), writes=("mapped",), file="leads.sql"),
    TextStep(
        "load/4_map/custom_field_values",
        reads=("mapped",),
        writes=("custom_field_values",),
        columns=("content", "value"),
        read=cleaning.json_values,
    ),
    SqlStep(
        "load/4_map/keyed",
        reads=("mapped", "streams", "custom_field_values"),
        writes=("keyed",),
    ),
    TextStep(
        "load/4_map/emails",
        reads=("keyed",),
        writes=("emails",),
        columns=("email", "email_normalized"),
        read=emails.normalized_emails,
    ),
    TextStep(
        "load/4_map/new_phones",
        reads=("keyed", "phones"),
        writes=("new_phones",),
        columns=("phone", "phone_e164", "phone_extension", "phone_type"),
        read=phones.read_phones,
    ),
    SqlStep("load/4_map/phones", reads=("new_phones", "phones"), writes=("phones",)),
    SqlStep("load/4_map/stage_pairs", reads=("keyed", "stage_pairs"), writes=("stage_pairs",)),
    *LOOK_UP_STAGES,
    SqlStep(
        "load/4_map/states",
        reads=("keyed", "emails", "phones", "normalized.mapped_stages"),
        writes=("states",),
    ),
    SqlStep("load/4_map/observed", reads=("mapped", "states"), writes=("observed",)),
)
"""Records to states of leads."""

FIND_TIMES: tuple[Step, ...] = (
    SqlStep(
        "load/4_map/unusable_times",
        reads=("keyed", "landed", "known_fields", "found_drift"),
        writes=("found_drift",),
    ),
)
"""Times in the records that no lead can have."""

MERGE_DRIFT: tuple[Step, ...] = (
    SqlStep(
        "load/5_merge/contract_drift",
        reads=("found_drift", "normalized.contract_drift"),
        writes=("counted_drift", "normalized.contract_drift"),
    ),
)
"""What was found, to what was found before."""

MERGE_LEADS: tuple[Step, ...] = (
    SqlStep(
        "load/5_merge/known_versions",
        reads=("keyed", "normalized.lead_versions"),
        writes=("known_versions",),
    ),
    SqlStep(
        "load/5_merge/repeated_versions",
        reads=("keyed", "known_versions"),
        writes=("repeated_versions",),
    ),
    SqlStep(
        "load/5_merge/lead_versions",
        reads=("observed", "known_versions", "repeated_versions"),
        writes=("normalized.lead_versions",),
    ),
    SqlStep(
        "load/5_merge/lead_observations",
        reads=("keyed", "observations_of_known", "normalized.newest_observations"),
        writes=("new_observations", "observations_of_known", "normalized.lead_observations"),
    ),
    SqlStep(
        "load/5_merge/observed_leads",
        reads=("keyed", "leads_with_records", "seen_leads"),
        writes=("leads_with_records", "seen_leads"),
    ),
    SqlStep(
        "load/5_merge/cohort_leads",
        reads=("keyed", "streams", "normalized.provider_stale_leads"),
        writes=("cohort_leads",),
    ),
    SqlStep(
        "load/5_merge/provider_stale_leads",
        reads=("cohort_leads",),
        writes=("normalized.provider_stale_leads",),
    ),
)
"""States to versions of leads."""

MERGE_STAGE_CHANGES: tuple[Step, ...] = (
    ProviderStep(
        "load/4_map/mapped_stage_changes",
        reads=("landed",),
        writes=("mapped_stage_changes",),
        file="stage_events.sql",
    ),
    SqlStep("load/4_map/stage_changes", reads=("mapped_stage_changes",), writes=("stage_changes",)),
    SqlStep(
        "load/5_merge/merged_stage_events",
        reads=("stage_changes", "normalized.lead_stage_events"),
        writes=("merged_stage_events",),
    ),
    SqlStep(
        "load/5_merge/lead_stage_events",
        reads=("stage_changes", "merged_stage_events"),
        writes=("normalized.lead_stage_events",),
    ),
    SqlStep(
        "load/5_merge/leads_with_changes",
        reads=("stage_changes", "leads_with_records"),
        writes=("leads_with_records",),
    ),
)
"""Records to changes of stages."""

LEDGER: tuple[Step, ...] = (
    SqlStep(
        "load/6_ledger/merged_sightings",
        reads=("seen_leads", "normalized.lead_sightings"),
        writes=("merged_sightings",),
    ),
    SqlStep(
        "load/6_ledger/lead_sightings",
        reads=("merged_sightings",),
        writes=("normalized.lead_sightings",),
    ),
    SqlStep("load/6_ledger/crawls", reads=("crawls_of_load",), writes=("normalized.crawls",)),
    SqlStep(
        "load/6_ledger/lead_absences",
        reads=("absences_of_load",),
        writes=("normalized.lead_absences",),
    ),
    SqlStep(
        "load/6_ledger/loaded_files", reads=("files_of_load",), writes=("normalized.loaded_files",)
    ),
    SqlStep(
        "load/6_ledger/proven_crawls",
        reads=("crawls_of_load", "normalized.crawls"),
        writes=("proven_crawls",),
    ),
    ComputedStep(
        "load/6_ledger/new_coverage",
        reads=("proven_crawls",),
        writes=("new_coverage",),
        columns={
            "account": "varchar",
            "provider": "varchar",
            "complete_from": "timestamptz",
            "complete_through": "timestamptz",
            "note": "varchar",
        },
        compute=ledger.coverage,
    ),
    SqlStep("load/6_ledger/coverage", reads=("new_coverage",), writes=("normalized.coverage",)),
    ComputedStep(
        "load/6_ledger/new_audit_coverage",
        reads=("proven_crawls",),
        writes=("new_audit_coverage",),
        columns=COVERED,
        compute=ledger.audit_coverage,
    ),
    ComputedStep(
        "load/6_ledger/changed_audit_coverage",
        reads=("crawls_of_load", "new_audit_coverage", "normalized.audit_coverage"),
        writes=("changed_audit_coverage",),
        columns={
            "account": "varchar",
            "changed_from": "timestamptz",
            "changed_until": "timestamptz",
        },
        compute=ledger.changed_audit_coverage,
    ),
    SqlStep(
        "load/6_ledger/leads_with_changed_coverage",
        reads=(
            "changed_audit_coverage",
            "normalized.lead_versions",
            "normalized.lead_stage_events",
        ),
        writes=("leads_with_changed_coverage",),
    ),
    SqlStep(
        "load/6_ledger/audit_coverage",
        reads=("crawls_of_load", "new_audit_coverage"),
        writes=("normalized.audit_coverage",),
    ),
    SqlStep("load/6_ledger/polls", reads=("streams", "normalized.crawls"), writes=("polls",)),
    ComputedStep(
        "load/6_ledger/polled_accounts",
        reads=("polls",),
        writes=("polled_accounts",),
        columns={
            "account": "varchar",
            "watched_from": "timestamptz",
            "poll_seconds": "bigint",
            "all_from": "timestamptz",
            "proven_until": "timestamptz",
        },
        compute=ledger.polled_accounts,
    ),
    SqlStep(
        "load/6_ledger/account_watches",
        reads=("polled_accounts", "streams", "normalized.audit_coverage", "normalized.crawls"),
        writes=("account_watches",),
    ),
    SqlStep(
        "load/6_ledger/leads_with_changed_watch",
        reads=("account_watches", "normalized.leads", "normalized.watches"),
        writes=("leads_with_changed_watch",),
    ),
    SqlStep("load/6_ledger/watches", reads=("account_watches",), writes=("normalized.watches",)),
    ComputedStep(
        "load/6_ledger/unchanged_proofs",
        reads=("polls",),
        writes=("unchanged_proofs",),
        columns={
            "account": "varchar",
            "began_at": "timestamptz",
            "unchanged_from": "timestamptz",
            "unchanged_until": "timestamptz",
            "is_log": "boolean",
        },
        compute=ledger.unchanged_proofs,
    ),
    SqlStep(
        "load/6_ledger/leads_with_changed_proofs",
        reads=("crawls_of_load", "normalized.crawls", "normalized.lead_versions"),
        writes=("leads_with_changed_proofs",),
    ),
    SqlStep(
        "load/7_leads/changed_leads",
        reads=("leads_with_records", "leads_with_changed_coverage", "leads_with_changed_proofs"),
        writes=("changed_leads",),
    ),
)
"""What has been loaded, what follows for coverage, and which leads change by it."""

LEADS: tuple[Step, ...] = (
    SqlStep(
        "load/7_leads/leads_of_chunk",
        reads=("changed_leads",),
        writes=("leads_of_chunk",),
        parameters=given.chunk,
    ),
    SqlStep(
        "load/7_leads/continued_leads",
        reads=(
            "leads_of_chunk",
            "observations_of_known",
            "crawls_of_load",
            "changed_audit_coverage",
            "leads_with_changed_proofs",
            "normalized.newest_observations",
            "normalized.leads",
            "normalized.lead_stage_history",
            "normalized.lead_stage_events",
            "normalized.audit_coverage",
        ),
        writes=("continued_leads",),
    ),
    SqlStep(
        "load/7_leads/observations_of_chunk",
        reads=(
            "leads_of_chunk",
            "continued_leads",
            "observations_of_known",
            "normalized.lead_observations",
        ),
        writes=("observations_of_chunk",),
    ),
    SqlStep(
        "load/7_leads/newest_observations",
        reads=("leads_of_chunk", "observations_of_chunk"),
        writes=("normalized.newest_observations",),
    ),
    SqlStep(
        "load/7_leads/newest_versions",
        reads=("observations_of_chunk",),
        writes=("newest_versions",),
    ),
    SqlStep(
        "load/7_leads/newest_details",
        reads=("observations_of_chunk", "newest_versions"),
        writes=("newest_details",),
    ),
    SqlStep(
        "load/7_leads/leads",
        reads=(
            "leads_of_chunk",
            "newest_versions",
            "newest_details",
            "normalized.lead_versions",
            "normalized.lead_sightings",
        ),
        writes=("normalized.leads",),
    ),
)
"""The rows of a chunk of the changed leads."""

HISTORY: tuple[Step, ...] = (
    SqlStep(
        "load/8_stage_history/counted_changes",
        reads=("observations_of_chunk", "normalized.lead_stage_events"),
        writes=("counted_changes",),
    ),
    SqlStep(
        "load/8_stage_history/observed_states",
        reads=("observations_of_chunk", "counted_changes"),
        writes=("observed_states",),
    ),
    SqlStep(
        "load/8_stage_history/stage_points",
        reads=(
            "observations_of_chunk",
            "counted_changes",
            "observed_states",
            "normalized.audit_coverage",
        ),
        writes=("stage_points",),
    ),
    SqlStep(
        "load/8_stage_history/stage_intervals",
        reads=(
            "continued_leads",
            "observations_of_chunk",
            "stage_points",
            "unchanged_proofs",
            "normalized.crawls",
        ),
        writes=("stage_intervals",),
    ),
    SqlStep(
        "load/8_stage_history/unobserved_changes",
        reads=(
            "leads_of_chunk",
            "continued_leads",
            "observations_of_chunk",
            "unchanged_proofs",
            "normalized.crawls",
        ),
        writes=("normalized.unobserved_changes",),
    ),
    SqlStep(
        "load/8_stage_history/stage_pairs",
        reads=("stage_intervals", "stage_pairs"),
        writes=("stage_pairs",),
    ),
    *LOOK_UP_STAGES,
    SqlStep(
        "load/8_stage_history/lead_stage_history",
        reads=(
            "leads_of_chunk",
            "continued_leads",
            "stage_intervals",
            "normalized.mapped_stages",
        ),
        writes=("normalized.lead_stage_history",),
    ),
)
"""The stage history of a chunk of the changed leads."""

FORGET_UNUSED_PAIRS: tuple[Step, ...] = (
    SqlStep(
        "load/8_stage_history/mapped_stages",
        reads=("normalized.lead_stage_history",),
        writes=("normalized.mapped_stages",),
    ),
)

ABSENCE: tuple[Step, ...] = (
    SqlStep(
        "load/9_absence/cohort_crawls",
        reads=("streams", "normalized.crawls"),
        writes=("cohort_crawls",),
    ),
    SqlStep(
        "load/9_absence/provider_stale_leads",
        reads=("cohort_crawls",),
        writes=("normalized.provider_stale_leads",),
    ),
    SqlStep(
        "load/9_absence/maybe_missing",
        reads=(
            "seen_leads",
            "changed_leads",
            "crawls_of_load",
            "absences_of_load",
            "normalized.leads",
            "normalized.lead_sightings",
            "normalized.crawls",
        ),
        writes=("maybe_missing",),
    ),
    SqlStep(
        "load/9_absence/lead_presence",
        reads=(
            "maybe_missing",
            "normalized.leads",
            "normalized.lead_sightings",
            "normalized.lead_absences",
            "normalized.crawls",
        ),
        writes=("lead_presence",),
    ),
    SqlStep(
        "load/9_absence/leads",
        reads=("lead_presence",),
        writes=("normalized.leads",),
    ),
)
"""Which leads are missing or listed as quiet."""

WATCH: tuple[Step, ...] = (
    SqlStep(
        "load/10_watch/told_whole",
        reads=(
            "changed_leads",
            "leads_with_changed_watch",
            "streams",
            "normalized.leads",
            "normalized.lead_stage_events",
        ),
        writes=("told_whole",),
    ),
    SqlStep(
        "load/10_watch/watched_leads",
        reads=(
            "changed_leads",
            "leads_with_changed_watch",
            "account_watches",
            "told_whole",
            "normalized.leads",
            "normalized.lead_sightings",
        ),
        writes=("watched_leads",),
    ),
    SqlStep("load/10_watch/leads", reads=("watched_leads",), writes=("normalized.leads",)),
    SqlStep(
        "load/10_watch/unobserved_changes",
        reads=("crawls_of_load", "told_whole", "normalized.audit_coverage"),
        writes=("normalized.unobserved_changes",),
    ),
)
"""Since when leads are watched, and what of their past was not seen."""

PHASES: Mapping[str, tuple[Step, ...]] = {
    "start": START,
    "read seen ids": READ_SEEN,
    "read records": (*READ, *REPAIR),
    "find drift": FIND_DRIFT,
    "map and merge leads": (*MAP_LEADS, *FIND_TIMES, *MERGE_LEADS),
    "map and merge stage changes": MERGE_STAGE_CHANGES,
    "merge drift": MERGE_DRIFT,
    "ledger": LEDGER,
    "leads": LEADS,
    "stage history": HISTORY,
    "forget unused pairs": FORGET_UNUSED_PAIRS,
    "absence": ABSENCE,
    "watch": WATCH,
}
"""All steps of a load, in an order in which they can run."""


def steps_after_reading(contents: Contents) -> tuple[Step, ...]:
    """What follows for a batch of records that have been read."""
    return (
        *REPAIR,
        *FIND_DRIFT,
        *(*MAP_LEADS, *FIND_TIMES, *MERGE_LEADS) * contents.has_leads,
        *MERGE_STAGE_CHANGES * contents.has_stage_changes,
        *MERGE_DRIFT,
    )
