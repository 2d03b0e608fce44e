-- The name and the columns that earlier versions had: visits of canonical stages, with their
-- lengths, are
-- in stage_visits, the intervals of provider stages in normalized.lead_stage_history.
{{ config(materialized="view") }}
with

    bounded as (
        select
            history.*,
            lag(history.stage) over lead_intervals as previous_stage,
            coalesce(history.exited_at, facts.stage_known_until) as known_until,
            -- The earliest end: that of the earliest beginning of what came next.
            case
                when history.is_current
                then facts.stage_known_until
                else coalesce(lead(history.entered_after) over lead_intervals, history.entered_at)
            end as ended_after
        from {{ source("normalized", "lead_stage_history") }} as history
        join {{ ref("lead_facts") }} as facts using (lead_key)
        window lead_intervals as (partition by history.lead_key order by history.stage_number)
    )

select
    lead_key,
    stage_number,
    provider,
    account,
    lead_id,
    stage,
    previous_stage,
    provider_stage,
    provider_stage_id,
    provider_stage_name,
    provider_status,
    entered_at,
    entered_after,
    exited_at,
    is_current,
    evidence,
    known_until,
    {{ seconds_between("entered_at", "known_until") }} as seconds_in_stage,
    {{ seconds_between("entered_at", "ended_after") }} as min_seconds_in_stage,
    {{ seconds_between("entered_after", "known_until") }} as max_seconds_in_stage,
    {{ whole_days("seconds_in_stage") }} as days_in_stage
from bounded
