-- The newest version of each lead.
create temp table newest_versions as
select lead_key, version_id, updated_at, has_details
from versions_of_chunk
qualify
    row_number() over (
        partition by lead_key order by updated_at desc, last_seen_at desc, version_id desc
    )
    = 1
