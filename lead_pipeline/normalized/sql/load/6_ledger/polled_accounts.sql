-- Since when each account is polled without a gap follows from these, in Python.
select account, began_at, proven_from, unchanged_until
from polls
order by account, began_at, unchanged_until
