-- The versions of each lead of the chunk in their order.
create temp table numbered_versions as
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
