-- Observed states and the versions already known of them, merged: one row per version.
-- Minimum, maximum and "the last in a total order" do not depend on what came first, so any
-- order of loads ends in the same table. Details count before their absence, then the youngest.
create or replace temp table merged_versions as
with candidates as (
    select * exclude (fetched_at), fetched_at, fetched_at as first_seen_at, fetched_at as last_seen_at
    from observed
    union all by name
    select * exclude (phone_e164)
    from normalized.lead_versions
    -- A version has one updated_at: joining by it too lets DuckDB leave out older row groups.
    where (version_id, updated_at) in (select version_id, updated_at from observed)
),
spans as (
    select
        version_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from candidates
    group by version_id
),
kept as (
    select *
    from candidates
    qualify
        row_number() over (
            partition by version_id
            order by has_details desc, fetched_at desc, crawl_id desc, page desc, payload desc
        )
        = 1
)
select
    kept.* exclude (first_seen_at, last_seen_at),
    spans.first_seen_at,
    spans.last_seen_at,
    phones.phone_e164
from kept
join spans using (version_id)
left join phones on phones.phone = kept.phone
