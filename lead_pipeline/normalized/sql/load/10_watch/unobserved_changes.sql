-- What an audit log tells, or the records themselves do, was observed.
delete from normalized.unobserved_changes as changes
using normalized.audit_coverage as covered
where
    covered.account = changes.account
    and covered.covered_from <= changes.changed_after
    and changes.changed_until <= covered.covered_until
    and covered.account in (select account from crawls_of_load);
delete from normalized.unobserved_changes
where
    lead_key in (
        select events.lead_key
        from normalized.lead_stage_events as events
        join normalized.leads using (lead_key)
        where
            events.is_first
            and events.lead_key in (select lead_key from changed_leads)
            and not exists (
                select 1
                from streams as logs
                where logs.provider = leads.provider and logs.kind = 'events'
            )
    )
