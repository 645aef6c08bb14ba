#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geojson.h"
#include "geo/index.h"

struct fixture {
    struct arena arena;
    struct geo_features features;
    struct status_detail detail;
    char warnings[4096];
};

static void collect(void *context, const char *words)
{
    struct fixture *fixture = context;
    size_t used = strlen(fixture->warnings);
    (void)snprintf(fixture->warnings + used, sizeof fixture->warnings - used, "%s\n", words);
}

static enum status read_as(struct fixture *fixture, const char *json, enum geo_datum datum,
                           bool lenient)
{
    const struct geo_geojson_options options = {
        .datum_default = datum, .lenient = lenient, .warn = collect, .context = fixture};
    memset(fixture, 0, sizeof *fixture);
    arena_init_growing(&fixture->arena, 4096, 1 << 24);
    return geo_geojson_read(text_of(json), &options, &fixture->arena, &fixture->features,
                            &fixture->detail);
}

/* A file of one feature that has this geometry and these properties besides its id. */
static const char *feature(const char *geometry, const char *properties)
{
    static char json[8192];
    (void)snprintf(json, sizeof json,
                   "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\","
                   "\"properties\":{\"id\":\"s001\"%s},\"geometry\":%s}]}",
                   properties, geometry);
    return json;
}

#define SQUARE                                                                                     \
    "{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36],[113.1,36.1],[113,36.1],[113,36]]]}"

static void expect_refused(const char *json, const char *words)
{
    struct fixture fixture;
    enum status status = read_as(&fixture, json, GEO_WGS84, false);
    if (status != STATUS_INVALID || strstr(fixture.detail.text, words) == NULL) {
        fail_msg("%s: \"%s\", wanted \"%s\" of %s", status_words(status), fixture.detail.text,
                 words, json);
    }
    assert_null(fixture.features.items);
    arena_release(&fixture.arena);
}

static void refusals_name_feature_id_ring_and_position(void **unused)
{
    (void)unused;
    expect_refused(
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36.1],[113.1,36],"
                "[113,36.1],[113,36]]]}",
                ""),
        "feature 1 (id \"s001\"): ring 1: Self-intersection at 113.05");
    expect_refused(
        feature("{\"type\":\"MultiPolygon\",\"coordinates\":[[[[113,36],[113.1,36],"
                "[113.1,36.1],[113,36]]],[[[114,36],[114.1,36],[114.1,\"36.1\"],[114,36]]]]}",
                ""),
        "feature 1 (id \"s001\"): part 2: ring 1: position 3: a position is two numbers");
    expect_refused(
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36],[113.1,36.1],"
                "[113,36.1],[113,36]],[[113.04,36.04],[113.2,36.04],[113.05,36.05],"
                "[113.04,36.04]]]}",
                ""),
        "): ring "); /* where GEOS sees the crossing */
    expect_refused(
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36],[113.1,36.1],"
                "[113,36.1]]]}",
                ""),
        "ring 1: not closed");
    expect_refused(
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36],[113,36]]]}", ""),
        "ring 1: a ring has at least four positions");
    expect_refused(feature("{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36],[113.2,36],"
                           "[113,36]]]}",
                           ""),
                   "ring 1: no area");
    expect_refused(feature("{\"type\":\"Polygon\",\"coordinates\":[[[36,113],[36,113.1],[36.1,113],"
                           "[36,113]]]}",
                           ""),
                   "position 1: latitude 113 is beyond 90: longitude stands first");
    expect_refused(
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[179,1],[-179,1],[-179,2],[179,1]]]}", ""),
        "split the fence at the antimeridian");
    expect_refused(feature("{\"type\":\"Polygon\",\"coordinates\":[]}", ""),
                   "a polygon has a ring");
    expect_refused(feature("{\"type\":\"MultiPolygon\",\"coordinates\":[]}", ""), "no area");
    expect_refused(feature("null", ""), "no geometry");
}

static void rounds_need_a_radius_and_nothing_else_takes_one(void **unused)
{
    (void)unused;
    expect_refused(feature("{\"type\":\"Point\",\"coordinates\":[113,36]}", ""), "radius_m");
    expect_refused(feature("{\"type\":\"Point\",\"coordinates\":[113,36]}", ",\"radius_m\":\"50\""),
                   "must be a number");
    expect_refused(feature("{\"type\":\"Point\",\"coordinates\":[113,36]}", ",\"radius_m\":0"),
                   "above 0");
    expect_refused(feature("{\"type\":\"Point\",\"coordinates\":[113,36]}", ",\"radius_m\":1e9"),
                   "at most");
    expect_refused(feature("{\"type\":\"Point\",\"coordinates\":[113]}", ",\"radius_m\":5"),
                   "two numbers");
    expect_refused(
        feature("{\"type\":\"LineString\",\"coordinates\":[[113,36],[113,36]]}", ",\"radius_m\":5"),
        "two different positions");
    expect_refused(feature("{\"type\":\"LineString\",\"coordinates\":[[179,36],[-179,36]]}",
                           ",\"radius_m\":5"),
                   "antimeridian");
    expect_refused(feature(SQUARE, ",\"radius_m\":5"), "belongs to a Point");
    expect_refused(feature("{\"type\":\"MultiPoint\",\"coordinates\":[]}", ",\"radius_m\":5"),
                   "a MultiPoint is no fence");
    expect_refused(feature("{\"type\":\"FooBar\",\"coordinates\":[]}", ""), "\"FooBar\"");
}

static void what_is_no_geojson_is_refused_by_line_or_feature(void **unused)
{
    (void)unused;
    expect_refused("", "not JSON: line 1");
    expect_refused("{\"type\":\n \"Feature\",}", "not JSON: line 2 column");
    expect_refused("{\"type\":\"Feature\",\"type\":\"Feature\"}", "duplicate object key");
    expect_refused("[]", "not GeoJSON");
    expect_refused("{}", "not GeoJSON");
    expect_refused("{\"type\":\"FeatureCollection\"}", "a list \"features\"");
    expect_refused("{\"type\":\"FeatureCollection\",\"features\":[5]}", "feature 1: not an object");
    expect_refused("{\"type\":\"FeatureCollection\",\"features\":[" SQUARE "]}",
                   "must be \"Feature\"");
    expect_refused(SQUARE, "no id");
    expect_refused(
        "{\"type\":\"FeatureCollection\",\"crs\":{\"type\":\"name\",\"properties\":{\"name\":"
        "\"urn:ogc:def:crs:EPSG::3857\"}},\"features\":[]}",
        "EPSG::3857");
    char deep[6000] = "{\"type\":";
    memset(deep + 8, '[', 5000);
    expect_refused(deep, "depth");
}

static void properties_of_the_wrong_kind_are_refused(void **unused)
{
    (void)unused;
    expect_refused(feature(SQUARE, ",\"datum\":\"epsg4326\""), "datum \"epsg4326\" is unknown");
    expect_refused(feature(SQUARE, ",\"datum\":84"), "datum must be text");
    expect_refused(feature(SQUARE, ",\"name\":[1]"), "property name must be text");
    expect_refused("{\"type\":\"Feature\",\"id\":true,\"properties\":null,\"geometry\":" SQUARE "}",
                   "id must be text or a number");
    expect_refused("{\"type\":\"Feature\",\"id\":\"x\",\"properties\":[],\"geometry\":" SQUARE "}",
                   "properties must be an object");
}

static void without_a_datum_a_feature_is_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    assert_int_equal(read_as(&fixture, feature(SQUARE, ""), GEO_DATUM_NONE, true), STATUS_INVALID);
    assert_non_null(strstr(fixture.detail.text, "feature 1 (id \"s001\"): no datum"));
    arena_release(&fixture.arena);
    assert_int_equal(
        read_as(&fixture, feature(SQUARE, ",\"datum\":\"GCJ-02\""), GEO_DATUM_NONE, false),
        STATUS_OK);
    const struct geo_feature *found = &fixture.features.items[0];
    assert_int_equal(found->datum, GEO_GCJ02);
    /* half a kilometre from where it would be in WGS-84 */
    struct geo_point meant = {360000000, 1130000000};
    double off_m = geo_distance_m(found->shape.points[0], meant);
    assert_true(off_m > 500 && off_m < 650);
    arena_release(&fixture.arena);
}

static void the_same_id_twice_is_refused_with_both_numbers(void **unused)
{
    (void)unused;
    expect_refused("{\"type\":\"FeatureCollection\",\"features\":["
                   "{\"type\":\"Feature\",\"id\":7,\"properties\":{},\"geometry\":" SQUARE "},"
                   "{\"type\":\"Feature\",\"id\":8,\"properties\":{},\"geometry\":" SQUARE "},"
                   "{\"type\":\"Feature\",\"properties\":{\"@id\":\"7\"},\"geometry\":" SQUARE
                   "}]}",
                   "feature 3 (id \"7\"): feature 1 has that id already");
}

static void ids_and_texts_come_as_they_are(void **unused)
{
    (void)unused;
    struct fixture fixture;
    assert_int_equal(
        read_as(
            &fixture,
            "\xef\xbb\xbf{\"type\":\"Feature\",\"id\":\"outer\",\"properties\":{\"id\":\"\xe6\xa0\xa1\","
            "\"@id\":\"x\",\"school\":\"s1\",\"kind\":\"school\",\"name\":\"A \\\"B\\\"\",\"severity\":"
            "\"critical\",\"schedule\":null},\"geometry\":" SQUARE "}",
            GEO_WGS84, false),
        STATUS_OK);
    const struct geo_feature *found = &fixture.features.items[0];
    assert_int_equal(fixture.features.count, 1);
    assert_string_equal(found->id, "\xe6\xa0\xa1");
    assert_string_equal(found->school, "s1");
    assert_string_equal(found->kind, "school");
    assert_string_equal(found->name, "A \"B\"");
    assert_string_equal(found->severity, "critical");
    assert_string_equal(found->schedule, "");
    assert_int_equal(found->shape.point_count, 4); /* without the repeated one */
    assert_int_equal(found->shape.low.lat_e7, 360000000);
    assert_int_equal(found->shape.high.lon_e7, 1131000000);
    arena_release(&fixture.arena);
}

static void lenient_leaves_out_names_and_takes_by_even_odd_and_tells(void **unused)
{
    (void)unused;
    struct fixture fixture;
    assert_int_equal(
        read_as(
            &fixture,
            "{\"type\":\"FeatureCollection\",\"features\":["
            "{\"type\":\"Feature\",\"properties\":{\"name\":5},\"geometry\":" SQUARE "},"
            "{\"type\":\"Feature\",\"id\":\"p\",\"properties\":{},\"geometry\":"
            "{\"type\":\"Point\",\"coordinates\":[113,36]}},"
            "{\"type\":\"Feature\",\"id\":\"bow\",\"properties\":{},\"geometry\":{\"type\":\"Polygon\","
            "\"coordinates\":[[[113,36],[113.1,36.1],[113.1,36],[113,36.1]]]}},"
            "{\"type\":\"Feature\",\"id\":\"n\",\"properties\":null,\"geometry\":null}]}",
            GEO_WGS84, true),
        STATUS_OK);
    assert_int_equal(fixture.features.count, 2);
    assert_int_equal(fixture.features.skipped, 2);
    assert_string_equal(fixture.features.items[0].id, "#1");
    assert_string_equal(fixture.features.items[1].id, "bow");
    const struct geo_shape *bow = &fixture.features.items[1].shape;
    assert_true(geo_shape_covers(bow, (struct geo_point){360500000, 1130100000}));
    assert_false(geo_shape_covers(bow, (struct geo_point){360100000, 1130500000}));
    assert_non_null(strstr(fixture.warnings, "feature 1 (id \"#1\"): property name is no text"));
    assert_non_null(strstr(fixture.warnings, "feature 2 (id \"p\"): a Point has no area"));
    assert_non_null(strstr(fixture.warnings, "feature 3 (id \"bow\"): ring 1: not closed"));
    assert_non_null(strstr(fixture.warnings, "Self-intersection"));
    assert_non_null(strstr(fixture.warnings, "feature 4 (id \"n\"): no geometry"));
    arena_release(&fixture.arena);
}

static void lenient_still_refuses_what_cannot_be_read(void **unused)
{
    (void)unused;
    struct fixture fixture;
    const char *const broken[] = {
        "{\"type\":\"Polygon\",\"coordinates\":[[5]]}",
        "{\"type\":\"Polygon\",\"coordinates\":5}",
        "{\"type\":\"Polygon\"}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113,\"a\"],[1,2],[113,36]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113,91],[1,2],[113,36]]]}",
        "{\"type\":\"Nothing\",\"coordinates\":[]}",
        "{\"coordinates\":[]}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(read_as(&fixture, feature(broken[i], ""), GEO_WGS84, true),
                         STATUS_INVALID);
        assert_non_null(strstr(fixture.detail.text, "feature 1 (id \"s001\"): "));
        arena_release(&fixture.arena);
    }
}

/* Written and read again it is the same shape, and strictly valid. */
static void expect_round_trip(const char *json)
{
    struct fixture first, second;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    if (read_as(&first, json, GEO_WGS84, false) != STATUS_OK) {
        fail_msg("%s", first.detail.text);
    }
    geo_geojson_write_feature(&out, &first.features.items[0]);
    assert_int_equal(buffer_status(&out), STATUS_OK);
    if (read_as(&second, buffer_cstr(&out), GEO_DATUM_NONE, false) != STATUS_OK) {
        fail_msg("%s: %s", second.detail.text, buffer_cstr(&out));
    }
    const struct geo_feature *a = &first.features.items[0], *b = &second.features.items[0];
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->name, b->name);
    assert_int_equal(b->datum, GEO_WGS84);
    assert_int_equal(a->shape.kind, b->shape.kind);
    assert_true(a->shape.radius_m == b->shape.radius_m);
    assert_int_equal(a->shape.point_count, b->shape.point_count);
    assert_int_equal(a->shape.ring_count, b->shape.ring_count);
    for (int32_t lat = 359900000; lat < 362100000; lat += 37123) {
        for (int32_t lon = 1129900000; lon < 1132100000; lon += 41011) {
            struct geo_point p = {lat, lon};
            assert_int_equal(geo_shape_covers(&a->shape, p), geo_shape_covers(&b->shape, p));
        }
    }
    arena_release(&first.arena);
    arena_release(&second.arena);
    buffer_release(&out);
}

static void features_survive_writing_and_reading(void **unused)
{
    (void)unused;
    expect_round_trip(feature(SQUARE, ",\"name\":\"\\u6f5e\\n\\\"x\\\"\""));
    expect_round_trip(feature("{\"type\":\"Point\",\"coordinates\":[113.1234567,36.05]}",
                              ",\"radius_m\":1234.1"));
    expect_round_trip(feature("{\"type\":\"LineString\",\"coordinates\":[[113,36],[113.1,36.1]]}",
                              ",\"radius_m\":300"));
    /* two islands, one with a lake in which there is an island, the rings wound at random */
    expect_round_trip(
        feature("{\"type\":\"MultiPolygon\",\"coordinates\":["
                "[[[113,36],[113.1,36],[113.1,36.1],[113,36.1],[113,36]],"
                "[[113.02,36.02],[113.08,36.02],[113.08,36.08],[113.02,36.08],[113.02,36.02]]],"
                "[[[113.04,36.04],[113.04,36.06],[113.06,36.06],[113.06,36.04],[113.04,36.04]]],"
                "[[[113.1,36.1],[113.2,36.1],[113.2,36.2],[113.1,36.1]]]]}",
                ""));
}

static void rings_are_wound_as_the_rfc_asks(void **unused)
{
    (void)unused;
    struct fixture fixture;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(
        read_as(&fixture,
                feature("{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[0,3],[3,3],[3,0],[0,0]],"
                        "[[1,1],[2,1],[2,2],[1,2],[1,1]]]}",
                        ""),
                GEO_WGS84, false),
        STATUS_OK);
    geo_geojson_write_geometry(&out, &fixture.features.items[0].shape);
    assert_string_equal(
        buffer_cstr(&out),
        "{\"type\":\"Polygon\",\"coordinates\":[[[0.0000000,0.0000000],[3.0000000,0.0000000],"
        "[3.0000000,3.0000000],[0.0000000,3.0000000],[0.0000000,0.0000000]],"
        "[[1.0000000,1.0000000],[1.0000000,2.0000000],[2.0000000,2.0000000],[2.0000000,1.0000000],"
        "[1.0000000,1.0000000]]]}");
    arena_release(&fixture.arena);
    buffer_release(&out);
}

static void what_is_valid_only_before_it_is_rounded_is_refused(void **unused)
{
    (void)unused;
    /* a spike thinner than a centimetre */
    expect_refused(
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36],[113.1,36.1],"
                "[113.05,36.1],[113.05,36.2],[113.04999999,36.1],[113,36.1],[113,36]]]}",
                ""),
        "ring 1: ");
}

/* Reads with repair; the words of what changed are in fixture->warnings. */
static void expect_repaired(struct fixture *fixture, const char *json, enum geo_datum datum,
                            const char *words)
{
    const struct geo_geojson_options options = {
        .datum_default = datum, .repair = true, .warn = collect, .context = fixture};
    memset(fixture, 0, sizeof *fixture);
    arena_init_growing(&fixture->arena, 4096, 1 << 24);
    if (geo_geojson_read(text_of(json), &options, &fixture->arena, &fixture->features,
                         &fixture->detail) != STATUS_OK) {
        fail_msg("%s", fixture->detail.text);
    }
    if (strstr(fixture->warnings, words) == NULL) {
        fail_msg("\"%s\", wanted \"%s\"", fixture->warnings, words);
    }
    assert_int_equal(fixture->features.repaired, 1);
}

#define BOW                                                                                        \
    "{\"type\":\"Polygon\",\"coordinates\":[[[113,36],[113.1,36.1],[113.1,36],[113,36.1],[113,36]]]}"

static void repair_makes_valid_and_says_what_changed(void **unused)
{
    (void)unused;
    struct fixture fixture;
    expect_repaired(
        &fixture, feature(BOW, ""), GEO_WGS84,
        "feature 1 (id \"s001\"): repaired: Self-intersection at 113.0500000, 36.0500000 "
        "(longitude, latitude in wgs84): vertices 4 -> 6, parts 1 -> 2, area ");
    assert_non_null(strstr(fixture.warnings, "of which 0.0 m2 (0 %) differ"));
    arena_release(&fixture.arena);
    /* parts that overlap become one, without a hole where they do */
    expect_repaired(
        &fixture,
        feature("{\"type\":\"MultiPolygon\",\"coordinates\":["
                "[[[113,36],[113.2,36],[113.2,36.2],[113,36.2],[113,36]]],"
                "[[[113.1,36.1],[113.3,36.1],[113.3,36.3],[113.1,36.3],[113.1,36.1]]]]}",
                ""),
        GEO_WGS84, "vertices 8 -> 8, parts 2 -> 1");
    assert_true(geo_shape_covers(&fixture.features.items[0].shape,
                                 (struct geo_point){361500000, 1131500000}));
    arena_release(&fixture.arena);
    expect_repaired(&fixture, feature(BOW, ""), GEO_GCJ02, "at 113.05"); /* the file's own datum */
    assert_non_null(strstr(fixture.warnings, "in gcj02"));
    arena_release(&fixture.arena);
}

static void a_refusal_offers_repair_where_there_is_one(void **unused)
{
    (void)unused;
    struct fixture fixture = {0};
    const struct geo_geojson_options options = {.datum_default = GEO_WGS84,
                                                .repair_words = ": try --repair"};
    arena_init_growing(&fixture.arena, 4096, 1 << 24);
    assert_int_equal(geo_geojson_read(text_of(feature(BOW, "")), &options, &fixture.arena,
                                      &fixture.features, &fixture.detail),
                     STATUS_INVALID);
    assert_non_null(strstr(fixture.detail.text, "in wgs84): try --repair"));
    arena_release(&fixture.arena);
}

static void a_full_arena_is_told(void **unused)
{
    (void)unused;
    struct fixture fixture = {0};
    const struct geo_geojson_options options = {.datum_default = GEO_WGS84};
    arena_init_growing(&fixture.arena, 64, 64);
    assert_int_equal(geo_geojson_read(text_of(feature(SQUARE, "")), &options, &fixture.arena,
                                      &fixture.features, &fixture.detail),
                     STATUS_NO_MEMORY);
    arena_release(&fixture.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_feature_id_ring_and_position),
        cmocka_unit_test(rounds_need_a_radius_and_nothing_else_takes_one),
        cmocka_unit_test(what_is_no_geojson_is_refused_by_line_or_feature),
        cmocka_unit_test(properties_of_the_wrong_kind_are_refused),
        cmocka_unit_test(without_a_datum_a_feature_is_refused),
        cmocka_unit_test(the_same_id_twice_is_refused_with_both_numbers),
        cmocka_unit_test(ids_and_texts_come_as_they_are),
        cmocka_unit_test(lenient_leaves_out_names_and_takes_by_even_odd_and_tells),
        cmocka_unit_test(lenient_still_refuses_what_cannot_be_read),
        cmocka_unit_test(features_survive_writing_and_reading),
        cmocka_unit_test(rings_are_wound_as_the_rfc_asks),
        cmocka_unit_test(what_is_valid_only_before_it_is_rounded_is_refused),
        cmocka_unit_test(repair_makes_valid_and_says_what_changed),
        cmocka_unit_test(a_refusal_offers_repair_where_there_is_one),
        cmocka_unit_test(a_full_arena_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
