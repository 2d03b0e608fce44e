-- Every table of the connection's file, and the views that readers get.
select schema_name, table_name
from duckdb_tables()
where database_name = current_database() and not internal
union all
select schema_name, view_name
from duckdb_views()
where
    database_name = current_database()
    and schema_name in ('normalized', 'marts', 'meta')
    and not internal
order by all
