-- The reported changes of each lead of the chunk, in their order, as far as they count. A change is
-- one of the stage, of the status, or of both: `stage_to` and `status_to` hold the value from then
-- on, as {value}, and are null where that field did not change; the same for `_from`, which is also
-- null where there was no value before.
create temp table counted_changes as
with newest as (
    select * from observations_of_chunk where is_newest
),
-- A stage and a status that changed at one moment are one change.
numbered_events as (
    select
        events.*,
        row_number() over (
            partition by events.lead_key, events.occurred_at, events.field
            order by events.event_id
        ) as number_in_moment
    from normalized.lead_stage_events as events
    where events.lead_key in (select lead_key from newest)
),
changes as (
    select
        lead_key,
        occurred_at,
        any_value({'value': from_value}) filter (
            where field = 'stage' and not is_first
        ) as stage_from,
        any_value({'value': to_value}) filter (where field = 'stage') as stage_to,
        any_value({'value': from_value}) filter (
            where field = 'status' and not is_first
        ) as status_from,
        any_value({'value': to_value}) filter (where field = 'status') as status_to,
        row_number() over (
            partition by lead_key order by occurred_at, number_in_moment
        ) as change_number
    from numbered_events
    group by lead_key, occurred_at, number_in_moment
),
-- Changes after the newest observation count only as far as they lead to what it shows: what comes
-- after has not been read yet, and the newest interval must agree with the lead.
settled as (
    select
        changes.*,
        changes.occurred_at > newest.served_at as is_after_newest,
        newest.provider_stage,
        newest.provider_status,
        last_value(changes.stage_to ignore nulls) over so_far as settled_stage,
        last_value(changes.status_to ignore nulls) over so_far as settled_status
    from changes
    join newest using (lead_key)
    window
        so_far as (
            partition by changes.lead_key, changes.occurred_at > newest.served_at
            order by changes.change_number
        )
),
agreed as (
    select lead_key, max(change_number) as agreed_number
    from settled
    where
        is_after_newest
        and (settled_stage is null or settled_stage.value is not distinct from provider_stage)
        and (settled_status is null or settled_status.value is not distinct from provider_status)
    group by lead_key
)
select
    lead_key,
    change_number,
    occurred_at,
    is_after_newest,
    stage_from,
    stage_to,
    status_from,
    status_to
from settled
left join agreed using (lead_key)
where not is_after_newest or change_number <= agreed_number
