-- The newest version of each touched lead. Details come from the newest version that has them.
-- Whole rows are fetched by updated_at too, so that DuckDB leaves out rows of other times.
create or replace temp table newest_versions as
select lead_key, version_id, updated_at, has_details
from touched_versions
qualify
    row_number() over (
        partition by lead_key order by updated_at desc, last_seen_at desc, version_id desc
    )
    = 1;
create or replace temp table newest_details as
select touched_versions.lead_key, touched_versions.version_id, touched_versions.updated_at
from touched_versions
join newest_versions using (lead_key)
where touched_versions.has_details and not newest_versions.has_details
qualify
    row_number() over (
        partition by touched_versions.lead_key
        order by
            touched_versions.updated_at desc,
            touched_versions.last_seen_at desc,
            touched_versions.version_id desc
    )
    = 1;
delete from normalized.leads
where lead_key in (select lead_key from touched);
insert into normalized.leads by name
with newest as (
    select *
    from normalized.lead_versions
    where (version_id, updated_at) in (select version_id, updated_at from newest_versions)
),
details as (
    select
        lead_key,
        timeline,
        budget_range,
        pain_points,
        ai_reasoning,
        qualification_completed_at
    from normalized.lead_versions
    where (version_id, updated_at) in (select version_id, updated_at from newest_details)
)
select
    newest.* exclude (
        version_id,
        timeline,
        budget_range,
        pain_points,
        ai_reasoning,
        qualification_completed_at,
        first_seen_at,
        last_seen_at,
        has_details,
        stream,
        crawl_id,
        page,
        fetched_at,
        payload
    ),
    -- Where the newest version has details, `details` has no row of the lead.
    coalesce(newest.timeline, details.timeline) as timeline,
    coalesce(newest.budget_range, details.budget_range) as budget_range,
    coalesce(newest.pain_points, details.pain_points) as pain_points,
    coalesce(newest.ai_reasoning, details.ai_reasoning) as ai_reasoning,
    coalesce(
        newest.qualification_completed_at, details.qualification_completed_at
    ) as qualification_completed_at,
    sightings.first_seen_at,
    sightings.last_seen_at,
    null::timestamptz as missing_since
from newest
join normalized.lead_sightings as sightings using (lead_key)
left join details using (lead_key);
