-- Changes of stage and status from the history that each deal carries, from its creation on. Reads
-- `landed`, one row per record.
with changes as (
    select
        account || ':' || record_id as lead_key,
        unnest(
            json_transform(
                payload -> '$.history', '[{"property": "VARCHAR", "value": "VARCHAR", "at": "BIGINT"}]'
            )
        ) as change
    from landed
)
select distinct
    lead_key,
    lead_key || ':' || change.property || ':' || change.at as event_id,
    make_timestamptz(1000 * change.at) as occurred_at,
    change.property as field,
    lag(change.value) over (
        partition by lead_key, change.property order by change.at
    ) as from_value,
    change.value as to_value,
    row_number() over (partition by lead_key, change.property order by change.at) = 1 as is_first
from changes
where change.property in ('stage', 'status')
