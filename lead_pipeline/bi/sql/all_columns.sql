-- Columns of every table and view in the connection's file, in their order.
select schema_name, table_name, column_name, data_type
from duckdb_columns()
where database_name = current_database() and not internal
order by schema_name, table_name, column_index
