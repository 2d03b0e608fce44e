-- What each observation of the chunk's leads shows of stage and status.
create temp table observed_stages as
select
    observations.lead_key,
    versions.provider,
    versions.account,
    versions.lead_id,
    until(versions.created_at, observations.served_at) as created_at,
    versions.updated_at,
    observations.served_at,
    observations.crawl_id,
    versions.provider_status,
    versions.provider_stage,
    versions.provider_stage_id,
    versions.provider_stage_name,
    observations.observation_number,
    observations.observation_number
    = max(observations.observation_number) over (partition by observations.lead_key) as is_newest
from observations_of_chunk as observations
join versions_of_chunk as versions using (lead_key, version_id)
