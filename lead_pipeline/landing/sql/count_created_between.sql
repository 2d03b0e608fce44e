-- How many landed leads were created in [$start, $end).
select count(distinct record_id)
from read_parquet($files, hive_partitioning = false)
where created_at >= $start and created_at < $end
