-- What decides the order of these leads' versions and their stages, read once. Only these
-- columns: rows of one lead lie all over the table, so that all of it is read.
create temp table versions_of_chunk as
select
    version_id,
    lead_key,
    provider,
    account,
    -- Taken from the key: a second long text would cost the most of all columns.
    substr(lead_key, length(account) + 2) as lead_id,
    provider_status,
    provider_stage,
    provider_stage_id,
    provider_stage_name,
    stage,
    has_details,
    created_at,
    updated_at,
    last_seen_at
from normalized.lead_versions
where lead_key in (select lead_key from leads_of_chunk)
