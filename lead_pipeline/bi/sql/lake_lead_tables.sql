-- Tables of the lake that say by a column `lead_key` whom their rows are about, in every snapshot that
-- there is: each from its first snapshot to the one that no longer has it.
select
    schemas.schema_name,
    tables.table_name,
    tables.begin_snapshot,
    tables.end_snapshot
from __ducklake_metadata_lake.{schema}.ducklake_table as tables
join __ducklake_metadata_lake.{schema}.ducklake_schema as schemas using (schema_id)
where
    exists (
        select 1
        from __ducklake_metadata_lake.{schema}.ducklake_column as columns
        where columns.table_id = tables.table_id and columns.column_name = 'lead_key'
    )
order by all
