-- One statement per mart of the attached file `published`: its copy under the same name.
select format('create table marts."{0}" as from published.marts."{0}"', table_name)
from duckdb_tables()
where database_name = 'published' and schema_name = 'marts'
order by table_name
