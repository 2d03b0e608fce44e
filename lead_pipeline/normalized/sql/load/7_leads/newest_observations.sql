-- The newest observation of each of the chunk's leads, from which later loads continue.
delete from normalized.newest_observations
where lead_key in (select lead_key from leads_of_chunk);
insert into normalized.newest_observations by name
select lead_key, served_at, fetched_at, updated_at, crawl_id
from observations_of_chunk
where is_newest
