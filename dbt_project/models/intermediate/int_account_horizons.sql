-- How far an account's data reaches, in the provider's own time: through what its crawls prove,
-- whether or not they met a lead, or beyond it where newer changes have landed as well. Never the
-- time at which dbt runs. A table, since nearly all models read it: these few rows are computed
-- from
-- all leads, states and stages.
{{ config(materialized="table") }}
with

    leads as (select * from {{ ref("stg_leads") }}),

    versions as (select * from {{ ref("stg_lead_versions") }}),

    stage_history as (select * from {{ ref("stg_lead_stage_history") }}),

    coverage as (select * from {{ ref("stg_coverage") }}),

    watches as (select * from {{ ref("stg_watches") }}),

    -- A provider's clock, or the time in a single record, can be wrong by decades. Whatever it
    -- says, a state had come about when a crawl first met it.
    newest_states as (
        select
            lead_key,
            max(least(updated_at, first_seen_at)) as updated_at,
            max(first_seen_at) as first_seen_at
        from versions
        group by lead_key
    ),

    newest_entries as (
        select lead_key, max(entered_at) as entered_at from stage_history group by lead_key
    ),

    newest_changes as (
        select
            leads.account,
            any_value(leads.provider) as provider,
            max(
                greatest(
                    newest_states.updated_at,
                    case
                        when newest_entries.entered_at > newest_states.first_seen_at
                        then newest_states.first_seen_at
                        else newest_entries.entered_at
                    end
                )
            ) as changed_at
        from leads
        left join newest_states using (lead_key)
        left join newest_entries using (lead_key)
        group by leads.account
    ),

    reached as (
        select
            newest_changes.account,
            newest_changes.provider,
            -- Takes no notice of nulls.
            greatest(coverage.complete_through, newest_changes.changed_at) as data_until,
            watches.history_from,
            greatest(coverage.complete_through, watches.proven_until) as proven_until
        from newest_changes
        left join coverage using (account)
        left join watches using (account)
    ),

    final as (
        select
            *,
            -- Data until midnight tells nothing of the day that begins then.
            {{ local_date("(data_until - interval 1 microsecond)") }} as last_day,
            last_day - {{ var("daily_history_days") }} + 1 as first_day,
            -- The first day whose changes were all seen, to within a poll, and the last one at
            -- whose
            -- end the state of all leads is proven.
            {{ local_date("(history_from - interval 1 microsecond)") }} + 1 as first_watched_day,
            {{ local_date("proven_until") }} - 1 as last_proven_day
        from reached
    )

select *
from final
