-- Like with like: whole periods only, as many days before as now, and for all accounts together
-- the same accounts in both periods.
{% set metrics = [
    "leads_responded",
    "reached_qualified",
    "reached_booked",
    "leads_won",
    "leads_lost",
    "leads_reopened",
    "leads_reassigned",
] %}
with

    daily as (select * from {{ ref("metrics_daily") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    coverage as (select * from {{ ref("stg_coverage") }}),

    targets as (select * from {{ ref("targets") }} where owner_id is null),

    -- Creations are told by the leads themselves, all else by watching.
    accounts as (
        select
            horizons.account,
            horizons.first_watched_day,
            {{ local_date("(coverage.complete_from - interval 1 microsecond)") }}
            + 1 as first_complete_day,
            horizons.last_proven_day as last_day
        from horizons
        left join coverage using (account)
        where horizons.last_proven_day is not null
    ),

    days as (
        {% for metric in ["leads_created"] + metrics %}
            {% set suffixes = (
                ["", "", ""] if metric == "leads_created" else ["", "_lower", "_upper"]
            ) %}
            select
                account,
                date_day,
                '{{ metric }}' as metric,
                sum({{ metric }}{{ suffixes[0] }}) as value,
                sum({{ metric }}{{ suffixes[1] }}) as value_lower,
                sum({{ metric }}{{ suffixes[2] }}) as value_upper
            from daily
            group by account, date_day
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    metrics as (select unnest({{ ["leads_created"] + metrics }}) as metric),

    -- Each account as far as its own data reaches, and all as far as any does.
    reaches as (
        select account as of_account, false as is_all_accounts, last_day
        from accounts
        union all
        select 'all' as of_account, true as is_all_accounts, max(last_day) as last_day
        from accounts
        having count(*) > 0
    ),

    ends as (
        select
            *,
            cast(date_trunc('week', last_day + 1) as date) as next_week,
            cast(date_trunc('month', last_day + 1) as date) as next_month
        from reaches
    ),

    periods as (
        {% for period, starts_on, ends_on, previous_starts_on, previous_ends_on in [
            ("day", "last_day", "last_day", "last_day - 1", "last_day - 1"),
            ("seven_days", "last_day - 6", "last_day", "last_day - 13", "last_day - 7"),
            ("week", "next_week - 7", "next_week - 1", "next_week - 14", "next_week - 8"),
            (
                "month",
                "cast(next_month - interval 1 month as date)",
                "next_month - 1",
                "cast(next_month - interval 2 month as date)",
                "starts_on - 1",
            ),
            (
                "week_so_far",
                "cast(date_trunc('week', last_day) as date)",
                "last_day",
                "starts_on - 7",
                "last_day - 7",
            ),
            (
                "month_so_far",
                "cast(date_trunc('month', last_day) as date)",
                "last_day",
                "cast(starts_on - interval 1 month as date)",
                "previous_starts_on + cast(last_day - starts_on as integer)",
            ),
        ] %}
            select
                of_account,
                is_all_accounts,
                '{{ period }}' as period,
                {{ starts_on }} as starts_on,
                {{ ends_on }} as ends_on,
                {{ previous_starts_on }} as previous_starts_on,
                {{ previous_ends_on }} as previous_ends_on
            from ends
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    parts as (
        select
            periods.*,
            metrics.metric,
            accounts.account,
            case
                when metrics.metric = 'leads_created'
                then coalesce(accounts.first_complete_day, date '-infinity')
                else accounts.first_watched_day
            end as known_from,
            accounts.last_day >= periods.ends_on
            and coalesce(known_from <= periods.starts_on, false) as is_known,
            -- The month before can have had fewer days than this one has so far.
            is_known
            and coalesce(known_from <= periods.previous_starts_on, false)
            and periods.previous_ends_on < periods.starts_on as is_comparable
        from periods
        join accounts on periods.is_all_accounts or accounts.account = periods.of_account
        cross join metrics
    ),

    chosen as (
        select
            *,
            case
                when
                    bool_or(is_comparable) over (
                        partition by of_account, is_all_accounts, period, metric
                    )
                then is_comparable
                else is_known
            end as is_counted
        from parts
    ),

    sums as (
        select
            chosen.of_account,
            chosen.is_all_accounts,
            chosen.period,
            chosen.metric,
            chosen.account,
            {% for value in ["value", "value_lower", "value_upper"] %}
                coalesce(
                    sum(days.{{ value }}) filter (where days.date_day >= chosen.starts_on), 0
                ) as {{ value }},
                coalesce(
                    sum(days.{{ value }}) filter (where days.date_day <= chosen.previous_ends_on), 0
                ) as previous_{{ value }},
            {% endfor %}
        from chosen
        left join
            days
            on days.account = chosen.account
            and days.metric = chosen.metric
            and days.date_day between chosen.previous_starts_on and chosen.ends_on
        where chosen.is_counted
        group by all
    ),

    counted as (
        select
            chosen.of_account as account,
            chosen.is_all_accounts,
            chosen.period,
            chosen.metric,
            chosen.starts_on,
            chosen.ends_on,
            chosen.previous_starts_on,
            chosen.previous_ends_on,
            count(*) filter (where chosen.is_counted) as accounts_counted,
            count(*) filter (where not chosen.is_counted) as accounts_left_out,
            {% for value in ["value", "value_lower", "value_upper"] %}
                sum(sums.{{ value }}) as {{ value }},
                sum(sums.previous_{{ value }}) filter (
                    where chosen.is_comparable
                ) as previous_{{ value }},
            {% endfor %}
        from chosen
        left join sums using (of_account, is_all_accounts, period, metric, account)
        group by all
    ),

    outcomes as (
        select
            account,
            is_all_accounts,
            period,
            'win_rate' as metric,
            starts_on,
            ends_on,
            previous_starts_on,
            previous_ends_on,
            any_value(accounts_counted) as accounts_counted,
            any_value(accounts_left_out) as accounts_left_out,
            {% for value in ["value", "previous_value"] %}
                {% for suffix, opposite in [("", ""), ("_lower", "_upper"), ("_upper", "_lower")] %}
                    max({{ value }}{{ suffix }}) filter (
                        where metric = 'leads_won'
                    ) as {{ value }}_won{{ suffix }},
                    max({{ value }}{{ opposite }}) filter (
                        where metric = 'leads_lost'
                    ) as {{ value }}_lost{{ suffix }},
                    {{
                        rate(
                            value ~ "_won" ~ suffix,
                            "("
                            ~ value
                            ~ "_won"
                            ~ suffix
                            ~ " + "
                            ~ value
                            ~ "_lost"
                            ~ suffix
                            ~ ")",
                        )
                    }} as {{ value }}{{ suffix }},
                {% endfor %}
            {% endfor %}
        from counted
        where metric in ('leads_won', 'leads_lost')
        group by all
    ),

    compared as (
        select *
        from counted
        union all by name
        select
            * exclude (
                {% for value in ["value", "previous_value"] %}
                    {% for suffix in ["", "_lower", "_upper"] %}
                        {{ value }}_won{{ suffix }}, {{ value }}_lost{{ suffix }},
                    {% endfor %}
                {% endfor %}
            )
        from outcomes
    ),

    final as (
        select
            compared.period,
            compared.account,
            compared.is_all_accounts,
            compared.metric,
            compared.starts_on,
            compared.ends_on,
            cast(compared.ends_on - compared.starts_on + 1 as bigint) as days,
            case
                when compared.previous_value is not null then compared.previous_starts_on
            end as previous_starts_on,
            case
                when compared.previous_value is not null then compared.previous_ends_on
            end as previous_ends_on,
            cast(compared.value as double) as value,
            cast(compared.value_lower as double) as value_lower,
            cast(compared.value_upper as double) as value_upper,
            cast(compared.previous_value as double) as previous_value,
            cast(compared.previous_value_lower as double) as previous_value_lower,
            cast(compared.previous_value_upper as double) as previous_value_upper,
            cast(compared.value - compared.previous_value as double) as difference,
            cast(
                compared.value_lower - compared.previous_value_upper as double
            ) as difference_lower,
            cast(
                compared.value_upper - compared.previous_value_lower as double
            ) as difference_upper,
            {{ rate("(compared.value - compared.previous_value)", "compared.previous_value") }}
            as change_rate,
            targets.target,
            {{ rate("compared.value", "targets.target") }} as target_share,
            compared.accounts_counted,
            compared.accounts_left_out
        from compared
        left join
            targets
            on targets.metric = compared.metric
            and targets.period = replace(compared.period, '_so_far', '')
            and targets.starts_on = compared.starts_on
            and case
                when targets.account is null
                then compared.is_all_accounts
                else targets.account = compared.account and not compared.is_all_accounts
            end
    )

select *
from final
order by period, is_all_accounts desc, account, metric
