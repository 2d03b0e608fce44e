with

    lead_facts as (select * from {{ ref("int_lead_facts") }}),

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
            count(*) filter (where is_open) as leads_open,
            count(*) filter (where is_won) as leads_won,
            count(*) filter (where is_lost) as leads_lost,
            count(*) filter (where is_stale) as leads_stale,
            count(*) filter (where has_open_breach) as leads_over_limit,
            count(*) filter (where has_reached_qualified) as reached_qualified,
            count(*) filter (where has_reached_booked) as reached_booked,
            count(*) filter (where has_reached_won) as reached_won,
            quantile_cont(response_seconds / 60.0, 0.5) as p50_response_minutes
        from lead_facts
        group by owner_key
    ),

    final as (
        select
            *,
            {{ rate("reached_qualified", "leads") }} as qualified_rate,
            {{ rate("reached_booked", "leads") }} as booked_rate,
            {{ rate("leads_won", "leads_won + leads_lost") }} as win_rate
        from counted
    )

select *
from final
order by owner_key
