/*
 * geojson.h - fences in and out as GeoJSON (RFC 7946).
 * Know: import path only, never on the loop thread's hot path. Strict by default: a feature that is
 * not a valid area is refused with its place. Every feature has a datum, its own property `datum`
 * or the caller's default; with neither it is refused.
 * Memory: everything returned lives in the
 * caller's growing arena.
 * Threads: any, one per call.
 */
#ifndef GEO_GEOJSON_H
#define GEO_GEOJSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "geo/datum.h"
#include "geo/shape.h"

/* One fence as it travels. Texts are NUL-terminated, "" where absent. */
struct geo_feature {
    const char *id;     /* property `id`, else the feature's `id`, else property `@id` */
    const char *school; /* whose pupils it concerns; "" = everyone */
    const char *kind;   /* "school", "danger", "place"; "" = "place" */
    const char *name;
    const char *severity; /* "info", "warning", "critical"; "" = by kind */
    const char *schedule;
    enum geo_datum datum; /* as declared; the shape is WGS-84 already */
    struct geo_shape shape;
};

struct geo_features {
    struct geo_feature *items;
    uint32_t count;
    uint32_t skipped;  /* lenient: features left out */
    uint32_t repaired; /* repair: features that are not as the file has them */
    uint32_t refused;  /* go_on: features that were refused */
};

struct geo_geojson_options {
    enum geo_datum datum_default; /* GEO_DATUM_NONE: each feature must say */
    bool lenient; /* analysis tools: skip what has no area, take invalid polygons under even-odd,
                     name nameless features "#<n>"; each told through `warn` */
    /* What GEOS calls invalid is made valid (GEOSMakeValid, structure method), rings are closed, rings and
     * pieces without area left out; what has no area then, or more than GEO_GEOJSON_CROSSINGS_MAX
     * crossings, is refused. One line through `warn` for each feature says what changed: the reason,
     * vertices, parts, m2, pieces left out; and of small ones, m2 before by the even-odd rule and m2 that
     * differ. */
    bool repair;
    bool
        go_on; /* checkers: a refused feature is told through `warn` and counted, and the next one read */
    const char *repair_words; /* stands behind a refusal that repair would avoid (": ... --repair");
                                 NULL: repair is not offered */
    void (*warn)(void *context, const char *words);
    void *context;
};

/* Crossings of edges in what is repaired. GEOS takes a second for so many, and the square of it for
 * more. */
#define GEO_GEOJSON_CROSSINGS_MAX 30000u
#define GEO_GEOJSON_RINGS_MAX                                                                      \
    10000u /* rings of one fence: each is held against each when written */

/* FeatureCollection, Feature or bare geometry. STATUS_INVALID with the place in the file's own datum
 * ("feature 3 (id \"s001\"): ring 1: Self-intersection at 113.1, 36.2 (longitude, latitude in gcj02)"),
 * STATUS_TOO_LARGE (GEO_SHAPE_POINTS_MAX, GEO_GEOJSON_RINGS_MAX, the file), STATUS_NO_MEMORY; nothing is returned then. Duplicate ids are refused. */
enum status geo_geojson_read(struct text json, const struct geo_geojson_options *options,
                             struct arena *arena, struct geo_features *ret,
                             struct status_detail *detail) MUST_CHECK;

/* One Feature object in WGS-84 (`"datum":"wgs84"` among its properties), 7 decimals, rings closed
 * and wound as RFC 7946 asks. */
void geo_geojson_write_feature(struct buffer *out, const struct geo_feature *feature);
/* The geometry object alone. */
void geo_geojson_write_geometry(struct buffer *out, const struct geo_shape *shape);

#endif
