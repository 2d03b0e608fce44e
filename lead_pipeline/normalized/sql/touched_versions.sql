-- What decides the order of the touched leads' versions and their stages, read once. Only these
-- columns: rows of one lead lie all over the table, so that all of it is read.
create or replace temp table touched_versions as
select
    version_id,
    lead_key,
    provider,
    account,
    -- Told by the key: a second long text would be the dearest column of all.
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
where lead_key in (select lead_key from touched)
