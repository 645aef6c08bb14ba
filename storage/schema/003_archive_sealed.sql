-- Each fix lies in one of two forms: flat as it arrived (fix_flat), or sealed in a compact row per card and hour of arrival
-- (fix_sealed). campus.fix is both as one, and stays what people and programs ask
-- (docs/decisions/archive-sealed-by-hour.md).

ALTER TABLE campus.fix RENAME TO fix_flat;

-- One row: fixes of one card that arrived within one hour. What is alike in all of them stands once; the rest is a base and
-- offsets, narrow where 16 bits are enough, else wide; both NULL: every value is the base. The i-th fix (from 0) has
--     time    = time_lo + (time_base + time_step * i + offset) * unit_us
--     arrived = hour + (its time - time_lo) + (delay_base + offset) * unit_us
--     seq     = seq_base + i + offset                  and so on without a step
CREATE TABLE campus.fix_sealed (
    hour timestamptz NOT NULL, -- its beginning
    time_lo timestamptz NOT NULL,
    time_hi timestamptz NOT NULL,
    epoch bigint NOT NULL,
    seq_base bigint NOT NULL,
    accuracy_base bigint,
    delay_base bigint NOT NULL,
    time_step int NOT NULL,
    card_no int NOT NULL,
    events int NOT NULL,
    lat_lo int, -- the box of those that have a position
    lat_hi int,
    lon_lo int,
    lon_hi int,
    lat_base int,
    lon_base int,
    speed_base int,
    heading_base int,
    unit_us smallint NOT NULL, -- 1000, or 1 where a time is no whole millisecond
    idx_base smallint NOT NULL,
    source_base smallint NOT NULL,
    flags_base smallint NOT NULL,
    datum_base smallint NOT NULL,
    battery_base smallint,
    time_narrow smallint[],
    time_wide int[],
    delay_narrow smallint[],
    delay_wide int[],
    seq_narrow smallint[],
    seq_wide int[],
    lat_narrow smallint[],
    lat_wide int[],
    lon_narrow smallint[],
    lon_wide int[],
    accuracy_narrow smallint[],
    accuracy_wide int[],
    speed_narrow smallint[],
    speed_wide int[],
    heading_narrow smallint[],
    heading_wide int[],
    idx_each smallint[], -- these are no offsets
    source_each smallint[],
    flags_each smallint[],
    datum_each smallint[],
    battery_each smallint[]
) PARTITION BY RANGE (hour);
CREATE INDEX ON campus.fix_sealed (card_no, hour);
CREATE INDEX ON campus.fix_sealed (hour, lat_lo, lat_hi, lon_lo, lon_hi);

-- How far the sealing of a day has come. No row: not begun, or done and its flat partition empty.
CREATE TABLE campus.archive_sealing (
    day date PRIMARY KEY,
    hour smallint NOT NULL, -- the first that is not done; 24: all are
    part int NOT NULL,      -- of that hour's cards, the first that is not done
    parts int NOT NULL,     -- 0: not counted yet
    stays boolean NOT NULL DEFAULT false -- rows are left that no sealed row can hold
);

-- The partitions of one day, as before; of fixes both forms. Flat fixes are never vacuumed for their dead rows: the pages would
-- be filled again out of order, and all of them go at once when the day is sealed.
CREATE OR REPLACE FUNCTION campus.archive_day(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    part text;
    options text;
    low text := to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00';
    high text := to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('campus.archive_day'));
    FOREACH parent IN ARRAY ARRAY['fix_flat', 'fix_sealed', 'pass', 'signal', 'call', 'alert', 'refused'] LOOP
        part := CASE parent WHEN 'fix_flat' THEN 'fix' ELSE parent END || '_' || to_char(day, 'YYYYMMDD');
        options := CASE parent
            WHEN 'fix_flat'
                THEN 'WITH (autovacuum_vacuum_threshold = 2147483647, autovacuum_vacuum_insert_threshold = -1)'
            ELSE '' END;
        IF to_regclass('campus.' || part) IS NULL THEN
            EXECUTE format('CREATE TABLE campus.%I (LIKE campus.%I) %s', part, parent, options);
            EXECUTE format('ALTER TABLE campus.%I ATTACH PARTITION campus.%I FOR VALUES FROM (%L) TO (%L)',
                           parent, part, low, high);
        END IF;
    END LOOP;
END $$;

-- ---- both forms as one ----

-- The fixes of sealed rows again, in the columns of fix_flat and the row's hour, card and box for those who look for few.
CREATE VIEW campus.fix_unsealed AS
SELECT s.hour + (t.at + CASE WHEN s.delay_narrow IS NULL AND s.delay_wide IS NULL THEN s.delay_base
                             ELSE s.delay_base + u.delay END) * s.unit_us * interval '1 microsecond' AS arrived,
       s.time_lo + t.at * s.unit_us * interval '1 microsecond' AS "time",
       s.seq_base + (u.i + coalesce(u.seq, 0)) AS seq,
       s.epoch,
       s.card_no,
       CASE WHEN s.lat_narrow IS NULL AND s.lat_wide IS NULL THEN s.lat_base ELSE s.lat_base + u.lat END AS lat_e7,
       CASE WHEN s.lon_narrow IS NULL AND s.lon_wide IS NULL THEN s.lon_base ELSE s.lon_base + u.lon END AS lon_e7,
       CASE WHEN s.accuracy_narrow IS NULL AND s.accuracy_wide IS NULL THEN s.accuracy_base
            ELSE s.accuracy_base + u.accuracy END AS accuracy_cm,
       CASE WHEN s.speed_narrow IS NULL AND s.speed_wide IS NULL THEN s.speed_base
            ELSE s.speed_base + u.speed END AS speed_cms,
       CASE WHEN s.heading_narrow IS NULL AND s.heading_wide IS NULL THEN s.heading_base
            ELSE s.heading_base + u.heading END AS heading_cdeg,
       coalesce(u.idx, s.idx_base) AS idx,
       coalesce(u.source, s.source_base) AS source,
       coalesce(u.flags, s.flags_base) AS flags,
       coalesce(u.datum, s.datum_base) AS datum,
       CASE WHEN s.battery_each IS NULL THEN s.battery_base ELSE u.battery END AS battery_pct,
       s.hour, s.time_lo, s.time_hi, s.lat_lo, s.lat_hi, s.lon_lo, s.lon_hi
FROM campus.fix_sealed s
CROSS JOIN LATERAL ROWS FROM (
    generate_series(0, s.events - 1),
    unnest(coalesce(s.time_wide, s.time_narrow::int[])),
    unnest(coalesce(s.delay_wide, s.delay_narrow::int[])),
    unnest(coalesce(s.seq_wide, s.seq_narrow::int[])),
    unnest(coalesce(s.lat_wide, s.lat_narrow::int[])),
    unnest(coalesce(s.lon_wide, s.lon_narrow::int[])),
    unnest(coalesce(s.accuracy_wide, s.accuracy_narrow::int[])),
    unnest(coalesce(s.speed_wide, s.speed_narrow::int[])),
    unnest(coalesce(s.heading_wide, s.heading_narrow::int[])),
    unnest(s.idx_each),
    unnest(s.source_each),
    unnest(s.flags_each),
    unnest(s.datum_each),
    unnest(s.battery_each)
) AS u (i, "time", delay, seq, lat, lon, accuracy, speed, heading, idx, source, flags, datum, battery)
CROSS JOIN LATERAL (SELECT s.time_step::bigint * u.i + coalesce(u."time", 0) AS at) AS t;

CREATE VIEW campus.fix AS
SELECT arrived, "time", seq, epoch, card_no, lat_e7, lon_e7, accuracy_cm, speed_cms, heading_cdeg, idx, source, flags,
       datum, battery_pct
FROM campus.fix_flat
UNION ALL
SELECT arrived, "time", seq, epoch, card_no, lat_e7, lon_e7, accuracy_cm, speed_cms, heading_cdeg, idx, source, flags,
       datum, battery_pct
FROM campus.fix_unsealed;
COMMENT ON VIEW campus.fix IS 'Every fix once, whether it lies flat or sealed.';

CREATE OR REPLACE VIEW campus.fixes AS
SELECT f.arrived, f."time", c.id AS card, p.id AS pupil, s.id AS school,
       f.lat_e7 / 1e7::float8 AS lat, f.lon_e7 / 1e7::float8 AS lon, f.accuracy_cm / 100.0::float8 AS accuracy_m,
       f.speed_cms / 100.0::float8 AS speed_m_s, f.heading_cdeg / 100.0::float8 AS heading_deg, f.battery_pct,
       (ARRAY['unknown', 'gnss', 'wifi', 'cell'])[f.source + 1] AS source,
       (ARRAY['wgs84', 'gcj02', 'bd09'])[f.datum] AS datum_reported,
       f.flags & 2 <> 0 AS clock_ahead, f.epoch, f.seq, f.idx
FROM campus.fix f
LEFT JOIN campus.card c ON c.no = f.card_no
LEFT JOIN campus.pupil p ON p.no = c.pupil_no
LEFT JOIN campus.school s ON s.no = p.school_no;

-- ---- sealing ----

-- Moves the fixes of one hour and of one part of the cards from flat to sealed, in one statement: what it deletes and nothing
-- else is what it inserts, so a row that comes at the same time stays flat. The *_key begin a row of its own where a range would
-- burst the offsets. OFFSET 0 keeps the planner from writing the times' arithmetic into every place that uses it.
CREATE FUNCTION campus.archive_seal_part(flat regclass, low timestamptz, which_part int, parts int) RETURNS bigint
LANGUAGE plpgsql SET enable_indexscan = off SET enable_hashagg = off SET work_mem = '128MB' SET jit = off AS $$
DECLARE
    fixes bigint;
BEGIN
    EXECUTE format($move$
        WITH gone AS (
            DELETE FROM %s
            WHERE arrived >= $1 AND arrived < $1 + interval '1 hour'
                AND (card_no & 2147483647) %% $3 = $2 AND isfinite("time")
            RETURNING *),
        timed AS (
            SELECT *, (date_part('epoch', arrived - $1) * 1e6)::bigint AS arrived_us,
                   CASE WHEN "time" BETWEEN $1 - interval '1 day' AND $1 + interval '1 day'
                        THEN (date_part('epoch', "time" - $1) * 1e6)::bigint
                        ELSE ((extract(epoch FROM "time") - extract(epoch FROM $1)) * 1e6)::bigint END AS time_us
            FROM gone OFFSET 0),
        unit AS (
            SELECT *, CASE WHEN arrived_us %% 1000 = 0 AND time_us %% 1000 = 0 THEN 1000 ELSE 1 END AS unit_us
            FROM timed OFFSET 0),
        keyed AS (
            SELECT *, time_us / unit_us AS t, (arrived_us - time_us) / unit_us AS delay,
                   (time_us / unit_us + (1 << 29)) >> 30 AS t_key, (arrived_us / unit_us) >> 30 AS a_key,
                   seq >> 30 AS seq_key, coalesce(accuracy_cm >> 30, 0) AS accuracy_key
            FROM unit OFFSET 0),
        ranged AS (
            SELECT *, row_number() OVER ordered - 1 AS i, count(*) OVER whole AS events,
                   min(t) OVER whole AS t_lo, max(t) OVER whole AS t_hi, min(seq) OVER whole AS seq_lo,
                   min(delay) OVER whole AS delay_lo, max(delay) OVER whole AS delay_hi,
                   min(lat_e7) OVER whole AS lat_lo, max(lat_e7) OVER whole AS lat_hi,
                   min(lon_e7) OVER whole AS lon_lo, max(lon_e7) OVER whole AS lon_hi,
                   min(accuracy_cm) OVER whole AS accuracy_lo, max(accuracy_cm) OVER whole AS accuracy_hi,
                   min(speed_cms) OVER whole AS speed_lo, max(speed_cms) OVER whole AS speed_hi,
                   min(heading_cdeg) OVER whole AS heading_lo, max(heading_cdeg) OVER whole AS heading_hi
            FROM keyed
            WINDOW whole AS (PARTITION BY card_no, epoch, unit_us, t_key, a_key, seq_key, accuracy_key),
                ordered AS (PARTITION BY card_no, epoch, unit_us, t_key, a_key, seq_key, accuracy_key
                            ORDER BY t, seq, idx)),
        based AS (
            SELECT *, (t_hi - t_lo) / greatest(events - 1, 1) AS t_step,
                   delay_lo + (delay_hi - delay_lo + 1) / 2 AS delay_base,
                   lat_lo + (lat_hi::bigint - lat_lo + 1) / 2 AS lat_base,
                   lon_lo + (lon_hi::bigint - lon_lo + 1) / 2 AS lon_base,
                   accuracy_lo + (accuracy_hi - accuracy_lo + 1) / 2 AS accuracy_base,
                   speed_lo + (speed_hi::bigint - speed_lo + 1) / 2 AS speed_base,
                   heading_lo + (heading_hi::bigint - heading_lo + 1) / 2 AS heading_base
            FROM ranged),
        rest AS (
            SELECT *, (t - t_lo - t_step * i)::int AS t_rest, (seq - seq_lo - i)::int AS seq_rest,
                   (delay - delay_base)::int AS delay_rest, (lat_e7 - lat_base)::int AS lat_rest,
                   (lon_e7 - lon_base)::int AS lon_rest, (accuracy_cm - accuracy_base)::int AS accuracy_rest,
                   (speed_cms - speed_base)::int AS speed_rest, (heading_cdeg - heading_base)::int AS heading_rest
            FROM based
            ORDER BY card_no, epoch, unit_us, t_key, a_key, seq_key, accuracy_key, t, seq, idx), -- as they come: no sort
        hours AS (
            SELECT card_no, epoch, unit_us, count(*) AS events, min("time") AS time_lo, max("time") AS time_hi,
                   min(t_lo) AS t_lo, min(t_step) AS t_step, min(seq_lo) AS seq_lo, min(delay_base) AS delay_base,
                   min(lat_e7) AS lat_lo, max(lat_e7) AS lat_hi, min(lon_e7) AS lon_lo, max(lon_e7) AS lon_hi,
                   min(lat_base) AS lat_base, min(lon_base) AS lon_base, min(accuracy_base) AS accuracy_base,
                   min(speed_base) AS speed_base, min(heading_base) AS heading_base,
                   array_agg(t_rest) AS t_all, min(t_rest) AS t_min, max(t_rest) AS t_max,
                   array_agg(seq_rest) AS seq_all, min(seq_rest) AS seq_min, max(seq_rest) AS seq_max,
                   array_agg(delay_rest) AS delay_all, min(delay_rest) AS delay_min, max(delay_rest) AS delay_max,
                   array_agg(lat_rest) AS lat_all, min(lat_rest) AS lat_min, max(lat_rest) AS lat_max,
                   count(lat_rest) < count(*) AS lat_gaps,
                   array_agg(lon_rest) AS lon_all, min(lon_rest) AS lon_min, max(lon_rest) AS lon_max,
                   count(lon_rest) < count(*) AS lon_gaps,
                   array_agg(accuracy_rest) AS accuracy_all, min(accuracy_rest) AS accuracy_min,
                   max(accuracy_rest) AS accuracy_max, count(accuracy_rest) < count(*) AS accuracy_gaps,
                   array_agg(speed_rest) AS speed_all, min(speed_rest) AS speed_min,
                   max(speed_rest) AS speed_max, count(speed_rest) < count(*) AS speed_gaps,
                   array_agg(heading_rest) AS heading_all, min(heading_rest) AS heading_min,
                   max(heading_rest) AS heading_max, count(heading_rest) < count(*) AS heading_gaps,
                   min(idx) AS idx, CASE WHEN min(idx) < max(idx) THEN array_agg(idx) END AS idx_each,
                   min(source) AS source, CASE WHEN min(source) < max(source) THEN array_agg(source) END AS source_each,
                   min(flags) AS flags, CASE WHEN min(flags) < max(flags) THEN array_agg(flags) END AS flags_each,
                   min(datum) AS datum, CASE WHEN min(datum) < max(datum) THEN array_agg(datum) END AS datum_each,
                   min(battery_pct) AS battery,
                   CASE WHEN min(battery_pct) < max(battery_pct) OR count(battery_pct) BETWEEN 1 AND count(*) - 1
                        THEN array_agg(battery_pct) END AS battery_each
            FROM rest
            GROUP BY card_no, epoch, unit_us, t_key, a_key, seq_key, accuracy_key),
        kept AS (
            INSERT INTO campus.fix_sealed
                (hour, time_lo, time_hi, epoch, seq_base, accuracy_base, delay_base, time_step, card_no, events,
                 lat_lo, lat_hi, lon_lo, lon_hi, lat_base, lon_base, speed_base, heading_base, unit_us, idx_base,
                 source_base, flags_base, datum_base, battery_base, time_narrow, time_wide, delay_narrow, delay_wide,
                 seq_narrow, seq_wide, lat_narrow, lat_wide, lon_narrow, lon_wide, accuracy_narrow, accuracy_wide,
                 speed_narrow, speed_wide, heading_narrow, heading_wide, idx_each, source_each, flags_each, datum_each,
                 battery_each)
            SELECT $1, time_lo, time_hi, epoch, seq_lo, accuracy_base, delay_base + t_lo, t_step, card_no, events,
                   lat_lo, lat_hi, lon_lo, lon_hi, lat_base, lon_base, speed_base, heading_base, unit_us, idx,
                   source, flags, datum, battery,
                   CASE WHEN (t_min <> 0 OR t_max <> 0) AND t_min >= -32768 AND t_max <= 32767
                        THEN t_all::smallint[] END,
                   CASE WHEN NOT (t_min >= -32768 AND t_max <= 32767) THEN t_all END,
                   CASE WHEN (delay_min <> 0 OR delay_max <> 0) AND delay_min >= -32768 AND delay_max <= 32767
                        THEN delay_all::smallint[] END,
                   CASE WHEN NOT (delay_min >= -32768 AND delay_max <= 32767) THEN delay_all END,
                   CASE WHEN (seq_min <> 0 OR seq_max <> 0) AND seq_min >= -32768 AND seq_max <= 32767
                        THEN seq_all::smallint[] END,
                   CASE WHEN NOT (seq_min >= -32768 AND seq_max <= 32767) THEN seq_all END,
                   CASE WHEN (lat_min <> 0 OR lat_max <> 0 OR lat_gaps) AND lat_min >= -32768 AND lat_max <= 32767
                        THEN lat_all::smallint[] END,
                   CASE WHEN NOT (lat_min >= -32768 AND lat_max <= 32767) THEN lat_all END,
                   CASE WHEN (lon_min <> 0 OR lon_max <> 0 OR lon_gaps) AND lon_min >= -32768 AND lon_max <= 32767
                        THEN lon_all::smallint[] END,
                   CASE WHEN NOT (lon_min >= -32768 AND lon_max <= 32767) THEN lon_all END,
                   CASE WHEN (accuracy_min <> 0 OR accuracy_max <> 0 OR accuracy_gaps)
                        AND accuracy_min >= -32768 AND accuracy_max <= 32767 THEN accuracy_all::smallint[] END,
                   CASE WHEN NOT (accuracy_min >= -32768 AND accuracy_max <= 32767) THEN accuracy_all END,
                   CASE WHEN (speed_min <> 0 OR speed_max <> 0 OR speed_gaps)
                        AND speed_min >= -32768 AND speed_max <= 32767 THEN speed_all::smallint[] END,
                   CASE WHEN NOT (speed_min >= -32768 AND speed_max <= 32767) THEN speed_all END,
                   CASE WHEN (heading_min <> 0 OR heading_max <> 0 OR heading_gaps)
                        AND heading_min >= -32768 AND heading_max <= 32767 THEN heading_all::smallint[] END,
                   CASE WHEN NOT (heading_min >= -32768 AND heading_max <= 32767) THEN heading_all END,
                   idx_each, source_each, flags_each, datum_each, battery_each
            FROM hours
            RETURNING events)
        SELECT coalesce(sum(events), 0) FROM kept$move$, flat)
    INTO fixes USING low, which_part, parts;
    RETURN fixes;
END $$;

-- The partitions of a parent with their days.
CREATE FUNCTION campus.archive_partitions(parent regclass) RETURNS TABLE (part regclass, day date)
LANGUAGE sql STABLE AS $$
    SELECT c.oid::regclass, to_date(right(c.relname, 8), 'YYYYMMDD')
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = parent AND c.relname ~ '_[0-9]{8}$'
$$;

-- Gives the disk of a flat partition back when everything of it is sealed. False: not now, somebody reads or writes it.
CREATE FUNCTION campus.archive_empty(flat regclass, which date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    left_over boolean;
    can_be_sealed boolean;
BEGIN
    BEGIN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', flat);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    EXECUTE format('SELECT count(*) > 0, count(*) FILTER (WHERE isfinite("time")) > 0 FROM %s', flat)
        INTO left_over, can_be_sealed;
    IF can_be_sealed THEN -- it came late: once more round
        UPDATE campus.archive_sealing SET hour = 0, part = 0, parts = 0 WHERE day = which;
    ELSIF left_over THEN
        UPDATE campus.archive_sealing SET stays = true WHERE day = which;
    ELSE
        EXECUTE format('TRUNCATE %s', flat);
        DELETE FROM campus.archive_sealing WHERE day = which;
    END IF;
    RETURN true;
END $$;

-- One step of sealing: about rows_max fixes at most of one hour that ended at `before` or earlier. Returns how many it sealed;
-- NULL when nothing is left to do for now. Each step is the caller's transaction, so a step that dies has not happened.
CREATE FUNCTION campus.archive_seal(before timestamptz, rows_max int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    flat regclass;
    state campus.archive_sealing;
    low timestamptz;
    fixes bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('campus.archive_seal')) THEN
        RETURN NULL;
    END IF;
    SELECT p.part, p.day INTO flat, state.day
    FROM campus.archive_partitions('campus.fix_flat') p LEFT JOIN campus.archive_sealing s ON s.day = p.day
    WHERE p.day::timestamp AT TIME ZONE 'UTC' + coalesce(s.hour + 1, 1) * interval '1 hour'
              - CASE WHEN s.hour = 24 THEN interval '1 hour' ELSE interval '0' END <= before
        AND pg_relation_size(p.part) > 0 AND s.stays IS NOT TRUE
    ORDER BY coalesce(s.hour, 0) = 24, p.day LIMIT 1; -- what somebody's lock may hold up comes last
    IF flat IS NULL THEN
        RETURN NULL;
    END IF;
    IF to_regclass('campus.fix_sealed_' || to_char(state.day, 'YYYYMMDD')) IS NULL THEN
        PERFORM campus.archive_day(state.day); -- a day of an older schema
    END IF;
    INSERT INTO campus.archive_sealing VALUES (state.day, 0, 0, 0) ON CONFLICT DO NOTHING;
    SELECT * INTO state FROM campus.archive_sealing s WHERE s.day = state.day;
    low := state.day::timestamp AT TIME ZONE 'UTC' + state.hour * interval '1 hour';
    WHILE state.hour < 24 AND state.parts = 0 AND low + interval '1 hour' <= before LOOP
        PERFORM campus.archive_summarize(flat);
        EXECUTE format('SELECT ceil(count(*)::float8 / $2) FROM %s WHERE arrived >= $1'
                       ' AND arrived < $1 + interval ''1 hour''', flat) INTO state.parts USING low, rows_max;
        IF state.parts = 0 THEN
            state.hour := state.hour + 1;
            low := low + interval '1 hour';
        END IF;
    END LOOP;
    fixes := 0;
    IF state.parts > 0 THEN
        fixes := campus.archive_seal_part(flat, low, state.part, state.parts);
        state.part := state.part + 1;
        IF state.part >= state.parts THEN
            state.hour := state.hour + 1;
            state.part := 0;
            state.parts := 0;
        END IF;
    END IF;
    UPDATE campus.archive_sealing s SET hour = state.hour, part = state.part, parts = state.parts WHERE s.day = state.day;
    IF state.hour = 24 AND fixes = 0 AND NOT campus.archive_empty(flat, state.day) THEN
        RETURN NULL;
    END IF;
    RETURN fixes;
END $$;

-- Tells the index on `arrived` of one partition about the pages that came since; skipped while somebody else tends the table.
CREATE FUNCTION campus.archive_summarize(flat regclass) RETURNS void LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
BEGIN
    PERFORM brin_summarize_new_values(x.indexrelid)
    FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE x.indrelid = flat AND a.amname = 'brin';
EXCEPTION WHEN lock_not_available THEN
    NULL;
END $$;

-- ---- what the daemon does by itself ----

-- Drops the oldest partition of a day that is over for more than keep_days days; one a call. Returns its name, NULL when there
-- is none or somebody reads. keep_days 0 or less: everything is kept.
CREATE FUNCTION campus.archive_drop(keep_days int) RETURNS text LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    oldest record;
    gone text;
BEGIN
    IF keep_days <= 0 THEN
        RETURN NULL;
    END IF;
    SELECT p.part, p.day INTO oldest
    FROM unnest(ARRAY['fix_flat', 'fix_sealed', 'pass', 'signal', 'call', 'alert', 'refused']) AS parent
    CROSS JOIN LATERAL campus.archive_partitions(('campus.' || parent)::regclass) AS p
    WHERE p.day < (now() AT TIME ZONE 'UTC')::date - keep_days
    ORDER BY p.day, p.part LIMIT 1;
    IF oldest.part IS NULL THEN
        RETURN NULL;
    END IF;
    DELETE FROM campus.archive_sealing WHERE day = oldest.day;
    gone := oldest.part::text;
    EXECUTE format('DROP TABLE %s', gone);
    RETURN gone;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;

-- One step of whatever is to do: tomorrow's partitions, a day to drop, some fixes to seal. `busy`: there may be more at once.
CREATE FUNCTION campus.archive_upkeep(seal_after_hours int, keep_days int, rows_max int,
                                      OUT busy boolean, OUT sealed bigint, OUT dropped text)
LANGUAGE plpgsql AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    part regclass := to_regclass('campus.fix_' || to_char(today, 'YYYYMMDD'));
BEGIN
    sealed := 0;
    IF to_regclass('campus.refused_' || to_char(today + 1, 'YYYYMMDD')) IS NULL THEN
        PERFORM campus.archive_day(today + 1);
    END IF;
    dropped := campus.archive_drop(keep_days);
    IF dropped IS NULL AND seal_after_hours > 0 THEN
        sealed := campus.archive_seal(now() - seal_after_hours * interval '1 hour', rows_max);
    END IF;
    busy := dropped IS NOT NULL OR (seal_after_hours > 0 AND sealed IS NOT NULL);
    sealed := coalesce(sealed, 0);
    IF NOT busy AND part IS NOT NULL THEN
        PERFORM campus.archive_summarize(part);
    END IF;
END $$;

-- ---- what people ask ----

CREATE INDEX ON campus.pass (gate_no, "time");

CREATE FUNCTION campus.track(which_card text, which_day date, zone text DEFAULT 'Asia/Shanghai',
                             late interval DEFAULT '7 days')
RETURNS TABLE ("time" timestamptz, lat float8, lon float8, accuracy_m float8, speed_m_s float8, source text,
               arrived timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT f."time", f.lat_e7 / 1e7::float8, f.lon_e7 / 1e7::float8, f.accuracy_cm / 100.0::float8,
           f.speed_cms / 100.0::float8, (ARRAY['unknown', 'gnss', 'wifi', 'cell'])[f.source + 1], f.arrived
    FROM (
        SELECT x."time", x.lat_e7, x.lon_e7, x.accuracy_cm, x.speed_cms, x.source, x.arrived, x.seq, x.idx
        FROM campus.fix_flat x
        WHERE x.card_no = (SELECT c.no FROM campus.card c WHERE c.id = which_card)
            AND x."time" >= which_day::timestamp AT TIME ZONE zone
            AND x."time" < (which_day + 1)::timestamp AT TIME ZONE zone
            AND x.arrived >= which_day::timestamp AT TIME ZONE zone - interval '1 day'
            AND x.arrived < (which_day + 1)::timestamp AT TIME ZONE zone + late
        UNION ALL
        SELECT x."time", x.lat_e7, x.lon_e7, x.accuracy_cm, x.speed_cms, x.source, x.arrived, x.seq, x.idx
        FROM campus.fix_unsealed x
        WHERE x.card_no = (SELECT c.no FROM campus.card c WHERE c.id = which_card)
            AND x."time" >= which_day::timestamp AT TIME ZONE zone
            AND x."time" < (which_day + 1)::timestamp AT TIME ZONE zone
            AND x.time_hi >= which_day::timestamp AT TIME ZONE zone
            AND x.time_lo < (which_day + 1)::timestamp AT TIME ZONE zone
            AND x.hour >= which_day::timestamp AT TIME ZONE zone - interval '1 day 1 hour'
            AND x.hour < (which_day + 1)::timestamp AT TIME ZONE zone + late) f
    ORDER BY f."time", f.seq, f.idx
$$;
COMMENT ON FUNCTION campus.track IS
    'Where a card was on a day of that zone, by device time; what came later than `late` is left out.';

CREATE FUNCTION campus.cards_in_box(south float8, west float8, north float8, east float8, since timestamptz, until timestamptz,
                                    late interval DEFAULT '5 minutes')
RETURNS TABLE (card text, fixes bigint, first_seen timestamptz, last_seen timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT c.id, count(*), min(f."time"), max(f."time")
    FROM (
        SELECT x.card_no, x."time"
        FROM campus.fix_flat x
        WHERE x.arrived >= since - interval '2 minutes' AND x.arrived < until + late
            AND x."time" >= since AND x."time" < until
            AND x.lat_e7 BETWEEN (south * 1e7)::int AND (north * 1e7)::int
            AND x.lon_e7 BETWEEN (west * 1e7)::int AND (east * 1e7)::int
        UNION ALL
        SELECT x.card_no, x."time"
        FROM campus.fix_unsealed x
        WHERE x.hour >= since - interval '1 hour 2 minutes' AND x.hour < until + late
            AND x.time_hi >= since AND x.time_lo < until
            AND x.lat_lo <= (north * 1e7)::int AND x.lat_hi >= (south * 1e7)::int
            AND x.lon_lo <= (east * 1e7)::int AND x.lon_hi >= (west * 1e7)::int
            AND x.arrived >= since - interval '2 minutes' AND x.arrived < until + late
            AND x."time" >= since AND x."time" < until
            AND x.lat_e7 BETWEEN (south * 1e7)::int AND (north * 1e7)::int
            AND x.lon_e7 BETWEEN (west * 1e7)::int AND (east * 1e7)::int) f
    JOIN campus.card c ON c.no = f.card_no
    GROUP BY c.id
$$;
COMMENT ON FUNCTION campus.cards_in_box IS
    'Cards with a fix inside (WGS-84 degrees) between two device times; what came later than `late` is left out.';

CREATE FUNCTION campus.school_passes(which_school text, since timestamptz, until timestamptz, late interval DEFAULT '7 days')
RETURNS TABLE ("time" timestamptz, gate text, card text, pupil text, direction text, arrived timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT a."time", g.id, c.id, p.id, (ARRAY['unknown', 'in', 'out'])[a.direction + 1], a.arrived
    FROM campus.school s
    JOIN campus.gate g ON g.school_no = s.no
    JOIN campus.pass a ON a.gate_no = g.no
    LEFT JOIN campus.card c ON c.no = a.card_no
    LEFT JOIN campus.pupil p ON p.no = c.pupil_no
    WHERE s.id = which_school AND a."time" >= since AND a."time" < until
        AND a.arrived >= since - interval '1 day' AND a.arrived < until + late
    ORDER BY a."time", g.id, a.seq, a.idx
$$;
COMMENT ON FUNCTION campus.school_passes IS
    'Who passed a school''s gates between two device times; what came later than `late` is left out.';

CREATE FUNCTION campus.school_alerts(which_school text, since timestamptz, until timestamptz, late interval DEFAULT '7 days')
RETURNS TABLE ("time" timestamptz, raised timestamptz, id text, type text, severity text, pupil text, card text,
               came_late boolean)
LANGUAGE sql STABLE AS $$
    SELECT a."time", a.raised, a.id, a.type, a.severity, p.id, c.id, a.late
    FROM campus.school s
    JOIN campus.alert a ON a.school_no = s.no
    LEFT JOIN campus.pupil p ON p.no = a.pupil_no
    LEFT JOIN campus.card c ON c.no = a.card_no
    WHERE s.id = which_school AND a."time" >= since AND a."time" < until
        AND a.raised >= since - interval '1 day' AND a.raised < until + school_alerts.late
    ORDER BY a."time", a.id
$$;
COMMENT ON FUNCTION campus.school_alerts IS
    'What was told about a school''s pupils between two times; what was raised later than `late` is left out.';
