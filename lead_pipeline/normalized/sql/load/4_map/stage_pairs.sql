-- The pairs of status and stage that the records at hand show.
insert into stage_pairs by name
select distinct account, provider, provider_status, provider_stage
from keyed
