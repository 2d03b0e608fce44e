-- Each distinct phone number that no batch before has had, to be read as a number that can be called.
select distinct phone
from keyed
where phone is not null and phone not in (select phone from phones)
