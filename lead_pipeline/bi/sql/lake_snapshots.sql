-- Snapshots, oldest first; the message of ours is the name of their build.
select
    snapshot_id,
    snapshot_time,
    case when author = $author then commit_message end as build,
    commit_extra_info
from ducklake_snapshots('lake')
order by snapshot_id
