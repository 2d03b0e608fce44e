-- Each distinct e-mail address once that is not plain, to be brought to its normalized form.
select distinct email
from keyed
where email is not null and plain_email(email) is null
