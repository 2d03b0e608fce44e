-- The newest version of each touched lead. Details come from the newest version that has them.
delete from normalized.leads
where lead_key in (select lead_key from touched);
insert into normalized.leads by name
with versions as (
    select *
    from normalized.lead_versions
    where lead_key in (select lead_key from touched)
),
newest as (
    select *
    from versions
    qualify
        row_number() over (
            partition by lead_key order by updated_at desc, last_seen_at desc, version_id desc
        )
        = 1
),
newest_details as (
    select
        lead_key,
        timeline,
        budget_range,
        pain_points,
        ai_reasoning,
        qualification_completed_at
    from versions
    where has_details
    qualify
        row_number() over (
            partition by lead_key order by updated_at desc, last_seen_at desc, version_id desc
        )
        = 1
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
    newest_details.timeline,
    newest_details.budget_range,
    newest_details.pain_points,
    newest_details.ai_reasoning,
    newest_details.qualification_completed_at,
    sightings.first_seen_at,
    sightings.last_seen_at,
    null::timestamptz as missing_since
from newest
join normalized.lead_sightings as sightings using (lead_key)
left join newest_details using (lead_key);
