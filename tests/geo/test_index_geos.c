/* Points on real grounds, compared with GEOS on the same lattice. */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <geos_c.h>

#include "geo/geojson.h"
#include "geo/index.h"
#include "tests/geo/random_shapes.h"
#include "tests/geo/real_data.h"

enum { POINTS_PER_FILE = 250000 };

struct grounds {
    struct arena arena;
    struct geo_features features;
    struct geo_shape *shapes;
    struct geo_index *index;
    GEOSContextHandle_t geos;
    GEOSGeometry **areas;                  /* NULL: not valid for GEOS, or a circle */
    const GEOSPreparedGeometry **prepared; /* of those */
};

static int to_lattice(double *x, double *y, void *unused)
{
    (void)unused;
    *x = nearbyint(*x * 1e7);
    *y = nearbyint(*y * 1e7);
    return 1;
}

/* GEOS reads what we write; it takes invalid areas by the even-odd rule too. */
static GEOSGeometry *area_of(GEOSContextHandle_t geos, const struct geo_shape *shape)
{
    struct buffer json;
    buffer_init(&json, 1 << 26);
    geo_geojson_write_geometry(&json, shape);
    GEOSGeoJSONReader *reader = GEOSGeoJSONReader_create_r(geos);
    GEOSGeometry *degrees = GEOSGeoJSONReader_readGeometry_r(geos, reader, buffer_cstr(&json));
    GEOSGeometry *area = NULL;
    if (degrees != NULL) { /* a ring of two points is none for GEOS */
        area = GEOSGeom_transformXY_r(geos, degrees, to_lattice, NULL);
    }
    GEOSGeom_destroy_r(geos, degrees);
    GEOSGeoJSONReader_destroy_r(geos, reader);
    buffer_release(&json);
    return area;
}

static void open_grounds(struct grounds *grounds, const char *name)
{
    const struct geo_geojson_options options = {.datum_default = GEO_WGS84, .lenient = true};
    struct status_detail detail = {""};
    *grounds = (struct grounds){.geos = NULL};
    arena_init_growing(&grounds->arena, 1 << 20, (size_t)1 << 28);
    struct text json = real_text(name, &grounds->arena);
    struct geo_features *features = &grounds->features;
    if (geo_geojson_read(json, &options, &grounds->arena, features, &detail) != STATUS_OK) {
        fail_msg("%s: %s", name, detail.text);
    }
    grounds->geos = GEOS_init_r();
    struct arena *arena = &grounds->arena;
    grounds->shapes = arena_array(arena, features->count, sizeof *grounds->shapes);
    grounds->areas = arena_array(arena, features->count, sizeof(void *));
    grounds->prepared = arena_array(arena, features->count, sizeof(void *));
    for (uint32_t i = 0; i < features->count; i++) {
        grounds->shapes[i] = features->items[i].shape;
        grounds->areas[i] = area_of(grounds->geos, &grounds->shapes[i]);
        if (grounds->areas[i] != NULL) {
            grounds->prepared[i] = GEOSPrepare_r(grounds->geos, grounds->areas[i]);
        }
    }
    assert_int_equal(geo_index_new(grounds->shapes, features->count, &grounds->index, &detail),
                     STATUS_OK);
}

static void close_grounds(struct grounds *grounds)
{
    for (uint32_t i = 0; i < grounds->features.count; i++) {
        GEOSPreparedGeom_destroy_r(grounds->geos, grounds->prepared[i]);
        GEOSGeom_destroy_r(grounds->geos, grounds->areas[i]);
    }
    GEOS_finish_r(grounds->geos);
    geo_index_free(grounds->index);
    arena_release(&grounds->arena);
}

/* A vertex, one of its 8 neighbours, a point on an edge or beside it, or one near by. */
static struct geo_point pick(uint64_t *state, const struct geo_shape *shape)
{
    uint32_t i = (uint32_t)random_in(state, 0, shape->point_count - 1);
    struct geo_point a = shape->points[i], b = shape->points[(i + 1) % shape->point_count];
    int64_t lat = a.lat_e7, lon = a.lon_e7, off = 0;
    switch (random_next(state) % 4) {
    case 0:
        off = 1;
        break;
    case 1: { /* exactly on the edge where its steps have a common divisor */
        int64_t parts = random_in(state, 1, 12), k = random_in(state, 0, parts);
        lat += ((int64_t)b.lat_e7 - a.lat_e7) * k / parts;
        lon += ((int64_t)b.lon_e7 - a.lon_e7) * k / parts;
        break;
    }
    case 2: {
        double t = random_unit(state);
        lat += llround(t * ((double)b.lat_e7 - a.lat_e7));
        lon += llround(t * ((double)b.lon_e7 - a.lon_e7));
        off = 1;
        break;
    }
    default:
        off = 1 << random_in(state, 2, 22);
        break;
    }
    lat += random_in(state, -off, off);
    lon += random_in(state, -off, off);
    lat = lat > GEO_LAT_E7_MAX ? GEO_LAT_E7_MAX : lat < -GEO_LAT_E7_MAX ? -GEO_LAT_E7_MAX : lat;
    lon = lon > GEO_LON_E7_MAX ? GEO_LON_E7_MAX : lon < -GEO_LON_E7_MAX ? -GEO_LON_E7_MAX : lon;
    return (struct geo_point){(int32_t)lat, (int32_t)lon};
}

static bool is_among(const uint32_t *found, uint32_t count, uint32_t shape)
{
    for (uint32_t i = 0; i < count; i++) {
        if (found[i] == shape) {
            return true;
        }
    }
    return false;
}

static void compare(struct grounds *grounds, uint32_t shape, struct geo_point p)
{
    uint32_t found[GEO_FOUND_MAX] = {0};
    bool ours = is_among(found, geo_index_find(grounds->index, p, found), shape);
    GEOSGeometry *point = GEOSGeom_createPointFromXY_r(grounds->geos, p.lon_e7, p.lat_e7);
    char theirs = GEOSPreparedIntersects_r(grounds->geos, grounds->prepared[shape], point);
    GEOSGeom_destroy_r(grounds->geos, point);
    if (ours != (theirs == 1)) {
        fail_msg("%s at %d, %d (latitude first): GEOS says %d", grounds->features.items[shape].id,
                 p.lat_e7, p.lon_e7, theirs);
    }
}

static void compare_file(const char *name)
{
    struct grounds grounds;
    uint64_t state = random_seed();
    uint32_t tried = 0, areas = 0;
    open_grounds(&grounds, name);
    for (uint32_t i = 0; i < grounds.features.count; i++) {
        areas += grounds.prepared[i] != NULL;
    }
    while (tried < POINTS_PER_FILE) {
        uint32_t shape = (uint32_t)random_in(&state, 0, grounds.features.count - 1);
        if (grounds.prepared[shape] == NULL) {
            continue;
        }
        compare(&grounds, shape, pick(&state, &grounds.shapes[shape]));
        tried++;
    }
    (void)printf("%s: %u of %u areas, %u points, %zu bytes of index\n", name, areas,
                 grounds.features.count, tried, geo_index_bytes(grounds.index));
    assert_true(areas * 10 >= grounds.features.count * 9);
    close_grounds(&grounds);
}

static void schools_of_uberlandia(void **unused)
{
    (void)unused;
    compare_file("polygons/osm_schools_uberlandia.geojson.gz");
}

static void schools_of_brasilia(void **unused)
{
    (void)unused;
    compare_file("polygons/osm_schools_brasilia.geojson.gz");
}

static void schools_of_costa_rica(void **unused)
{
    (void)unused;
    compare_file("polygons/osm_schools_costarica_overpass.geojson.gz");
}

static void whole_countries(void **unused)
{
    (void)unused;
    compare_file("polygons/stress_countries_ne10m.geojson.gz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schools_of_uberlandia),
        cmocka_unit_test(schools_of_brasilia),
        cmocka_unit_test(schools_of_costa_rica),
        cmocka_unit_test(whole_countries),
    };
    return cmocka_run_group_tests_name("every point is where GEOS sees it", tests, NULL, NULL);
}
