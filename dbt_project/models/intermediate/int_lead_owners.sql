-- Whose each lead was, as far as that is known: from the first state that was seen of it on, and
-- not in
-- the time in which the owner changed between two polls.
with

    leads as (select * from {{ ref("stg_leads") }}),

    versions as (select * from {{ ref("stg_lead_versions") }}),

    changes as (select * from {{ ref("stg_observed_changes") }} where is_owner_changed),

    first_states as (
        -- Nothing had changed since its last update.
        select lead_key, min_by(least(updated_at, first_seen_at), first_seen_at) as known_from
        from versions
        group by lead_key
    ),

    numbered as (
        select
            *,
            row_number() over lead_changes = 1 as is_first,
            lead(changed_at) over lead_changes as next_changed_at,
            lead(changed_after) over lead_changes as next_changed_after
        from changes
        window lead_changes as (partition by lead_key order by change_number)
    ),

    spans as (
        select
            leads.lead_key,
            case
                when first_changes.lead_key is null
                then leads.owner_id
                else first_changes.from_owner_id
            end as owner_id,
            case
                when first_changes.lead_key is null
                then leads.owner_name
                else first_changes.from_owner_name
            end as owner_name,
            first_states.known_from,
            first_changes.changed_after as known_until,
            first_changes.changed_at as changed_at
        from leads
        join first_states using (lead_key)
        left join
            numbered as first_changes
            on first_changes.lead_key = leads.lead_key
            and first_changes.is_first
        union all
        select
            lead_key,
            to_owner_id as owner_id,
            to_owner_name as owner_name,
            changed_at as known_from,
            next_changed_after as known_until,
            next_changed_at as changed_at
        from numbered
    ),

    final as (
        select
            lead_key,
            owner_id,
            {{ known_owner_name("owner_id", "owner_name") }} as owner_name,
            known_from,
            known_until,
            changed_at
        from spans
        -- Of two changes at one moment, the first gave it to nobody for any time.
        where changed_at is null or known_from < changed_at
    )

select *
from final
