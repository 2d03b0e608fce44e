-- Leads of which some record has the email, also one from before a change.
select distinct account, lead_id
from observed
where email_normalized = $email
order by all
