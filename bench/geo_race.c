#include "bench/geo_race.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"

enum { BUILDS = 5, NEAR_MAX = RACE_BATCH * GEO_FOUND_MAX };

double bench_now_ns(void)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare_double);
    return values[count / 2];
}

void bench_figure(struct figures *figures, const char *key, const char *name, double value)
{
    char text[FIGURE_KEY_BYTES_MAX];
    (void)snprintf(text, sizeof text, "%s.%s", key, name);
    figures_add(figures, text, value);
}

/* ---- the contestants: each takes a slice of points and adds to the checksum ---- */

static void run_batch(struct geo_race *race, const struct geo_point *points)
{
    uint32_t sets[RACE_BATCH];
    for (uint32_t i = 0; i < RACE_SLICE; i += RACE_BATCH) {
        geo_index_find_batch(race->index, points + i, RACE_BATCH, sets);
        for (uint32_t k = 0; k < RACE_BATCH; k++) {
            race->checksum += sets[k];
        }
    }
}

static void run_single(struct geo_race *race, const struct geo_point *points)
{
    uint32_t found[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < RACE_SLICE; i++) {
        race->checksum += geo_index_find(race->index, points[i], found);
    }
}

static void run_near_batch(struct geo_race *race, const struct geo_point *points)
{
    static struct geo_near near[NEAR_MAX];
    uint32_t sets[RACE_BATCH], ends[RACE_BATCH];
    float reaches_m[RACE_BATCH];
    for (uint32_t k = 0; k < RACE_BATCH; k++) {
        reaches_m[k] = RACE_REACH_M;
    }
    for (uint32_t i = 0; i < RACE_SLICE; i += RACE_BATCH) {
        uint32_t done = geo_index_near_batch(race->index, points + i, reaches_m, RACE_BATCH, sets,
                                             near, NEAR_MAX, ends);
        ASSERT(done == RACE_BATCH);
        race->checksum += ends[RACE_BATCH - 1];
        for (uint32_t k = 0; k < RACE_BATCH; k++) {
            race->checksum += sets[k];
        }
    }
}

static void run_near_single(struct geo_race *race, const struct geo_point *points)
{
    struct geo_near near[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < RACE_SLICE; i++) {
        race->checksum += geo_index_near(race->index, points[i], RACE_REACH_M, near, GEO_FOUND_MAX);
    }
}

static void run_geos(struct geo_race *race, const struct geo_point *points)
{
    uint32_t found[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < RACE_SLICE; i++) {
        race->checksum += geo_peer_find(race->peer, points[i], found);
    }
}

static void run_geos_cpp(struct geo_race *race, const struct geo_point *points)
{
    uint32_t found[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < RACE_SLICE; i++) {
        race->checksum += geo_peer_cpp_find(race->peer_cpp, points[i].lon_e7, points[i].lat_e7,
                                            found, GEO_FOUND_MAX);
    }
}

static void run_geos_way(struct geo_race *race, enum geo_peer_way way,
                         const struct geo_point *points)
{
    uint32_t found[GEO_FOUND_MAX], near_count;
    struct geo_near near[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < RACE_SLICE; i++) {
        race->checksum += geo_peer_near(race->peer, way, points[i], found, near, &near_count);
        race->checksum += near_count;
    }
}

static void run_geos_near(struct geo_race *race, const struct geo_point *points)
{
    run_geos_way(race, race->way, points);
}

static void run_geos_box(struct geo_race *race, const struct geo_point *points)
{
    run_geos_way(race, race->box_way, points);
}

/* ---- the course ---- */

enum contestant {
    GEOS,
    GEOS_CPP,
    BATCH,
    SINGLE,
    GEOS_NEAR,
    GEOS_BOX,
    NEAR_BATCH,
    NEAR_SINGLE,
    CONTESTANTS
};

static const struct {
    void (*run)(struct geo_race *, const struct geo_point *);
    const char *words, *key;
    uint32_t repeats; /* slices a turn: about 30 ms */
} contestants[CONTESTANTS] = {
    [GEOS] = {run_geos, "GEOS, C API: STRtree + prepared", "geos_ns", 15},
    [GEOS_CPP] = {run_geos_cpp, "GEOS, C++: STRtree + locators", "geos_cpp_ns", 18},
    [BATCH] = {run_batch, "index, batches of 256", "batch_ns", 768},
    [SINGLE] = {run_single, "index, one by one", "single_ns", 288},
    [GEOS_NEAR] = {run_geos_near, "GEOS, C API: and distances in 20 m", "geos_distance_ns", 8},
    [GEOS_BOX] = {run_geos_box, "GEOS, the same for any reach", "geos_distance_box_ns", 8},
    [NEAR_BATCH] = {run_near_batch, "index: and distances, batches", "near_batch_ns", 192},
    [NEAR_SINGLE] = {run_near_single, "index: and distances, one by one", "near_single_ns", 48},
};

static const struct {
    enum contestant slow, fast;
    const char *key;
} ratios[] = {
    {GEOS, BATCH, "batch_vs_geos"},
    {GEOS_CPP, BATCH, "batch_vs_geos_cpp"},
    {GEOS, SINGLE, "single_vs_geos"},
    {GEOS_NEAR, NEAR_BATCH, "distance_vs_geos"},
    {GEOS_BOX, NEAR_BATCH, "distance_vs_geos_box"},
};

struct times {
    double ns[CONTESTANTS][RACE_SLICES_MAX]; /* a lookup */
};

static bool takes_part(const struct geo_race *race, enum contestant c)
{
    return c == GEOS_NEAR || c == GEOS_BOX ? race->flat
           : c == GEOS_CPP                 ? race->peer_cpp != NULL
                                           : true;
}

/* Each contestant begins with other slices: it would find in the caches what another left there. */
static void run_slices(struct geo_race *race, enum contestant c, uint32_t first, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        uint32_t slice = (c * 31 + first + k) % (RACE_POINTS / RACE_SLICE);
        contestants[c].run(race, race->points + (size_t)slice * RACE_SLICE);
    }
}

/* Half as many slices go before those that count, so that each contestant has its own index in the
 * caches, not what the one before it left there. */
static void turn(struct geo_race *race, struct times *times, uint32_t i)
{
    for (uint32_t c = 0; c < CONTESTANTS; c++) {
        uint32_t repeats = contestants[c].repeats;
        if (!takes_part(race, c)) {
            continue;
        }
        uint32_t before = (repeats + 1) / 2, first = i * (before + repeats);
        run_slices(race, c, first, before);
        double start_ns = bench_now_ns();
        run_slices(race, c, first + before, repeats);
        times->ns[c][i] = (bench_now_ns() - start_ns) / ((double)repeats * RACE_SLICE);
    }
}

static double median_ratio(const struct times *times, enum contestant slow, enum contestant fast,
                           uint32_t slices)
{
    double values[RACE_SLICES_MAX] = {0};
    for (uint32_t i = 0; i < slices; i++) {
        values[i] = times->ns[slow][i] / times->ns[fast][i];
    }
    return bench_median(values, slices);
}

static double best_of(const struct times *times, enum contestant c, uint32_t slices)
{
    double best = times->ns[c][0];
    for (uint32_t i = 1; i < slices; i++) {
        best = times->ns[c][i] < best ? times->ns[c][i] : best;
    }
    return best;
}

static void tell_head(const struct geo_race *race, struct figures *figures)
{
    size_t corners = 0, bytes = geo_index_bytes(race->index);
    for (uint32_t i = 0; i < race->shape_count; i++) {
        corners += race->shapes[i].point_count;
    }
    (void)printf("\n%s\n%u fences with %zu corners, %u sets, %zu bytes, built in %.4f s\n",
                 race->title, race->shape_count, corners, geo_index_set_count(race->index), bytes,
                 race->build_s);
    bench_figure(figures, race->key, "build_s", race->build_s);
    bench_figure(figures, race->key, "bytes", (double)bytes);
}

static void tell_times(const struct geo_race *race, struct times *times, uint32_t slices,
                       struct figures *figures)
{
    (void)printf("%-36s %10s %10s\n", "times as fast", "best", "median");
    for (size_t r = 0; r < sizeof ratios / sizeof ratios[0]; r++) { /* before medians sort them */
        enum contestant slow = ratios[r].slow, fast = ratios[r].fast;
        if (takes_part(race, slow)) {
            double ratio = median_ratio(times, slow, fast, slices);
            bench_figure(figures, race->key, ratios[r].key, ratio);
            (void)printf("%-36s %10.1f %10.1f\n", ratios[r].key,
                         best_of(times, slow, slices) / best_of(times, fast, slices), ratio);
        }
    }
    (void)printf("%-36s %10s %10s\n", "ns a lookup", "best", "median");
    for (uint32_t c = 0; c < CONTESTANTS; c++) {
        if (takes_part(race, c)) {
            double middle = bench_median(times->ns[c], slices);
            bench_figure(figures, race->key, contestants[c].key, middle);
            (void)printf("%-36s %10.1f %10.1f\n", contestants[c].words, times->ns[c][0], middle);
        }
    }
    if (race->flat) {
        (void)printf("the fastest ways to distances by GEOS: %s; for any reach: %s\n",
                     geo_peer_way_names[race->way], geo_peer_way_names[race->box_way]);
    }
    if (race->peer_cpp == NULL) {
        (void)printf("skipped: GEOS by C++, no compiler or headers (libgeos++-dev) at build\n");
    }
}

/* Sixteen slices each after one round unmeasured: GEOS prepares a fence when it first asks it. */
static void choose_way(struct geo_race *race)
{
    enum { SLICES = 16 };
    double sum_ns[PEER_WAYS] = {0};
    for (uint32_t i = 0; i < 2 * SLICES * PEER_WAYS; i++) {
        uint32_t way = i % PEER_WAYS, slice = (i / PEER_WAYS + way * 31) % SLICES;
        double start_ns = bench_now_ns();
        run_geos_way(race, way, race->points + (size_t)slice * RACE_SLICE);
        sum_ns[way] += i >= SLICES * PEER_WAYS ? bench_now_ns() - start_ns : 0;
    }
    race->box_way = sum_ns[PEER_BOX] < sum_ns[PEER_BOX_WITHIN] ? PEER_BOX : PEER_BOX_WITHIN;
    race->way = race->box_way;
    for (uint32_t way = 0; way < PEER_WAYS; way++) {
        race->way = sum_ns[way] < sum_ns[race->way] ? way : race->way;
    }
}

void geo_race_run(struct geo_race *race, uint32_t slices, struct figures *figures)
{
    static struct times times;
    ASSERT(slices > 0 && slices <= RACE_SLICES_MAX);
    tell_head(race, figures);
    for (uint32_t i = 0; i < slices; i++) {
        turn(race, &times, i);
    }
    tell_times(race, &times, slices, figures);
}

/* ---- instructions ---- */

__attribute__((noinline)) void
geo_race_counted(struct geo_race *race, void (*run)(struct geo_race *, const struct geo_point *),
                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i += RACE_SLICE) {
        run(race, race->points + i);
    }
}

bool geo_race_count(struct geo_race *race, const char *name, uint32_t count)
{
    static const struct {
        const char *name;
        enum contestant contestant;
    } names[] = {{"batch", BATCH},
                 {"single", SINGLE},
                 {"distance", NEAR_BATCH},
                 {"distance_single", NEAR_SINGLE}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            geo_race_counted(race, contestants[names[i].contestant].run, count);
            return true;
        }
    }
    return false;
}

/* ---- making ---- */

static enum status build(struct geo_race *race, struct status_detail *detail)
{
    double seconds[BUILDS];
    for (uint32_t i = 0; i < BUILDS; i++) {
        geo_index_free(race->index);
        race->index = NULL;
        double start_ns = bench_now_ns();
        enum status status = geo_index_new(race->shapes, race->shape_count, &race->index, detail);
        seconds[i] = (bench_now_ns() - start_ns) / 1e9;
        if (status != STATUS_OK) {
            return status;
        }
    }
    race->build_s = bench_median(seconds, BUILDS);
    return STATUS_OK;
}

enum status geo_race_prepare(struct geo_race *race, struct status_detail *detail)
{
    enum status status = build(race, detail);
    if (status == STATUS_OK) {
        status = geo_peer_new(race->shapes, race->shape_count, race->flat ? RACE_REACH_M : 0,
                              &race->peer, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const void **areas = calloc(race->shape_count + (size_t)1, sizeof *areas);
    if (areas == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < race->shape_count; i++) {
        areas[i] = geo_peer_area(race->peer, i);
    }
    race->peer_cpp = geo_peer_cpp_new(areas, race->shape_count);
    free(areas);
    if (race->flat) {
        choose_way(race);
    }
    return STATUS_OK;
}

void geo_race_release(struct geo_race *race)
{
    geo_peer_cpp_free(race->peer_cpp);
    geo_peer_free(race->peer);
    geo_index_free(race->index);
}
