with

    links as (select * from {{ ref("int_person_links") }}),

    lead_persons as (select * from {{ ref("int_lead_persons") }}),

    final as (
        select
            links.lead_key,
            links.other_lead_key,
            lead_persons.person_key,
            links.identifier_kind,
            links.is_same_name,
            links.strength,
            lead_persons.person_key = others.person_key as is_joined
        from links
        join lead_persons using (lead_key)
        join lead_persons as others on others.lead_key = links.other_lead_key
    )

select *
from final
