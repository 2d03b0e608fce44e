-- Providers have finer stages than ours: a step between two of theirs that map to the same
-- stage is neither an exit nor an entry. The intervals are contiguous, so the rows at which
-- the stage changes are all that is needed. A table, since half of the models read it, and to order
-- each lead's stages takes as long as all that they do with them.
{{ config(materialized="table") }}
with

    stage_history as (select * from {{ ref("stg_lead_stage_history") }}),

    entries as (
        select
            lead_key,
            provider,
            account,
            stage,
            previous_stage,
            entered_at,
            entered_after,
            evidence,
            row_number() over lead_visits as visit_number,
            lead(entered_at) over lead_visits as exited_at,
            lead(entered_after) over lead_visits as exited_after,
            lead(entered_at) over lead_visits is null as is_current
        from stage_history
        where stage is distinct from previous_stage
        window lead_visits as (partition by lead_key order by stage_number)
    ),

    final as (
        select
            *,
            {{ utc_date("entered_at") }} as entered_date,
            {{ utc_date("exited_at") }} as exited_date
        from entries
    )

select *
from final
