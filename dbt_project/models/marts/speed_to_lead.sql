with

    lead_facts as (select * from {{ ref("lead_facts") }}),

    survival as (select * from {{ ref("int_response_survival") }}),

    counted as (
        select
            provider,
            account,
            source,
            owner_key,
            -- An owner can have been renamed; the newest lead has the present name.
            arg_max(owner_name, (updated_at, lead_key)) as owner_name,
            count(*) as leads,
            count(*) filter (where is_watched) as leads_watched,
            count(*) filter (where is_watched and has_response) as leads_responded,
            count(*) filter (
                where is_watched and (has_response or can_hide_stages)
            ) as leads_responded_upper,
            count(*) filter (where is_watched and not has_response and is_open) as leads_waiting,
            count(*) filter (where is_watched and age_seconds >= 86400) as leads_due,
            count(*) filter (
                where is_watched and age_seconds >= 86400 and response_seconds_upper <= 86400
            ) as due_within_24_hours,
            count(*) filter (
                where
                    is_watched
                    and age_seconds >= 86400
                    and least(
                        response_seconds_lower,
                        response_seconds_upper,
                        {{ seconds_between("created_at", "hides_after") }}
                    )
                    <= 86400
            ) as due_within_24_hours_upper
        from lead_facts
        group by provider, account, source, owner_key
    ),

    final as (
        select
            counted.*,
            survival.p50 / 60.0 as p50_minutes,
            survival.p50_lower / 60.0 as p50_minutes_lower,
            survival.p50_upper / 60.0 as p50_minutes_upper,
            survival.p90 / 60.0 as p90_minutes,
            survival.p90_lower / 60.0 as p90_minutes_lower,
            survival.p90_upper / 60.0 as p90_minutes_upper,
            {{ rate("leads_responded", "leads_watched") }} as responded_rate,
            {{ rate("leads_responded_upper", "leads_watched") }} as responded_rate_upper,
            {{ rate("due_within_24_hours", "leads_due") }} as within_24_hours_rate,
            {{ rate("due_within_24_hours_upper", "leads_due") }} as within_24_hours_rate_upper
        from counted
        left join survival using (provider, account, source, owner_key)
    )

select *
from final
order by provider, account, source, owner_key
