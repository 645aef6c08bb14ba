-- A day's table has no statistics before its first ANALYZE: then the planner reads it whole, with all workers it may have, to
-- count one hour, and alerts wait for the processors. The index on `arrived` is the way in any case.
ALTER FUNCTION campus.archive_upkeep(int, int, int) SET enable_seqscan = off;
ALTER FUNCTION campus.archive_upkeep(int, int, int) SET max_parallel_workers_per_gather = 0;
