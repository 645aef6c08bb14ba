#include "tests/sim/sim_cities.h"

#include <string.h>

#include "geo/geojson.h"

static void write_all(const struct sim_city *city, struct buffer *out)
{
    for (enum sim_table table = 0; table < SIM_TABLES; table++) {
        sim_table_header(table, out);
        for (uint32_t s = 0; s < city->options.schools; s++) {
            sim_table_rows(city, table, s, out);
        }
    }
    assert_int_equal(buffer_status(out), STATUS_OK);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sim_city a, b, other;
    make_city(&a, seed, 12, 5000, 100);
    make_city(&b, seed, 12, 5000, 100);
    make_city(&other, seed + 1, 12, 5000, 100);
    struct buffer x, y;
    buffer_init(&x, 1u << 26);
    buffer_init(&y, 1u << 26);
    write_all(&a, &x);
    write_all(&b, &y);
    assert_true(x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
    assert_true(sim_city_digest(&a) == sim_city_digest(&b));
    assert_true(sim_city_digest(&a) != sim_city_digest(&other));
    buffer_release(&x);
    buffer_release(&y);
    sim_city_release(&a);
    sim_city_release(&b);
    sim_city_release(&other);
}

static void the_whole_city_has_exactly_what_it_should(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, test_seed(), SIM_SCHOOLS_DEFAULT, SIM_PUPILS_DEFAULT, SIM_ZONES_DEFAULT);
    uint32_t sum = 0, counties[SIM_COUNTIES] = {0}, odd = 0;
    for (uint32_t s = 0; s < SIM_SCHOOLS_DEFAULT; s++) {
        const struct sim_school *school = &city.schools[s];
        assert_int_equal(school->pupil_first, sum);
        assert_in_range(school->pupil_count, SIM_SCHOOL_SIZE_MIN, SIM_SCHOOL_SIZE_MAX);
        assert_in_range(school->gate_count, 1, SIM_GATES_MAX);
        assert_in_range(school->fences[SIM_FENCE_GROUND].point_count, 12, 80);
        sum += school->pupil_count;
        counties[school->county]++;
        odd += school->fences[SIM_FENCE_GROUND].ring_count > 1;
    }
    assert_int_equal(sum, SIM_PUPILS_DEFAULT);
    for (uint32_t i = 0; i < SIM_COUNTIES; i++) {
        assert_true(counties[i] >= 10);
    }
    assert_in_range(odd, 20, 80);
    assert_int_equal(sim_city_fence_count(&city), 206 * 5 + 2000);
    assert_in_range(city.guardian_count, SIM_PUPILS_DEFAULT, 2 * SIM_PUPILS_DEFAULT);
    sim_city_release(&city);
}

static uint32_t lines_of(const struct sim_city *city, enum sim_table table)
{
    struct buffer out;
    uint32_t lines = 0;
    buffer_init(&out, 1u << 28);
    for (uint32_t s = 0; s < city->options.schools; s++) {
        sim_table_rows(city, table, s, &out);
    }
    for (size_t i = 0; i < out.size; i++) {
        lines += out.data[i] == '\n';
    }
    buffer_release(&out);
    return lines;
}

static void every_table_has_its_rows(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 12, 5000, 0);
    uint32_t gates = 0, links = 0;
    for (uint32_t s = 0; s < 12; s++) {
        gates += city.schools[s].gate_count;
    }
    for (uint32_t p = 0; p < 5000; p++) {
        links += city.pupils[p].guardian_count;
    }
    assert_int_equal(lines_of(&city, SIM_TABLE_SCHOOLS), 12);
    assert_int_equal(lines_of(&city, SIM_TABLE_PUPILS), 5000);
    assert_int_equal(lines_of(&city, SIM_TABLE_CARDS), 5000);
    assert_int_equal(lines_of(&city, SIM_TABLE_LOAD), 5000);
    assert_int_equal(lines_of(&city, SIM_TABLE_GATES), gates);
    assert_int_equal(lines_of(&city, SIM_TABLE_GUARDIANS), links);
    assert_true(links > city.guardian_count); /* siblings share */
    sim_city_release(&city);
}

static void rows_look_as_the_registry_reads_them(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 1, 400, 0);
    struct buffer out;
    buffer_init(&out, 1u << 20);
    sim_table_header(SIM_TABLE_CARDS, &out);
    sim_table_rows(&city, SIM_TABLE_CARDS, 0, &out);
    static const char cards[] = "id,pupil,owntracks\nc000001,p000001,\nc000002,p000002,\n";
    assert_memory_equal(out.data, cards, strlen(cards));
    buffer_clear(&out);
    sim_table_rows(&city, SIM_TABLE_SCHOOLS, 0, &out);
    static const char school[] = "s001,潞城区 School 001,140406,36.";
    buffer_text(&out, "");
    assert_true(strncmp(buffer_cstr(&out), "s001,", 5) == 0);
    assert_true(strlen(buffer_cstr(&out)) > strlen(school));
    buffer_release(&out);
    sim_city_release(&city);
}

/* Strict reading asks GEOS of each polygon. */
static void every_fence_is_a_valid_area(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, test_seed(), SIM_SCHOOLS_DEFAULT, SIM_PUPILS_DEFAULT, SIM_ZONES_DEFAULT);
    struct buffer json;
    struct arena arena;
    buffer_init(&json, 1u << 28);
    arena_init_growing(&arena, 1u << 20, 1u << 30);
    buffer_text(&json, "{\"type\":\"FeatureCollection\",\"features\":[");
    for (uint32_t i = 0; i < sim_city_fence_count(&city); i++) {
        struct sim_fence fence;
        sim_city_fence(&city, i, &fence);
        struct geo_feature feature = {.id = fence.id,
                                      .school = fence.school,
                                      .kind = fence.kind,
                                      .name = fence.name,
                                      .severity = "",
                                      .schedule = "",
                                      .datum = GEO_WGS84,
                                      .shape = *fence.shape};
        buffer_text(&json, i > 0 ? "," : "");
        geo_geojson_write_feature(&json, &feature);
    }
    buffer_text(&json, "]}");
    assert_int_equal(buffer_status(&json), STATUS_OK);
    struct geo_geojson_options options = {.datum_default = GEO_DATUM_NONE};
    struct geo_features features;
    struct status_detail detail = {{0}};
    struct text text = {json.data, json.size};
    if (geo_geojson_read(text, &options, &arena, &features, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    assert_int_equal(features.count, sim_city_fence_count(&city));
    arena_release(&arena);
    buffer_release(&json);
    sim_city_release(&city);
}

static void grounds_and_danger_zones_keep_apart(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, test_seed(), SIM_SCHOOLS_DEFAULT, SIM_PUPILS_DEFAULT, SIM_ZONES_DEFAULT);
    for (uint32_t s = 0; s < city.options.schools; s++) {
        const struct sim_school *school = &city.schools[s];
        struct geo_point centre = sim_land_point(&school->land, (struct sim_spot){0, 0});
        assert_true(geo_shape_covers(&school->fences[SIM_FENCE_GROUND], centre));
        for (uint32_t other = 0; other < s; other++) {
            struct geo_point theirs =
                sim_land_point(&city.schools[other].land, (struct sim_spot){0, 0});
            assert_true(geo_distance_m(centre, theirs) >
                        school->extent_m + city.schools[other].extent_m);
        }
        for (uint32_t z = 0; z < city.options.zones; z++) {
            assert_true(geo_shape_distance_m(&city.zones[z].shape, centre) > school->extent_m);
        }
    }
    sim_city_release(&city);
}

static void impossible_counts_are_refused_with_words(void **state)
{
    (void)state;
    static const struct sim_city_options bad[] = {
        {1, 0, 400, 0},  {1, 1000, 400000, 0}, {1, 2, 399, 0},
        {1, 2, 4001, 0}, {1, 999, 1998000, 0}, {1, 1, 400, 10000},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sim_city city;
        struct status_detail detail = {{0}};
        assert_int_equal(sim_city_init(&city, &bad[i], &detail), STATUS_INVALID);
        assert_true(strlen(detail.text) > 0);
    }
}

static void sizes_at_the_bounds_are_met_exactly(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 5, 1000, 0);
    assert_int_equal(city.schools[4].pupil_first + city.schools[4].pupil_count, 1000);
    sim_city_release(&city);
    make_city(&city, 1, 5, 10000, 0);
    assert_int_equal(city.schools[0].pupil_count, 2000);
    sim_city_release(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(the_whole_city_has_exactly_what_it_should),
        cmocka_unit_test(every_table_has_its_rows),
        cmocka_unit_test(rows_look_as_the_registry_reads_them),
        cmocka_unit_test(every_fence_is_a_valid_area),
        cmocka_unit_test(grounds_and_danger_zones_keep_apart),
        cmocka_unit_test(impossible_counts_are_refused_with_words),
        cmocka_unit_test(sizes_at_the_bounds_are_met_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
