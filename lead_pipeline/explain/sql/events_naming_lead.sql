-- Audit log events whose JSON holds the lead's id somewhere, and where each lies.
select filename, stream, updated_at, payload, fetched_at, crawl_id, page
from read_parquet($files, hive_partitioning = false, filename = true)
where contains(payload, $lead_id)
order by updated_at, record_id
