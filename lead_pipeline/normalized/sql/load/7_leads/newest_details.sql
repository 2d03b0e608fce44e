-- The version with details that was served last, of each lead whose newest version has none. A version
-- has them where one of its records has.
create temp table newest_details as
with detailed as (
    select distinct lead_key, version_id
    from observations_of_chunk
    where
        has_details
        and lead_key in (select lead_key from observations_of_chunk where not has_details)
)
select observations.lead_key, observations.version_id, observations.updated_at
from observations_of_chunk as observations
semi join detailed using (lead_key, version_id)
where
    observations.lead_key not in (
        select newest_versions.lead_key
        from newest_versions
        semi join detailed using (lead_key, version_id)
    )
qualify
    row_number() over (
        partition by observations.lead_key order by observations.observation_number desc
    )
    = 1
