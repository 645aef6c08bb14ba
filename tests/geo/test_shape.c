#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "geo/index.h"
#include "geo/shape.h"
#include "tests/geo/real_data.h"

enum { POINTS_MAX = 64 };

struct made {
    struct geo_shape shape;
    struct geo_point points[POINTS_MAX];
    uint32_t ends[8];
};

static struct geo_point at(double lat, double lon)
{
    struct geo_point p = {0, 0};
    assert_int_equal(geo_point_from_degrees(lat, lon, &p), STATUS_OK);
    return p;
}

static struct geo_point pair(const json_t *json, size_t lat_place)
{
    return at(json_number_value(json_array_get(json, lat_place)),
              json_number_value(json_array_get(json, 1 - lat_place)));
}

/* The file's answers hold for the shape itself and for an index of it. */
static void expect(const struct geo_shape *shape, struct geo_point p, bool inside)
{
    uint32_t found[GEO_FOUND_MAX];
    struct geo_index *index = NULL;
    assert_int_equal(geo_shape_covers(shape, p), inside);
    assert_int_equal(geo_shape_distance_m(shape, p) <= 0, inside);
    assert_int_equal(geo_index_new(shape, 1, &index, NULL), STATUS_OK);
    assert_int_equal(geo_index_find(index, p, found), inside);
    geo_index_free(index);
}

static void expect_all(const struct geo_shape *shape, const json_t *list, bool inside)
{
    size_t i;
    json_t *place;
    json_array_foreach((json_t *)list, i, place)
    {
        expect(shape, pair(place, 0), inside);
    }
}

static void finish(struct made *made, enum geo_shape_kind kind, uint32_t count, double radius_m)
{
    made->shape = (struct geo_shape){.kind = kind,
                                     .point_count = count,
                                     .ring_count = kind == GEO_POLYGON,
                                     .points = made->points,
                                     .ring_ends = made->ends,
                                     .radius_m = radius_m};
    made->ends[0] = count;
    geo_shape_set_bounds(&made->shape);
}

static void take_line(struct made *made, const json_t *line)
{
    size_t i;
    json_t *place;
    json_array_foreach((json_t *)line, i, place)
    {
        assert_true(i < POINTS_MAX);
        made->points[i] = pair(place, 0);
    }
}

static void circles_of_traccar_and_tile38_hold(void **unused)
{
    (void)unused;
    json_t *root = real_json("fence/fence_vectors_public.json"), *circle, *step;
    size_t i, k;
    json_array_foreach(json_object_get(root, "circle"), i, circle)
    {
        struct made made;
        const json_t *centre = json_object_get(circle, "center");
        made.points[0] = at(json_number_value(json_object_get(centre, "lat")),
                            json_number_value(json_object_get(centre, "lon")));
        finish(&made, GEO_CIRCLE, 1, json_number_value(json_object_get(circle, "radius_m")));
        expect_all(&made.shape, json_object_get(circle, "inside"), true);
        expect_all(&made.shape, json_object_get(circle, "outside"), false);
        json_array_foreach(json_object_get(circle, "sequence"), k, step)
        {
            const char *last =
                json_string_value(json_array_get(json_object_get(step, "expect"), 1));
            expect(&made.shape,
                   at(json_number_value(json_object_get(step, "lat")),
                      json_number_value(json_object_get(step, "lon"))),
                   strcmp(last, "inside") == 0);
        }
    }
    assert_true(i >= 3);
    json_decref(root);
}

static bool is_on_globe(const json_t *line)
{
    size_t i;
    json_t *place;
    json_array_foreach((json_t *)line, i, place)
    {
        if (fabs(json_number_value(json_array_get(place, 1))) > 180) {
            return false;
        }
    }
    return true;
}

static void polygons_of_traccar_hold(void **unused)
{
    (void)unused;
    json_t *root = real_json("fence/fence_vectors_public.json"), *polygon;
    size_t i, tried = 0;
    json_array_foreach(json_object_get(root, "polygon"), i, polygon)
    {
        const json_t *line = json_object_get(polygon, "latlon");
        if (line == NULL || !is_on_globe(line)) {
            continue; /* over the antimeridian: refused by the import */
        }
        struct made made;
        take_line(&made, line);
        finish(&made, GEO_POLYGON, (uint32_t)json_array_size(line), 0);
        expect_all(&made.shape, json_object_get(polygon, "inside"), true);
        expect_all(&made.shape, json_object_get(polygon, "outside"), false);
        tried++;
    }
    assert_true(tried >= 3);
    json_decref(root);
}

static void corridors_of_traccar_hold(void **unused)
{
    (void)unused;
    json_t *root = real_json("fence/fence_vectors_public.json"), *corridor, *test;
    size_t i, k;
    json_array_foreach(json_object_get(root, "corridor"), i, corridor)
    {
        const json_t *line = json_object_get(corridor, "line_latlon");
        json_array_foreach(json_object_get(corridor, "cases"), k, test)
        {
            struct made made;
            take_line(&made, line);
            finish(&made, GEO_CORRIDOR, (uint32_t)json_array_size(line),
                   json_number_value(json_object_get(test, "buffer_m")));
            expect_all(&made.shape, json_object_get(test, "inside"), true);
            expect_all(&made.shape, json_object_get(test, "outside"), false);
        }
    }
    assert_true(i >= 2);
    json_decref(root);
}

/* "((0 0, 10 0, ...),(2 2, ...))" after POLYGON; false: another type. */
static bool take_wkt_polygon(struct made *made, const char *wkt)
{
    if (strncmp(wkt, "POLYGON", 7) != 0 || strstr(wkt, "EMPTY") != NULL) {
        return false;
    }
    uint32_t count = 0, rings = 0;
    for (const char *c = wkt; *c != '\0'; c++) {
        double x = 0, y = 0;
        if ((*c == '(' || *c == ',') && sscanf(c + 1, " %lf %lf", &x, &y) == 2) {
            assert_true(count < POINTS_MAX);
            made->points[count++] = at(y, x);
        } else if (*c == ')' && count > (rings > 0 ? made->ends[rings - 1] : 0)) {
            made->ends[rings++] = --count; /* without its repeated point */
        }
    }
    uint32_t last = rings > 0 ? made->ends[0] : 0;
    finish(made, GEO_POLYGON, count, 0);
    made->ends[0] = last;
    made->shape.ring_count = rings;
    return true;
}

static void relations_of_points_to_polygons_are_those_of_geos(void **unused)
{
    (void)unused;
    struct arena arena;
    arena_init_growing(&arena, 1u << 16, 1u << 24);
    struct text text = real_text("fence/tg_relations.jsonl", &arena);
    uint32_t tried = 0;
    for (json_t *line; (line = real_next_line(&text)) != NULL; json_decref(line)) {
        const json_t *geoms = json_object_get(line, "geoms");
        for (size_t i = 0; i < 2; i++) {
            struct made made;
            double x, y;
            const char *one = json_string_value(json_array_get(geoms, i));
            const char *other = json_string_value(json_array_get(geoms, 1 - i));
            if (one == NULL || other == NULL || !take_wkt_polygon(&made, one) ||
                sscanf(other, "POINT (%lf %lf)", &x, &y) != 2) {
                continue;
            }
            const json_t *covers = json_object_get(json_object_get(line, "predicates"), "covers");
            const char *answer = json_string_value(json_array_get(covers, i));
            expect(&made.shape, at(y, x), strcmp(answer, "T") == 0);
            tried++;
        }
    }
    (void)printf("%u relations\n", tried);
    assert_true(tried > 0);
    arena_release(&arena);
}

static void a_boundary_a_corner_and_the_rim_of_a_hole_are_inside(void **unused)
{
    (void)unused;
    struct made made;
    const double corners[8][2] = {{0, 0}, {0, 10}, {10, 10}, {10, 0},
                                  {2, 2}, {2, 8},  {8, 8},   {8, 2}};
    for (int i = 0; i < 8; i++) {
        made.points[i] = at(corners[i][0], corners[i][1]);
    }
    finish(&made, GEO_POLYGON, 8, 0);
    made.ends[0] = 4;
    made.ends[1] = 8;
    made.shape.ring_count = 2;
    expect(&made.shape, at(0, 0), true);
    expect(&made.shape, at(10, 5), true);
    expect(&made.shape, at(5, 10), true);
    expect(&made.shape, at(5, 10.0000001), false);
    expect(&made.shape, at(2, 5), true);
    expect(&made.shape, at(2.0000001, 5), false);
    expect(&made.shape, at(1.9999999, 5), true);
    expect(&made.shape, at(5, 5), false);
}

static void a_circle_is_no_polygon_and_reaches_over_the_antimeridian(void **unused)
{
    (void)unused;
    struct made made;
    made.points[0] = at(-17, 179.9999);
    finish(&made, GEO_CIRCLE, 1, 100);
    expect(&made.shape, at(-17, 179.9999 + 0.00005), true);
    expect(&made.shape, at(-17, -179.9995), true);
    expect(&made.shape, at(-17, -179.999), false);
    assert_true(made.shape.high.lon_e7 > GEO_LON_E7_MAX);
    /* 100 m to the east at this latitude are 9.3901e-4 degrees */
    assert_true(fabs(geo_shape_distance_m(&made.shape, at(-17, 179.9999 - 9.3901e-4))) < 0.01);
}

static void a_metre_is_one_of_the_ellipsoid(void **unused)
{
    (void)unused;
    struct made made;
    made.points[0] = at(36, 113);
    finish(&made, GEO_CIRCLE, 1, 1);
    /* a degree of the meridian at 36 N is 110959 m, of the parallel 90163 m (Snyder 1987) */
    assert_true(fabs(geo_shape_distance_m(&made.shape, at(36.01, 113)) + 1 - 1109.59) < 0.2);
    assert_true(fabs(geo_shape_distance_m(&made.shape, at(36, 113.01)) + 1 - 901.63) < 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circles_of_traccar_and_tile38_hold),
        cmocka_unit_test(polygons_of_traccar_hold),
        cmocka_unit_test(corridors_of_traccar_hold),
        cmocka_unit_test(relations_of_points_to_polygons_are_those_of_geos),
        cmocka_unit_test(a_boundary_a_corner_and_the_rim_of_a_hole_are_inside),
        cmocka_unit_test(a_circle_is_no_polygon_and_reaches_over_the_antimeridian),
        cmocka_unit_test(a_metre_is_one_of_the_ellipsoid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
