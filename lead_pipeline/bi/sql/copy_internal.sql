-- What models need and readers are not promised: schema `internal` is dropped before publishing.
-- Versions without what was served, contact details and custom fields; what is personal in them
-- is masked as masking.csv says for the leads.
create schema candidate.internal;
create table candidate.internal.lead_versions as
select
    lead_key,
    version_id,
    updated_at,
    first_seen_at,
    last_seen_at,
    score,
    masked(owner_id) as owner_id,
    masked_name(owner_name) as owner_name
from warehouse.normalized.lead_versions;
create table candidate.internal.provider_stale_leads as
select lead_key, account, provider, lead_id, first_listed_at, last_listed_at, is_listed
from warehouse.normalized.provider_stale_leads;
