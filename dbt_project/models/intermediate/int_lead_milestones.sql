with

    stays as (select * from {{ ref("int_lead_stage_stays") }}),

    final as (
        select
            lead_key,
            count(*) - 1 as stage_changes,
            min(entered_at) filter (where stage = 'engaged') as first_engaged_at,
            min(entered_at) filter (where stage = 'qualified') as first_qualified_at,
            min(entered_at) filter (where stage = 'booked') as first_booked_at,
            min(entered_at) filter (where stage = 'won') as first_won_at,
            min(entered_at) filter (where stage = 'lost') as first_lost_at
        from stays
        group by lead_key
    )

select *
from final
