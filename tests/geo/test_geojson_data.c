/* Bad texts of other people's test suites: refused or read, never a crash, and valid is what JTS
 * calls valid. */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <geos_c.h>

#include "geo/geojson.h"
#include "geo/index.h"
#include "tests/geo/real_data.h"

static enum status read_text(struct text json, bool lenient, struct arena *arena,
                             struct geo_features *ret, struct status_detail *detail)
{
    const struct geo_geojson_options options = {.datum_default = GEO_WGS84, .lenient = lenient};
    detail->text[0] = '\0';
    enum status status = geo_geojson_read(json, &options, arena, ret, detail);
    assert_true(status == STATUS_OK || status == STATUS_INVALID);
    assert_true(status == STATUS_OK || detail->text[0] != '\0');
    return status;
}

/* What was read can be indexed and written. */
static void use(const struct geo_features *features)
{
    struct geo_index *index = NULL;
    struct geo_shape *shapes = calloc(features->count + 1, sizeof *shapes);
    struct buffer out;
    buffer_init(&out, 1 << 24);
    for (uint32_t i = 0; i < features->count; i++) {
        shapes[i] = features->items[i].shape;
        geo_geojson_write_feature(&out, &features->items[i]);
    }
    assert_int_equal(buffer_status(&out), STATUS_OK);
    assert_int_equal(geo_index_new(shapes, features->count, &index, NULL), STATUS_OK);
    for (uint32_t i = 0; i < features->count; i++) {
        uint32_t found[GEO_FOUND_MAX];
        assert_true(geo_index_find(index, shapes[i].points[0], found) > 0);
    }
    geo_index_free(index);
    free(shapes);
    buffer_release(&out);
}

static void try_both_ways(struct text json, enum status *ret_strict, enum status *ret_lenient)
{
    struct arena arena;
    struct geo_features features;
    struct status_detail detail;
    arena_init_growing(&arena, 4096, 1 << 26);
    *ret_strict = read_text(json, false, &arena, &features, &detail);
    if (*ret_strict == STATUS_OK) {
        use(&features);
    }
    *ret_lenient = read_text(json, true, &arena, &features, &detail);
    if (*ret_lenient == STATUS_OK) {
        use(&features);
    }
    /* what is right is right for both */
    assert_true(*ret_strict != STATUS_OK || *ret_lenient == STATUS_OK);
    arena_release(&arena);
}

struct repairs {
    uint32_t repaired, refused;
};

static void expect_strictly_valid(const struct geo_feature *feature, struct arena *arena)
{
    struct geo_features again;
    struct status_detail detail;
    struct buffer out;
    buffer_init(&out, 1 << 24);
    geo_geojson_write_feature(&out, feature);
    if (read_text((struct text){out.data, out.size}, false, arena, &again, &detail) != STATUS_OK) {
        fail_msg("%s: %s", detail.text, buffer_cstr(&out));
    }
    buffer_release(&out);
}

/* What is no valid area is repaired into one, or refused with words. Names and ids are made up where
 * there is none. */
static void try_repair(struct text json, struct repairs *repairs)
{
    const struct geo_geojson_options options = {
        .datum_default = GEO_WGS84, .repair = true, .lenient = true};
    struct arena arena;
    struct geo_features features;
    struct status_detail detail = {.text = ""};
    arena_init_growing(&arena, 4096, 1 << 26);
    enum status status = geo_geojson_read(json, &options, &arena, &features, &detail);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_INVALID);
        assert_true(detail.text[0] != '\0');
        repairs->refused++;
    } else {
        repairs->repaired += features.repaired;
        repairs->refused += features.skipped;
        use(&features);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < features.count; i++) {
        expect_strictly_valid(&features.items[i], &arena);
    }
    arena_release(&arena);
}

static void texts_of_geojsonhint_are_refused_or_read(void **unused)
{
    (void)unused;
    struct arena arena;
    arena_init_growing(&arena, 1 << 20, 1 << 24);
    struct text lines = real_text("invalid/geojsonhint_fixtures.jsonl", &arena);
    uint32_t refused = 0, count = 0;
    struct repairs repairs = {0};
    for (json_t *line; (line = real_next_line(&lines)) != NULL; json_decref(line)) {
        const json_t *raw = json_object_get(line, "raw");
        struct text json = {json_string_value(raw), json_string_length(raw)};
        enum status strict, lenient;
        try_both_ways(json, &strict, &lenient);
        /* its good multipolygon lies at latitude -107 */
        const char *name = json_string_value(json_object_get(line, "name"));
        if (strncmp(name, "good/", 5) == 0 && strcmp(name, "good/issue82.geojson") != 0 &&
            lenient != STATUS_OK) {
            fail_msg("good, but refused: %s", json.at);
        }
        try_repair(json, &repairs);
        refused += lenient != STATUS_OK;
        count++;
        /* and cut at every 7th byte */
        for (size_t cut = 0; cut < json.length; cut += 7) {
            try_both_ways((struct text){json.at, cut}, &strict, &lenient);
        }
    }
    (void)printf("%u of %u cannot be read, %u areas repaired, %u left out or refused\n", refused,
                 count, repairs.repaired, repairs.refused);
    assert_true(count == 62 && refused >= 20);
    arena_release(&arena);
}

static void kinks_of_turf_are_refused_strictly_and_taken_leniently(void **unused)
{
    (void)unused;
    struct arena arena;
    arena_init_growing(&arena, 1 << 20, 1 << 24);
    struct text lines = real_text("invalid/turf_valid_kinks.jsonl", &arena);
    uint32_t count = 0;
    struct repairs repairs = {0};
    for (json_t *line; (line = real_next_line(&lines)) != NULL; json_decref(line)) {
        char *json = json_dumps(json_object_get(line, "geojson"), 0);
        enum status strict, lenient;
        try_both_ways(text_of(json), &strict, &lenient);
        try_repair(text_of(json), &repairs);
        const char *name = json_string_value(json_object_get(line, "name"));
        if (strncmp(name, "false/", 6) == 0 && strstr(name, "olygon") != NULL) {
            assert_int_equal(strict, STATUS_INVALID);
        }
        free(json);
        count++;
    }
    (void)printf("%u areas repaired, %u left out or refused\n", repairs.repaired, repairs.refused);
    assert_true(count == 43 && repairs.repaired >= 15);
    arena_release(&arena);
}

/* ---- JTS ---- */

struct writer {
    GEOSContextHandle_t geos;
    struct buffer json;
    double factor; /* degrees per unit of the case */
    bool exact;    /* every coordinate is a lattice point */
};

static void write_ring(struct writer *writer, const GEOSGeometry *ring)
{
    const GEOSCoordSequence *sequence = GEOSGeom_getCoordSeq_r(writer->geos, ring);
    unsigned size = 0;
    (void)GEOSCoordSeq_getSize_r(writer->geos, sequence, &size);
    for (unsigned i = 0; i < size; i++) {
        double x, y;
        (void)GEOSCoordSeq_getXY_r(writer->geos, sequence, i, &x, &y);
        double lon = x * writer->factor * 1e7, lat = y * writer->factor * 1e7;
        writer->exact &= isfinite(lon) && isfinite(lat) && fabs(lon - nearbyint(lon)) < 1e-4 &&
                         fabs(lat - nearbyint(lat)) < 1e-4;
        buffer_printf(&writer->json, "%s[%.9f,%.9f]", i > 0 ? "," : "[", lon * 1e-7, lat * 1e-7);
    }
    buffer_text(&writer->json, "]");
}

static void write_polygon(struct writer *writer, const GEOSGeometry *polygon)
{
    buffer_text(&writer->json, "[");
    write_ring(writer, GEOSGetExteriorRing_r(writer->geos, polygon));
    for (int i = 0; i < GEOSGetNumInteriorRings_r(writer->geos, polygon); i++) {
        buffer_text(&writer->json, ",");
        write_ring(writer, GEOSGetInteriorRingN_r(writer->geos, polygon, i));
    }
    buffer_text(&writer->json, "]");
}

static double largest(GEOSContextHandle_t geos, const GEOSGeometry *geometry)
{
    double box[4] = {0};
    (void)GEOSGeom_getXMin_r(geos, geometry, &box[0]);
    (void)GEOSGeom_getYMin_r(geos, geometry, &box[1]);
    (void)GEOSGeom_getXMax_r(geos, geometry, &box[2]);
    (void)GEOSGeom_getYMax_r(geos, geometry, &box[3]);
    double most = 0;
    for (int i = 0; i < 4; i++) {
        most = isfinite(box[i]) ? fmax(most, fabs(box[i])) : HUGE_VAL;
    }
    return most;
}

/* The case as a feature, shrunk by a power of ten until it fits the globe. False: not for us. */
static bool write_case(struct writer *writer, const GEOSGeometry *geometry)
{
    int type = GEOSGeomTypeId_r(writer->geos, geometry);
    double most = largest(writer->geos, geometry);
    if ((type != GEOS_POLYGON && type != GEOS_MULTIPOLYGON) ||
        GEOSisEmpty_r(writer->geos, geometry) == 1 || !isfinite(most)) {
        return false;
    }
    writer->factor = 1;
    while (most * writer->factor > 89) {
        writer->factor /= 10;
    }
    writer->exact = true;
    buffer_clear(&writer->json);
    buffer_printf(
        &writer->json,
        "{\"type\":\"Feature\",\"id\":\"x\",\"properties\":{},\"geometry\":{\"type\":\"%s\","
        "\"coordinates\":",
        type == GEOS_POLYGON ? "Polygon" : "MultiPolygon");
    if (type == GEOS_POLYGON) {
        write_polygon(writer, geometry);
    }
    for (int i = 0; type == GEOS_MULTIPOLYGON && i < GEOSGetNumGeometries_r(writer->geos, geometry);
         i++) {
        const GEOSGeometry *part = GEOSGetGeometryN_r(writer->geos, geometry, i);
        if (GEOSisEmpty_r(writer->geos, part) == 1) {
            return false;
        }
        buffer_text(&writer->json, i > 0 ? "," : "[");
        write_polygon(writer, part);
    }
    buffer_text(&writer->json, type == GEOS_POLYGON ? "}}" : "]}}");
    return writer->exact;
}

static void polygons_are_valid_where_jts_calls_them_valid(void **unused)
{
    (void)unused;
    struct arena arena;
    arena_init_growing(&arena, 1 << 20, 1 << 24);
    struct text lines = real_text("invalid/jts_isvalid.jsonl", &arena);
    struct writer writer = {.geos = GEOS_init_r()};
    buffer_init(&writer.json, 1 << 24);
    GEOSWKTReader *reader = GEOSWKTReader_create_r(writer.geos);
    uint32_t tried = 0, invalid = 0;
    struct repairs repairs = {0};
    for (json_t *line; (line = real_next_line(&lines)) != NULL; json_decref(line)) {
        GEOSGeometry *geometry = GEOSWKTReader_read_r(
            writer.geos, reader, json_string_value(json_object_get(line, "wkt")));
        const char *wkt = json_string_value(json_object_get(line, "wkt"));
        if (geometry != NULL && strstr(wkt, "EMPTY") == NULL && write_case(&writer, geometry)) {
            enum status strict, lenient;
            struct text json = {writer.json.data, writer.json.size};
            bool valid = json_is_true(json_object_get(line, "valid"));
            try_both_ways(json, &strict, &lenient);
            if ((strict == STATUS_OK) != valid) {
                fail_msg("JTS says %s of %s", valid ? "valid" : "invalid",
                         json_string_value(json_object_get(line, "wkt")));
            }
            try_repair(json, &repairs);
            tried++;
            invalid += !valid;
        }
        GEOSGeom_destroy_r(writer.geos, geometry);
    }
    (void)printf("%u areas, %u of them invalid: %u repaired, %u refused with words\n", tried,
                 invalid, repairs.repaired, repairs.refused);
    assert_int_equal(repairs.repaired + repairs.refused, invalid);
    assert_true(repairs.repaired > 100);
    assert_true(tried > 250 && invalid > 60);
    GEOSWKTReader_destroy_r(writer.geos, reader);
    GEOS_finish_r(writer.geos);
    buffer_release(&writer.json);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_geojsonhint_are_refused_or_read),
        cmocka_unit_test(kinks_of_turf_are_refused_strictly_and_taken_leniently),
        cmocka_unit_test(polygons_are_valid_where_jts_calls_them_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
