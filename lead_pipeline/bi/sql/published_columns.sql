select schema_name, table_name, column_name, data_type
from duckdb_columns()
where database_name = 'published' and list_contains($tables, table_name)
