#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/way.h"
#include "tests/geo/random_shapes.h"
#include "tests/geo/real_data.h"

enum { STRETCHES = 128, PLACES = 256 };

/* ---- against exact fractions ---- */

struct place {
    int64_t num, den;
};

static int by_place(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    int64_t left = a->num * b->den, right = b->num * a->den;
    return (left > right) - (left < right);
}

static void keep(struct place *places, uint32_t *count, int64_t num, int64_t den)
{
    if (den < 0) {
        num = -num;
        den = -den;
    }
    if (den > 0 && num >= 0 && num <= den) {
        places[(*count)++] = (struct place){num, den};
    }
}

/* Wherever the way meets an edge's line, and both ends. */
static uint32_t all_places(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                           struct place *ret)
{
    uint32_t count = 0, start = 0;
    int64_t dx = b.lon_e7 - a.lon_e7, dy = b.lat_e7 - a.lat_e7;
    keep(ret, &count, 0, 1);
    keep(ret, &count, 1, 1);
    for (uint32_t r = 0; r < shape->ring_count; start = shape->ring_ends[r++]) {
        for (uint32_t i = start; i < shape->ring_ends[r]; i++) {
            struct geo_point p = shape->points[i];
            struct geo_point q = shape->points[i + 1 < shape->ring_ends[r] ? i + 1 : start];
            int64_t ex = q.lon_e7 - p.lon_e7, ey = q.lat_e7 - p.lat_e7;
            int64_t px = p.lon_e7 - a.lon_e7, py = p.lat_e7 - a.lat_e7;
            keep(ret, &count, px * ey - py * ex, dx * ey - dy * ex);
            keep(ret, &count, px * dx + py * dy, dx * dx + dy * dy);
        }
    }
    qsort(ret, count, sizeof *ret, by_place);
    return count;
}

/* Everything times den, so that the place is a lattice point. */
static bool covers_at(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                      struct place t)
{
    struct geo_point points[16];
    struct geo_shape large = *shape;
    int32_t den = (int32_t)t.den, num = (int32_t)t.num;
    for (uint32_t i = 0; i < shape->point_count; i++) {
        points[i] =
            (struct geo_point){shape->points[i].lat_e7 * den, shape->points[i].lon_e7 * den};
    }
    large.points = points;
    geo_shape_set_bounds(&large);
    return geo_shape_covers(&large,
                            (struct geo_point){a.lat_e7 * den + (b.lat_e7 - a.lat_e7) * num,
                                               a.lon_e7 * den + (b.lon_e7 - a.lon_e7) * num});
}

static uint32_t exact_way(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                          struct geo_stretch *ret)
{
    struct place places[PLACES];
    uint32_t count = all_places(shape, a, b, places), found = 0;
    bool open = false;
    for (uint32_t i = 0; i < count; i++) {
        double t = (double)places[i].num / (double)places[i].den;
        if (!open && covers_at(shape, a, b, places[i])) {
            ret[found++] = (struct geo_stretch){0, t, t};
        }
        open = covers_at(shape, a, b, places[i]);
        if (open) {
            ret[found - 1].to = t;
        }
        if (i + 1 < count && by_place(&places[i], &places[i + 1]) < 0) {
            open = open && covers_at(shape, a, b,
                                     (struct place){places[i].num + places[i + 1].num,
                                                    places[i].den + places[i + 1].den});
        }
    }
    return found;
}

static void same(const struct geo_stretch *x, const struct geo_stretch *y, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_true(fabs(x[i].from - y[i].from) < 1e-12 && fabs(x[i].to - y[i].to) < 1e-12);
        assert_int_equal(x[i].from == x[i].to, y[i].from == y[i].to);
        assert_int_equal(x[i].from == 0, y[i].from == 0);
        assert_int_equal(x[i].to == 1, y[i].to == 1);
    }
}

static void every_way_in_a_small_lattice_is_that_of_exact_fractions(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t ends[3], rings;
        int32_t at[24];
    } nasty[] = {
        {{4}, 1, {1, 1, 5, 1, 5, 5, 1, 5}},
        {{4}, 1, {1, 1, 5, 5, 5, 1, 1, 5}},                            /* a bow tie */
        {{8}, 1, {0, 0, 0, 6, 6, 6, 6, 0, 4, 0, 4, 4, 2, 4, 2, 0}},    /* concave */
        {{4, 8}, 2, {0, 0, 6, 0, 6, 6, 0, 6, 2, 2, 4, 2, 4, 4, 2, 4}}, /* a hole */
        {{4, 8}, 2, {0, 0, 3, 0, 3, 6, 0, 6, 3, 0, 6, 0, 6, 6, 3, 6}}, /* a shared edge */
        {{5}, 1, {3, 0, 5, 6, 0, 2, 6, 2, 1, 6}},                      /* a pentagram */
        {{3}, 1, {1, 1, 5, 3, 1, 1}},                                  /* no area */
        {{4, 7}, 2, {1, 0, 6, 1, 5, 6, 0, 5, 1, 0, 5, 6, 3, 3}},       /* a hole at corners */
        {{1, 5}, 2, {3, 3, 0, 3, 3, 0, 6, 3, 3, 6}},                   /* a single point */
    };
    for (size_t n = 0; n < sizeof nasty / sizeof nasty[0]; n++) {
        struct geo_point points[12];
        struct geo_shape shape = {.kind = GEO_POLYGON,
                                  .points = points,
                                  .ring_ends = nasty[n].ends,
                                  .ring_count = nasty[n].rings,
                                  .point_count = nasty[n].ends[nasty[n].rings - 1]};
        for (uint32_t i = 0; i < shape.point_count; i++) {
            const int32_t *at = &nasty[n].at[(size_t)2 * i];
            points[i] = (struct geo_point){at[0], at[1]};
        }
        geo_shape_set_bounds(&shape);
        for (int32_t k = 0; k < 49 * 49; k++) {
            struct geo_point a = {k % 7, k / 7 % 7}, b = {k / 49 % 7, k / 343};
            struct geo_stretch got[STRETCHES], wanted[STRETCHES];
            uint32_t count = geo_shape_way(&shape, a, b, got, STRETCHES, NULL);
            if (a.lat_e7 == b.lat_e7 && a.lon_e7 == b.lon_e7) {
                assert_int_equal(count, geo_shape_covers(&shape, a));
                continue;
            }
            assert_int_equal(count, exact_way(&shape, a, b, wanted));
            same(got, wanted, count);
        }
    }
}

/* ---- random ones ---- */

static bool holds(const struct geo_stretch *list, uint32_t count, double t, double slack)
{
    for (uint32_t i = 0; i < count; i++) {
        if (t >= list[i].from - slack && t <= list[i].to + slack) {
            return true;
        }
    }
    return false;
}

static void check_order(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                        const struct geo_stretch *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_true(list[i].from >= 0 && list[i].from <= list[i].to && list[i].to <= 1);
        assert_true(i == 0 || list[i - 1].to <= list[i].from);
    }
    assert_int_equal(count > 0 && list[0].from == 0, geo_shape_covers(shape, a));
    assert_int_equal(count > 0 && list[count - 1].to == 1, geo_shape_covers(shape, b));
}

/* At lattice points exactly on the way. */
static void check_samples(const struct geo_shape *shape, struct geo_point a, struct geo_point b,
                          int64_t steps, const struct geo_stretch *list, uint32_t count)
{
    for (int64_t i = 0; i <= steps; i++) {
        double t = (double)i / (double)steps;
        struct geo_point p = geo_way_point(a, b, t);
        bool covers = geo_shape_covers(shape, p);
        if (shape->kind != GEO_POLYGON && fabs(geo_shape_distance_m(shape, p)) < 0.1) {
            continue;
        }
        assert_true(covers ? holds(list, count, t, 1e-12) : !holds(list, count, t, -1e-12));
    }
}

/* The first ring begun at another of its points, and in half of the cases backwards. */
static void begin_elsewhere(uint64_t *state, struct random_shape *made)
{
    struct geo_point old[RANDOM_POINTS_MAX];
    uint32_t size = made->ring_ends[0];
    uint32_t first = (uint32_t)random_in(state, 0, size - 1);
    bool backwards = random_next(state) % 2;
    memcpy(old, made->points, size * sizeof *old);
    for (uint32_t i = 0; i < size; i++) {
        made->points[i] = old[(first + (backwards ? size - i : i)) % size];
    }
}

static void ways_through_random_shapes_are_those_of_their_points(void **unused)
{
    (void)unused;
    uint64_t state = random_seed(), covered = 0;
    for (int round = 0; round < 20000; round++) {
        static const int32_t reaches[] = {12, 300, 20000, 90000};
        struct random_land land = {{310000000, 1130000000}, reaches[random_next(&state) % 4]};
        land.centre.lon_e7 = random_next(&state) % 8 == 0 ? GEO_LON_E7_MAX - 5 : 1130000000;
        struct random_shape made;
        random_shape(&state, &land, &made);
        int64_t steps = random_in(&state, 1, 60);
        struct geo_point a = random_point(&state, &land, &made.shape);
        struct geo_point c = random_point(&state, &land, &made.shape), b = a;
        b.lat_e7 += (int32_t)((c.lat_e7 - (int64_t)a.lat_e7) / steps * steps);
        int64_t lon = a.lon_e7 + (c.lon_e7 - (int64_t)a.lon_e7) / steps * steps;
        b.lon_e7 = (int32_t)lon;
        struct geo_stretch list[STRETCHES], back[STRETCHES], turned[STRETCHES];
        uint32_t count = geo_shape_way(&made.shape, a, b, list, STRETCHES, NULL);
        check_order(&made.shape, a, b, list, count);
        check_samples(&made.shape, a, b, steps, list, count);
        covered += count;
        if (made.shape.kind != GEO_POLYGON) {
            continue;
        }
        assert_int_equal(geo_shape_way(&made.shape, b, a, back, STRETCHES, NULL), count);
        for (uint32_t i = 0; i < count; i++) {
            const struct geo_stretch *s = &back[count - 1 - i];
            turned[i] = (struct geo_stretch){0, 1 - s->to, 1 - s->from};
            assert_true(fabs(turned[i].from - list[i].from) < 1e-12);
            assert_true(fabs(turned[i].to - list[i].to) < 1e-12);
        }
        begin_elsewhere(&state, &made);
        assert_int_equal(geo_shape_way(&made.shape, a, b, turned, STRETCHES, NULL), count);
        same(turned, list, count);
    }
    assert_true(covered > 1000);
}

static void a_comb_of_too_many_teeth_is_one_coarse_stretch(void **unused)
{
    (void)unused;
    static struct geo_point points[1202];
    uint32_t ends[1] = {1202};
    for (int32_t i = 0; i < 1200; i++) {
        points[i] = (struct geo_point){i % 4 == 1 || i % 4 == 2 ? 100 : 10, 10 * i};
    }
    points[1200] = (struct geo_point){0, 12000};
    points[1201] = (struct geo_point){0, 0};
    struct geo_shape shape = {.kind = GEO_POLYGON,
                              .point_count = 1202,
                              .ring_count = 1,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(&shape);
    struct geo_stretch list[2];
    bool coarse = false;
    uint32_t count = geo_shape_way(&shape, (struct geo_point){55, -5},
                                   (struct geo_point){55, 12005}, list, 2, &coarse);
    assert_true(coarse);
    assert_int_equal(count, 1);
    assert_true(fabs(list[0].from - 10.0 / 12010) < 1e-9 && list[0].to > 0.99 && list[0].to < 1);
}

static void a_way_over_the_antimeridian_is_the_short_one(void **unused)
{
    (void)unused;
    struct geo_point points[4] = {
        {-10, -1799999990}, {10, -1799999990}, {10, -1799999980}, {-10, -1799999980}};
    uint32_t ends[1] = {4};
    struct geo_shape shape = {.kind = GEO_POLYGON,
                              .point_count = 4,
                              .ring_count = 1,
                              .points = points,
                              .ring_ends = ends};
    geo_shape_set_bounds(&shape);
    struct geo_stretch list[2];
    struct geo_point a = {0, 1799999990}, b = {0, -1799999960};
    assert_int_equal(geo_shape_way(&shape, a, b, list, 2, NULL), 1);
    assert_true(fabs(list[0].from - 0.4) < 1e-12 && fabs(list[0].to - 0.6) < 1e-12);
    assert_int_equal(geo_way_point(a, b, 0.5).lon_e7, -1799999985);
}

static struct geo_point moved(struct geo_point p, int64_t lon)
{
    lon += p.lon_e7;
    lon -= lon > GEO_LON_E7_MAX ? 2 * (int64_t)GEO_LON_E7_MAX : 0;
    return (struct geo_point){p.lat_e7, (int32_t)lon};
}

/* A shape moved along its parallel until it ends upon the antimeridian or just before it, the fixes with it, and over
 * it. Circles lie on both sides. */
static void nothing_changes_where_a_way_goes_over_the_antimeridian(void **unused)
{
    (void)unused;
    uint64_t state = random_seed(), over = 0;
    for (int round = 0; round < 20000; round++) {
        static const int32_t reaches[] = {12, 300, 20000, 90000};
        struct random_land land = {{310000000, 1130000000}, reaches[random_next(&state) % 4]};
        struct random_shape made;
        random_shape(&state, &land, &made);
        struct geo_point a = random_point(&state, &land, &made.shape);
        struct geo_point b = random_point(&state, &land, &made.shape);
        struct geo_stretch list[STRETCHES], beyond[STRETCHES];
        uint32_t count = geo_shape_way(&made.shape, a, b, list, STRETCHES, NULL);
        int64_t east = made.points[0].lon_e7;
        for (uint32_t i = 1; i < made.shape.point_count; i++) {
            east = made.points[i].lon_e7 > east ? made.points[i].lon_e7 : east;
        }
        int64_t lon = GEO_LON_E7_MAX - east - random_in(&state, 0, 3) % 3 * land.reach / 8;
        lon += made.shape.kind == GEO_CIRCLE ? random_in(&state, -land.reach, land.reach) : 0;
        for (uint32_t i = 0; i < made.shape.point_count; i++) {
            made.points[i] = moved(made.points[i], lon);
        }
        geo_shape_set_bounds(&made.shape);
        a = moved(a, lon);
        b = moved(b, lon);
        assert_int_equal(geo_shape_way(&made.shape, a, b, beyond, STRETCHES, NULL), count);
        same(beyond, list, count);
        over += count > 0 && (a.lon_e7 > 0) != (b.lon_e7 > 0);
    }
    assert_true(over > 1000);
}

/* So many steps from the antimeridian: west of it (side 1) or east (side -1). */
static int32_t beside(int32_t side, int32_t steps)
{
    return side > 0 ? GEO_LON_E7_MAX - steps : steps - GEO_LON_E7_MAX;
}

/* 180 degrees is written in two ways, and a fix is covered as it is written; the way between is the same. */
static void a_fix_upon_the_antimeridian_starts_on_the_side_that_the_way_goes_to(void **unused)
{
    (void)unused;
    uint32_t ends[1] = {4};
    for (int32_t side = -1; side <= 1; side += 2) {
        struct geo_point points[4] = {{-10, beside(side, 0)},
                                      {10, beside(side, 0)},
                                      {10, beside(side, 40)},
                                      {-10, beside(side, 40)}};
        struct geo_shape shape = {.kind = GEO_POLYGON,
                                  .point_count = 4,
                                  .ring_count = 1,
                                  .points = points,
                                  .ring_ends = ends};
        geo_shape_set_bounds(&shape);
        for (int32_t written = -1; written <= 1; written += 2) {
            struct geo_point a = {0, beside(written, 0)}, in = {0, beside(side, 80)};
            struct geo_point out = {0, beside(-side, 80)}, along = {5, beside(-written, 0)};
            struct geo_stretch list[2];
            bool covered = written == side;
            assert_int_equal(geo_shape_covers(&shape, a), covered);
            assert_int_equal(geo_shape_way(&shape, a, in, list, 2, NULL), 1);
            check_order(&shape, a, in, list, 1);
            assert_true(list[0].from < 1e-12 && fabs(list[0].to - 0.5) < 1e-12);
            assert_int_equal(geo_shape_way(&shape, in, a, list, 2, NULL), 1);
            check_order(&shape, in, a, list, 1);
            assert_true(fabs(list[0].from - 0.5) < 1e-12 && list[0].to > 1 - 1e-12);
            uint32_t count = geo_shape_way(&shape, a, out, list, 2, NULL);
            check_order(&shape, a, out, list, count);
            assert_true(count <= 1 && (count == 0 || list[0].to < 1e-12));
            count = geo_shape_way(&shape, a, along, list, 2, NULL);
            check_order(&shape, a, along, list, count);
        }
    }
}

static struct geo_point pair(const json_t *json)
{
    struct geo_point p = {0, 0};
    assert_int_equal(geo_point_from_degrees(json_number_value(json_array_get(json, 0)),
                                            json_number_value(json_array_get(json, 1)), &p),
                     STATUS_OK);
    return p;
}

static size_t expect_segments(const struct geo_shape *shape, const json_t *list, bool crossing)
{
    size_t i;
    json_t *segment;
    json_array_foreach((json_t *)list, i, segment)
    {
        struct geo_stretch one;
        assert_int_equal(geo_shape_way(shape, pair(json_array_get(segment, 0)),
                                       pair(json_array_get(segment, 1)), &one, 1, NULL),
                         crossing);
    }
    return json_array_size(list);
}

static void segments_of_traccar_hold(void **unused)
{
    (void)unused;
    json_t *root = real_json("fence/fence_vectors_public.json");
    const json_t *circle = json_array_get(json_object_get(root, "circle"), 0);
    const json_t *polygon = json_array_get(json_object_get(root, "polygon"), 0);
    const json_t *centre = json_object_get(circle, "center"), *line;
    struct geo_point points[16];
    uint32_t ends[1];
    assert_int_equal(geo_point_from_degrees(json_number_value(json_object_get(centre, "lat")),
                                            json_number_value(json_object_get(centre, "lon")),
                                            points),
                     STATUS_OK);
    struct geo_shape shape = {.kind = GEO_CIRCLE, .point_count = 1, .points = points};
    shape.radius_m = json_number_value(json_object_get(circle, "radius_m"));
    size_t tried = expect_segments(&shape, json_object_get(circle, "segments_crossing"), true);
    tried += expect_segments(&shape, json_object_get(circle, "segments_not_crossing"), false);
    line = json_object_get(polygon, "latlon");
    ends[0] = (uint32_t)json_array_size(line);
    for (uint32_t i = 0; i < ends[0] && i < 16; i++) {
        points[i] = pair(json_array_get(line, i));
    }
    shape = (struct geo_shape){.kind = GEO_POLYGON,
                               .point_count = ends[0],
                               .ring_count = 1,
                               .points = points,
                               .ring_ends = ends};
    tried += expect_segments(&shape, json_object_get(polygon, "segments_crossing"), true);
    tried += expect_segments(&shape, json_object_get(polygon, "segments_not_crossing"), false);
    assert_int_equal(tried, 4);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_in_a_small_lattice_is_that_of_exact_fractions),
        cmocka_unit_test(ways_through_random_shapes_are_those_of_their_points),
        cmocka_unit_test(a_comb_of_too_many_teeth_is_one_coarse_stretch),
        cmocka_unit_test(a_way_over_the_antimeridian_is_the_short_one),
        cmocka_unit_test(nothing_changes_where_a_way_goes_over_the_antimeridian),
        cmocka_unit_test(a_fix_upon_the_antimeridian_starts_on_the_side_that_the_way_goes_to),
        cmocka_unit_test(segments_of_traccar_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
