-- How far an account's data reaches, in the provider's own time: through what its crawls prove,
-- or beyond it where newer changes have landed as well. Never the time at which dbt runs. A
-- provider's clock can be wrong by decades; nothing is known of the time after the last crawl.
with

    leads as (select * from {{ ref("stg_leads") }}),

    stage_history as (select * from {{ ref("stg_lead_stage_history") }}),

    coverage as (select * from {{ ref("stg_coverage") }}),

    newest_changes as (
        select
            account,
            any_value(provider) as provider,
            max(updated_at) as newest_update_at,
            max(last_seen_at) as newest_sighting_at
        from leads
        group by account
    ),

    newest_stages as (
        select account, max(entered_at) as newest_entry_at from stage_history group by account
    ),

    bounded as (
        select
            newest_changes.account,
            newest_changes.provider,
            -- Both take no notice of nulls.
            least(
                greatest(
                    coverage.complete_through,
                    newest_changes.newest_update_at,
                    newest_stages.newest_entry_at
                ),
                newest_changes.newest_sighting_at
            ) as data_until
        from newest_changes
        left join newest_stages using (account)
        left join coverage using (account)
    ),

    final as (
        select
            *,
            -- Data until midnight tells nothing of the day that begins then.
            {{ utc_date("(data_until - interval 1 microsecond)") }} as last_day,
            last_day - {{ var("daily_history_days") }} + 1 as first_day
        from bounded
    )

select *
from final
