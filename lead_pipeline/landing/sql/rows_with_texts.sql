-- Events ($files) whose JSON has one of some texts ($written) in quotes, and where each lies.
select filename, file_row_number, stream, payload
from read_parquet($files, hive_partitioning = false, filename = true, file_row_number = true)
where list_has_any(regexp_extract_all(payload, '"((?:[^"\\]|\\.)*)"', 1), $written::varchar[])
