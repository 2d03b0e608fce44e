-- A target of all accounts is told of those whose data is known from its beginning on, through
-- the day that
-- each of them reaches.
{% set metrics = [
    "leads_created",
    "leads_responded",
    "reached_qualified",
    "reached_booked",
    "leads_won",
] %}
with

    daily as (select * from {{ ref("metrics_daily") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    owners as (
        select
            owner_id,
            arg_max(owner_name, (updated_at, lead_key)) as owner_name,
            list(distinct owner_key) as owner_keys
        from {{ ref("lead_facts") }}
        where owner_id is not null
        group by owner_id
    ),

    targets as (
        select
            *,
            row_number() over (
                order by starts_on, period, metric, account, owner_id
            ) as target_number,
            case
                when period = 'week'
                then starts_on + 6
                else cast(starts_on + interval 1 month as date) - 1
            end as ends_on
        from {{ ref("targets") }}
    ),

    parts as (
        select
            targets.target_number,
            targets.metric,
            targets.starts_on,
            targets.ends_on,
            targets.owner_id,
            horizons.account,
            horizons.last_proven_day,
            coalesce(
                horizons.last_proven_day >= targets.starts_on
                and (
                    targets.metric = 'leads_created'
                    or horizons.first_watched_day <= targets.starts_on
                ),
                false
            ) as is_counted
        from targets
        join horizons on targets.account is null or horizons.account = targets.account
    ),

    reaches as (
        select
            target_number,
            min(least(ends_on, last_proven_day)) filter (where is_counted) as counted_through,
            count(*) filter (where is_counted) as accounts_counted,
            count(*) filter (where not is_counted) as accounts_left_out
        from parts
        group by target_number
    ),

    sums as (
        select
            parts.target_number,
            {% for suffix in ["", "_lower", "_upper"] %}
                coalesce(
                    sum(
                        case
                            parts.metric
                            when 'leads_created'
                            then daily.leads_created
                            {% for metric in metrics if metric != "leads_created" %}
                                when '{{ metric }}' then daily.{{ metric }}{{ suffix }}
                            {% endfor %}
                        end
                    ),
                    0
                ) as value{{ suffix }},
            {% endfor %}
        from parts
        join reaches using (target_number)
        left join owners on owners.owner_id = parts.owner_id
        left join
            daily
            on daily.account = parts.account
            and daily.date_day between parts.starts_on and reaches.counted_through
            and (parts.owner_id is null or list_contains(owners.owner_keys, daily.owner_key))
        where parts.is_counted
        group by parts.target_number
    ),

    final as (
        select
            coalesce(targets.account, 'all') as account,
            targets.account is null as is_all_accounts,
            targets.owner_id,
            owners.owner_name,
            targets.metric,
            targets.period,
            targets.starts_on,
            targets.ends_on,
            cast(targets.ends_on - targets.starts_on + 1 as bigint) as days,
            reaches.counted_through,
            cast(reaches.counted_through - targets.starts_on + 1 as bigint) as days_counted,
            targets.target,
            cast(sums.value as bigint) as value,
            cast(sums.value_lower as bigint) as value_lower,
            cast(sums.value_upper as bigint) as value_upper,
            {{ rate("sums.value", "targets.target") }} as target_share,
            coalesce({{ rate("days_counted", "days") }}, 0) as time_share,
            coalesce(reaches.accounts_counted, 0) as accounts_counted,
            coalesce(reaches.accounts_left_out, 0) as accounts_left_out
        from targets
        left join reaches using (target_number)
        left join sums using (target_number)
        left join owners on owners.owner_id = targets.owner_id
        -- An owner of whom no lead is known, or who is masked, is not named here either.
        where targets.owner_id is null or owners.owner_id is not null
    )

select *
from final
order by starts_on, period, metric, account, owner_id
