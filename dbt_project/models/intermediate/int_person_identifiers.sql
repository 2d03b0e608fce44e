-- What may join two leads into one person: an e-mail address or a phone number that is one
-- person's own. Addresses that several people read and numbers of switchboards show themselves
-- by their name, or by too many names or addresses that come with them.
with

    leads as (
        select
            lead_key,
            email_normalized,
            phone_e164,
            nullif(lower(trim(regexp_replace(full_name, '\s+', ' ', 'g'))), '') as name
        from {{ ref("stg_leads") }}
    ),

    emails as (
        select
            email_normalized as identifier,
            greatest(count(distinct phone_e164), count(distinct name)) as identities
        from leads
        where
            regexp_full_match(email_normalized, '[^@\s]+@[^@\s]+\.[^@\s]+')
            and split_part(split_part(email_normalized, '@', 1), '+', 1)
            not in ('{{ var("person_shared_mailboxes") | join("', '") }}')
        group by email_normalized
    ),

    phones as (
        select
            phone_e164 as identifier,
            greatest(count(distinct email_normalized), count(distinct name)) as identities
        from leads
        where phone_e164 <> ''
        group by phone_e164
    ),

    final as (
        select leads.lead_key, 'email' as kind, emails.identifier
        from leads
        join emails on emails.identifier = leads.email_normalized
        where emails.identities <= {{ var("person_max_identities") }}
        union all
        select leads.lead_key, 'phone' as kind, phones.identifier
        from leads
        join phones on phones.identifier = leads.phone_e164
        where phones.identities <= {{ var("person_max_identities") }}
    )

select *
from final
