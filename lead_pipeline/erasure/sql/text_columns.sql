-- Columns of the database $database whose values can hold text, also within lists and structures.
select schema_name, table_name, column_name
from duckdb_columns()
where
    database_name = $database
    and not internal
    and regexp_matches(data_type, 'VARCHAR|JSON|BLOB|MAP|STRUCT')
order by all
