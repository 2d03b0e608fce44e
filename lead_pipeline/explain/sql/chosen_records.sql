-- The record behind the lead's newest version, and the one behind its details; the order is that
-- of normalized/sql/load/7_leads/newest_versions.sql.
with versions as (
    select stream, crawl_id, page, payload, has_details, updated_at, last_seen_at, version_id
    from normalized.lead_versions
    where lead_key = $lead_key
),
newest as (
    select false as is_for_details, *
    from versions
    order by updated_at desc, last_seen_at desc, version_id desc
    limit 1
),
newest_details as (
    select true as is_for_details, *
    from versions
    where has_details
    order by updated_at desc, last_seen_at desc, version_id desc
    limit 1
)
select is_for_details, stream, crawl_id, page, payload
from newest
union all
select is_for_details, stream, crawl_id, page, payload
from newest_details
