-- Which stage and status an observation shows, as {value}, for leads with changes. The log may be
-- written after the list: an observation that shows what the next change leads to has seen that very
-- change, where it follows within a quarter of an hour. And a list a few seconds after a change may
-- still be that before it. There the change is exact, and the value of the observation is left out
-- (null). That of the newest is left out only for a change after it.
create temp table observed_states as
with next_changes as (
    select
        observed.lead_key,
        observed.observation_number,
        min(changes.change_number) filter (where changes.stage_to is not null) as stage_change,
        min(changes.change_number) filter (where changes.status_to is not null) as status_change
    from observations_of_chunk as observed
    join counted_changes as changes
        on changes.lead_key = observed.lead_key
        and changes.occurred_at > observed.served_at
    group by observed.lead_key, observed.observation_number
),
beside as (
    select
        observed.lead_key,
        observed.observation_number,
        bool_or(
            changes.stage_to is not null
            and case
                when changes.change_number = next_changes.stage_change
                then changes.stage_to.value is not distinct from observed.provider_stage
                when changes.occurred_at < observed.served_at and not observed.is_newest
                then changes.stage_from.value is not distinct from observed.provider_stage
                else false
            end
        ) as is_beside_stage,
        bool_or(
            changes.status_to is not null
            and case
                when changes.change_number = next_changes.status_change
                then changes.status_to.value is not distinct from observed.provider_status
                when changes.occurred_at < observed.served_at and not observed.is_newest
                then changes.status_from.value is not distinct from observed.provider_status
                else false
            end
        ) as is_beside_status
    from observations_of_chunk as observed
    join counted_changes as changes
        on changes.lead_key = observed.lead_key
        and changes.occurred_at
        between observed.served_at - interval 5 seconds
        and observed.served_at + interval 15 minutes
    left join next_changes
        on next_changes.lead_key = observed.lead_key
        and next_changes.observation_number = observed.observation_number
    group by observed.lead_key, observed.observation_number
),
-- Where a lead never has a status, neither served nor reported, its absence is no evidence.
with_status as (
    select lead_key
    from observations_of_chunk
    where provider_status is not null
    union
    select lead_key
    from counted_changes
    where status_to.value is not null
)
select
    observed.lead_key,
    observed.observation_number,
    case
        when not coalesce(beside.is_beside_stage, false)
        then {'value': observed.provider_stage}
    end as stage,
    case
        when
            not coalesce(beside.is_beside_status, false)
            and (
                not coalesce(beside.is_beside_stage, false)
                or observed.lead_key in (select lead_key from with_status)
            )
        then {'value': observed.provider_status}
    end as status
from observations_of_chunk as observed
left join beside using (lead_key, observation_number)
semi join counted_changes using (lead_key)
