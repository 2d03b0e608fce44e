with

    canonical_stages as (select * from {{ source("internal", "canonical_stages") }}),

    final as (
        select stage, stage_order as canonical_order, is_on_path, colour, dark_colour
        from canonical_stages
    )

select *
from final
