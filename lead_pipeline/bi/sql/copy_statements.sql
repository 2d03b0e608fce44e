-- The statements that copy tables from the attached database `warehouse`, schema `normalized`,
-- into the current schema of the current one: as they are declared, then their rows, then their
-- comments. Generated from the catalog, because DDL takes no parameters. $treatments says what
-- masking does on the way to each of $columns (`<table>.<column>`).
with

    copied_tables as (
        select table_name, sql, comment
        from duckdb_tables()
        where
            database_name = 'warehouse'
            and schema_name = 'normalized'
            and list_contains($tables, table_name)
    ),

    copied_columns as (
        select
            table_name,
            column_name,
            column_index,
            comment,
            case ($treatments::varchar[])[
                    list_position($columns::varchar[], table_name || '.' || column_name)
                ]
                when 'hash'
                then format('masked("{}")', column_name)
                when 'hash_name'
                then format('masked_name("{}")', column_name)
                when 'hash_email'
                then format('masked_email("{}")', column_name)
                when 'remove'
                then 'null'
                else format('"{}"', column_name)
            end as copied_value
        from duckdb_columns()
        where
            database_name = 'warehouse'
            and schema_name = 'normalized'
            and list_contains($tables, table_name)
    ),

    statements as (
        select table_name, 1 as step, sql as statement
        from copied_tables
        union all
        select
            table_name,
            2 as step,
            format(
                'insert into normalized."{0}" select {1} from warehouse.normalized."{0}"',
                table_name,
                string_agg(copied_value, ', ' order by column_index)
            ) as statement
        from copied_columns
        group by table_name
        union all
        select
            table_name,
            3 as step,
            format(
                'comment on table normalized."{}" is ''{}''',
                table_name,
                replace(comment, '''', '''''')
            ) as statement
        from copied_tables
        where comment is not null
        union all
        select
            table_name,
            3 as step,
            format(
                'comment on column normalized."{}"."{}" is ''{}''',
                table_name,
                column_name,
                replace(comment, '''', '''''')
            ) as statement
        from copied_columns
        where comment is not null
    )

select statement
from statements
order by table_name, step
