-- Each record is one observation of a state. A file is loaded once, so that none is counted twice. What
-- stands in it beside the identity of the state is the same in each of the state's records, but for
-- has_details, which is the record's own.
create temp view new_observations as
select
    lead_key,
    version_id,
    served_at,
    fetched_at,
    crawl_id,
    provider,
    account,
    provider_status,
    provider_stage,
    provider_stage_id,
    provider_stage_name,
    has_details,
    created_at,
    updated_at
from keyed;
insert into normalized.lead_observations by name
select *
from new_observations;
insert into observations_of_known by name
select new_observations.*
from new_observations
semi join normalized.newest_observations using (lead_key)
