with

    lead_facts as (
        select
            *,
            response_seconds / 60.0 as response_minutes,
            min_response_seconds / 60.0 as min_response_minutes,
            response_seconds <= 86400 as is_within_24_hours
        from {{ ref("int_lead_facts") }}
    ),

    counted as (
        select
            provider,
            account,
            source,
            owner_key,
            -- An owner can have been renamed; the newest lead has the present name.
            arg_max(owner_name, (updated_at, lead_key)) as owner_name,
            count(*) as leads,
            count(*) filter (where has_response) as leads_responded,
            count(*) filter (where not has_response and is_open) as leads_waiting,
            count(*) filter (
                where has_response and created_at is null
            ) as responses_of_unknown_start,
            quantile_cont(response_minutes, 0.5) as p50_minutes,
            quantile_cont(min_response_minutes, 0.5) filter (
                where response_minutes is not null
            ) as p50_minutes_lower,
            quantile_cont(response_minutes, 0.9) as p90_minutes,
            quantile_cont(min_response_minutes, 0.9) filter (
                where response_minutes is not null
            ) as p90_minutes_lower,
            avg(response_minutes) as mean_minutes,
            avg(min_response_minutes) filter (
                where response_minutes is not null
            ) as mean_minutes_lower,
            count(*) filter (where observed_seconds >= 86400) as leads_due,
            count(*) filter (
                where observed_seconds >= 86400 and is_within_24_hours
            ) as due_within_24_hours
        from lead_facts
        group by provider, account, source, owner_key
    ),

    final as (
        select
            *,
            {{ rate("leads_responded", "leads") }} as responded_rate,
            {{ rate("due_within_24_hours", "leads_due") }} as within_24_hours_rate
        from counted
    )

select *
from final
order by provider, account, source, owner_key
