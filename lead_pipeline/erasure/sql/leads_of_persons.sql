-- The leads of the persons of some leads ($lead_keys), as last published.
select lead_key
from marts.lead_facts
where person_key in (
    select person_key from marts.lead_facts where list_contains($lead_keys::varchar[], lead_key)
)
