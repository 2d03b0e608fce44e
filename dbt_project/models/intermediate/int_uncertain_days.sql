-- Days at whose end the stage that a lead is shown in is not certain: between two polls it changed,
-- or it was seen for the last time before it vanished. Days beyond what an account's crawls prove,
-- and those of an unknown stage, are uncertain for all leads and have no row here.
{{ config(materialized="table") }}
with

    changes as (select * from {{ ref("stg_unobserved_changes") }}),

    leads as (select * from {{ ref("int_dated_leads") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    first_known as (
        select lead_key, min({{ local_date("entered_at") }}) as first_known_day
        from {{ ref("stg_lead_stage_history") }}
        group by lead_key
    ),

    ranges as (
        select lead_key, first_unknown_day as first_day, last_unknown_day as last_day
        from changes
        union all
        select
            leads.lead_key,
            {{ local_date("leads.stage_known_until") }} as first_day,
            horizons.last_day
        from leads
        join horizons using (account)
        where leads.is_missing
    ),

    known as (
        select
            ranges.lead_key,
            greatest(ranges.first_day, first_known.first_known_day) as first_day,
            ranges.last_day
        from ranges
        join first_known using (lead_key)
    ),

    -- Each day once: bounds round to the safe side, so that stretches can overlap.
    final as (
        select
            lead_key,
            greatest(
                first_day,
                max(last_day) over (
                    partition by lead_key
                    order by first_day, last_day
                    rows between unbounded preceding and 1 preceding
                )
                + 1
            ) as first_day,
            last_day
        from known
        where first_day <= last_day
    )

select *
from final
where first_day <= last_day
