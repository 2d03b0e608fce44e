-- The statements that make the tables of the lake those of the published file, and no others.
with
    published as (
        select schema_name, table_name
        from duckdb_tables()
        where database_name = 'published' and not internal
        union all
        -- As tables: a lake is read by programs that may not know views of DuckDB.
        select schema_name, view_name
        from duckdb_views()
        where database_name = 'published' and not internal
    ),
    statements as (
        select distinct
            1 as step, format('create schema if not exists lake."{}"', schema_name) as statement
        from published
        union all
        select
            2,
            format(
                'create or replace table lake."{}"."{}" as from published."{}"."{}"',
                schema_name,
                table_name,
                schema_name,
                table_name
            )
        from published
        union all
        select 3, format('drop table lake."{}"."{}"', schema_name, table_name)
        from duckdb_tables()
        where
            database_name = 'lake'
            and (schema_name, table_name) not in (select (schema_name, table_name) from published)
    )
select statement
from statements
order by step, statement
