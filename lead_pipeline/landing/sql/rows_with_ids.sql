-- Where the records, or seen ids, of some leads ($ids) lie in $files.
select filename, file_row_number
from read_parquet($files, hive_partitioning = false, filename = true, file_row_number = true)
where list_contains($ids::varchar[], record_id)
