-- Stage changes not known yet. An event is immutable, so its id says whether it is known.
insert into normalized.lead_stage_events by name
select lead_key, event_id, occurred_at, from_stage, to_stage
from mapped_events
where
    from_stage is distinct from to_stage
    and event_id not in (select event_id from normalized.lead_stage_events)
qualify row_number() over (partition by lead_key, event_id order by occurred_at) = 1
