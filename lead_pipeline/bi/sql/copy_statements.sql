-- The statements that copy the $tables of the attached database `warehouse`, schema `normalized`,
-- and the views of `memory`, schema `internal`, into the schemas of the same names of the current
-- database: tables as they are declared, then their rows, then their comments. Generated from the
-- catalog, because DDL takes no parameters. $treatments says what masking does on the way to each
-- of $columns (`<table>.<column>`), $keys how the rows of each of $keyed_tables are put in order.
with

    copied_tables as (
        select schema_name, table_name, sql, comment
        from duckdb_tables()
        where
            database_name = 'warehouse'
            and schema_name = 'normalized'
            and list_contains($tables::varchar[], table_name)
    ),

    copied_columns as (
        select
            database_name,
            schema_name,
            table_name,
            column_name,
            column_index,
            data_type,
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
            end as copied_value,
            list_position(
                string_split(
                    ($keys::varchar[])[list_position($keyed_tables::varchar[], table_name)], ', '
                ),
                column_name
            ) as place_in_key
        from duckdb_columns()
        where
            (
                database_name = 'warehouse'
                and schema_name = 'normalized'
                and list_contains($tables::varchar[], table_name)
            )
            or (database_name = 'memory' and schema_name = 'internal')
    ),

    statements as (
        select table_name, 1 as step, sql as statement
        from copied_tables
        union all
        select
            table_name,
            1 as step,
            format(
                'create table internal."{}" ({})',
                table_name,
                string_agg(format('"{}" {}', column_name, data_type), ', ' order by column_index)
            ) as statement
        from copied_columns
        where schema_name = 'internal'
        group by table_name
        union all
        select
            table_name,
            2 as step,
            format(
                'insert into {1}."{2}" select {3} from {0}.{1}."{2}" order by {4}',
                database_name,
                schema_name,
                table_name,
                string_agg(copied_value, ', ' order by column_index),
                -- By what is copied: the order of what is not would tell of it.
                string_agg(copied_value, ', ' order by place_in_key) filter (place_in_key > 0)
            ) as statement
        from copied_columns
        group by database_name, schema_name, table_name
        union all
        select
            table_name,
            3 as step,
            format(
                'comment on table {}."{}" is ''{}''',
                schema_name,
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
                'comment on column {}."{}"."{}" is ''{}''',
                schema_name,
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
