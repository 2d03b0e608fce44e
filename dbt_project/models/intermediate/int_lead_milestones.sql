with

    canonical_stages as (select * from {{ ref("stg_canonical_stages") }}),

    history as (
        select
            stage_history.*,
            -- How far along the path from a new lead to a won one; null beside the path. A row of
            -- the mapping can place a provider's stage further along than the canonical one.
            case
                when canonical_stages.is_on_path
                then greatest(stage_history.stage_order, canonical_stages.canonical_order)
            end as place
        from {{ ref("stg_lead_stage_history") }} as stage_history
        left join canonical_stages using (stage)
    ),

    places as (
        select
            max(canonical_order) filter (where stage = 'engaged') as engaged_place,
            max(canonical_order) filter (where stage = 'qualified') as qualified_place,
            max(canonical_order) filter (where stage = 'booked') as booked_place,
            max(canonical_order) filter (where stage = 'won') as won_place
        from canonical_stages
    ),

    summed as (
        select
            lead_key,
            count(*) filter (where stage is distinct from previous_stage) - 1 as stage_changes,
            min(entered_at) filter (where stage = 'engaged') as first_engaged_at,
            min(entered_at) filter (where stage = 'qualified') as first_qualified_at,
            min(entered_at) filter (where stage = 'booked') as first_booked_at,
            min(entered_at) filter (where stage = 'won') as first_won_at,
            min(entered_at) filter (where stage = 'lost') as first_lost_at,
            -- A lead that is qualified was spoken to, also where nobody saw it in between.
            min(entered_at) filter (where place >= engaged_place) as first_response_at,
            arg_min_null(entered_after, stage_number) filter (
                where place >= engaged_place
            ) as first_response_after,
            coalesce(max(place), 0) as furthest_place
        from history
        cross join places
        group by lead_key
    ),

    final as (
        select
            summed.*,
            furthest_place >= engaged_place as has_reached_engaged,
            furthest_place >= qualified_place as has_reached_qualified,
            furthest_place >= booked_place as has_reached_booked,
            furthest_place >= won_place as has_reached_won
        from summed
        cross join places
    )

select *
from final
