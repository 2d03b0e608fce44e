-- What is already known of the states that were observed just now. A version has one updated_at:
-- joining by it too lets DuckDB leave out rows of other times.
-- Most states are new: then only these two columns are read.
create temp table known_versions as
with found as materialized (
    select version_id, updated_at
    from normalized.lead_versions
    where (version_id, updated_at) in (select version_id, updated_at from keyed)
)
select *
from normalized.lead_versions
where (version_id, updated_at) in (select version_id, updated_at from found)
