-- Only of what the file has.
insert into meta.deprecations
select
    $schema_name,
    $table_name,
    $column_name,
    $replacement,
    $deprecated_in,
    $removed_in,
    $note
where
    exists (
        select 1
        from duckdb_columns()
        where
            database_name = current_database()
            and schema_name = $schema_name
            and table_name = $table_name
            and column_name = coalesce($column_name, column_name)
    )
