select table_name, column_name
from duckdb_columns()
where
    database_name = 'warehouse'
    and schema_name = 'normalized'
    and list_contains($tables::varchar[], table_name)
order by table_name, column_index
