select table_name, column_name
from duckdb_columns()
where
    (
        database_name = 'warehouse'
        and schema_name = 'normalized'
        and list_contains($tables::varchar[], table_name)
    )
    or (database_name = 'memory' and schema_name = 'internal')
order by schema_name, table_name, column_index
