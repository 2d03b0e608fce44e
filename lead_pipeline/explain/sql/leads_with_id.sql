-- Leads with one of some ids ($lead_ids) in landed files.
select distinct account, record_id
from read_parquet($files, hive_partitioning = false)
where list_contains($lead_ids, record_id)
order by all
