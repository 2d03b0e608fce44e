-- The record behind the lead's newest version, and the one behind its details; the order is that
-- of normalized/sql/load/7_leads/observations_of_chunk.sql.
with observations as (
    select
        versions.stream,
        versions.crawl_id,
        versions.page,
        versions.payload,
        versions.has_details,
        row_number() over (
            order by
                observations.served_at,
                observations.fetched_at,
                versions.updated_at,
                observations.version_id,
                observations.crawl_id
        ) as observation_number
    from normalized.lead_observations as observations
    join normalized.lead_versions as versions using (lead_key, version_id)
    where observations.lead_key = $lead_key
),
newest as (
    select false as is_for_details, *
    from observations
    order by observation_number desc
    limit 1
),
newest_details as (
    select true as is_for_details, *
    from observations
    where has_details
    order by observation_number desc
    limit 1
)
select is_for_details, stream, crawl_id, page, payload
from newest
union all
select is_for_details, stream, crawl_id, page, payload
from newest_details
