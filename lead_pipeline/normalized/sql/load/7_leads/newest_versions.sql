-- The version of each lead that was served last, whatever its updated_at says.
create temp table newest_versions as
select lead_key, version_id, updated_at, served_at
from observations_of_chunk
where is_newest
