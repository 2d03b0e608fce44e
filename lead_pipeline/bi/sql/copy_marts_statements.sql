-- One statement per mart of the attached file `published`: a copy of each table, then the same views of them.
with
    statements as (
        select 1 as step, format('create table marts."{0}" as from published.marts."{0}"', table_name) as statement
        from duckdb_tables()
        where database_name = 'published' and schema_name = 'marts'
        union all
        select 2, sql
        from duckdb_views()
        where database_name = 'published' and schema_name = 'marts'
    )
select statement
from statements
order by step, statement
