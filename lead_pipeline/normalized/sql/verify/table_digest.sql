-- Rows of the table $name, and a sum over their hashes, which no order of rows changes.
select
    count(*) as row_count,
    printf('%032x', coalesce(sum(hash(of_table)), 0)::uhugeint) as digest
from query_table($name) as of_table
