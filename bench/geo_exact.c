#include "bench/geo_exact.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HARD_POINTS_A_CORNER = 22, TOLD_MAX = 5 };

/* ---- comparing ---- */

struct answer {
    uint32_t shapes[GEO_FOUND_MAX], count;
};

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool same(const uint32_t *ours, uint32_t count, struct answer *theirs)
{
    if (theirs->count > 1) {
        qsort(theirs->shapes, theirs->count, sizeof theirs->shapes[0], compare_u32);
    }
    return count == theirs->count && memcmp(ours, theirs->shapes, count * sizeof *ours) == 0;
}

static void walk(const struct geo_race *race, struct geo_point p, struct answer *ret)
{
    ret->count = 0;
    for (uint32_t i = 0; i < race->shape_count; i++) {
        const struct geo_shape *shape = &race->shapes[i];
        if (p.lat_e7 >= shape->low.lat_e7 && p.lat_e7 <= shape->high.lat_e7 &&
            p.lon_e7 >= shape->low.lon_e7 && p.lon_e7 <= shape->high.lon_e7 &&
            geo_shape_covers(shape, p)) {
            ret->shapes[ret->count++] = i;
        }
    }
}

static bool agrees(struct geo_exact *exact, struct geo_point p, uint32_t set, uint32_t near_set)
{
    struct geo_race *race = exact->race;
    struct answer single, other;
    uint32_t count;
    const uint32_t *ours = geo_index_set(race->index, set, &count);
    single.count = geo_index_find(race->index, p, single.shapes);
    if (exact->walk) {
        walk(race, p, &other);
    } else {
        other.count = geo_peer_find(race->peer, p, other.shapes);
    }
    bool ok = near_set == set && same(ours, count, &single) && same(ours, count, &other);
    if (race->peer_cpp != NULL) {
        other.count =
            geo_peer_cpp_find(race->peer_cpp, p.lon_e7, p.lat_e7, other.shapes, GEO_FOUND_MAX);
        ok = ok && same(ours, count, &other);
    }
    return ok;
}

static void flush(struct geo_exact *exact)
{
    static struct geo_near near[RACE_SLICE * 16];
    static uint32_t sets[RACE_SLICE], near_sets[RACE_SLICE], ends[RACE_SLICE];
    static float reaches_m[RACE_SLICE]; /* 0: boundaries do not matter, sets do */
    const struct geo_index *index = exact->race->index;
    geo_index_find_batch(index, exact->pending, exact->pending_count, sets);
    uint32_t done = 0;
    while (done < exact->pending_count) { /* near may fill up */
        uint32_t more = geo_index_near_batch(index, exact->pending + done, reaches_m,
                                             exact->pending_count - done, near_sets + done, near,
                                             sizeof near / sizeof near[0], ends);
        if (more == 0) {
            break;
        }
        done += more;
    }
    for (uint32_t i = 0; i < exact->pending_count; i++) {
        struct geo_point p = exact->pending[i];
        bool ok = i < done && agrees(exact, p, sets[i], near_sets[i]);
        if (!ok && exact->differences < TOLD_MAX) {
            (void)printf("differs: %s at lat_e7 %d lon_e7 %d\n", exact->race->key, p.lat_e7,
                         p.lon_e7);
        }
        exact->differences += !ok;
    }
    exact->points += exact->pending_count;
    exact->pending_count = 0;
}

static void ask(struct geo_exact *exact, int64_t lat, int64_t lon)
{
    if (llabs(lat) > GEO_LAT_E7_MAX || llabs(lon) > GEO_LON_E7_MAX) {
        return;
    }
    exact->pending[exact->pending_count++] = (struct geo_point){(int32_t)lat, (int32_t)lon};
    if (exact->pending_count == RACE_SLICE) {
        flush(exact);
    }
}

/* ---- hard places ---- */

static void ask_around(struct geo_exact *exact, int64_t lat, int64_t lon)
{
    for (int32_t i = 0; i < 9; i++) {
        ask(exact, lat + i / 3 - 1, lon + i % 3 - 1);
    }
}

static int64_t divisor(int64_t a, int64_t b)
{
    a = llabs(a);
    b = llabs(b);
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A lattice point on the edge if one lies on it, and three that all but do. */
static void ask_edge(struct geo_exact *exact, struct geo_point a, struct geo_point b)
{
    int64_t lat = (int64_t)b.lat_e7 - a.lat_e7, lon = (int64_t)b.lon_e7 - a.lon_e7;
    int64_t steps = divisor(lat, lon);
    if (steps > 1) {
        int64_t step = 1 + (int64_t)(city_random_u64(exact->random) % (uint64_t)(steps - 1));
        ask(exact, a.lat_e7 + lat / steps * step, a.lon_e7 + lon / steps * step);
    }
    double done = city_random_unit(exact->random);
    int64_t near_lat = a.lat_e7 + llround((double)lat * done);
    int64_t near_lon = a.lon_e7 + llround((double)lon * done);
    ask(exact, near_lat, near_lon);
    ask(exact, near_lat + 1, near_lon);
    ask(exact, near_lat, near_lon + 1);
}

static int64_t across(struct geo_exact *exact, int32_t low, int32_t high)
{
    double margin = 0.1 * ((double)high - low);
    return llround(city_random_between(exact->random, low - margin, high + margin));
}

/* On the parallel and the meridian of a corner: there rays meet corners. */
static void ask_in_line(struct geo_exact *exact, const struct geo_shape *shape, struct geo_point a)
{
    struct geo_point other = shape->points[city_random_below(exact->random, shape->point_count)];
    ask(exact, a.lat_e7, across(exact, shape->low.lon_e7, shape->high.lon_e7));
    ask(exact, a.lat_e7, across(exact, shape->low.lon_e7, shape->high.lon_e7));
    ask(exact, across(exact, shape->low.lat_e7, shape->high.lat_e7), a.lon_e7);
    ask(exact, across(exact, shape->low.lat_e7, shape->high.lat_e7), a.lon_e7);
    ask(exact, a.lat_e7, other.lon_e7);
}

/* The four points where squares of a power of two meet. */
static void ask_cells(struct geo_exact *exact, struct geo_point near)
{
    int64_t mask = -((int64_t)1 << (4 + city_random_below(exact->random, 15)));
    for (int32_t i = 0; i < 4; i++) {
        ask(exact, (near.lat_e7 & mask) - (i & 1), (near.lon_e7 & mask) - (i >> 1));
    }
}

static void ask_shape(struct geo_exact *exact, const struct geo_shape *shape)
{
    uint32_t first = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        for (uint32_t i = first; i < shape->ring_ends[r]; i++) {
            uint32_t next = i + 1 < shape->ring_ends[r] ? i + 1 : first;
            ask_around(exact, shape->points[i].lat_e7, shape->points[i].lon_e7);
            ask_edge(exact, shape->points[i], shape->points[next]);
            ask_in_line(exact, shape, shape->points[i]);
            ask_cells(exact, shape->points[i]);
        }
        first = shape->ring_ends[r];
    }
    ask_around(exact, shape->low.lat_e7, shape->low.lon_e7);
    ask_around(exact, shape->high.lat_e7, shape->high.lon_e7);
}

void geo_exact_run(struct geo_exact *exact, uint64_t points_wanted)
{
    const struct geo_race *race = exact->race;
    uint64_t corners = 0, start = exact->points;
    for (uint32_t i = 0; i < race->shape_count; i++) {
        corners += race->shapes[i].point_count;
    }
    uint32_t stride = 1 + (uint32_t)(corners * HARD_POINTS_A_CORNER / (points_wanted + 1));
    for (uint32_t i = 0; i < race->shape_count; i += stride) {
        ask_shape(exact, &race->shapes[i]);
    }
    for (uint32_t i = 0; exact->points - start + exact->pending_count < points_wanted; i++) {
        /* a second time round the race's points, each a little off */
        struct geo_point p = race->points[i % RACE_POINTS];
        int64_t off = i / RACE_POINTS;
        ask(exact, p.lat_e7 + off * 101, p.lon_e7 + off * 103);
    }
    flush(exact);
}

/* ---- distances ---- */

/* What a distance may be off before it counts as wrong: the local metres of two projections. */
#define SLACK_M 0.1

static void compare_near(const struct geo_race *race, struct geo_point p,
                         const struct geo_near *near, uint32_t count, double *worst_m,
                         uint64_t *wrong)
{
    const double reach = (double)RACE_REACH_M;
    struct geo_point low = city_offset(p, -2 * reach, -2 * reach);
    struct geo_point high = city_offset(p, 2 * reach, 2 * reach);
    uint32_t at = 0;
    for (uint32_t i = 0; i < race->shape_count; i++) {
        const struct geo_shape *shape = &race->shapes[i];
        bool told = at < count && near[at].shape == i;
        double ours_m = told ? (double)near[at++].distance_m : reach;
        if (!told && (shape->high.lat_e7 < low.lat_e7 || shape->low.lat_e7 > high.lat_e7 ||
                      shape->high.lon_e7 < low.lon_e7 || shape->low.lon_e7 > high.lon_e7)) {
            continue;
        }
        double theirs_m = geo_shape_distance_m(shape, p);
        if (told) {
            *worst_m = fmax(*worst_m, fabs(ours_m - theirs_m));
            *wrong += fabs(ours_m - theirs_m) > SLACK_M;
        } else {
            *wrong += fabs(theirs_m) < reach - SLACK_M;
        }
    }
    *wrong += count - at; /* not ascending, or of no shape */
}

double geo_exact_distances(const struct geo_race *race, uint32_t count, uint64_t *ret_wrong)
{
    static struct geo_near near[RACE_BATCH * GEO_FOUND_MAX];
    uint32_t sets[RACE_BATCH], ends[RACE_BATCH];
    float reaches_m[RACE_BATCH];
    double worst_m = 0;
    *ret_wrong = 0;
    for (uint32_t k = 0; k < RACE_BATCH; k++) {
        reaches_m[k] = RACE_REACH_M;
    }
    for (uint32_t i = 0; i + RACE_BATCH <= count; i += RACE_BATCH) {
        uint32_t done = geo_index_near_batch(race->index, race->points + i, reaches_m, RACE_BATCH,
                                             sets, near, sizeof near / sizeof near[0], ends);
        *ret_wrong += RACE_BATCH - done;
        for (uint32_t k = 0; k < done; k++) {
            uint32_t first = k > 0 ? ends[k - 1] : 0;
            compare_near(race, race->points[i + k], near + first, ends[k] - first, &worst_m,
                         ret_wrong);
        }
    }
    return worst_m;
}
