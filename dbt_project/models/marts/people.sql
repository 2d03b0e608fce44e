with

    lead_persons as (select * from {{ ref("int_lead_persons") }}),

    identifiers as (
        select
            lead_key,
            max(identifier) filter (where identifier_type = 'email') as email,
            max(identifier) filter (where identifier_type = 'phone') as phone
        from {{ ref("int_person_identifiers") }}
        where strength > 0
        group by lead_key
    ),

    leads as (
        select
            stg_leads.*,
            lead_persons.person_key,
            identifiers.email as own_email,
            identifiers.phone as own_phone,
            (stg_leads.updated_at, stg_leads.lead_key) as recency
        from {{ ref("stg_leads") }} as stg_leads
        join lead_persons using (lead_key)
        left join identifiers using (lead_key)
    ),

    final as (
        select
            person_key,
            arg_max(full_name, recency) as full_name,
            arg_max(own_email, recency) as email_normalized,
            split_part(arg_max(own_phone, recency), ';ext=', 1) as phone_e164,
            count(distinct own_email) as emails,
            count(distinct own_phone) as phones,
            count(*) as leads,
            count(*) filter (where is_missing) as leads_missing,
            count(distinct provider) as providers,
            count(distinct account) as accounts,
            string_agg(distinct provider, ', ' order by provider) as provider_list,
            arg_min_null(source, (created_at is null, created_at, lead_key)) as first_source,
            arg_max(lead_key, recency) as newest_lead_key,
            arg_max(stage, recency) as newest_stage,
            bool_or(stage = 'won') as has_won,
            bool_or(is_open) as is_open,
            min(created_at) as first_created_at,
            max(updated_at) as last_updated_at
        from leads
        group by person_key
    )

select *
from final
