-- A stay begins between entered_after and entered_at and ends between exited_after and
-- exited_at. So it lasts at least from the latest beginning to the earliest end, and at most
-- from the earliest beginning to the latest end. One that is not over is measured up to where it
-- is known to hold.
with

    stays as (select * from {{ ref("int_lead_stage_stays") }}),

    leads as (
        select lead_key, stage_known_until, is_missing, is_open from {{ ref("int_dated_leads") }}
    ),

    measured as (
        select
            stays.*,
            leads.is_missing,
            leads.is_open as is_lead_open,
            coalesce(stays.exited_at, leads.stage_known_until) as ended_at,
            case
                when stays.is_current
                then leads.stage_known_until
                else coalesce(stays.exited_after, stays.entered_at)
            end as ended_after
        from stays
        left join leads using (lead_key)
    ),

    final as (
        select
            *,
            {{ seconds_between("entered_at", "ended_at") }} as seconds_in_stage,
            {{ seconds_between("entered_at", "ended_after") }} as min_seconds_in_stage,
            {{ seconds_between("entered_after", "ended_at") }} as max_seconds_in_stage
        from measured
    )

select *
from final
