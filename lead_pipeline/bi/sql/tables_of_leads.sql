-- Tables of the file that say by a column `lead_key` whom their rows are about.
select schema_name, table_name
from duckdb_columns()
where database_name = current_database() and not internal and column_name = 'lead_key'
order by all
