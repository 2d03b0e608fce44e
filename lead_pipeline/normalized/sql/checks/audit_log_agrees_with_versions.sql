-- Intervals that were only observed although the audit log had landed whole for their time. A
-- change of the status alone counts where the account's log reports statuses at all.
with only_observed as (
    select
        history.lead_key,
        history.account,
        history.stage_number,
        history.provider_stage
    from normalized.lead_stage_history as history
    join normalized.audit_coverage as coverage
        on coverage.account = history.account
        and coverage.covered_from <= history.entered_after
        and history.entered_at < coverage.covered_until
    where history.evidence = 'observed'
),
with_statuses as (
    select distinct split_part(lead_key, ':', 1) as account
    from normalized.lead_stage_events
    where field = 'status'
),
disagreeing as (
    select observed.lead_key
    from only_observed as observed
    left join normalized.lead_stage_history as earlier
        on earlier.lead_key = observed.lead_key
        and earlier.stage_number = observed.stage_number - 1
    where
        earlier.lead_key is null
        or earlier.provider_stage is distinct from observed.provider_stage
        or observed.account in (select account from with_statuses)
)
select
    count(*) as failures,
    (array_agg(distinct lead_key order by lead_key))[:5] as examples,
    (select count(*) from normalized.audit_coverage) as looked_at
from disagreeing
