-- Every owner, with the present name.
select
    owner_key,
    any_value(account) as account,
    any_value(owner_id) as owner_id,
    arg_max(owner_name, (updated_at, lead_key)) as owner_name,
    arg_max(owner_role, (updated_at, lead_key)) as owner_role
from marts.lead_facts
group by owner_key
order by owner_key
