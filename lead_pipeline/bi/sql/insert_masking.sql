insert into meta.masking
select
    split_part(name, '.', 1) as table_name,
    split_part(name, '.', 2) as column_name,
    treatment,
    $key_id as masking_key_id
from
    (
        select unnest($columns::varchar[]) as name, unnest($treatments::varchar[]) as treatment
    )
where treatment <> 'keep' and list_contains($tables::varchar[], split_part(name, '.', 1))
order by table_name, column_name
