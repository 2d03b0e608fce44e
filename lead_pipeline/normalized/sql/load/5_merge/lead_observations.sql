-- Each record is one observation of a state. A file is loaded once, so that none is counted twice.
insert into normalized.lead_observations by name
select lead_key, version_id, served_at, fetched_at, crawl_id
from keyed
