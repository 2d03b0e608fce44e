-- The first and the last moment that a model can measure from or to.
with

    moments as (
        select unnest([created_at, updated_at, first_seen_at, last_seen_at, missing_since]) as moment
        from normalized.leads
        union all
        select unnest([entered_at, entered_after]) as moment
        from normalized.lead_stage_history
        union all
        select unnest([changed_after, changed_until]) as moment
        from internal.unobserved_changes
        union all
        select complete_through as moment
        from meta.coverage
    )

select min(moment), max(moment)
from moments
