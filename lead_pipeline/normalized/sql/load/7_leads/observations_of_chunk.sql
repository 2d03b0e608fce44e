-- The observations of the chunk's leads in the order in which the provider served them. `Date` has
-- whole seconds: among records of one second, our clock decides.
create temp table observations_of_chunk as
select
    observations.lead_key,
    observations.version_id,
    observations.served_at,
    observations.crawl_id,
    versions.updated_at,
    versions.has_details,
    row_number() over (
        partition by observations.lead_key
        order by
            observations.served_at,
            observations.fetched_at,
            versions.updated_at,
            observations.version_id,
            observations.crawl_id
    ) as observation_number
from normalized.lead_observations as observations
join versions_of_chunk as versions using (lead_key, version_id)
