-- States that are there more than once. Most come once; only the others are compared, since that
-- takes sorting whole records.
create temp table repeated_versions as
select version_id
from (
    select version_id from keyed
    union all
    select version_id from known_versions
)
group by version_id
having count(*) > 1
