-- Stage changes from the audit log of Expert AI Labs. Reads `landed`, one row per event.
select
    account || ':' || (payload ->> '$.payload.lead_id') as lead_key,
    record_id as event_id,
    updated_at as occurred_at,
    'stage' as field,
    payload ->> '$.payload.diff.pipeline_stage.from' as from_value,
    payload ->> '$.payload.diff.pipeline_stage.to' as to_value,
    false as is_first
from landed
where
    (payload ->> '$.payload.lead_id') is not null
    and json_exists(payload, '$.payload.diff.pipeline_stage')
