-- What was read is kept for the batches after: states of a lead often have the same number.
insert into phones
select *
from new_phones
