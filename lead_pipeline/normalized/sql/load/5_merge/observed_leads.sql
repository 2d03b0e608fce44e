-- The leads of the observed states: their rows are to be written again, and they were seen.
insert into leads_with_records
select distinct lead_key
from keyed;
insert into seen_leads by name
select lead_key, fetched_at as seen_at, served_at
from keyed
