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

int main(void)
{
#define LARGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LARGE_TEST(a_ring_of_300_random_points_is_repaired),
        LARGE_TEST(a_ring_of_3000_random_points_is_too_tangled),
        LARGE_TEST(parts_that_overlap_are_united_or_too_tangled),
        LARGE_TEST(edges_upon_edges_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
