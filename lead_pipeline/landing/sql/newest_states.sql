-- The newest landed state of each asked-for lead. $files: Parquet files; $ids: lead ids.
select
    record_id,
    max(updated_at) as updated_at,
    max(created_at) as created_at
from read_parquet($files, hive_partitioning = false)
where record_id in (select unnest($ids::varchar[]))
group by record_id
