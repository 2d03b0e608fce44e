-- Links that joined the leads of one lead's person.
select lead_key, other_lead_key, identifier_kind, is_same_name, strength
from marts.person_links
where is_joined and person_key = (select person_key from marts.lead_facts where lead_key = $lead_key)
order by all
