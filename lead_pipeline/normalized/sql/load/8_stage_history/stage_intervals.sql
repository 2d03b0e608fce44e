-- Neighbouring points with the same stage and status are one interval. It begins exactly where a
-- change was reported, or where the lead was first seen as created. Else its beginning lies after the
-- last time that the state before was served, or that a crawl proved that nothing had changed, and
-- not after the first time that it was served itself. `updated_at` says it more narrowly, where it
-- does not contradict what was served. Of a continued lead the first interval is the one that was
-- current before, of which the beginning is known.
create temp table stage_intervals as
with changes as (
    select
        *,
        lag(kind) over point_order is null
        or provider_status is distinct from lag(provider_status) over point_order
        -- A stage under another name is the same stage as long as its id is.
        or case
            when provider_stage_id is null or lag(provider_stage_id) over point_order is null
            then provider_stage is distinct from lag(provider_stage) over point_order
            else provider_stage_id <> lag(provider_stage_id) over point_order
        end as begins
    from stage_points
    window point_order as (partition by lead_key order by moment, rank_in_moment, number)
),
numbered as (
    select
        *,
        row_number() over point_order as point_number,
        sum(begins::integer) over (
            point_order rows between unbounded preceding and current row
        ) as stage_number
    from changes
    window point_order as (partition by lead_key order by moment, rank_in_moment, number)
),
intervals as (
    select
        lead_key,
        stage_number,
        -- By number: aggregates with an order of their own sort all points again, each for itself.
        arg_min_null(kind, point_number) as first_kind,
        min(moment) as first_shown_at,
        max(moment) as last_shown_at,
        arg_min_null(updated_at, point_number) as updated_at,
        arg_min_null(crawl_id, point_number) as crawl_id,
        any_value(provider_status) as provider_status,
        arg_max_null(provider_stage, point_number) as provider_stage,
        -- Only records show the stage's id and name.
        arg_max_null(provider_stage_id, point_number) filter (
            where shows_stage
        ) as provider_stage_id,
        arg_max_null(provider_stage_name, point_number) filter (
            where shows_stage
        ) as provider_stage_name
    from numbered
    group by lead_key, stage_number
),
neighbours as (
    select
        intervals.* replace (
            coalesce(known.stage_number - 1, 0) + intervals.stage_number as stage_number
        ),
        case when intervals.stage_number = 1 then known.entered_at end as known_entered_at,
        case when intervals.stage_number = 1 then known.entered_after end as known_entered_after,
        case when intervals.stage_number = 1 then known.evidence end as known_evidence,
        newest.provider,
        newest.account,
        newest.created_at,
        lag(intervals.last_shown_at) over interval_order as shown_before,
        coalesce(crawls.served_from, crawls.started_at) as crawl_began_at
    from intervals
    join observations_of_chunk as newest
        on newest.lead_key = intervals.lead_key
        and newest.is_newest
    left join continued_leads as known on known.lead_key = intervals.lead_key
    left join normalized.crawls as crawls
        on crawls.account = newest.account
        and crawls.crawl_id = intervals.crawl_id
    window interval_order as (
        partition by intervals.lead_key order by intervals.stage_number
    )
),
proven as (
    select
        neighbours.*,
        -- Of a crawl before the one that brought the state.
        case
            when proofs.unchanged_from <= shown_before then proofs.unchanged_until
        end as proven_until,
        proofs.is_log
    from neighbours
    asof left join unchanged_proofs as proofs
        on proofs.account = neighbours.account
        and proofs.began_at < neighbours.crawl_began_at
),
-- An update that such a crawl should have brought and did not: it was shown late, or its time is not
-- that of the change.
judged as (
    select
        * exclude (proven_until, is_log),
        is_time_believed(updated_at, shown_before, proven_until, is_log) as is_time_believed,
        case when updated_at > proven_until then proven_until end as unchanged_until
    from proven
),
entered as (
    select
        *,
        max(
            case
                when known_evidence is not null then known_entered_at
                when first_kind <> 'observed' then first_shown_at
                when is_time_believed or shown_before is null
                then least(updated_at, served_by(first_shown_at))
                else served_by(first_shown_at)
            end
        ) over (
            partition by lead_key
            order by stage_number
            rows between unbounded preceding and current row
        ) as entered_at
    from judged
),
bounded as (
    select
        *,
        case
            when known_evidence is not null then known_evidence
            when first_kind in ('created', 'logged') then 'audit_log'
            when stage_number = 1 and entered_at = created_at then 'created'
            else 'observed'
        end as evidence,
        lead(entered_at) over (partition by lead_key order by stage_number) as exited_at
    from entered
)
select
    lead_key,
    provider,
    account,
    substr(lead_key, length(account) + 2) as lead_id,
    stage_number,
    provider_status,
    provider_stage,
    provider_stage_id,
    provider_stage_name,
    entered_at,
    case
        when known_evidence is not null then known_entered_after
        when evidence <> 'observed' then entered_at
        -- least() and greatest() take no notice of a null: without a known creation there is no
        -- bound.
        when coalesce(shown_before, created_at) is not null
        then least(greatest(coalesce(shown_before, created_at), unchanged_until), entered_at)
    end as entered_after,
    exited_at,
    exited_at is null as is_current,
    evidence
from bounded
