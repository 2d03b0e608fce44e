-- The version of each lead that was served last, whatever its updated_at says.
create temp table newest_versions as
select lead_key, version_id, updated_at, has_details, served_at
from observations_of_chunk
qualify
    row_number() over (partition by lead_key order by observation_number desc) = 1
