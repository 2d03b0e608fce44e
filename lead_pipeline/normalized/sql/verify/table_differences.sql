-- The first $rows rows, by their key (the columns $key), that are not the same in $live and $rebuilt.
with live as (
    select to_json(of_table) as content
    from query_table($live) as of_table
),
rebuilt as (
    select to_json(of_table) as content
    from query_table($rebuilt) as of_table
),
live_rows as (
    select list_transform($key, name -> coalesce(content ->> name, '')) as row_key, content
    from live
),
rebuilt_rows as (
    select list_transform($key, name -> coalesce(content ->> name, '')) as row_key, content
    from rebuilt
)
select row_key, live_rows.content as live_content, rebuilt_rows.content as rebuilt_content
from live_rows
full join rebuilt_rows using (row_key)
where live_rows.content is distinct from rebuilt_rows.content
order by row_key
limit $rows
