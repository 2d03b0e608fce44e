{{
    config(
        materialized="incremental",
        incremental_strategy="append",
        on_schema_change="fail",
        pre_hook=["{{ forget_changed_days() }}", "{{ forget_days_outside() }}"],
    )
}}
-- depends_on: {{ ref("int_account_horizons") }}
with

    segments as (select * from {{ ref("int_lead_day_segments") }}),

    present as (
        {% if is_incremental() %}
            select lead_key, max(date_day) as last_day from {{ this }} group by lead_key
        {% else %}select null::varchar as lead_key, null::date as last_day where false
        {% endif %}
    ),

    missing_days as (
        select
            segments.* exclude (first_day, last_day),
            cast(
                unnest(
                    range(
                        greatest(segments.first_day, present.last_day + 1),
                        segments.last_day + 1,
                        interval 1 day
                    )
                ) as date
            ) as date_day
        from segments
        left join present using (lead_key)
        where present.last_day is null or segments.last_day > present.last_day
    ),

    final as (
        select
            date_day,
            lead_key,
            provider,
            account,
            lead_id,
            stage,
            provider_stage,
            provider_status,
            stage_number,
            date_day - stage_entered_day as days_in_stage,
            evidence,
            score,
            owner_id,
            owner_name,
            coalesce(date_day >= missing_date, false) as is_missing
        from missing_days
    )

select *
from final
