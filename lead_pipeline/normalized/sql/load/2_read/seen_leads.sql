-- Leads that crawls saw without landing their records, from files of ids ($files).
insert into seen_leads by name
select account || ':' || record_id as lead_key, fetched_at as seen_at
from read_parquet($files, hive_partitioning = false)
