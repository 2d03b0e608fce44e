-- Leads of the chunk of which this load only has records that were served after all that are known,
-- with the newest of these and the stage interval that it lies in: what was before stays as it is, and
-- is not read. Of all others the whole history is read and written again. Those are leads of which
--   a record was served before the newest one that is known, or as it was;
--   changes are told by an audit log or by the records, which count against what was observed;
--   the creation is another one now, by which the first interval is bounded;
--   an older record may have the details that the newest has not;
--   crawls before the newest one prove more, or something else, than they did.
create temp table continued_leads as
with continued as (
    select known.lead_key
    from normalized.newest_observations as known
    join observations_of_known as added using (lead_key)
    join normalized.leads using (lead_key)
    semi join leads_of_chunk on leads_of_chunk.lead_key = known.lead_key
    anti join leads_with_changed_proofs as proofs on proofs.lead_key = known.lead_key
    anti join normalized.lead_stage_events as events on events.lead_key = known.lead_key
    anti join normalized.audit_coverage as covered on covered.account = leads.account
    anti join changed_audit_coverage as changed on changed.account = leads.account
    anti join crawls_of_load as crawls on crawls.crawl_id = known.crawl_id
    group by known.lead_key
    having
        bool_and(
            (added.served_at, added.fetched_at) > (known.served_at, known.fetched_at)
            and until(added.created_at, added.served_at) is not distinct from leads.created_at
            and added.has_details
        )
)
select
    known.lead_key,
    known.served_at,
    known.fetched_at,
    known.updated_at,
    known.crawl_id,
    leads.provider,
    leads.account,
    leads.provider_status,
    leads.provider_stage,
    leads.provider_stage_id,
    leads.provider_stage_name,
    leads.created_at,
    history.stage_number,
    history.entered_at,
    history.entered_after,
    history.evidence
from normalized.newest_observations as known
semi join continued using (lead_key)
join normalized.leads using (lead_key)
join normalized.lead_stage_history as history
    on history.lead_key = known.lead_key
    and history.is_current
