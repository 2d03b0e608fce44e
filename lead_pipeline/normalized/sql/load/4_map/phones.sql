-- Each distinct phone number once, to be brought to E.164.
select distinct phone
from keyed
where phone is not null
