-- Leads whose first interval may now be known exactly, or no longer: between their creation and
-- their first known stage lies a part of [$changed_from, $changed_until), in which the coverage
-- of the audit log of $account changed.
insert into touched
with first_versions as (
    select lead_key, min(updated_at) as updated_at, min(created_at) as created_at
    from normalized.lead_versions
    where account = $account
    group by lead_key
),
first_events as (
    select lead_key, min(occurred_at) as occurred_at
    from normalized.lead_stage_events
    group by lead_key
)
select first_versions.lead_key
from first_versions
left join first_events using (lead_key)
where
    coalesce(first_events.occurred_at, first_versions.updated_at) >= $changed_from
    and first_versions.created_at < $changed_until
