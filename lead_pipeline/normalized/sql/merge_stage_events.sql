-- Stage changes of the audit log and those already known, merged: one row per lead and event. Two
-- accounts may read the same log, so an event's id alone does not say whether it is known.
create or replace temp table merged_events as
select lead_key, event_id, occurred_at, from_stage, to_stage
from (
    select lead_key, event_id, occurred_at, from_stage, to_stage
    from mapped_events
    where from_stage is distinct from to_stage
    union all by name
    select *
    from normalized.lead_stage_events
    where event_id in (select event_id from mapped_events)
)
qualify
    row_number() over (
        partition by lead_key, event_id order by occurred_at, from_stage, to_stage
    )
    = 1;
delete from normalized.lead_stage_events
where event_id in (select event_id from mapped_events);
insert into normalized.lead_stage_events by name
select * from merged_events;
insert into touched
select distinct lead_key from mapped_events;
