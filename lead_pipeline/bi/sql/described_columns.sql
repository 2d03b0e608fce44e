-- One row per column of the file's tables and views, in their order, with what is said of both.
with
    relations as (
        select schema_name, table_name, comment, 'table' as kind
        from duckdb_tables()
        where database_name = current_database() and not internal
        union all
        select schema_name, view_name, comment, 'view'
        from duckdb_views()
        where database_name = current_database() and not internal
    )

select
    schema_name,
    table_name,
    relations.kind,
    relations.comment as table_comment,
    column_name,
    data_type,
    is_nullable,
    columns.comment as column_comment
from duckdb_columns() as columns
inner join relations using (schema_name, table_name)
where columns.database_name = current_database() and not columns.internal
order by schema_name, table_name, column_index
