-- The files of this load are loaded now.
insert into normalized.loaded_files by name
select *, now() as loaded_at
from files_of_load
