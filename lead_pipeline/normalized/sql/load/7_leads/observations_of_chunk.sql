-- What each observation of the chunk's leads shows of stage and status, in the order in which the
-- provider served them. `Date` has whole seconds: among records of one second, our clock decides.
-- Of continued leads the first is the newest one that was known before (`is_known`). The others are read
-- once, and only these columns: rows of one lead lie all over the table, so that all of it is read.
create temp table observations_of_chunk as
with observations as (
    select *
    from normalized.lead_observations
    where
        lead_key in (
            select lead_key
            from leads_of_chunk
            anti join continued_leads using (lead_key)
        )
    union all by name
    select
        * exclude (stage_number, entered_at, entered_after, evidence),
        -- Of the newest record only these two are asked for.
        null::uuid as version_id,
        true as has_details
    from continued_leads
    union all by name
    select added.*
    from observations_of_known as added
    semi join continued_leads using (lead_key)
)
select
    observations.lead_key,
    observations.provider,
    observations.account,
    observations.version_id,
    observations.has_details,
    until(observations.created_at, observations.served_at) as created_at,
    observations.updated_at,
    observations.served_at,
    observations.fetched_at,
    observations.crawl_id,
    observations.provider_status,
    observations.provider_stage,
    observations.provider_stage_id,
    observations.provider_stage_name,
    row_number() over in_order as observation_number,
    continued_leads.lead_key is not null and row_number() over in_order = 1 as is_known,
    lead(observations.served_at) over in_order is null as is_newest
from observations
left join continued_leads using (lead_key)
window
    in_order as (
        partition by observations.lead_key
        order by
            observations.served_at,
            observations.fetched_at,
            observations.updated_at,
            observations.version_id,
            observations.crawl_id
    )
