-- Each distinct e-mail address once, to be brought to its normalized form.
select distinct email
from mapped
where email is not null
