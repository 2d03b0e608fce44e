-- (table, column, type) of schema normalized, in order.
select table_name, column_name, data_type
from duckdb_columns()
where database_name = current_database() and schema_name = 'normalized'
order by table_name, column_index
