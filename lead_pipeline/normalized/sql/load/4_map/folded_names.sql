-- The names of statuses and stages that are to be looked up, to be folded.
select provider_status as name
from unmapped_pairs
where provider_status is not null
union
select provider_stage as name
from unmapped_pairs
where provider_stage is not null
