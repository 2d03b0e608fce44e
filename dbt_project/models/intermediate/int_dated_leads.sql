with

    leads as (select * from {{ ref("stg_leads") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    final as (
        select
            leads.*,
            horizons.data_until,
            -- An account is read as a whole: a lead that later crawls did not show again had
            -- not changed. A missing lead is known up to when it was last met.
            case
                when leads.is_missing
                then least(leads.last_seen_at, horizons.data_until)
                else horizons.data_until
            end as stage_known_until
        from leads
        left join horizons using (account)
    )

select *
from final
