-- The crawls of this load, as their commit records tell them now.
delete from normalized.crawls
where crawl_id in (select crawl_id from crawls_of_load);
insert into normalized.crawls by name
select * from crawls_of_load
