-- Changes told just now and those already known, merged: one row per lead, event and field. Two
-- accounts may read the same log, so an event's id alone does not say whether it is known. A record
-- may carry only the latest part of its history: what came before a value is then told by an older
-- record, which counts before one that takes the value for the first.
create temp table merged_stage_events as
select lead_key, event_id, occurred_at, field, from_value, to_value, is_first
from (
    select lead_key, event_id, occurred_at, field, from_value, to_value, is_first
    from stage_changes
    where is_first or from_value is distinct from to_value
    union all by name
    select *
    from normalized.lead_stage_events
    where event_id in (select event_id from stage_changes)
)
qualify
    row_number() over (
        partition by lead_key, event_id, field
        order by occurred_at, is_first, from_value, to_value
    )
    = 1
