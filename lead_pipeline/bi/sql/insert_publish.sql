-- Accounts that have leads without coverage, and the other way round, are both shown.
insert into meta.publish
with

    leads_by_account as (
        select account, provider, count(*) as leads
        from normalized.leads
        group by account, provider
    )

select
    account,
    provider,
    $published_at,
    $run_id,
    coverage.complete_from,
    coverage.complete_through,
    coalesce(leads_by_account.leads, 0),
    $lead_pipeline_version,
    (select tags['storage_version'] from duckdb_databases() where database_name = current_database()),
    coverage.note,
    (select any_value(masking_key_id) from meta.masking),
    coverage.watched_from,
    coverage.poll_seconds,
    calendar.time_zone,
    calendar.working_hours,
    calendar.holidays
from meta.coverage as coverage
full outer join leads_by_account using (account, provider)
cross join meta.calendar as calendar
order by account
