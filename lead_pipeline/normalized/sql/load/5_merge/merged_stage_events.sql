-- Stage changes told just now and those already known, merged: one row per lead and event. Two
-- accounts may read the same log, so an event's id alone does not say whether it is known.
create temp table merged_stage_events as
select lead_key, event_id, occurred_at, from_stage, to_stage
from (
    select lead_key, event_id, occurred_at, from_stage, to_stage
    from stage_changes
    where from_stage is distinct from to_stage
    union all by name
    select *
    from normalized.lead_stage_events
    where event_id in (select event_id from stage_changes)
)
qualify
    row_number() over (
        partition by lead_key, event_id order by occurred_at, from_stage, to_stage
    )
    = 1
