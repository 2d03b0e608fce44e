-- A visit begins between entered_after and entered_at and ends between exited_after and
-- exited_at. So
-- it lasts at least from the latest beginning to the earliest end, and at most from the earliest
-- beginning to the latest end. One that is not over is measured up to where it is known to hold.
with

    visits as (select * from {{ ref("int_lead_stage_visits") }}),

    leads as (
        select lead_key, watched_from, stage_known_until, is_missing, is_open
        from {{ ref("int_dated_leads") }}
    ),

    measured as (
        select
            visits.*,
            leads.watched_from,
            leads.is_missing,
            leads.is_open as is_lead_open,
            coalesce(visits.exited_at, leads.stage_known_until) as ended_at,
            case
                when visits.is_current
                then leads.stage_known_until
                else coalesce(visits.exited_after, visits.entered_at)
            end as ended_after
        from visits
        left join leads using (lead_key)
    ),

    final as (
        select
            *,
            {{ seconds_between("entered_at", "ended_at") }} as seconds_in_stage,
            {{ seconds_between("entered_at", "ended_after") }} as min_seconds_in_stage,
            {{ seconds_between("entered_after", "ended_at") }} as max_seconds_in_stage,
            entered_after >= watched_from as is_watched_from_start,
            -- Under watch since it had begun, at a moment that is known.
            entered_after = entered_at
            and entered_at < watched_from
            and ended_after >= watched_from as enters_late
        from measured
    )

select *
from final
