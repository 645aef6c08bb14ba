/* Large and tangled fences: taken, repaired or refused with words, and all that comes to an end. */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "geo/geojson.h"
#include "geo/index.h"

struct fixture {
    struct arena arena;
    struct buffer json;
    struct geo_features features;
    struct status_detail detail;
    char told[1024];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init_growing(&f->arena, 1 << 20, (size_t)1 << 30);
    buffer_init(&f->json, (size_t)1 << 28);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    buffer_release(&f->json);
    free(f);
    return 0;
}

static void tell(void *context, const char *words)
{
    struct fixture *f = context;
    (void)snprintf(f->told, sizeof f->told, "%s", words);
}

static enum status read_json(struct fixture *f, bool repair)
{
    const struct geo_geojson_options options = {
        .datum_default = GEO_WGS84, .repair = repair, .warn = tell, .context = f};
    assert_int_equal(buffer_status(&f->json), STATUS_OK);
    f->told[0] = '\0';
    return geo_geojson_read((struct text){f->json.data, f->json.size}, &options, &f->arena,
                            &f->features, &f->detail);
}

/* ---- writing ---- */

static void begin(struct fixture *f, const char *type)
{
    buffer_clear(&f->json);
    buffer_printf(&f->json,
                  "{\"type\":\"Feature\",\"id\":\"large\",\"properties\":{},\"geometry\":{\"type\":"
                  "\"%s\",\"coordinates\":[",
                  type);
}

static void add_text(struct fixture *f, const char *text)
{
    buffer_text(&f->json, text);
}

static void add_circle(struct fixture *f, double lon, double lat, double radius, uint32_t points)
{
    const double turn = 6.283185307179586;
    for (uint32_t i = 0; i <= points; i++) {
        double angle = turn * (i % points) / points;
        buffer_printf(&f->json, "%s[%.7f,%.7f]", i > 0 ? "," : "[", lon + radius * cos(angle),
                      lat + radius * sin(angle));
    }
    buffer_text(&f->json, "]");
}

/* A number in [0, 1), the same at every run. */
static double next(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) / 16777216.0;
}

static void add_scribble(struct fixture *f, uint32_t points)
{
    uint32_t random = 7;
    char first[64];
    for (uint32_t i = 0; i < points; i++) {
        char position[64];
        double lon = 113 + next(&random), lat = 36 + next(&random);
        (void)snprintf(position, sizeof position, "[%.7f,%.7f]", lon, lat);
        if (i == 0) {
            memcpy(first, position, sizeof first);
        }
        buffer_printf(&f->json, "%s%s", i > 0 ? "," : "[", position);
    }
    buffer_printf(&f->json, ",%s]", first);
}

/* Parts of `points` vertices each, at random places of a square. */
static void write_parts(struct fixture *f, uint32_t parts, uint32_t points, double square)
{
    uint32_t random = 3;
    begin(f, "MultiPolygon");
    for (uint32_t i = 0; i < parts; i++) {
        double lon = 113 + square * next(&random), lat = 36 + square * next(&random);
        add_text(f, i > 0 ? ",[" : "[");
        add_circle(f, lon, lat, 0.2, points);
        add_text(f, "]");
    }
    add_text(f, "]}}");
}

/* ---- repair ends ---- */

static void expect_told(const struct fixture *f, const char *words)
{
    const char *told = f->told[0] != '\0' ? f->told : f->detail.text;
    if (strstr(told, words) == NULL) {
        fail_msg("\"%s\", wanted \"%s\"", told, words);
    }
}

static void a_ring_of_300_random_points_is_repaired(void **state)
{
    struct fixture *f = *state;
    begin(f, "Polygon");
    add_scribble(f, 300);
    add_text(f, "]}}");
    assert_int_equal(read_json(f, false), STATUS_INVALID);
    assert_int_equal(read_json(f, true), STATUS_OK);
    expect_told(f, "vertices 300 -> ");
    expect_told(f, "the rings wind round ");
    assert_int_equal(f->features.repaired, 1);
    assert_true(f->features.items[0].shape.ring_count > 100);
}

static void a_ring_of_3000_random_points_is_too_tangled(void **state)
{
    struct fixture *f = *state;
    begin(f, "Polygon");
    add_scribble(f, 3000);
    add_text(f, "]}}");
    assert_int_equal(read_json(f, true), STATUS_INVALID);
    expect_told(f, "it cannot be repaired: too tangled: more than 30000 crossings");
}

static void parts_that_overlap_are_united_or_too_tangled(void **state)
{
    struct fixture *f = *state;
    write_parts(f, 500, 200, 3);
    assert_int_equal(read_json(f, true), STATUS_OK);
    expect_told(f, "vertices 100000 -> ");
    expect_told(f, "parts 500 -> ");
    write_parts(f, 500, 200, 0.3); /* each over nearly each */
    assert_int_equal(read_json(f, true), STATUS_INVALID);
    expect_told(f, "too tangled: more than 30000 crossings");
}

/* Where edges run along each other for long, without a crossing in the usual sense. */
static void edges_upon_edges_come_to_an_end(void **state)
{
    struct fixture *f = *state;
    begin(f, "Polygon");
    add_text(f, "[[113,36],[113.5,37]");
    for (uint32_t i = 0; i < 1500; i++) { /* to and fro on one line */
        buffer_printf(&f->json, ",[%.7f,36]", 114 - (i % 2 > 0 ? 0.5 : 0) - 0.0001 * i);
    }
    add_text(f, ",[113,36]]]}}");
    assert_int_equal(read_json(f, true), STATUS_INVALID);
    expect_told(f, "too tangled");
}

/* ---- large and in order ---- */

static bool is_found(const struct geo_index *index, double lat, double lon)
{
    uint32_t found[GEO_FOUND_MAX];
    struct geo_point point;
    assert_int_equal(geo_point_from_degrees(lat, lon, &point), STATUS_OK);
    return geo_index_find(index, point, found) == 1;
}

static struct geo_index *index_of(struct fixture *f)
{
    struct geo_index *index = NULL;
    if (read_json(f, false) != STATUS_OK) {
        fail_msg("%s", f->detail.text);
    }
    assert_int_equal(f->features.count, 1);
    assert_int_equal(geo_index_new(&f->features.items[0].shape, 1, &index, NULL), STATUS_OK);
    return index;
}

static void a_ring_of_100000_vertices_is_taken_and_indexed(void **state)
{
    struct fixture *f = *state;
    begin(f, "Polygon");
    add_circle(f, 113, 36, 0.5, 100000);
    add_text(f, "]}}");
    struct geo_index *index = index_of(f);
    assert_int_equal(f->features.items[0].shape.point_count, 100000);
    assert_true(is_found(index, 36, 113));
    for (uint32_t i = 0; i < 1000; i++) { /* a metre on either side of the ring */
        double east = cos(0.00628 * i), north = sin(0.00628 * i);
        assert_true(is_found(index, 36 + 0.49999 * north, 113 + 0.49999 * east));
        assert_false(is_found(index, 36 + 0.50001 * north, 113 + 0.50001 * east));
    }
    geo_index_free(index);
}

static void a_multipolygon_of_500_parts_is_taken_and_indexed(void **state)
{
    struct fixture *f = *state;
    begin(f, "MultiPolygon");
    for (uint32_t i = 0; i < 500; i++) {
        add_text(f, i > 0 ? ",[" : "[");
        add_circle(f, 113 + 0.01 * (i % 25), 36 + 0.01 * floor(i / 25.0), 0.004, 40);
        add_text(f, "]");
    }
    add_text(f, "]}}");
    struct geo_index *index = index_of(f);
    assert_int_equal(f->features.items[0].shape.ring_count, 500);
    for (uint32_t i = 0; i < 500; i++) {
        assert_true(is_found(index, 36 + 0.01 * floor(i / 25.0), 113 + 0.01 * (i % 25)));
        assert_false(is_found(index, 36.005 + 0.01 * floor(i / 25.0), 113.005 + 0.01 * (i % 25)));
    }
    geo_index_free(index);
}

static void a_polygon_with_200_holes_is_taken_and_indexed(void **state)
{
    struct fixture *f = *state;
    begin(f, "Polygon");
    add_circle(f, 113.1, 36.05, 0.5, 100);
    for (uint32_t i = 0; i < 200; i++) {
        add_text(f, ",");
        add_circle(f, 113 + 0.01 * (i % 20), 36 + 0.01 * floor(i / 20.0), 0.004, 40);
    }
    add_text(f, "]}}");
    struct geo_index *index = index_of(f);
    assert_int_equal(f->features.items[0].shape.ring_count, 201);
    for (uint32_t i = 0; i < 200; i++) {
        assert_false(is_found(index, 36 + 0.01 * floor(i / 20.0), 113 + 0.01 * (i % 20)));
        assert_true(is_found(index, 36.005 + 0.01 * floor(i / 20.0), 113.005 + 0.01 * (i % 20)));
    }
    geo_index_free(index);
}

static void more_points_or_rings_than_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    begin(f, "Polygon");
    add_text(f, "[[0,0]");
    for (uint32_t i = 1; i < GEO_SHAPE_POINTS_MAX; i++) {
        add_text(f, i % 2 > 0 ? ",[1,1]" : ",[0,1]");
    }
    add_text(f, ",[0,0]]]}}"); /* the one too many */
    assert_int_equal(read_json(f, false), STATUS_TOO_LARGE);
    expect_told(f, "more than 1000000 points in one fence: simplify it");
    begin(f, "MultiPolygon");
    for (uint32_t i = 0; i <= GEO_GEOJSON_RINGS_MAX; i++) {
        buffer_printf(&f->json, "%s[[[%u,0],[%u,1],[0,2],[%u,0]]]", i > 0 ? "," : "", i % 90,
                      i % 90 + 1, i % 90);
    }
    add_text(f, "]}}");
    assert_int_equal(read_json(f, false), STATUS_TOO_LARGE);
    expect_told(f, "more than 10000 rings in one fence");
}

int main(void)
{
#define LARGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LARGE_TEST(a_ring_of_300_random_points_is_repaired),
        LARGE_TEST(a_ring_of_3000_random_points_is_too_tangled),
        LARGE_TEST(parts_that_overlap_are_united_or_too_tangled),
        LARGE_TEST(edges_upon_edges_come_to_an_end),
        LARGE_TEST(a_ring_of_100000_vertices_is_taken_and_indexed),
        LARGE_TEST(a_multipolygon_of_500_parts_is_taken_and_indexed),
        LARGE_TEST(a_polygon_with_200_holes_is_taken_and_indexed),
        LARGE_TEST(more_points_or_rings_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
