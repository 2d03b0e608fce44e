insert into meta.tables
select schema_name, table_name, $row_count, comment
from duckdb_tables()
where database_name = current_database() and schema_name || '.' || table_name = $name
union all
select schema_name, view_name, $row_count, comment
from duckdb_views()
where database_name = current_database() and schema_name || '.' || view_name = $name
