-- Each distinct phone number once, to be read as a number that can be called.
select distinct phone
from keyed
where phone is not null
