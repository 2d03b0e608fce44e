-- From when through when the account's leads have landed whole follows from these, in Python.
select account, provider, stream, proven_from, proven_until, note, is_full
from proven_crawls
