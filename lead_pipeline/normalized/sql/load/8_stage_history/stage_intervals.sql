-- Neighbouring points with the same stage and status are one interval. It begins exactly where a
-- change was told, or where the lead was first seen as created.
create temp table stage_intervals as
with changes as (
    select
        *,
        coalesce(
            provider_stage is distinct from lag(provider_stage) over point_order
            or provider_status is distinct from lag(provider_status) over point_order,
            true
        )
        or lag(kind) over point_order is null as begins
    from stage_points
    window point_order as (partition by lead_key order by moment, rank_in_moment, number)
),
numbered as (
    select
        *,
        sum(begins::integer) over (
            partition by lead_key
            order by moment, rank_in_moment, number
            rows between unbounded preceding and current row
        ) as stage_number
    from changes
),
intervals as (
    select
        lead_key,
        stage_number,
        first(kind order by moment, rank_in_moment, number) as first_kind,
        min(moment) as entered_at,
        max(moment) as last_shown_at,
        any_value(provider_status) as provider_status,
        any_value(provider_stage) as provider_stage,
        -- Only versions show the stage's id and name.
        last(provider_stage_id order by moment, rank_in_moment, number) filter (
            where kind = 'observed'
        ) as provider_stage_id,
        last(provider_stage_name order by moment, rank_in_moment, number) filter (
            where kind = 'observed'
        ) as provider_stage_name
    from numbered
    group by lead_key, stage_number
),
bounded as (
    select
        intervals.*,
        newest.provider,
        newest.account,
        newest.lead_id,
        case
            when intervals.first_kind in ('created', 'logged') then 'audit_log'
            when intervals.stage_number = 1 and intervals.entered_at = newest.created_at
            then 'created'
            else 'observed'
        end as evidence,
        coalesce(
            lag(intervals.last_shown_at) over interval_order, newest.created_at
        ) as shown_before,
        lead(intervals.entered_at) over interval_order as exited_at
    from intervals
    join numbered_versions as newest
        on newest.lead_key = intervals.lead_key
        and newest.is_newest
    window interval_order as (
        partition by intervals.lead_key order by intervals.stage_number
    )
)
select
    lead_key,
    provider,
    account,
    lead_id,
    stage_number,
    provider_status,
    provider_stage,
    provider_stage_id,
    provider_stage_name,
    entered_at,
    case
        when evidence <> 'observed' then entered_at
        -- least() takes no notice of a null: without a known creation there is no bound.
        when shown_before is not null
        then least(shown_before, entered_at)
    end as entered_after,
    exited_at,
    exited_at is null as is_current,
    evidence
from bounded
