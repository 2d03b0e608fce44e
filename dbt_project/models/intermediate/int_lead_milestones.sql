with

    stays as (
        select *, {{ stage_rank("stage") }} as stage_rank from {{ ref("int_lead_stage_stays") }}
    ),

    final as (
        select
            lead_key,
            count(*) - 1 as stage_changes,
            min(entered_at) filter (where stage = 'engaged') as first_engaged_at,
            min(entered_at) filter (where stage = 'qualified') as first_qualified_at,
            min(entered_at) filter (where stage = 'booked') as first_booked_at,
            min(entered_at) filter (where stage = 'won') as first_won_at,
            min(entered_at) filter (where stage = 'lost') as first_lost_at,
            -- A lead that is qualified was spoken to, also where nobody saw it in between.
            min(entered_at) filter (where stage_rank >= 2) as first_response_at,
            arg_min_null(entered_after, stay_number) filter (
                where stage_rank >= 2
            ) as first_response_after,
            coalesce(max(stage_rank), 1) as furthest_rank
        from stays
        group by lead_key
    )

select *
from final
