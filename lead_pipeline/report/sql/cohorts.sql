-- Of the last $weeks weeks in which leads of $accounts were created that are watched since: how many of these
-- leads were qualified and won at each age, at least and at most. Null where the week is too young for it.
with
summed as (
    select
        cohort_starts_on,
        age_days,
        sum(leads_watched)::bigint as leads_watched,
        bool_and(is_ripe) as is_ripe,
        sum(reached_qualified)::bigint as qualified,
        sum(reached_qualified_upper)::bigint as qualified_upper,
        sum(reached_won)::bigint as won,
        sum(reached_won_upper)::bigint as won_upper
    from marts.cohort_conversion
    where grain = 'week' and leads_watched > 0 and list_contains($accounts::varchar[], account)
    group by cohort_starts_on, age_days
)
select
    cohort_starts_on,
    any_value(leads_watched) as leads_watched,
    map_from_entries(list((age_days, case when is_ripe then [qualified, qualified_upper] end))) as qualified,
    map_from_entries(list((age_days, case when is_ripe then [won, won_upper] end))) as won
from summed
group by cohort_starts_on
order by cohort_starts_on desc
limit $weeks
