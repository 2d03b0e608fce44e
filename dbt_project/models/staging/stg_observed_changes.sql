with

    changes as (select * from {{ source("internal", "observed_changes") }}),

    final as (
        select
            lead_key,
            change_number,
            changed_after,
            changed_at,
            is_score_changed,
            from_score,
            to_score,
            is_owner_changed,
            from_owner_id,
            from_owner_name,
            to_owner_id,
            to_owner_name
        from changes
    )

select *
from final
