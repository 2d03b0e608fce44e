-- A row: the weeks and the leads are not of one publication.
with
    weeks as (select coalesce(sum(leads), 0) as leads from {{ ref("wins_by_week") }}),
    leads as (
        select count(*) as leads
        from {{ source("leads", "lead_facts") }}
        where created_week is not null
    )
select weeks.leads, leads.leads as leads_now
from weeks
cross join leads
where weeks.leads <> leads.leads
