/*
 * city.h - the sample city: schools with grounds, pupils, guardians, gates and danger zones, all
 * invented, in the true counties of Changzhi.
 * Know: a function of its options: the same options give the same city. The ids are numbers from 1:
 * s001, p000001 with card c000001, g000001, s001-g1, fences s001-ground ... and z0001.
 * Units: WGS-84 degrees; metres from a school's centre.
 * Memory: all in the city's arena.
 * Threads: one makes it, any may read.
 */
#ifndef SIM_CITY_H
#define SIM_CITY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "geo/shape.h"
#include "sim/place.h"

/* Raised when other code makes another city of the same options. */
#define SIM_CITY_VERSION 1u

#define SIM_COUNTIES        12u
#define SIM_GATES_MAX       3u
#define SIM_SCHOOL_FENCES   5u
#define SIM_SCHOOLS_MAX     999u
#define SIM_SCHOOL_SIZE_MIN 200u
#define SIM_SCHOOL_SIZE_MAX 2000u
#define SIM_ZONES_MAX       9999u

#define SIM_SCHOOLS_DEFAULT 206u
#define SIM_PUPILS_DEFAULT  134000u
#define SIM_ZONES_DEFAULT   2000u

struct sim_city_options {
    uint64_t seed;
    uint32_t schools, pupils, zones;
};

struct sim_county {
    const char *code, *name;
};
extern const struct sim_county sim_counties[SIM_COUNTIES];

/* A gate: where the ray at `angle` leaves the ground. */
struct sim_gate {
    double angle, radius_m;
};

enum sim_school_fence {
    SIM_FENCE_GROUND,
    SIM_FENCE_PLAYGROUND,
    SIM_FENCE_DORMITORY,
    SIM_FENCE_TEACHING,
    SIM_FENCE_GATE, /* around the first gate, within and without the ground */
};

struct sim_school {
    struct sim_land land; /* its centre sees the whole main part of the ground */
    uint32_t county;
    uint32_t pupil_first, pupil_count;
    uint32_t gate_count;
    struct sim_gate gates[SIM_GATES_MAX];
    struct geo_shape fences[SIM_SCHOOL_FENCES];
    double inner_m;  /* a circle of this radius lies in the ground, but for the odd direction */
    double extent_m; /* no part of the ground is farther from the centre */
    double
        odd_angle; /* here, within 0.75 rad, is the pond in the ground or its second part, if any */
    struct sim_spot playground, dormitory, teaching;
    bool boards; /* some of its pupils stay overnight */
    uint32_t
        zone_near; /* the nearest danger zone, of those with a point within 3 km; else UINT32_MAX */
    struct sim_spot zone_spot; /* a point in it */
};

enum sim_zone_kind { SIM_ZONE_RIVER, SIM_ZONE_POND, SIM_ZONE_QUARRY, SIM_ZONE_ROAD };

struct sim_zone {
    enum sim_zone_kind kind;
    struct geo_shape shape;
    struct geo_point inside; /* a point in it */
};

struct sim_pupil {
    uint32_t school;
    uint32_t guardian_first;
    uint8_t guardian_count; /* 1 or 2 */
    uint8_t grade, class_no;
};

struct sim_city {
    struct sim_city_options options;
    struct arena arena;
    struct sim_school *schools;
    struct sim_pupil *pupils;
    struct sim_zone *zones;
    uint32_t guardian_count;
};

/* STATUS_INVALID (the counts do not fit: schools 1-999 of 200-2,000 pupils, zones 0-9,999),
 * STATUS_NO_MEMORY; nothing is left behind then. */
enum status sim_city_init(struct sim_city *city, const struct sim_city_options *options,
                          struct status_detail *detail) MUST_CHECK;
void sim_city_release(struct sim_city *city);
/* Differs when the city differs in anything that is written of it. */
uint64_t sim_city_digest(const struct sim_city *city);

/* ---- fences, numbered 0..sim_city_fence_count-1: the schools' in their order, then the zones ----
 */

#define SIM_TEXT_MAX 64
struct sim_fence {
    char id[SIM_TEXT_MAX], school[SIM_TEXT_MAX], name[SIM_TEXT_MAX];
    const char *kind; /* "school", "place", "danger" */
    const struct geo_shape *shape;
};
uint32_t sim_city_fence_count(const struct sim_city *city);
void sim_city_fence(const struct sim_city *city, uint32_t no, struct sim_fence *ret);

/* ---- rows as storage/registry.h names their columns ---- */

enum sim_table {
    SIM_TABLE_SCHOOLS,
    SIM_TABLE_PUPILS,
    SIM_TABLE_CARDS,
    SIM_TABLE_GUARDIANS,
    SIM_TABLE_GATES,
    SIM_TABLE_LOAD, /* school,card,guardian,lat,lon: the card's place is in the school's ground */
    SIM_TABLES
};
const char *sim_table_file(enum sim_table table); /* "schools.csv" */
/* Appends the header line. */
void sim_table_header(enum sim_table table, struct buffer *out);
/* Appends the rows that belong to one school. */
void sim_table_rows(const struct sim_city *city, enum sim_table table, uint32_t school,
                    struct buffer *out);

#endif
