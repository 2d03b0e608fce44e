-- The newest version with details of each lead whose newest version has none.
create temp table newest_details as
select versions_of_chunk.lead_key, versions_of_chunk.version_id, versions_of_chunk.updated_at
from versions_of_chunk
join newest_versions using (lead_key)
where versions_of_chunk.has_details and not newest_versions.has_details
qualify
    row_number() over (
        partition by versions_of_chunk.lead_key
        order by
            versions_of_chunk.updated_at desc,
            versions_of_chunk.last_seen_at desc,
            versions_of_chunk.version_id desc
    )
    = 1
