-- The tables that the file offers, and their rows.
select schema_name || '.' || table_name, row_count
from meta.tables
order by all
