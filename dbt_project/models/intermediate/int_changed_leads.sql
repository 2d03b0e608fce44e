-- Leads that can have been in any stage on a day, because they changed between two polls around it,
-- or vanished after it. Only days under watch: of those before, nothing is told.
{{ config(materialized="table") }}
with

    changes as (select * from {{ ref("stg_unobserved_changes") }}),

    leads as (select * from {{ ref("int_dated_leads") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    ranges as (
        select lead_key, first_changed_day as first_day, last_changed_day as last_day
        from changes
        union all
        select
            lead_key,
            {{ local_date("stage_known_until") }} as first_day,
            {{ local_date("missing_since") }} as last_day
        from leads
        where is_missing
    ),

    watched as (
        select
            ranges.lead_key,
            leads.account,
            greatest(ranges.first_day, horizons.first_watched_day) as first_day,
            least(ranges.last_day, horizons.last_day) as last_day
        from ranges
        join leads using (lead_key)
        join horizons on horizons.account = leads.account
        where horizons.first_watched_day is not null
    ),

    final as (
        select distinct
            lead_key,
            account,
            cast(unnest(range(first_day, last_day + 1, interval 1 day)) as date) as date_day
        from watched
        where first_day <= last_day
    )

select *
from final
