-- Ten open leads that wait for somebody. Five that nobody has answered, those created last first, of the
-- seven days before $day's end; five that were qualified or booked and are quiet for two days to thirty, those
-- furthest along first, the higher score of the account before the lower. Where one has fewer than five, the
-- other has more.
with
leads as (
    select
        lead_facts.*,
        percent_rank() over (partition by lead_facts.account order by score nulls first) as rank_of_score
    from marts.lead_facts
    where is_open and not is_missing and not is_terminal
),
waiting as (
    select *, 'unanswered' as reason
    from leads
    where not has_response and stage = 'new' and created_day > $day::date - 7
    union all
    select *, 'quiet' as reason
    from leads
    where has_reached_qualified and stage in ('qualified', 'booked') and days_quiet between 2 and 30
),
ranked as (
    select
        *,
        row_number() over (
            partition by reason
            order by
                case when reason = 'quiet' then -stage_order end,
                case when reason = 'quiet' then -rank_of_score end,
                created_at desc,
                lead_key
        ) as place
    from waiting
),
shown as (from ranked order by place, reason limit 10)
select
    shown.reason,
    shown.lead_key,
    shown.account,
    shown.lead_id,
    shown.stage,
    shown.source,
    shown.score,
    shown.owner_id,
    shown.owner_name,
    shown.owner_role,
    shown.days_quiet,
    shown.has_open_breach,
    epoch(shown.data_until - shown.created_at) as seconds_since_creation,
    leads.full_name
from shown
left join normalized.leads as leads using (lead_key)
order by shown.reason desc, shown.place
