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

    shared as (select person_key from lead_persons group by person_key having count(*) > 1),

    -- Most people are one lead: what it says is what they are, and nothing is to be compared.
    of_one_lead as (
        select
            person_key,
            full_name,
            own_email as email_normalized,
            split_part(own_phone, ';ext=', 1) as phone_e164,
            cast(own_email is not null as bigint) as emails,
            cast(own_phone is not null as bigint) as phones,
            1 as leads,
            cast(is_missing as bigint) as leads_missing,
            1 as providers,
            1 as accounts,
            provider as provider_list,
            source as first_source,
            lead_key as newest_lead_key,
            stage as newest_stage,
            stage = 'won' as has_won,
            is_open,
            created_at as first_created_at,
            updated_at as last_updated_at
        from leads
        anti join shared using (person_key)
    ),

    of_more_leads as (
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
        semi join shared using (person_key)
        group by person_key
    ),

    final as (
        select *
        from of_one_lead
        union all
        select *
        from of_more_leads
    )

select *
from final
