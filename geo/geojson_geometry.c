/* Reading a geometry: positions, rings, parts, each complaint with its place. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geojson_internal.h"

static enum status grow(void **items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return STATUS_OK;
    }
    size_t wanted = *capacity * 2 + 256;
    void *larger = realloc(*items, wanted * size);
    if (larger == NULL) {
        return STATUS_NO_MEMORY;
    }
    *items = larger;
    *capacity = wanted;
    return STATUS_OK;
}

static enum status push_point(struct geojson_reader *reader, struct geo_point point)
{
    if (reader->point_count >= GEO_SHAPE_POINTS_MAX) {
        (void)geojson_refuse(reader, "more than %u points in one fence: simplify it",
                             GEO_SHAPE_POINTS_MAX);
        return STATUS_TOO_LARGE;
    }
    void *items = reader->points;
    enum status status =
        grow(&items, &reader->points_capacity, reader->point_count, sizeof *reader->points);
    reader->points = items;
    if (status != STATUS_OK) {
        return geojson_no_memory(reader);
    }
    reader->points[reader->point_count++] = point;
    return STATUS_OK;
}

static enum status push_ring_end(struct geojson_reader *reader)
{
    if (reader->ring_count >= GEO_GEOJSON_RINGS_MAX) {
        (void)geojson_refuse(reader, "more than %u rings in one fence: split it into several",
                             GEO_GEOJSON_RINGS_MAX);
        return STATUS_TOO_LARGE;
    }
    void *items = reader->ring_ends;
    enum status status =
        grow(&items, &reader->rings_capacity, reader->ring_count, sizeof *reader->ring_ends);
    reader->ring_ends = items;
    if (status != STATUS_OK) {
        return geojson_no_memory(reader);
    }
    reader->ring_ends[reader->ring_count++] = reader->point_count;
    return STATUS_OK;
}

static enum status push_part_end(struct geojson_reader *reader)
{
    void *items = reader->part_ends;
    enum status status =
        grow(&items, &reader->parts_capacity, reader->part_count, sizeof *reader->part_ends);
    reader->part_ends = items;
    if (status != STATUS_OK) {
        return geojson_no_memory(reader);
    }
    reader->part_ends[reader->part_count++] = reader->ring_count;
    return STATUS_OK;
}

static enum status read_position(struct geojson_reader *reader, const json_t *json,
                                 struct geo_point *ret)
{
    const json_t *x = json_array_get(json, 0), *y = json_array_get(json, 1);
    if (!json_is_array(json)) {
        return geojson_refuse(reader, "not a position: [longitude, latitude] is wanted");
    }
    if (!json_is_number(x) || !json_is_number(y)) {
        return geojson_refuse(reader, "a position is two numbers: [longitude, latitude]");
    }
    double lon = json_number_value(x), lat = json_number_value(y);
    if (!(fabs(lat) <= 90.0)) {
        return geojson_refuse(
            reader, "latitude %.7g is beyond 90%s", lat,
            fabs(lat) <= 180 && fabs(lon) <= 90 ? ": longitude stands first in GeoJSON" : "");
    }
    if (!(fabs(lon) <= 180.0)) {
        return geojson_refuse(reader, "longitude %.7g is beyond 180", lon);
    }
    geo_to_wgs84(reader->datum, &lat, &lon);
    if (geo_point_from_degrees(lat, lon, ret) != STATUS_OK) {
        return geojson_refuse(reader, "off the globe once it is WGS-84");
    }
    return STATUS_OK;
}

static bool same_point(struct geo_point a, struct geo_point b)
{
    return a.lat_e7 == b.lat_e7 && a.lon_e7 == b.lon_e7;
}

/* All positions of an array, without those that repeat the one before. */
static enum status read_positions(struct geojson_reader *reader, const json_t *json)
{
    uint32_t start = reader->point_count;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct geo_point point = {0, 0};
        reader->position = (uint32_t)i + 1;
        enum status status = read_position(reader, json_array_get(json, i), &point);
        if (status == STATUS_OK && (reader->point_count == start ||
                                    !same_point(reader->points[reader->point_count - 1], point))) {
            status = push_point(reader, point);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    reader->position = 0;
    return STATUS_OK;
}

/* Do all points lie on one line? */
static bool is_flat(const struct geo_point *points, uint32_t count)
{
    struct geo_point a = points[0], b = points[count > 1];
    for (uint32_t i = 2; i < count; i++) { /* the products fit, their difference may not */
        if (((int64_t)b.lon_e7 - a.lon_e7) * ((int64_t)points[i].lat_e7 - a.lat_e7) !=
            ((int64_t)b.lat_e7 - a.lat_e7) * ((int64_t)points[i].lon_e7 - a.lon_e7)) {
            return false;
        }
    }
    return true;
}

/* RFC 7946, 3.1.9: what crosses the antimeridian is to be cut in two. Read as it stands it would
 * run the long way round. */
static enum status check_spans(struct geojson_reader *reader, uint32_t start, bool closed)
{
    for (uint32_t i = start; i < reader->point_count; i++) {
        bool last = i + 1 == reader->point_count;
        if (last && !closed) {
            break;
        }
        int64_t span =
            (int64_t)reader->points[last ? start : i + 1].lon_e7 - reader->points[i].lon_e7;
        if (span <= GEO_LON_E7_MAX && span >= -GEO_LON_E7_MAX) {
            continue;
        }
        const char *words = "an edge spans more than 180 degrees of longitude: split the fence at "
                            "the antimeridian";
        if (!reader->options->lenient) {
            return geojson_refuse(reader, "%s (after %.7f, %.7f)", words,
                                  reader->points[i].lon_e7 * 1e-7, reader->points[i].lat_e7 * 1e-7);
        }
        geojson_warn(reader, "%s; taken as it stands, the long way round", words);
        break;
    }
    return STATUS_OK;
}

/* A ring that is no ring in the file: its fault, or NULL. */
static const char *ring_fault(const json_t *json)
{
    size_t count = json_array_size(json);
    if (count < 4) {
        return "a ring has at least four positions, the last repeating the first";
    }
    const json_t *first = json_array_get(json, 0), *last = json_array_get(json, count - 1);
    return json_equal(json_array_get(first, 0), json_array_get(last, 0)) &&
                   json_equal(json_array_get(first, 1), json_array_get(last, 1))
               ? NULL
               : "not closed: the last position must repeat the first";
}

/* A ring on one line: refused, left out where it is repaired, else taken as boundary. STATUS_END: left
 * out. */
static enum status take_flat_ring(struct geojson_reader *reader, uint32_t start)
{
    const char *words = "no area: its positions lie on one line (at 1e-7 degrees)";
    if (reader->options->repair) {
        geojson_warn(reader, "%s: left out%s", words,
                     reader->ring == 1 ? ", and with it the holes of this part" : "");
        reader->point_count = start;
        reader->mended = true;
        return STATUS_END;
    }
    if (!reader->options->lenient) {
        return geojson_refuse(reader, "%s%s", words, geojson_offer(reader));
    }
    geojson_warn(reader, "no area: its positions lie on one line, which counts as boundary");
    reader->flat_count++;
    return STATUS_OK;
}

/* STATUS_END: left out. */
static enum status read_ring(struct geojson_reader *reader, const json_t *json)
{
    uint32_t start = reader->point_count;
    bool strict = !reader->options->lenient && !reader->options->repair;
    if (!json_is_array(json)) {
        return geojson_refuse(reader, "not a ring: a list of positions is wanted");
    }
    enum status status = read_positions(reader, json);
    if (status != STATUS_OK) {
        return status;
    }
    const char *fault = ring_fault(json);
    if (fault != NULL && strict) {
        return geojson_refuse(reader, "%s%s", fault, geojson_offer(reader));
    }
    while (reader->point_count > start + 1 &&
           same_point(reader->points[start], reader->points[reader->point_count - 1])) {
        reader->point_count--;
    }
    if (reader->point_count == start) {
        geojson_warn(reader, "empty: left out");
        reader->mended = true;
        return STATUS_END;
    }
    if (is_flat(reader->points + start, reader->point_count - start)) {
        status = take_flat_ring(reader, start);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (fault != NULL) {
        geojson_warn(reader, "%s: closed", fault);
        reader->mended = true;
    }
    status = check_spans(reader, start, true);
    return status == STATUS_OK ? push_ring_end(reader) : status;
}

/* ---- geometries ---- */

static enum status read_part(struct geojson_reader *reader, const json_t *json)
{
    if (!json_is_array(json)) {
        return geojson_refuse(reader, "not a polygon: a list of rings is wanted");
    }
    if (json_array_size(json) == 0) {
        if (!reader->options->lenient && !reader->options->repair) {
            return geojson_refuse(reader, "empty: a polygon has a ring");
        }
        geojson_warn(reader, "empty: left out");
        reader->mended = true;
    }
    uint32_t rings = reader->ring_count;
    for (size_t i = 0; i < json_array_size(json); i++) {
        reader->ring = (uint32_t)i + 1;
        enum status status = read_ring(reader, json_array_get(json, i));
        if (status == STATUS_END && i == 0 && reader->options->repair) {
            break; /* no outline, no holes */
        }
        if (status != STATUS_OK && status != STATUS_END) {
            return status;
        }
    }
    reader->ring = 0;
    return reader->ring_count > rings ? push_part_end(reader) : STATUS_OK;
}

/* "Self-intersection at 113.05, 36.05 (longitude, latitude in wgs84)" */
static void describe(const struct geojson_reader *reader, const struct geojson_fault *fault,
                     char *ret, size_t size)
{
    double lat = fault->lat, lon = fault->lon;
    if (!fault->placed) {
        (void)snprintf(ret, size, "%s", fault->words);
        return;
    }
    geo_from_wgs84(reader->datum, &lat, &lon);
    (void)snprintf(ret, size, "%s at %.7f, %.7f (longitude, latitude in %s)", fault->words, lon,
                   lat, geo_datum_name(reader->datum));
}

/* The repaired area in place of the one at hand. */
static enum status take_repaired(struct geojson_reader *reader,
                                 const struct geojson_repaired *repaired)
{
    const struct geojson_area *area = &repaired->area;
    enum status status = STATUS_OK;
    reader->point_count = reader->ring_count = reader->part_count = 0;
    for (uint32_t i = 0, r = 0, q = 0; i < repaired->point_count && status == STATUS_OK; i++) {
        status = push_point(reader, area->points[i]);
        if (status == STATUS_OK && i + 1 == area->ring_ends[r]) {
            status = push_ring_end(reader);
            r++;
            if (status == STATUS_OK && r == area->part_ends[q]) {
                status = push_part_end(reader);
                q++;
            }
        }
    }
    return status;
}

/* From the area at hand, before it is replaced. */
static void describe_change(const struct geojson_reader *reader,
                            const struct geojson_repaired *made, char *ret, size_t size)
{
    char left_out[96] = "", change[128];
    double whole = made->before_m2 > 0 ? made->before_m2 : made->after_m2;
    if (made->lines > 0 || made->specks > 0) {
        (void)snprintf(left_out, sizeof left_out,
                       "; left out: %u lines or points, %u parts below 1e-7 degrees", made->lines,
                       made->specks);
    }
    if (made->compared) {
        (void)snprintf(change, sizeof change,
                       "area %.1f -> %.1f m2, of which %.1f m2 (%.3g %%) differ", made->before_m2,
                       made->after_m2, made->changed_m2, 100 * made->changed_m2 / whole);
    } else {
        (void)snprintf(change, sizeof change,
                       "the rings wind round %.1f m2, the area now is %.1f m2", made->before_m2,
                       made->after_m2);
    }
    (void)snprintf(ret, size, "vertices %u -> %u, parts %u -> %u, %s%s", reader->point_count,
                   made->point_count, reader->part_count, made->area.part_count, change, left_out);
}

static enum status repair(struct geojson_reader *reader, const struct geojson_area *area,
                          const char *reason)
{
    struct geojson_repaired made;
    struct geojson_fault fault;
    enum status status = geojson_area_repair(area, &made, &fault);
    reader->part = reader->ring = 0;
    if (status == STATUS_NO_MEMORY) {
        return geojson_no_memory(reader);
    }
    if (status != STATUS_OK) {
        return geojson_refuse(reader, "%s; it cannot be repaired: %s", reason, fault.words);
    }
    char change[384];
    describe_change(reader, &made, change, sizeof change);
    status = take_repaired(reader, &made);
    if (status == STATUS_OK) {
        geojson_warn(reader, "repaired: %s: %s", reason, change);
        reader->mended = true;
    }
    geojson_repaired_release(&made);
    return status;
}

static enum status check_area(struct geojson_reader *reader, const json_t *coordinates, bool multi)
{
    if (reader->ring_count == reader->flat_count) {
        return geojson_no_area(reader, "no area");
    }
    if (reader->flat_count > 0) {
        return STATUS_OK; /* lenient, and told: GEOS would only say it again */
    }
    struct geojson_area area = {reader->points, reader->ring_ends, reader->part_ends,
                                reader->ring_count, reader->part_count};
    struct geojson_fault fault;
    enum status status = geojson_area_check(&area, &fault);
    if (status == STATUS_NO_MEMORY) {
        return geojson_no_memory(reader);
    }
    if (status == STATUS_OK) {
        return status;
    }
    char reason[256];
    describe(reader, &fault, reason, sizeof reason);
    const char *rounding = geojson_written_is_valid(coordinates, multi)
                               ? ", only once it is rounded to 1e-7 degrees"
                               : "";
    reader->part = fault.part;
    reader->ring = fault.ring;
    if (reader->options->repair) {
        return repair(reader, &area, reason);
    }
    if (!reader->options->lenient) {
        return geojson_refuse(reader, "%s%s%s", reason, rounding, geojson_offer(reader));
    }
    geojson_warn(reader, "%s%s: taken by the even-odd rule", reason, rounding);
    reader->part = reader->ring = 0;
    return STATUS_OK;
}

static enum status read_polygon(struct geojson_reader *reader, const json_t *coordinates,
                                bool multi)
{
    enum status status = STATUS_OK;
    if (!multi) {
        status = read_part(reader, coordinates);
    } else if (!json_is_array(coordinates)) {
        return geojson_refuse(reader, "coordinates of a MultiPolygon are a list of polygons");
    }
    for (size_t i = 0; multi && i < json_array_size(coordinates) && status == STATUS_OK; i++) {
        reader->part = (uint32_t)i + 1;
        status = read_part(reader, json_array_get(coordinates, i));
    }
    if (status != STATUS_OK) {
        return status;
    }
    reader->part = 0;
    return check_area(reader, coordinates, multi);
}

static enum status read_radius(struct geojson_reader *reader, const json_t *properties,
                               const char *type, double *ret)
{
    const json_t *radius = json_object_get(properties, "radius_m");
    if (radius == NULL || json_is_null(radius)) {
        char words[96];
        (void)snprintf(words, sizeof words, "a %s has no area: give it the property radius_m",
                       type);
        return geojson_no_area(reader, words);
    }
    double radius_m = json_number_value(radius);
    if (!json_is_number(radius) || !(radius_m > 0) || radius_m > GEO_RADIUS_M_MAX) {
        return geojson_refuse(reader, "radius_m must be a number above 0, at most %g",
                              GEO_RADIUS_M_MAX);
    }
    *ret = radius_m;
    return STATUS_OK;
}

static enum status read_line(struct geojson_reader *reader, const json_t *coordinates)
{
    if (!json_is_array(coordinates)) {
        return geojson_refuse(reader, "coordinates of a LineString are a list of positions");
    }
    enum status status = read_positions(reader, coordinates);
    if (status != STATUS_OK) {
        return status;
    }
    if (reader->point_count < 2) {
        return geojson_no_area(reader, "a LineString has at least two different positions");
    }
    for (uint32_t i = 1; i < reader->point_count; i++) {
        int64_t span = (int64_t)reader->points[i].lon_e7 - reader->points[i - 1].lon_e7;
        if (span > GEO_LON_E7_MAX / 2 || span < -GEO_LON_E7_MAX / 2) {
            return geojson_refuse(reader,
                                  "a step spans more than 90 degrees of longitude: split the line "
                                  "at the antimeridian, or add positions");
        }
    }
    return STATUS_OK;
}

static enum status read_round(struct geojson_reader *reader, const json_t *coordinates,
                              bool is_circle, const json_t *properties, struct geo_shape *shape)
{
    enum status status =
        read_radius(reader, properties, is_circle ? "Point" : "LineString", &shape->radius_m);
    if (status != STATUS_OK) {
        return status;
    }
    shape->kind = is_circle ? GEO_CIRCLE : GEO_CORRIDOR;
    if (!is_circle) {
        return read_line(reader, coordinates);
    }
    struct geo_point centre;
    status = read_position(reader, coordinates, &centre);
    return status == STATUS_OK ? push_point(reader, centre) : status;
}

/* From the reader's lists into the arena. */
static enum status keep_shape(struct geojson_reader *reader, struct geo_shape *shape)
{
    struct geo_point *points = arena_array(reader->arena, reader->point_count, sizeof *points);
    uint32_t *ends = arena_array(reader->arena, reader->ring_count + (size_t)1, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return geojson_no_memory(reader);
    }
    memcpy(points, reader->points, reader->point_count * sizeof *points);
    if (reader->ring_count > 0) {
        memcpy(ends, reader->ring_ends, reader->ring_count * sizeof *ends);
    }
    shape->points = points;
    shape->point_count = reader->point_count;
    shape->ring_ends = ends;
    shape->ring_count = reader->ring_count;
    geo_shape_set_bounds(shape);
    return STATUS_OK;
}

enum status geojson_read_geometry(struct geojson_reader *reader, const json_t *json,
                                  const json_t *properties, struct geo_shape *ret)
{
    if (json == NULL || json_is_null(json)) {
        return geojson_no_area(reader, "no geometry");
    }
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *coordinates = json_object_get(json, "coordinates");
    if (type == NULL) {
        return geojson_refuse(reader, "a geometry is an object with a \"type\"");
    }
    bool polygon = strcmp(type, "Polygon") == 0, multi = strcmp(type, "MultiPolygon") == 0;
    bool circle = strcmp(type, "Point") == 0, corridor = strcmp(type, "LineString") == 0;
    if (strcmp(type, "MultiPoint") == 0 || strcmp(type, "MultiLineString") == 0 ||
        strcmp(type, "GeometryCollection") == 0) {
        char words[128];
        (void)snprintf(words, sizeof words,
                       "a %s is no fence: use Polygon, MultiPolygon, Point or LineString", type);
        return geojson_no_area(reader, words);
    }
    if (!polygon && !multi && !circle && !corridor) {
        return geojson_refuse(reader, "no geometry is called \"%.40s\"", type);
    }
    reader->point_count = reader->ring_count = reader->part_count = reader->flat_count = 0;
    reader->mended = false;
    *ret = (struct geo_shape){.kind = GEO_POLYGON};
    enum status status;
    if (circle || corridor) {
        status = read_round(reader, coordinates, circle, properties, ret);
    } else {
        const json_t *radius = json_object_get(properties, "radius_m");
        if (radius != NULL && !json_is_null(radius)) {
            if (!reader->options->lenient) {
                return geojson_refuse(reader, "radius_m belongs to a Point or a LineString");
            }
            geojson_warn(reader, "radius_m belongs to a Point or a LineString: not used");
        }
        status = read_polygon(reader, coordinates, multi);
    }
    return status == STATUS_OK ? keep_shape(reader, ret) : status;
}
