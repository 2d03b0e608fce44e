-- All evidence of stage and status as points in time, in the order (moment, rank_in_moment, number):
--   created  the state before the first logged change, where the log reaches back to creation
--   from     just before a change: this stage or status was on, since when is not said
--   logged   a change: this stage or status began exactly now
--   observed a record shows this stage and status
-- A point that lacks one of the two takes the last value known before it, else the first one after
-- it, which is none where the history of that field begins after it. `shows_stage`: whether a record
-- showed that very stage, and so its id and name.
create temp table stage_points as
with first_changes as (
    select
        lead_key,
        greatest(
            min(occurred_at) filter (where stage_to is not null),
            min(occurred_at) filter (where status_to is not null)
        ) as known_at,
        arg_min({'from': stage_from}, change_number) filter (where stage_to is not null) as stage,
        arg_min({'from': status_from}, change_number) filter (where status_to is not null) as status
    from counted_changes
    group by lead_key
),
-- The first state that is known, and when: just before the first change or, where there is none,
-- in the first observation. There is no state before a lead's first stage ever.
first_known as (
    select
        observed.lead_key,
        observed.account,
        newest.created_at,
        coalesce(
            changes.known_at, least(observed.updated_at, observed.served_at)
        ) as known_at,
        case
            when changes.status is null
            then observed.provider_status
            else changes.status['from'].value
        end as provider_status,
        case
            when changes.stage is null
            then observed.provider_stage
            else changes.stage['from'].value
        end as provider_stage
    from observations_of_chunk as observed
    join observations_of_chunk as newest
        on newest.lead_key = observed.lead_key
        and newest.is_newest
    left join first_changes as changes on changes.lead_key = observed.lead_key
    where
        observed.observation_number = 1
        and (changes.stage is null or changes.stage['from'] is not null)
),
created as (
    select
        lead_key,
        created_at as moment,
        0 as rank_in_moment,
        0 as number,
        'created' as kind,
        provider_status,
        provider_stage
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
),
-- The points of leads with reported changes. `_after`: what a point before may take from it.
evidence as (
    select
        lead_key,
        moment,
        rank_in_moment,
        number,
        kind,
        {'value': provider_status} as status,
        {'value': provider_stage} as stage,
        status as status_after,
        stage as stage_after,
        null::bigint as observation_number
    from created
    semi join counted_changes using (lead_key)
    union all by name
    select
        lead_key,
        occurred_at as moment,
        1 as rank_in_moment,
        2 * change_number as number,
        'from' as kind,
        status_from as status,
        stage_from as stage,
        status_from as status_after,
        stage_from as stage_after
    from counted_changes
    where stage_from is not null or status_from is not null
    union all by name
    select
        lead_key,
        occurred_at as moment,
        1 as rank_in_moment,
        2 * change_number + 1 as number,
        'logged' as kind,
        status_to as status,
        stage_to as stage,
        case
            when status_to is not null then coalesce(status_from, {'value': null::varchar})
        end as status_after,
        case
            when stage_to is not null then coalesce(stage_from, {'value': null::varchar})
        end as stage_after
    from counted_changes
    union all by name
    select
        observed_states.lead_key,
        observed.served_at as moment,
        2 as rank_in_moment,
        observation_number as number,
        'observed' as kind,
        observed_states.status,
        observed_states.stage,
        observed_states.status as status_after,
        observed_states.stage as stage_after,
        observation_number
    from observed_states
    join observations_of_chunk as observed using (lead_key, observation_number)
    where observed_states.status is not null or observed_states.stage is not null
),
completed as (
    select
        lead_key,
        moment,
        rank_in_moment,
        number,
        kind,
        coalesce(
            status,
            last_value(status ignore nulls) over before,
            first_value(status_after ignore nulls) over after
        ).value as provider_status,
        coalesce(
            stage,
            last_value(stage ignore nulls) over before,
            first_value(stage_after ignore nulls) over after
        ).value as provider_stage,
        observation_number,
        kind = 'observed' and stage is not null as shows_stage
    from evidence
    window
        before as (
            partition by lead_key
            order by moment, rank_in_moment, number
            rows between unbounded preceding and current row
        ),
        after as (
            partition by lead_key
            order by moment, rank_in_moment, number
            rows between current row and unbounded following
        )
)
select
    completed.* exclude (observation_number),
    observed.updated_at,
    observed.crawl_id,
    -- The id and the name are those of the stage that was served, which may have been left out.
    case when shows_stage then observed.provider_stage_id end as provider_stage_id,
    case when shows_stage then observed.provider_stage_name end as provider_stage_name
from completed
left join observations_of_chunk as observed using (lead_key, observation_number)
union all by name
-- Without reported changes, each point has both.
select *, false as shows_stage
from created
anti join counted_changes using (lead_key)
union all by name
select
    lead_key,
    served_at as moment,
    2 as rank_in_moment,
    observation_number as number,
    'observed' as kind,
    provider_status,
    provider_stage,
    updated_at,
    crawl_id,
    provider_stage_id,
    provider_stage_name,
    true as shows_stage
from observations_of_chunk
anti join counted_changes using (lead_key)
