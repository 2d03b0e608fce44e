-- Observed states and the versions already known of them, merged: one row per version.
-- Minimum, maximum and "the last in a total order" do not depend on what came first, so any
-- order of loads ends in the same table. Details count before their absence, then the youngest.
delete from normalized.lead_versions
where (version_id, updated_at) in (select version_id, updated_at from known_versions);
insert into normalized.lead_versions by name
with repeated as (
    select
        observed.* exclude (record_row, served_at, raw_payload),
        observed.raw_payload as payload,
        observed.fetched_at as first_seen_at,
        observed.fetched_at as last_seen_at
    from observed
    semi join repeated_versions using (version_id)
    union all by name
    select *
    from known_versions
),
merged as (
    select
        * replace (
            min(first_seen_at) over (partition by version_id) as first_seen_at,
            max(last_seen_at) over (partition by version_id) as last_seen_at
        )
    from repeated
    qualify
        row_number() over (
            partition by version_id
            order by has_details desc, fetched_at desc, crawl_id desc, page desc, payload desc
        )
        = 1
)
select *
from merged;
-- A statement of its own: the payloads of states that are there once are passed on, not gathered.
insert into normalized.lead_versions by name
select
    observed.* exclude (record_row, served_at, raw_payload),
    observed.raw_payload as payload,
    observed.fetched_at as first_seen_at,
    observed.fetched_at as last_seen_at
from observed
anti join repeated_versions using (version_id)
