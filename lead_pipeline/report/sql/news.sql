-- What happened on the last whole day and in the seven days that end with it, in all accounts of which that is
-- known; and by how much it differs from the same time before, in those of which both are known.
with
compared as (
    from marts.period_comparison
    where period in ('day', 'seven_days') and metric <> 'win_rate'
),
known as (
    select
        period,
        metric,
        ends_on,
        sum(value)::bigint as value,
        sum(value_lower)::bigint as value_lower,
        sum(value_upper)::bigint as value_upper,
        count(value) as accounts
    from compared
    where not is_all_accounts
    group by period, metric, ends_on
)
select
    compared.period,
    compared.metric,
    compared.ends_on,
    known.value,
    known.value_lower,
    known.value_upper,
    known.accounts,
    compared.value::bigint as compared_value,
    compared.previous_value::bigint as previous_value,
    compared.difference_lower::bigint as difference_lower,
    compared.difference_upper::bigint as difference_upper,
    compared.accounts_counted
from compared
-- Periods of an account that is behind end on a day of its own.
join known using (period, metric, ends_on)
where compared.is_all_accounts
