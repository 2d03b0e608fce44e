-- Leads whose first interval may now be known exactly, or no longer: between their creation and
-- their first known stage lies a part of a stretch in which the coverage of their audit log changed.
create temp table leads_with_changed_coverage as
with first_versions as (
    select
        account,
        lead_key,
        min(updated_at) as updated_at,
        min(created_at) as created_at
    from normalized.lead_versions
    where account in (select account from changed_audit_coverage)
    group by account, lead_key
),
first_of_fields as (
    select lead_key, field, min(occurred_at) as occurred_at
    from normalized.lead_stage_events
    where lead_key in (select lead_key from first_versions)
    group by lead_key, field
),
first_events as (
    select lead_key, max(occurred_at) as occurred_at
    from first_of_fields
    group by lead_key
)
select distinct first_versions.lead_key
from first_versions
join changed_audit_coverage as changed using (account)
left join first_events using (lead_key)
where
    coalesce(first_events.occurred_at, first_versions.updated_at) >= changed.changed_from
    and first_versions.created_at < changed.changed_until
