-- The version with details that was served last, of each lead whose newest version has none.
create temp table newest_details as
select observations.lead_key, observations.version_id, observations.updated_at
from observations_of_chunk as observations
join newest_versions using (lead_key)
where observations.has_details and not newest_versions.has_details
qualify
    row_number() over (
        partition by observations.lead_key order by observations.observation_number desc
    )
    = 1
