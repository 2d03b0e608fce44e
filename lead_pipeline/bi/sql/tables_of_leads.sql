-- Tables of the file that say by a column `lead_key` whom their rows are about; views say no more.
select columns.schema_name, columns.table_name
from duckdb_columns() as columns
semi join duckdb_tables() as tables using (database_name, schema_name, table_name)
where
    columns.database_name = current_database()
    and not columns.internal
    and columns.column_name = 'lead_key'
order by all
