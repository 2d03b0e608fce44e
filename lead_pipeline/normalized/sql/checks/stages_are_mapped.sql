-- Values that the stage mapping does not know, with the number of leads that have them now.
with unmapped as (
    select provider, provider_status, provider_stage, count(*) as leads
    from normalized.leads
    where stage = 'unmapped'
    group by all
)
select
    count(*) as failures,
    (
        array_agg(
            format(
                '{}: {} ({:,} leads)',
                provider,
                coalesce(provider_status || ' / ', '')
                || coalesce(nullif(provider_stage, ''), '(no stage)'),
                leads
            )
            order by leads desc, provider, provider_status, provider_stage
        )
    )[:20] as examples,
    (select count(*) from normalized.leads) as looked_at
from unmapped
