-- Who is who, and which fences are in force. Every number (`no`) is given once, densely from 1, and never reused:
-- journals and archive rows refer to it for years. `valid = false` takes an entry out of service and keeps its number.

CREATE TABLE campus.registry_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint NOT NULL
);
INSERT INTO campus.registry_state (revision) VALUES (1);

CREATE TABLE campus.school (
    no int PRIMARY KEY,
    id text NOT NULL UNIQUE,
    name text NOT NULL,
    county text NOT NULL,
    lat_e7 int, -- WGS-84, degrees * 1e7
    lon_e7 int,
    valid boolean NOT NULL DEFAULT true
);

CREATE TABLE campus.pupil (
    no int PRIMARY KEY,
    id text NOT NULL UNIQUE,
    name text NOT NULL,
    school_no int NOT NULL REFERENCES campus.school,
    class text NOT NULL,
    valid boolean NOT NULL DEFAULT true
);
CREATE INDEX ON campus.pupil (school_no);

CREATE TABLE campus.card (
    no int PRIMARY KEY,
    id text NOT NULL UNIQUE,
    pupil_no int REFERENCES campus.pupil, -- NULL: issued to nobody
    -- user/device of a phone that stands in for the card; deferred, so that two cards can swap theirs
    owntracks text UNIQUE DEFERRABLE INITIALLY DEFERRED,
    valid boolean NOT NULL DEFAULT true
);
CREATE INDEX ON campus.card (pupil_no);

CREATE TABLE campus.guardian (
    no int PRIMARY KEY,
    id text NOT NULL UNIQUE,
    name text NOT NULL,
    valid boolean NOT NULL DEFAULT true
);

CREATE TABLE campus.guardian_pupil (
    guardian_no int NOT NULL REFERENCES campus.guardian,
    pupil_no int NOT NULL REFERENCES campus.pupil,
    PRIMARY KEY (pupil_no, guardian_no)
);
CREATE INDEX ON campus.guardian_pupil (guardian_no);

CREATE TABLE campus.gate (
    no int PRIMARY KEY,
    id text NOT NULL UNIQUE,
    name text NOT NULL,
    school_no int NOT NULL REFERENCES campus.school,
    valid boolean NOT NULL DEFAULT true
);

-- One row per version of a fence. The version in force has retired_at NULL; the others answer what was in force when.
CREATE TABLE campus.fence (
    no int NOT NULL,
    version int NOT NULL,
    id text NOT NULL,
    school_no int REFERENCES campus.school, -- NULL: concerns everyone
    kind text NOT NULL,
    name text NOT NULL,
    severity text NOT NULL, -- '': the kind's own
    schedule text NOT NULL,
    datum text NOT NULL, -- as the file declared it
    geojson jsonb NOT NULL, -- the geometry, WGS-84 whatever the datum was
    radius_m double precision, -- of a Point or LineString
    vertices int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    PRIMARY KEY (no, version)
);
CREATE UNIQUE INDEX ON campus.fence (id) WHERE retired_at IS NULL;
CREATE INDEX ON campus.fence (id, version);
