-- Between which moments the chunk's leads changed without our seeing each state: after the state
-- before was last served, or a poll proved that nothing had changed, and until `updated_at` or, where
-- that contradicts what was served, until the state after was served. The first is that between the
-- creation of a lead and the state in which it was first met.
delete from normalized.unobserved_changes
where
    lead_key in (
        select lead_key
        from leads_of_chunk
        anti join continued_leads using (lead_key)
    );
insert into normalized.unobserved_changes by name
with pairs as (
    select
        observed.*,
        coalesce(crawls.served_from, crawls.started_at) as crawl_began_at,
        lag(observed.served_at) over observation_order as shown_before,
        lag(observed.updated_at) over observation_order as updated_before,
        observed.observation_number = 1 as is_first,
        (
            observed.provider_status,
            coalesce(observed.provider_stage_id, observed.provider_stage)
        ) is distinct from (
            lag(observed.provider_status) over observation_order,
            lag(coalesce(observed.provider_stage_id, observed.provider_stage)) over observation_order
        ) as shows_another_stage
    from observations_of_chunk as observed
    left join normalized.crawls as crawls
        on crawls.account = observed.account
        and crawls.crawl_id = observed.crawl_id
    window observation_order as (
        partition by observed.lead_key order by observed.observation_number
    )
),
changes as (
    select *
    from pairs
    where
        not is_known
        and case
            when is_first
            then created_at is null or updated_at > created_at
            else shows_another_stage or updated_at <> updated_before
        end
),
proven as (
    select
        changes.*,
        case
            when proofs.unchanged_from <= shown_before then proofs.unchanged_until
        end as proven_until,
        proofs.is_log
    from changes
    asof left join unchanged_proofs as proofs
        on proofs.account = changes.account
        and proofs.began_at < changes.crawl_began_at
)
select
    lead_key,
    account,
    case
        when is_first
        then created_at
        when updated_at > proven_until
        then greatest(shown_before, proven_until)
        else shown_before
    end as changed_after,
    case
        when is_first or is_time_believed(updated_at, shown_before, proven_until, is_log)
        then least(updated_at, served_by(served_at))
        else served_by(served_at)
    end as changed_until
from proven
