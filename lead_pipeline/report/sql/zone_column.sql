-- Whether the file says in which zone its days are.
select column_name
from duckdb_columns()
where schema_name = 'meta' and table_name = 'publish' and column_name = 'time_zone'
