-- Since when each account is polled without a gap, and since when its history is known: since it is
-- polled or, where an audit log that lands without a gap reaches back further, since that begins.
-- Where records tell their whole history, since ever.
create temp table account_watches as
with newest_logs as (
    select account, max(covered_from) as covered_from
    from normalized.audit_coverage
    group by account
),
telling as (
    select distinct crawls.account
    from normalized.crawls as crawls
    join streams using (provider, stream)
    where streams.tells_history
)
select
    polled.account,
    polled.watched_from,
    polled.poll_seconds,
    polled.all_from,
    polled.proven_until,
    least(
        polled.watched_from,
        -- No lead is older than the earliest usable time, so that stands for since ever. Of nulls,
        -- least() and greatest() take no notice.
        case
            when telling.account is not null
            then timestamptz '1990-01-01 00:00:00Z'
            when newest_logs.covered_from is not null
            then greatest(newest_logs.covered_from, timestamptz '1990-01-01 00:00:00Z')
        end
    ) as history_from
from polled_accounts as polled
left join newest_logs using (account)
left join telling using (account)
