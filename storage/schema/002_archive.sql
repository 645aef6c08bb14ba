-- What happened. Partitioned by the UTC day of arrival: arrival only rises, so a device with a wrong clock cannot make
-- partitions (docs/decisions/archive-by-day-of-arrival.md). Numbers refer to the registry without foreign keys: a fact
-- is kept whatever the registry says later. Coordinates are WGS-84, degrees * 1e7; NULL where not told.

CREATE TABLE campus.archive_position (
    journal_id text PRIMARY KEY,
    pos bigint NOT NULL -- everything of that journal below this byte is in the tables below
);

CREATE TABLE campus.fix (
    arrived timestamptz NOT NULL,
    "time" timestamptz NOT NULL, -- device time
    seq bigint NOT NULL, -- of the report, per card and epoch
    epoch bigint NOT NULL,
    card_no int NOT NULL,
    lat_e7 int,
    lon_e7 int,
    accuracy_cm bigint, -- radius of 68 %
    speed_cms int,
    heading_cdeg int,
    idx smallint NOT NULL, -- place in the report
    source smallint NOT NULL, -- 0 unknown, 1 GNSS, 2 Wi-Fi, 3 cell
    flags smallint NOT NULL, -- core/event.h: 1 no position, 2 clock ahead
    datum smallint NOT NULL, -- as it came in: 1 WGS-84, 2 GCJ-02, 3 BD-09
    battery_pct smallint
) PARTITION BY RANGE (arrived);
CREATE INDEX ON campus.fix USING brin (arrived) WITH (pages_per_range = 32);
CREATE INDEX ON campus.fix (card_no, "time");

CREATE TABLE campus.pass (
    arrived timestamptz NOT NULL,
    "time" timestamptz NOT NULL,
    seq bigint NOT NULL, -- of the gate's report
    epoch bigint NOT NULL,
    card_no int NOT NULL,
    gate_no int NOT NULL,
    idx smallint NOT NULL,
    direction smallint NOT NULL, -- 0 unknown, 1 in, 2 out
    reader smallint NOT NULL,
    flags smallint NOT NULL
) PARTITION BY RANGE (arrived);
CREATE INDEX ON campus.pass USING brin (arrived) WITH (pages_per_range = 32);
CREATE INDEX ON campus.pass (card_no, "time");

CREATE TABLE campus.signal (
    arrived timestamptz NOT NULL,
    "time" timestamptz NOT NULL,
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    card_no int NOT NULL,
    lat_e7 int,
    lon_e7 int,
    accuracy_cm bigint,
    idx smallint NOT NULL,
    kind smallint NOT NULL, -- 1 SOS, 2 low battery, 3 removed, 4 powered off
    flags smallint NOT NULL,
    battery_pct smallint
) PARTITION BY RANGE (arrived);
CREATE INDEX ON campus.signal USING brin (arrived) WITH (pages_per_range = 32);
CREATE INDEX ON campus.signal (card_no, "time");

CREATE TABLE campus.call (
    arrived timestamptz NOT NULL,
    "time" timestamptz NOT NULL,
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    duration_s bigint NOT NULL,
    card_no int NOT NULL,
    idx smallint NOT NULL,
    direction smallint NOT NULL, -- 1 incoming, 2 outgoing
    outcome smallint NOT NULL, -- 1 answered, 2 missed, 3 refused
    contact smallint NOT NULL, -- slot in the card's family numbers; 0 = not on it
    flags smallint NOT NULL
) PARTITION BY RANGE (arrived);
CREATE INDEX ON campus.call USING brin (arrived) WITH (pages_per_range = 32);
CREATE INDEX ON campus.call (card_no, "time");

CREATE TABLE campus.alert (
    raised timestamptz NOT NULL, -- when it was known
    "time" timestamptz NOT NULL, -- when it happened
    id text NOT NULL,
    type text NOT NULL,
    severity text NOT NULL,
    school_no int NOT NULL, -- numbers: 0 = does not apply
    pupil_no int NOT NULL,
    card_no int NOT NULL,
    fence_no int NOT NULL,
    fence_version int NOT NULL,
    gate_no int NOT NULL,
    late boolean NOT NULL,
    json jsonb NOT NULL, -- the CloudEvent as it was sent
    UNIQUE (id, raised)
) PARTITION BY RANGE (raised);
CREATE INDEX ON campus.alert (pupil_no, "time");
CREATE INDEX ON campus.alert (school_no, "time");

-- Dead letters: what was not taken, and why. Reason: a word of core/refusal.h, or 'archive' for a journal record that
-- could not be turned into rows (then the payload is the record).
CREATE TABLE campus.refused (
    arrived timestamptz NOT NULL,
    payload_bytes bigint NOT NULL, -- before it was cut
    reason text NOT NULL,
    topic text NOT NULL,
    detail text NOT NULL,
    payload bytea NOT NULL
) PARTITION BY RANGE (arrived);
CREATE INDEX ON campus.refused USING brin (arrived) WITH (pages_per_range = 32);

-- Makes the partitions of one day where they are missing. A new table is attached, not made as PARTITION OF: that would
-- lock out every reader of the parent, and wait for the longest of them.
CREATE FUNCTION campus.archive_day(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    part text;
    low text := to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00';
    high text := to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('campus.archive_day'));
    FOREACH parent IN ARRAY ARRAY['fix', 'pass', 'signal', 'call', 'alert', 'refused'] LOOP
        part := parent || '_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('campus.' || part) IS NULL THEN
            EXECUTE format('CREATE TABLE campus.%I (LIKE campus.%I)', part, parent);
            EXECUTE format('ALTER TABLE campus.%I ATTACH PARTITION campus.%I FOR VALUES FROM (%L) TO (%L)',
                           parent, part, low, high);
        END IF;
    END LOOP;
END $$;

-- ---- the same in words, for people ----

CREATE VIEW campus.fixes AS
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

CREATE VIEW campus.passes AS
SELECT a.arrived, a."time", c.id AS card, p.id AS pupil, g.id AS gate, s.id AS school,
       (ARRAY['unknown', 'in', 'out'])[a.direction + 1] AS direction, a.reader, a.epoch, a.seq, a.idx
FROM campus.pass a
LEFT JOIN campus.card c ON c.no = a.card_no
LEFT JOIN campus.pupil p ON p.no = c.pupil_no
LEFT JOIN campus.gate g ON g.no = a.gate_no
LEFT JOIN campus.school s ON s.no = g.school_no;

CREATE VIEW campus.signals AS
SELECT x.arrived, x."time", c.id AS card, p.id AS pupil, s.id AS school,
       (ARRAY['sos', 'low_battery', 'removed', 'powered_off'])[x.kind] AS kind,
       x.lat_e7 / 1e7::float8 AS lat, x.lon_e7 / 1e7::float8 AS lon, x.accuracy_cm / 100.0::float8 AS accuracy_m,
       x.battery_pct, x.epoch, x.seq, x.idx
FROM campus.signal x
LEFT JOIN campus.card c ON c.no = x.card_no
LEFT JOIN campus.pupil p ON p.no = c.pupil_no
LEFT JOIN campus.school s ON s.no = p.school_no;

CREATE VIEW campus.calls AS
SELECT x.arrived, x."time", c.id AS card, p.id AS pupil, s.id AS school,
       (ARRAY['incoming', 'outgoing'])[x.direction] AS direction,
       (ARRAY['answered', 'missed', 'refused'])[x.outcome] AS outcome, x.contact, x.duration_s, x.epoch, x.seq, x.idx
FROM campus.call x
LEFT JOIN campus.card c ON c.no = x.card_no
LEFT JOIN campus.pupil p ON p.no = c.pupil_no
LEFT JOIN campus.school s ON s.no = p.school_no;

CREATE VIEW campus.alerts AS
SELECT a.raised, a."time", a.id, a.type, a.severity, s.id AS school, p.id AS pupil, c.id AS card, g.id AS gate,
       (SELECT f.id FROM campus.fence f WHERE f.no = a.fence_no AND f.version = a.fence_version) AS fence,
       a.fence_version, a.late, a.json
FROM campus.alert a
LEFT JOIN campus.school s ON s.no = a.school_no
LEFT JOIN campus.pupil p ON p.no = a.pupil_no
LEFT JOIN campus.card c ON c.no = a.card_no
LEFT JOIN campus.gate g ON g.no = a.gate_no;
