-- Intervals that were only observed although the audit log had landed whole for their time.
select
    count(*) as failures,
    (array_agg(distinct history.lead_key order by history.lead_key))[:5] as examples
from normalized.lead_stage_history as history
join normalized.audit_coverage as coverage
    on coverage.account = history.account
    and coverage.covered_from <= history.entered_after
    and history.entered_at < coverage.covered_until
where history.evidence = 'observed'
