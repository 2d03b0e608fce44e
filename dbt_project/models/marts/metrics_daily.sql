-- What was seen to happen, on the day of its latest possible moment. Between two polls at midnight
-- it can have been on either day: then it is not certain, and possible on both. Only days under
-- watch: of those before, nothing is told, but for creations.
{% set firsts = [
    ("leads_responded", "response"),
    ("reached_qualified", "reached_qualified"),
    ("reached_booked", "reached_booked"),
] %}
{% set bounded = [
    "leads_responded",
    "reached_qualified",
    "reached_booked",
    "leads_won",
    "leads_lost",
    "leads_reopened",
    "leads_reassigned",
] %}
with

    leads as (select * from {{ ref("lead_facts") }}),

    visits as (select * from {{ ref("stage_visits") }} where is_counted),

    changes as (select * from {{ ref("lead_changes") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    -- A lead that leaves a stage in which it was done with is opened again.
    reopened as (
        select lead_key, entered_after, entered_at
        from {{ ref("stg_lead_stage_history") }}
        where was_terminal and not is_terminal
    ),

    moments as (
        {% for metric, moment in firsts %}
            select
                lead_key,
                '{{ metric }}' as metric,
                {{ moment }}_after as after,
                {{ moment }}_at as at
            from leads
            where {{ moment }}_after >= watched_from or {{ moment }}_after = {{ moment }}_at
            union all
        {% endfor %}
        select lead_key, 'leads_' || stage as metric, entered_after as after, entered_at as at
        from visits
        where stage in ('won', 'lost')
        union all
        select lead_key, 'leads_reopened' as metric, entered_after as after, entered_at as at
        from reopened
        union all
        select lead_key, 'leads_reassigned' as metric, changed_after as after, changed_at as at
        from changes
        where field = 'owner' and from_value is not null and to_value is not null
    ),

    spans as (
        select
            moments.lead_key,
            moments.metric,
            {{ local_date("moments.at") }} as told_day,
            {{ local_date("moments.after") }} as earliest_day,
            greatest(earliest_day, horizons.first_watched_day) as first_day
        from moments
        join leads using (lead_key)
        join horizons on horizons.account = leads.account
        where told_day >= horizons.first_watched_day
    ),

    happened as (
        select
            lead_key,
            metric,
            cast(unnest(range(first_day, told_day + 1, interval 1 day)) as date) as date_day,
            told_day,
            earliest_day = told_day as is_certain
        from spans
        union all
        select
            lead_key,
            'leads_created' as metric,
            created_day as date_day,
            created_day as told_day,
            true as is_certain
        from leads
        where created_day is not null
    ),

    counted as (
        select
            happened.date_day,
            leads.provider,
            leads.account,
            leads.source,
            leads.owner_key,
            count(*) filter (where metric = 'leads_created') as leads_created,
            {% for metric in bounded %}
                count(*) filter (
                    where metric = '{{ metric }}' and happened.date_day = told_day
                ) as {{ metric }},
                count(*) filter (
                    where metric = '{{ metric }}' and is_certain
                ) as {{ metric }}_lower,
                count(*) filter (where metric = '{{ metric }}') as {{ metric }}_upper,
            {% endfor %}
        from happened
        join leads using (lead_key)
        group by all
    ),

    -- An owner can have been renamed; the newest lead has the present name.
    owners as (
        select owner_key, arg_max(owner_name, (updated_at, lead_key)) as owner_name
        from leads
        group by owner_key
    ),

    final as (
        select
            counted.date_day,
            counted.provider,
            counted.account,
            counted.source,
            counted.owner_key,
            owners.owner_name,
            coalesce(counted.date_day >= horizons.first_watched_day, false) as is_watched,
            coalesce(
                is_watched and counted.date_day <= horizons.last_proven_day, false
            ) as is_whole,
            counted.leads_created,
            {% for metric in bounded %}
                {% for suffix in ["", "_lower", "_upper"] %}
                    case
                        when is_watched then counted.{{ metric }}{{ suffix }}
                    end as {{ metric }}{{ suffix }},
                {% endfor %}
            {% endfor %}
        from counted
        left join horizons using (account)
        left join owners using (owner_key)
    )

select *
from final
order by date_day, provider, account, source, owner_key
