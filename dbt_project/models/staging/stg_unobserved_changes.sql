with

    changes as (select * from {{ source("internal", "unobserved_changes") }}),

    final as (
        select
            *,
            -- At the midnights in between, what the lead was like is not known.
            {{ local_date("changed_after") }} as first_unknown_day,
            {{ local_date("(changed_until - interval 1 microsecond)") }} - 1 as last_unknown_day,
            {{ local_date("changed_after") }} as first_changed_day,
            {{ local_date("changed_until") }} as last_changed_day
        from changes
    )

select *
from final
