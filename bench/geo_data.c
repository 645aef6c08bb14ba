#include "bench/geo_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "geo/geojson.h"
#include "tests/geo/data_folder.h"

#define RADIANS_PER_E7 1.7453292519943295e-9

enum status geo_data_read(const char *path, const char *datum, struct arena *arena,
                          struct geo_data *ret, struct status_detail *detail)
{
    struct geo_geojson_options options = {.lenient = true};
    struct geo_features features = {0};
    struct text json;
    if (datum != NULL && geo_datum_parse(text_of(datum), &options.datum_default) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID, "datum %s is unknown", datum);
    }
    enum status status = cli_read_file(path, arena, &json, detail);
    if (status == STATUS_OK) {
        status = geo_geojson_read(json, &options, arena, &features, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    ret->shapes = arena_array(arena, features.count + (size_t)1, sizeof *ret->shapes);
    ret->shape_count = 0;
    if (ret->shapes == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < features.count; i++) {
        if (features.items[i].shape.kind == GEO_POLYGON) { /* GEOS has no circles */
            ret->shapes[ret->shape_count++] = features.items[i].shape;
        }
    }
    return ret->shape_count > 0
               ? STATUS_OK
               : status_detail_set(detail, STATUS_INVALID, "%s: no polygon in it", path);
}

static enum status read_real(const char *name, struct arena *arena, struct geo_data *ret,
                             struct status_detail *detail)
{
    char path[1024];
    const char *folder = getenv("CAMPUS_DATA");
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : REAL_DATA_FOLDER, name);
    return geo_data_read(path, "wgs84", arena, ret, detail);
}

/* The middle of its box comes to lie on `place`; a degree of longitude is not as long there. */
static bool move(const struct geo_shape *shape, struct geo_point place, struct arena *arena,
                 struct geo_shape *ret)
{
    double lat = ((double)shape->low.lat_e7 + shape->high.lat_e7) / 2;
    double lon = ((double)shape->low.lon_e7 + shape->high.lon_e7) / 2;
    double scale = cos(lat * RADIANS_PER_E7) / cos(place.lat_e7 * RADIANS_PER_E7);
    struct geo_point *points = arena_array(arena, shape->point_count, sizeof *points);
    for (uint32_t i = 0; i < shape->point_count && points != NULL; i++) {
        points[i] = (struct geo_point){
            place.lat_e7 + (int32_t)lround(shape->points[i].lat_e7 - lat),
            place.lon_e7 + (int32_t)lround((shape->points[i].lon_e7 - lon) * scale)};
    }
    *ret = *shape;
    ret->points = points;
    if (points != NULL) {
        geo_shape_set_bounds(ret);
    }
    return points != NULL;
}

enum status geo_data_grounds(const struct city *city, struct arena *arena, struct geo_data *ret,
                             struct status_detail *detail)
{
    static const char *const files[] = {"polygons/osm_schools_uberlandia.geojson.gz",
                                        "polygons/osm_schools_brasilia.geojson.gz",
                                        "polygons/osm_schools_costarica_overpass.geojson.gz"};
    ret->shape_count = 0;
    ret->shapes = arena_array(arena, CITY_SCHOOLS, sizeof *ret->shapes);
    enum status status = ret->shapes != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    for (uint32_t f = 0; f < 3 && status == STATUS_OK; f++) {
        struct geo_data real;
        status = read_real(files[f], arena, &real, detail);
        for (uint32_t i = 0; status == STATUS_OK && i < real.shape_count; i++) {
            uint32_t at = ret->shape_count;
            if (at == CITY_SCHOOLS) {
                break;
            }
            if (!move(&real.shapes[i], city->schools[at], arena, &ret->shapes[at])) {
                return STATUS_NO_MEMORY;
            }
            ret->shape_count++;
        }
    }
    return status;
}

enum status geo_data_countries(struct arena *arena, struct geo_data *ret,
                               struct status_detail *detail)
{
    return read_real("polygons/stress_countries_ne10m.geojson.gz", arena, ret, detail);
}

static int32_t clamped(double value, int32_t bound)
{
    return (int32_t)lround(fmin(fmax(value, -bound), bound));
}

bool geo_data_points(const struct geo_data *data, double near_m, uint64_t seed, uint32_t count,
                     struct arena *arena, struct geo_point **ret)
{
    struct city_random random = {seed};
    struct geo_point *points = arena_array(arena, count, sizeof *points);
    for (uint32_t i = 0; i < count && points != NULL; i++) {
        const struct geo_shape *shape =
            &data->shapes[city_random_below(&random, data->shape_count)];
        struct geo_point corner = shape->points[city_random_below(&random, shape->point_count)];
        double steps = near_m / 0.0111;
        double lat = corner.lat_e7 + city_random_between(&random, -steps, steps);
        double lon = corner.lon_e7 + 1.25 * city_random_between(&random, -steps, steps);
        if (city_random_below(&random, 2) == 0) {
            lat = city_random_between(&random, shape->low.lat_e7, shape->high.lat_e7);
            lon = city_random_between(&random, shape->low.lon_e7, shape->high.lon_e7);
        }
        points[i] = (struct geo_point){clamped(lat, GEO_LAT_E7_MAX), clamped(lon, GEO_LON_E7_MAX)};
    }
    *ret = points;
    return points != NULL;
}
