-- What the polls prove together follows from these, in Python.
select account, began_at, proven_from, unchanged_until, is_log
from polls
order by account, began_at, unchanged_until
