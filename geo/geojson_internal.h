/*
 * geojson_internal.h - what the halves of the GeoJSON module share: the rings of one area while it
 * is read or checked, and where in the file we are.
 */
#ifndef GEO_GEOJSON_INTERNAL_H
#define GEO_GEOJSON_INTERNAL_H

#include <jansson.h>

#include "geo/geojson.h"

/* Rings without their repeated last point. Part q holds the rings [q ? part_ends[q-1] : 0 ..
 * part_ends[q]), the first of them its outline. */
struct geojson_area {
    const struct geo_point *points;
    const uint32_t *ring_ends, *part_ends;
    uint32_t ring_count, part_count;
};

/* Where and why an area is none. */
struct geojson_fault {
    uint32_t part, ring; /* from 1; 0 where it cannot be said */
    bool placed;         /* lat and lon are known */
    double lat, lon;     /* degrees, WGS-84 */
    char words[160];     /* GEOS's own reason */
};

/* STATUS_INVALID: not valid as OGC Simple Features say, on the lattice, *ret_fault says why;
 * STATUS_NO_MEMORY. */
enum status geojson_area_check(const struct geojson_area *area,
                               struct geojson_fault *ret_fault) MUST_CHECK;

/* Is the polygon valid with the digits that the file gives it, before they are rounded? Its rings
 * have been read without complaint. */
bool geojson_written_is_valid(const json_t *coordinates, bool multi);

/* What an area became. */
struct geojson_repaired {
    struct geojson_area area;
    struct geo_point *points; /* what area points to */
    uint32_t *ring_ends, *part_ends;
    uint32_t point_count;
    uint32_t crossings; /* of the edges before */
    bool compared;      /* few enough to say what share of the area changed */
    /* compared: by the even-odd rule; else what the rings wind round, outlines less holes: where they
     * overlap it counts twice, the halves of a bow-tie cancel out */
    double before_m2;
    double after_m2;
    double changed_m2; /* compared: inside before or after, but not both */
    uint32_t lines,
        specks; /* left out: edges and points without area, parts that vanish on the lattice */
};

/* GEOS's make-valid, on the lattice. Its "structure" method: each ring is made valid by itself, then
 * outlines are united and holes taken away. The other one ("linework") follows the even-odd rule:
 * where two parts of a ground overlap, as drawn by hand they do, it would leave a hole in which
 * a pupil is said to have left. The time is bounded: what has more than
 * GEO_GEOJSON_CROSSINGS_MAX crossings is refused. STATUS_INVALID: *ret_fault says why it cannot be;
 * STATUS_NO_MEMORY.
 * geojson_repaired_release frees what it made. */
enum status geojson_area_repair(const struct geojson_area *area, struct geojson_repaired *ret,
                                struct geojson_fault *ret_fault) MUST_CHECK;
void geojson_repaired_release(struct geojson_repaired *repaired);

/* What reads a file, one feature after the other. */
struct geojson_reader {
    const struct geo_geojson_options *options;
    struct arena *arena;
    struct status_detail *detail;
    /* where we are, from 1; 0 where it does not apply */
    uint32_t feature, part, ring, position;
    const char *id;
    bool bare; /* the file is one feature or geometry, no collection */
    enum geo_datum datum;
    /* the area at hand; kept from feature to feature */
    struct geo_point *points;
    uint32_t *ring_ends, *part_ends;
    size_t points_capacity, rings_capacity, parts_capacity;
    uint32_t point_count, ring_count, part_count;
    uint32_t flat_count; /* rings without area */
    bool mended;         /* the feature is not as the file has it */
};

/* STATUS_INVALID with the place before the words. */
enum status geojson_refuse(const struct geojson_reader *reader, const char *fmt, ...) PRINTF(2, 3);
/* How to get it repaired, to stand behind a refusal; "" where that is not offered. */
const char *geojson_offer(const struct geojson_reader *reader);
void geojson_warn(const struct geojson_reader *reader, const char *fmt, ...) PRINTF(2, 3);
enum status geojson_no_memory(const struct geojson_reader *reader);
/* What has no area: refused, or in lenient mode told and STATUS_END. */
enum status geojson_no_area(const struct geojson_reader *reader, const char *words);

/* The shape of a geometry, into the reader's arena. STATUS_END: left out; STATUS_INVALID,
 * STATUS_TOO_LARGE, STATUS_NO_MEMORY. */
enum status geojson_read_geometry(struct geojson_reader *reader, const json_t *json,
                                  const json_t *properties, struct geo_shape *ret) MUST_CHECK;

#endif
