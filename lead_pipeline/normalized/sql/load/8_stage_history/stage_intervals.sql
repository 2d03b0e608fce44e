-- Stage intervals of each lead of the chunk, from what was observed and what the audit log tells.
--
-- All evidence becomes points in time (moment, rank within the moment, stage):
--   created  the stage before the first logged change, where the log reaches back to creation
--   from     just before a logged change: this stage was on, since when is not said
--   logged   a logged change: this stage began exactly now
--   observed a version shows this stage
-- Neighbouring points with the same stage and status are one interval.
create temp table stage_intervals as
with versions as (
    select
        lead_key,
        provider,
        account,
        lead_id,
        created_at,
        updated_at,
        provider_status,
        provider_stage,
        provider_stage_id,
        provider_stage_name,
        row_number() over version_order as version_number,
        row_number() over (
            partition by lead_key order by updated_at desc, last_seen_at desc, version_id desc
        )
        = 1 as is_newest
    from versions_of_chunk
    window version_order as (partition by lead_key order by updated_at, last_seen_at, version_id)
),
newest as (
    select * from versions where is_newest
),
-- Events after the newest version count only as far as they lead to the stage that it shows:
-- what comes after has not been read yet, and the newest interval must agree with the lead.
all_events as (
    select
        events.lead_key,
        events.event_id,
        events.occurred_at,
        events.from_stage,
        events.to_stage,
        newest.updated_at as newest_at,
        row_number() over event_order as event_number,
        events.to_stage is not distinct from newest.provider_stage as agrees
    from normalized.lead_stage_events as events
    join newest using (lead_key)
    window event_order as (partition by events.lead_key order by events.occurred_at, events.event_id)
),
agreed as (
    select lead_key, max(event_number) as agreed_number
    from all_events
    where agrees
    group by lead_key
),
events as (
    select
        all_events.*,
        event_number = 1 as is_first
    from all_events
    left join agreed using (lead_key)
    where occurred_at <= newest_at or event_number <= agreed_number
),
last_events as (
    select lead_key, arg_max(to_stage, event_number) as last_stage
    from events
    group by lead_key
),
-- A version a few seconds beside a logged change shows the state next to it: the log is exact.
beside_the_log as (
    select distinct versions.lead_key, versions.version_number
    from versions
    join events
        on events.lead_key = versions.lead_key
        and abs(epoch_ms(events.occurred_at) - epoch_ms(versions.updated_at)) <= 5000
        and (
            (
                events.occurred_at > versions.updated_at
                and events.to_stage is not distinct from versions.provider_stage
            )
            or (
                events.occurred_at < versions.updated_at
                and events.from_stage is not distinct from versions.provider_stage
            )
        )
    left join last_events on last_events.lead_key = versions.lead_key
    where
        not versions.is_newest
        or last_events.last_stage is not distinct from versions.provider_stage
),
-- The first stage that is known, and when: just before the first logged change or, where the log
-- has none, in the first version.
first_known as (
    select
        versions.lead_key,
        versions.account,
        newest.created_at,
        coalesce(events.occurred_at, versions.updated_at) as known_at,
        case
            when events.lead_key is not null then events.from_stage else versions.provider_stage
        end as provider_stage
    from versions
    join newest using (lead_key)
    left join events on events.lead_key = versions.lead_key and events.is_first
    where versions.version_number = 1
),
points as (
    select
        lead_key,
        created_at as moment,
        0 as rank_in_moment,
        0 as number,
        'created' as kind,
        null::varchar as provider_status,
        provider_stage,
        null::varchar as provider_stage_id,
        null::varchar as provider_stage_name
    from first_known
    where
        created_at < known_at
        and exists (
            select 1
            from normalized.audit_coverage as coverage
            where
                coverage.account = first_known.account
                and coverage.covered_from <= first_known.created_at
                and first_known.known_at < coverage.covered_until
        )
    union all by name
    select
        lead_key,
        occurred_at as moment,
        1 as rank_in_moment,
        2 * event_number as number,
        'from' as kind,
        from_stage as provider_stage
    from events
    union all by name
    select
        lead_key,
        occurred_at as moment,
        1 as rank_in_moment,
        2 * event_number + 1 as number,
        'logged' as kind,
        to_stage as provider_stage
    from events
    union all by name
    select
        lead_key,
        updated_at as moment,
        2 as rank_in_moment,
        version_number as number,
        'observed' as kind,
        provider_status,
        provider_stage,
        provider_stage_id,
        provider_stage_name
    from versions
    anti join beside_the_log using (lead_key, version_number)
),
changes as (
    select
        *,
        coalesce(
            provider_stage is distinct from lag(provider_stage) over point_order
            or provider_status is distinct from lag(provider_status) over point_order,
            true
        )
        or lag(kind) over point_order is null as begins
    from points
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
        last(provider_stage_id order by moment, rank_in_moment, number) as provider_stage_id,
        last(provider_stage_name order by moment, rank_in_moment, number) as provider_stage_name
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
    join newest using (lead_key)
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
