-- Targets of the weeks and months that $day lies in.
select
    account,
    is_all_accounts,
    owner_id,
    owner_name,
    metric,
    period,
    ends_on,
    counted_through,
    target,
    value,
    value_lower,
    value_upper,
    time_share,
    accounts_left_out
from marts.target_progress
where $day::date between starts_on and ends_on
order by period desc, owner_id is not null, metric, account, owner_id
