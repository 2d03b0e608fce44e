-- The leads of the chunk as their newest versions show them, details from the newest that has them.
-- Whole rows are fetched by updated_at too, so that DuckDB leaves out rows of other times.
delete from normalized.leads
where lead_key in (select lead_key from leads_of_chunk);
insert into normalized.leads by name
with newest as (
    select
        versions.* replace (
            coalesce(
                until(versions.updated_at, newest_versions.served_at), newest_versions.served_at
            ) as updated_at,
            -- What lies in the future has not happened: a wrong date, or a planned meeting.
            until(versions.created_at, newest_versions.served_at) as created_at,
            until(versions.last_interaction_at, newest_versions.served_at) as last_interaction_at,
            until(
                versions.qualification_completed_at, newest_versions.served_at
            ) as qualification_completed_at
        )
    from normalized.lead_versions as versions
    join newest_versions using (lead_key, version_id, updated_at)
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
    null::timestamptz as watched_from,
    null::timestamptz as missing_since
from newest
join normalized.lead_sightings as sightings using (lead_key)
left join details using (lead_key)
