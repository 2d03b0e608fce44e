-- Files that this load should have read and that the ledger does not have with all their rows.
-- `files_to_check`: (path, loaded_rows) of the crawls that this load looked at.
with lacking as (
    select path
    from files_to_check
    anti join normalized.loaded_files using (path, loaded_rows)
)
select
    count(*) as failures,
    (array_agg(path order by path))[:5] as examples,
    (select count(*) from files_to_check) as looked_at
from lacking
