-- When crawls met the lead without landing it, and where that is noted.
select distinct filename, fetched_at, crawl_id
from read_parquet($files, hive_partitioning = false, filename = true)
where record_id = $lead_id
