{% set path = ["engaged", "qualified", "booked", "won"] %}
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
            arg_min_null(entered_after, stage_number) filter (where stage = 'lost') as lost_after,
            -- A lead that is qualified was spoken to, also where nobody saw it in between.
            {% for stage in path %}
                min(entered_at) filter (where place >= {{ stage }}_place) as reached_{{ stage }}_at,
                arg_min_null(entered_after, stage_number) filter (
                    where place >= {{ stage }}_place
                ) as reached_{{ stage }}_after,
            {% endfor %}
            -- When it was last done with, and when it last was again not.
            max(entered_at) filter (
                where is_terminal and not coalesce(was_terminal, false)
            ) as closed_at,
            arg_max_null(entered_after, stage_number) filter (
                where is_terminal and not coalesce(was_terminal, false)
            ) as closed_after,
            count(*) filter (where was_terminal and not is_terminal) as times_reopened,
            max(entered_at) filter (where was_terminal and not is_terminal) as reopened_at,
            arg_max_null(entered_after, stage_number) filter (
                where was_terminal and not is_terminal
            ) as reopened_after
        from history
        cross join places
        group by lead_key
    ),

    final as (
        select
            *,
            {% for stage in path %}
                reached_{{ stage }}_at is not null as has_reached_{{ stage }},
            {% endfor %}
            first_lost_at is not null as has_reached_lost
        from summed
    )

select *
from final
