{% set stages = ["qualified", "booked", "won"] %}
with

    lead_facts as (select * from {{ ref("lead_facts") }}),

    survival as (select * from {{ ref("int_owner_response_survival") }}),

    counted as (
        select
            owner_key,
            any_value(provider) as provider,
            any_value(account) as account,
            any_value(owner_id) as owner_id,
            -- An owner can have been renamed; the newest lead has the present name.
            arg_max(owner_name, (updated_at, lead_key)) as owner_name,
            arg_max(owner_role, (updated_at, lead_key)) as owner_role,
            count(*) as leads,
            count(*) filter (where is_missing) as leads_missing,
            count(*) filter (where is_watched) as leads_watched,
            count(*) filter (where is_open) as leads_open,
            count(*) filter (where is_won) as leads_won,
            count(*) filter (where is_lost) as leads_lost,
            count(*) filter (where is_stale) as leads_stale,
            {{ reached(stages) }}
            count(*) filter (where has_open_breach) as leads_over_limit
        from lead_facts
        group by owner_key
    ),

    final as (
        select
            counted.*,
            survival.p50 / 60.0 as p50_response_minutes,
            survival.p50_lower / 60.0 as p50_response_minutes_lower,
            survival.p50_upper / 60.0 as p50_response_minutes_upper,
            {{ reached_rates(["qualified", "booked"]) }}
            {{ rate("leads_won", "leads_won + leads_lost") }} as win_rate
        from counted
        left join survival using (owner_key)
    )

select *
from final
order by owner_key
