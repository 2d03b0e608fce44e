-- Each id in the files of records or of seen ids ($files), once.
select distinct record_id
from read_parquet($files, hive_partitioning = false)
