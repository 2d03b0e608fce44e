-- What there is to choose from: per $grain, account, source and owner, what happened then, and of the leads
-- created then and watched since, how far they have got. Of the $days days until $day; sources and owners that
-- are not among the $most with most leads are 'all others'. Figures of days on which nobody watched are null.
with
facts as (from marts.lead_facts),
largest_sources as (select source from facts group by source order by count(*) desc, source limit $most),
largest_owners as (
    select owner_key from facts group by owner_key order by count(*) desc, owner_key limit $most
),
happened as (
    select
        date_day,
        account,
        source,
        owner_key,
        leads_created,
        leads_responded,
        reached_qualified,
        reached_booked,
        leads_won,
        leads_lost,
        leads_responded_lower,
        reached_qualified_lower,
        reached_booked_lower,
        leads_won_lower,
        leads_lost_lower
    from marts.metrics_daily
),
cohorts as (
    select
        created_day as date_day,
        account,
        source,
        owner_key,
        count(*) as cohort_leads,
        count(*) filter (where has_reached_engaged) as cohort_engaged,
        count(*) filter (where has_reached_qualified) as cohort_qualified,
        count(*) filter (where has_reached_booked) as cohort_booked,
        count(*) filter (where has_reached_won) as cohort_won
    from facts
    where is_watched and created_day is not null
    group by all
),
everything as (
    from happened
    union all by name
    from cohorts
),
folded as (
    select
        everything.* exclude (source, owner_key, date_day),
        cast(date_trunc($grain, date_day) as date) as starts_on,
        coalesce(largest_sources.source, 'all others') as source,
        coalesce(largest_owners.owner_key, 'all others') as owner_key
    from everything
    left join largest_sources using (source)
    left join largest_owners using (owner_key)
    where date_day > $day::date - $days::integer and date_day <= $day::date
)
select
    strftime(starts_on, '%Y-%m-%d') as starts_on,
    account,
    source,
    owner_key,
    sum(columns(* exclude (starts_on, account, source, owner_key)))::bigint
from folded
group by starts_on, account, source, owner_key
order by starts_on, account, source, owner_key
