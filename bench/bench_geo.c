/*
 * bench-geo: lookups of fences beside GEOS's STRtree with prepared polygons, on the same lattice,
 * in the same process, in turns. A city of its own making, or the fences of a file.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <geos_c.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/figures.h"
#include "cli/cli.h"
#include "geo/geojson.h"
#include "geo/index.h"

static const char usage[] =
    "bench-geo [--quick] [--json FILE] [--fences FILE.geojson[.gz] --datum DATUM]";

enum {
    SCHOOLS = 206,
    SCHOOL_POLYGONS = 5,
    ZONES = 2000,
    RING_POINTS_MAX = 60,
    SLICE = 4096, /* points between two looks at the clock */
    BATCH = 64,
    SLICES = 400,
    SLICES_QUICK = 60,
    SLICES_MAX = 400,
    REACH_M = 20,
};

/* Changzhi: longitude 111.985-113.736, latitude 35.823-37.125. */
static const struct geo_point city_low = {358230000, 1119850000};
static const struct geo_point city_high = {371250000, 1137360000};

struct peer { /* one fence as GEOS has it */
    uint32_t shape;
    GEOSGeometry *area, *outline; /* lattice steps; metres of a flat city */
    const GEOSPreparedGeometry *prepared, *prepared_outline;
};

struct bench {
    struct arena arena;
    struct geo_shape *shapes;
    uint32_t shape_count;
    struct geo_index *index;
    GEOSContextHandle_t geos;
    GEOSSTRtree *tree;
    struct peer *peers;
    double metres_per_lon, metres_per_lat;
    struct geo_point *points;
    uint32_t point_count;
    uint64_t random;
    double build_s;
    uint64_t differences, checksum;
};

/* One lookup of GEOS: who is asked, and who answered. */
struct question {
    struct bench *bench;
    GEOSGeometry *point, *flat;
    bool distances;
    uint32_t found[GEO_FOUND_MAX], count;
    double sum_m;
};

/* ---- the city ---- */

static uint64_t next_random(struct bench *bench) /* splitmix64 */
{
    uint64_t z = (bench->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double unit(struct bench *bench)
{
    return (double)(next_random(bench) >> 11) * 0x1p-53;
}

static int32_t between(struct bench *bench, int32_t low, int32_t high)
{
    return low + (int32_t)(next_random(bench) % (uint64_t)(high - low + 1));
}

static struct geo_point anywhere(struct bench *bench)
{
    return (struct geo_point){between(bench, city_low.lat_e7, city_high.lat_e7),
                              between(bench, city_low.lon_e7, city_high.lon_e7)};
}

/* A concave ring of points at every angle; with a hole, the share of the radius that is left out.
 */
static bool make_ground(struct bench *bench, struct geo_point centre, double radius_m, double hole,
                        struct geo_shape *ret)
{
    uint32_t count = (uint32_t)between(bench, 12, RING_POINTS_MAX);
    uint32_t rings = hole > 0 ? 2 : 1;
    struct geo_point *points = arena_array(&bench->arena, (size_t)count * rings, sizeof *points);
    uint32_t *ends = arena_array(&bench->arena, rings, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return false;
    }
    uint32_t at = 0;
    for (uint32_t r = 0; r < rings; r++) {
        for (uint32_t i = 0; i < count; i++) {
            double angle = 2 * 3.14159265358979 * i / count;
            double far = radius_m * (r > 0 ? hole : 0.75 + 0.25 * unit(bench));
            points[at++] =
                (struct geo_point){centre.lat_e7 + (int32_t)lround(far * sin(angle) / 0.01109),
                                   centre.lon_e7 + (int32_t)lround(far * cos(angle) / 0.00899)};
        }
        ends[r] = at;
    }
    *ret = (struct geo_shape){.kind = GEO_POLYGON,
                              .point_count = at,
                              .ring_count = rings,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(ret);
    return true;
}

static bool make_city(struct bench *bench)
{
    /* of a school: its ground, the building round a courtyard, the way home, a ring about it, a
     * gate */
    static const double radii_m[SCHOOL_POLYGONS] = {150, 60, 300, 420, 40};
    static const double holes[SCHOOL_POLYGONS] = {0, 0.4, 0, 0.7, 0};
    bench->shapes =
        arena_array(&bench->arena, SCHOOLS * SCHOOL_POLYGONS + ZONES, sizeof *bench->shapes);
    bool ok = bench->shapes != NULL;
    for (uint32_t s = 0; s < SCHOOLS && ok; s++) {
        struct geo_point centre = anywhere(bench);
        for (uint32_t i = 0; i < SCHOOL_POLYGONS && ok; i++) {
            struct geo_point place = centre;
            place.lon_e7 += i + 1 == SCHOOL_POLYGONS ? 16000 : 0;
            ok = make_ground(bench, place, radii_m[i], holes[i],
                             &bench->shapes[bench->shape_count++]);
        }
    }
    for (uint32_t z = 0; z < ZONES && ok; z++) {
        ok = make_ground(bench, anywhere(bench), 20 + 200 * unit(bench),
                         next_random(bench) % 3 == 0 ? 0.3 : 0,
                         &bench->shapes[bench->shape_count++]);
    }
    return ok;
}

static enum status read_city(struct bench *bench, const char *path, const char *datum,
                             struct status_detail *detail)
{
    struct geo_geojson_options options = {.lenient = true};
    struct geo_features features = {0};
    struct text json;
    if (datum != NULL && geo_datum_parse(text_of(datum), &options.datum_default) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID, "datum %s is unknown", datum);
    }
    enum status status = cli_read_file(path, &bench->arena, &json, detail);
    if (status == STATUS_OK) {
        status = geo_geojson_read(json, &options, &bench->arena, &features, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    bench->shapes = arena_array(&bench->arena, features.count + (size_t)1, sizeof *bench->shapes);
    if (bench->shapes == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < features.count; i++) {
        if (features.items[i].shape.kind == GEO_POLYGON) { /* GEOS has no circles */
            bench->shapes[bench->shape_count++] = features.items[i].shape;
        }
    }
    return bench->shape_count > 0
               ? STATUS_OK
               : status_detail_set(detail, STATUS_INVALID, "%s: no polygon in it", path);
}

static int32_t clamped(double value, int32_t low, int32_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

/* 70 % within 400 m of a school (or of the first fences of a file), 20 % within 3 km of any fence,
 * 10 % anywhere among them; in no order. */
static bool make_points(struct bench *bench)
{
    struct geo_point low = bench->shapes[0].low, high = bench->shapes[0].high;
    for (uint32_t i = 1; i < bench->shape_count; i++) {
        const struct geo_shape *shape = &bench->shapes[i];
        low.lat_e7 = shape->low.lat_e7 < low.lat_e7 ? shape->low.lat_e7 : low.lat_e7;
        low.lon_e7 = shape->low.lon_e7 < low.lon_e7 ? shape->low.lon_e7 : low.lon_e7;
        high.lat_e7 = shape->high.lat_e7 > high.lat_e7 ? shape->high.lat_e7 : high.lat_e7;
        high.lon_e7 = shape->high.lon_e7 > high.lon_e7 ? shape->high.lon_e7 : high.lon_e7;
    }
    bench->points = arena_array(&bench->arena, bench->point_count, sizeof *bench->points);
    uint32_t schools = SCHOOLS * SCHOOL_POLYGONS;
    schools = schools < bench->shape_count ? schools : bench->shape_count;
    for (uint32_t i = 0; i < bench->point_count && bench->points != NULL; i++) {
        uint64_t kind = next_random(bench) % 10;
        const struct geo_shape *shape =
            &bench->shapes[next_random(bench) % (kind < 7 ? schools : bench->shape_count)];
        double reach = kind < 7 ? 36000 : 270000; /* steps: 400 m, 3 km */
        double lat = ((double)shape->low.lat_e7 + shape->high.lat_e7) / 2;
        double lon = ((double)shape->low.lon_e7 + shape->high.lon_e7) / 2;
        lat += (unit(bench) * 2 - 1) * reach;
        lon += (unit(bench) * 2 - 1) * reach * 1.25;
        if (kind == 9) {
            lat = low.lat_e7 + unit(bench) * ((double)high.lat_e7 - low.lat_e7);
            lon = low.lon_e7 + unit(bench) * ((double)high.lon_e7 - low.lon_e7);
        }
        bench->points[i] = (struct geo_point){clamped(lat, -GEO_LAT_E7_MAX, GEO_LAT_E7_MAX),
                                              clamped(lon, -GEO_LON_E7_MAX, GEO_LON_E7_MAX)};
    }
    return bench->points != NULL;
}

/* ---- GEOS ---- */

static int to_lattice(double *x, double *y, void *unused)
{
    (void)unused;
    *x = nearbyint(*x * 1e7);
    *y = nearbyint(*y * 1e7);
    return 1;
}

static int to_metres(double *x, double *y, void *context)
{
    const struct bench *bench = context;
    *x *= bench->metres_per_lon;
    *y *= bench->metres_per_lat;
    return 1;
}

static bool make_peer(struct bench *bench, uint32_t shape, GEOSGeoJSONReader *reader)
{
    struct buffer json;
    struct peer *peer = &bench->peers[shape];
    buffer_init(&json, 1u << 28);
    geo_geojson_write_geometry(&json, &bench->shapes[shape]);
    GEOSGeometry *degrees =
        GEOSGeoJSONReader_readGeometry_r(bench->geos, reader, buffer_cstr(&json));
    buffer_release(&json);
    peer->shape = shape;
    if (degrees != NULL) {
        peer->area = GEOSGeom_transformXY_r(bench->geos, degrees, to_lattice, NULL);
        GEOSGeom_destroy_r(bench->geos, degrees);
    }
    if (peer->area == NULL) {
        return false;
    }
    GEOSGeometry *outline = GEOSBoundary_r(bench->geos, peer->area);
    if (outline != NULL) {
        peer->outline = GEOSGeom_transformXY_r(bench->geos, outline, to_metres, bench);
        GEOSGeom_destroy_r(bench->geos, outline);
    }
    if (peer->outline == NULL) {
        return false;
    }
    peer->prepared = GEOSPrepare_r(bench->geos, peer->area);
    peer->prepared_outline = GEOSPrepare_r(bench->geos, peer->outline);
    GEOSSTRtree_insert_r(bench->geos, bench->tree, peer->area, peer);
    return true;
}

static enum status make_peers(struct bench *bench, struct status_detail *detail)
{
    double phi = ((double)bench->shapes[0].low.lat_e7) * 1e-7 / 57.29577951308232;
    bench->metres_per_lat = 0.0111;
    bench->metres_per_lon = 0.01113 * cos(phi);
    bench->geos = GEOS_init_r();
    bench->tree = GEOSSTRtree_create_r(bench->geos, 10);
    bench->peers = arena_array(&bench->arena, bench->shape_count, sizeof *bench->peers);
    GEOSGeoJSONReader *reader = GEOSGeoJSONReader_create_r(bench->geos);
    enum status status = bench->peers != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < bench->shape_count && status == STATUS_OK; i++) {
        if (!make_peer(bench, i, reader)) {
            status =
                status_detail_set(detail, STATUS_INVALID, "GEOS does not take fence %u", i + 1);
        }
    }
    GEOSGeoJSONReader_destroy_r(bench->geos, reader);
    return status;
}

static void take_peer(void *item, void *context)
{
    const struct peer *peer = item;
    struct question *question = context;
    GEOSContextHandle_t geos = question->bench->geos;
    if (GEOSPreparedIntersects_r(geos, peer->prepared, question->point) == 1 &&
        question->count < GEO_FOUND_MAX) {
        question->found[question->count++] = peer->shape;
    }
    double distance_m = 0;
    if (question->distances &&
        GEOSPreparedDistance_r(geos, peer->prepared_outline, question->flat, &distance_m) == 1 &&
        distance_m <= REACH_M) {
        question->sum_m += distance_m;
    }
}

static void ask_geos(struct bench *bench, struct geo_point p, bool distances,
                     struct question *question)
{
    GEOSContextHandle_t geos = bench->geos;
    double x = p.lon_e7, y = p.lat_e7;
    question->bench = bench;
    question->distances = distances;
    question->count = 0;
    question->sum_m = 0;
    question->point = GEOSGeom_createPointFromXY_r(geos, x, y);
    if (!distances) {
        GEOSSTRtree_query_r(geos, bench->tree, question->point, take_peer, question);
    } else {
        double dx = REACH_M / bench->metres_per_lon, dy = REACH_M / bench->metres_per_lat;
        question->flat = GEOSGeom_createPointFromXY_r(geos, x * bench->metres_per_lon,
                                                      y * bench->metres_per_lat);
        GEOSGeometry *box = GEOSGeom_createRectangle_r(geos, x - dx, y - dy, x + dx, y + dy);
        GEOSSTRtree_query_r(geos, bench->tree, box, take_peer, question);
        GEOSGeom_destroy_r(geos, box);
        GEOSGeom_destroy_r(geos, question->flat);
    }
    GEOSGeom_destroy_r(geos, question->point);
}

/* ---- the contestants: each takes a slice of points and adds to the checksum ---- */

static void run_batch(struct bench *bench, const struct geo_point *points)
{
    uint32_t sets[BATCH];
    for (uint32_t i = 0; i < SLICE; i += BATCH) {
        geo_index_find_batch(bench->index, points + i, BATCH, sets);
        for (uint32_t k = 0; k < BATCH; k++) {
            bench->checksum += sets[k];
        }
    }
}

static void run_single(struct bench *bench, const struct geo_point *points)
{
    uint32_t found[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < SLICE; i++) {
        bench->checksum += geo_index_find(bench->index, points[i], found);
    }
}

static void run_near(struct bench *bench, const struct geo_point *points)
{
    struct geo_near near[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < SLICE; i++) {
        bench->checksum += geo_index_near(bench->index, points[i], REACH_M, near, GEO_FOUND_MAX);
    }
}

static void run_geos(struct bench *bench, const struct geo_point *points)
{
    struct question question = {0};
    for (uint32_t i = 0; i < SLICE; i++) {
        ask_geos(bench, points[i], false, &question);
        bench->checksum += question.count;
    }
}

static void run_geos_near(struct bench *bench, const struct geo_point *points)
{
    struct question question = {0};
    for (uint32_t i = 0; i < SLICE; i++) {
        ask_geos(bench, points[i], true, &question);
        bench->checksum += question.count + (uint64_t)question.sum_m;
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void count_differences(struct bench *bench, const struct geo_point *points)
{
    uint32_t sets[SLICE];
    geo_index_find_batch(bench->index, points, SLICE, sets);
    for (uint32_t i = 0; i < SLICE; i++) {
        struct question question = {0};
        uint32_t count, found[GEO_FOUND_MAX];
        const uint32_t *ours = geo_index_set(bench->index, sets[i], &count);
        ask_geos(bench, points[i], false, &question);
        qsort(question.found, question.count, sizeof question.found[0], compare_u32);
        bool same = count == question.count &&
                    geo_index_find(bench->index, points[i], found) == count &&
                    memcmp(ours, question.found, count * sizeof *ours) == 0 &&
                    memcmp(ours, found, count * sizeof *ours) == 0;
        bench->differences += !same;
    }
}

/* ---- the course ---- */

enum contestant { GEOS_FIND, OUR_BATCH, OUR_SINGLE, GEOS_NEAR, OUR_NEAR, CONTESTANTS };

static void (*const runs[CONTESTANTS])(struct bench *, const struct geo_point *) = {
    run_geos, run_batch, run_single, run_geos_near, run_near};
static const char *const names[CONTESTANTS] = {
    "GEOS: STRtree + prepared", "index, batches of 64", "index, one by one",
    "GEOS: and distances within 20 m", "index: and distances within 20 m"};

struct times {
    double ns[CONTESTANTS][SLICES_MAX]; /* a lookup */
};

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare_double);
    return values[count / 2];
}

static double median_ratio(const struct times *times, enum contestant slow, enum contestant fast,
                           uint32_t slices)
{
    double ratios[SLICES_MAX] = {0};
    for (uint32_t i = 0; i < slices; i++) {
        ratios[i] = times->ns[slow][i] / times->ns[fast][i];
    }
    return median(ratios, slices);
}

/* The fast ones run their slice several times over, so that the clock's microsecond is small. */
static void race(struct bench *bench, struct times *times, uint32_t slices)
{
    static const uint32_t repeats[CONTESTANTS] = {1, 16, 8, 1, 4};
    for (uint32_t i = 0; i < slices; i++) {
        for (uint32_t c = 0; c < CONTESTANTS; c++) {
            int64_t start_us = clock_mono_us();
            for (uint32_t k = 0; k < repeats[c]; k++) {
                uint32_t slice = (i * repeats[c] + k) % (bench->point_count / SLICE);
                runs[c](bench, bench->points + (size_t)slice * SLICE);
            }
            double ns = (double)(clock_mono_us() - start_us) * 1000;
            times->ns[c][i] = ns / ((double)repeats[c] * SLICE);
        }
        count_differences(bench,
                          bench->points + (size_t)(i % (bench->point_count / SLICE)) * SLICE);
    }
}

static void report(struct bench *bench, struct times *times, uint32_t slices,
                   struct figures *figures)
{
    figures_add(figures, "geo.batch_vs_geos", median_ratio(times, GEOS_FIND, OUR_BATCH, slices));
    figures_add(figures, "geo.single_vs_geos", median_ratio(times, GEOS_FIND, OUR_SINGLE, slices));
    figures_add(figures, "geo.distance_vs_geos", median_ratio(times, GEOS_NEAR, OUR_NEAR, slices));
    figures_add(figures, "geo.differences", (double)bench->differences);
    figures_add(figures, "geo.build_s", bench->build_s);
    figures_add(figures, "geo.bytes", (double)geo_index_bytes(bench->index));
    static const char *const keys[CONTESTANTS] = {"geo.geos_ns", "geo.batch_ns", "geo.single_ns",
                                                  "geo.geos_distance_ns", "geo.distance_ns"};
    (void)printf("%u fences, %u sets, %zu bytes, built in %.3f s\n", bench->shape_count,
                 geo_index_set_count(bench->index), geo_index_bytes(bench->index), bench->build_s);
    (void)printf("%-34s %10s %10s\n", "ns a lookup", "best", "median");
    for (uint32_t c = 0; c < CONTESTANTS; c++) {
        double middle = median(times->ns[c], slices); /* sorts */
        (void)printf("%-34s %10.1f %10.1f\n", names[c], times->ns[c][0], middle);
        figures_add(figures, keys[c], middle);
    }
    for (uint32_t i = 0; i < 3; i++) {
        (void)printf("%-34s %10.1f\n", figures->items[i].key, figures->items[i].value);
    }
    (void)printf("%llu differences over %llu lookups (checksum %llu)\n",
                 (unsigned long long)bench->differences, (unsigned long long)slices * SLICE,
                 (unsigned long long)bench->checksum);
}

static void release(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->shape_count && bench->peers != NULL; i++) {
        GEOSPreparedGeom_destroy_r(bench->geos, bench->peers[i].prepared);
        GEOSPreparedGeom_destroy_r(bench->geos, bench->peers[i].prepared_outline);
        GEOSGeom_destroy_r(bench->geos, bench->peers[i].area);
        GEOSGeom_destroy_r(bench->geos, bench->peers[i].outline);
    }
    if (bench->geos != NULL) {
        GEOSSTRtree_destroy_r(bench->geos, bench->tree);
        GEOS_finish_r(bench->geos);
    }
    geo_index_free(bench->index);
    arena_release(&bench->arena);
}

static enum status prepare(struct bench *bench, const char *fences, const char *datum,
                           struct status_detail *detail)
{
    enum status status = fences != NULL      ? read_city(bench, fences, datum, detail)
                         : !make_city(bench) ? STATUS_NO_MEMORY
                                             : STATUS_OK;
    if (status == STATUS_OK && !make_points(bench)) {
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        int64_t start_us = clock_mono_us();
        status = geo_index_new(bench->shapes, bench->shape_count, &bench->index, detail);
        bench->build_s = (double)(clock_mono_us() - start_us) / 1e6;
    }
    return status == STATUS_OK ? make_peers(bench, detail) : status;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *fences = NULL, *datum = NULL;
    bool quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--fences", &fences, NULL},
                                         {"--datum", &datum, NULL},
                                         {"--quick", NULL, &quick},
                                         {0}};
    int words;
    int result = cli_options(argc, argv, options, usage, &words);
    if (result != CLI_OK || words > 1) {
        return result != CLI_OK ? result : cli_usage(usage, "what is %s?", argv[1]);
    }
    static struct times times;
    struct figures figures = {0};
    struct status_detail detail = {"no memory"};
    struct bench bench = {.point_count = 256 * SLICE, .random = 1};
    uint32_t slices = quick ? SLICES_QUICK : SLICES;
    arena_init_growing(&bench.arena, 1u << 20, (size_t)8 << 30);
    enum status status = prepare(&bench, fences, datum, &detail);
    if (status == STATUS_OK) {
        race(&bench, &times, slices);
        report(&bench, &times, slices, &figures);
        status = json != NULL ? figures_write(&figures, json, &detail) : STATUS_OK;
    }
    release(&bench);
    if (status != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return bench.differences == 0 ? CLI_OK : cli_fail("the index and GEOS differ");
}
