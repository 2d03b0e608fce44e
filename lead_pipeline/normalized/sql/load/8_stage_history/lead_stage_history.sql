-- The stage intervals of the chunk's leads, with their canonical stages; of continued leads those from
-- the one on that was current.
delete from normalized.lead_stage_history
where
    lead_key in (
        select lead_key
        from leads_of_chunk
        anti join continued_leads using (lead_key)
    );
delete from normalized.lead_stage_history
where is_current and lead_key in (select lead_key from continued_leads);
insert into normalized.lead_stage_history by name
select stage_intervals.*, mapped_stages.stage
from stage_intervals
join normalized.mapped_stages as mapped_stages
    on mapped_stages.account = stage_intervals.account
    and mapped_stages.provider = stage_intervals.provider
    and mapped_stages.provider_status is not distinct from stage_intervals.provider_status
    and mapped_stages.provider_stage is not distinct from stage_intervals.provider_stage
