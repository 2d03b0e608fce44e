-- The statements that copy tables from the attached database `published` into the current one,
-- as they are declared. Generated from the catalog, because DDL takes no parameters.
with

    seeded_tables as (
        select schema_name, table_name, sql
        from duckdb_tables()
        where database_name = 'published' and list_contains($tables, table_name)
    ),

    statements as (
        select table_name, 1 as step, format('create schema if not exists "{}"', schema_name) as statement
        from seeded_tables
        union all
        select table_name, 2 as step, sql as statement
        from seeded_tables
        union all
        select
            table_name,
            3 as step,
            format('insert into "{0}"."{1}" from published."{0}"."{1}"', schema_name, table_name)
            as statement
        from seeded_tables
    )

select statement
from statements
order by step, table_name
