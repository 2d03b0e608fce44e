-- The distinct JSON texts of custom fields, to be compared as values.
select distinct custom_fields::varchar as content
from mapped
where custom_fields is not null
