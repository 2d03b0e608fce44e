-- The pairs of status and stage that the intervals show.
insert into stage_pairs by name
select distinct account, provider, provider_status, provider_stage
from stage_intervals
