-- The statements that remove whatever readers are not promised, such as the staging views.
select format('drop schema "{}" cascade', schema_name) as statement
from duckdb_schemas()
where
    database_name = current_database()
    and not internal
    and schema_name not in ('main', 'normalized', 'marts', 'meta')
union all
select format('drop view main."{}"', view_name) as statement
from duckdb_views()
where database_name = current_database() and schema_name = 'main' and not internal
union all
select format('drop table main."{}"', table_name) as statement
from duckdb_tables()
where database_name = current_database() and schema_name = 'main' and not internal
