-- Files of the account that the tables already hold.
select path
from normalized.loaded_files
where starts_with(path, $account || '/')
