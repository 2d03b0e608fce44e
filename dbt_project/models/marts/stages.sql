-- Several provider stages can be one of ours; it stands where the first of them does.
with

    accounts as (select distinct provider, account from {{ ref("stg_leads") }}),

    canonical_stages as (select * from {{ ref("stg_canonical_stages") }}),

    mapping as (select * from {{ source("internal", "stages") }}),

    -- A row of an account takes the place of that of its provider.
    rows_that_count as (
        select accounts.account, mapping.stage, mapping.stage_order
        from accounts
        join
            mapping
            on mapping.provider = accounts.provider
            and coalesce(mapping.account, accounts.account) = accounts.account
        qualify
            row_number() over (
                partition by accounts.account, mapping.field, mapping.value
                order by mapping.account nulls last
            )
            = 1
    ),

    orders as (
        select account, stage, min(stage_order) as stage_order
        from rows_that_count
        group by account, stage
    ),

    final as (
        select
            accounts.provider,
            accounts.account,
            canonical_stages.stage,
            row_number() over (
                partition by accounts.account
                order by
                    coalesce(orders.stage_order, canonical_stages.canonical_order),
                    canonical_stages.canonical_order
            ) as place,
            canonical_stages.is_on_path,
            canonical_stages.colour,
            canonical_stages.dark_colour
        from accounts
        cross join canonical_stages
        left join
            orders on orders.account = accounts.account and orders.stage = canonical_stages.stage
    )

select *
from final
order by provider, account, place
