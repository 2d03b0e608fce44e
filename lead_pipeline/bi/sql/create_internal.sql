-- What models need and readers are not promised, as views of the warehouse: no published file has
-- them. Versions without what was served, contact details, custom fields and version_id, which is
-- an unkeyed digest of all that: the order of a lead's versions is all that models need of it.
create schema memory.internal;
create view memory.internal.lead_versions as
select
    lead_key,
    row_number() over (
        partition by lead_key order by updated_at, last_seen_at, version_id
    ) as version_number,
    updated_at,
    first_seen_at,
    score,
    owner_id,
    owner_name
from warehouse.normalized.lead_versions;
create view memory.internal.unobserved_changes as
select lead_key, account, changed_after, changed_until
from warehouse.normalized.unobserved_changes;
create view memory.internal.watches as
select account, watched_from, poll_seconds, history_from, proven_until
from warehouse.normalized.watches;
create view memory.internal.provider_stale_leads as
select lead_key, account, provider, lead_id, first_listed_at, last_listed_at, is_listed
from warehouse.normalized.provider_stale_leads;
create view memory.internal.canonical_stages as
select stage, stage_order, is_terminal, is_on_path, colour, dark_colour
from warehouse.normalized.canonical_stages;
create view memory.internal.stages as
select account, provider, field, value, stage, stage_order
from warehouse.normalized.stages;
create view memory.internal.mapped_stages as
select account, provider, provider_status, provider_stage, stage, stage_order, is_terminal
from warehouse.normalized.mapped_stages;
