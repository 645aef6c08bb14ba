/* Writing fences. Our rings follow the even-odd rule; GeoJSON wants outlines with their holes. */
#include "geo/geojson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/shape_internal.h"

struct ring {
    const struct geo_point *points;
    uint32_t count;
    struct geo_shape alone; /* this ring as a polygon */
    uint32_t end;           /* what alone.ring_ends points to */
    uint32_t depth;         /* rings around it */
    uint32_t outline;       /* a hole's: the ring that it belongs to */
};

/* Twice the area, positive where it runs against the clock. */
static double turn_of(const struct ring *ring)
{
    double sum = 0;
    struct geo_point o = ring->points[0]; /* near it the products keep their digits */
    for (uint32_t i = 1; i + 1 < ring->count; i++) {
        struct geo_point a = ring->points[i], b = ring->points[i + 1];
        sum += ((double)a.lon_e7 - o.lon_e7) * ((double)b.lat_e7 - o.lat_e7) -
               ((double)b.lon_e7 - o.lon_e7) * ((double)a.lat_e7 - o.lat_e7);
    }
    return sum;
}

static bool is_on(struct geo_point p, const struct ring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        struct geo_point a = ring->points[i], b = ring->points[i + 1 < ring->count ? i + 1 : 0];
        if (geo_box_holds(p, a, b) && geo_side(p, a, b) == 0) {
            return true;
        }
    }
    return false;
}

/* Does the outer ring lie around the inner one? Rings of a valid area touch in points at most, so
 * the first point of the inner one that is not on the outer one tells: a vertex, or the middle of
 * an edge.
 */
static bool is_around(const struct ring *outer, const struct ring *inner)
{
    const struct geo_shape *o = &outer->alone, *in = &inner->alone;
    if (inner->count == 0 || in->low.lat_e7 < o->low.lat_e7 || in->low.lon_e7 < o->low.lon_e7 ||
        in->high.lat_e7 > o->high.lat_e7 || in->high.lon_e7 > o->high.lon_e7) {
        return false;
    }
    for (size_t i = 0; i < (size_t)inner->count * 2; i++) {
        struct geo_point p = inner->points[i % inner->count];
        if (i >= inner->count) {
            struct geo_point next = inner->points[(i + 1) % inner->count];
            p.lat_e7 = (int32_t)(((int64_t)p.lat_e7 + next.lat_e7) / 2);
            p.lon_e7 = (int32_t)(((int64_t)p.lon_e7 + next.lon_e7) / 2);
        }
        if (!is_on(p, outer)) {
            return geo_shape_covers(o, p);
        }
    }
    return false;
}

static void cut_rings(const struct geo_shape *shape, struct ring *rings)
{
    uint32_t start = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        uint32_t end = shape->ring_ends[r];
        struct ring *ring = &rings[r];
        ring->points = shape->points + start;
        ring->count = ring->end = end - start;
        ring->alone = (struct geo_shape){.kind = GEO_POLYGON,
                                         .point_count = ring->count,
                                         .ring_count = 1,
                                         .points = ring->points,
                                         .ring_ends = &ring->end};
        if (ring->count > 0) {
            geo_shape_set_bounds(&ring->alone);
        }
        start = end;
    }
}

/* A ring with an even number of others around it is an outline; one with an odd number is a hole in
 * the innermost of them. */
static void nest_rings(struct ring *rings, uint32_t count)
{
    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t o = 0; o < count; o++) {
            rings[r].depth += o != r && is_around(&rings[o], &rings[r]);
        }
    }
    for (uint32_t r = 0; r < count; r++) {
        rings[r].outline = r;
        for (uint32_t o = 0; o < count && rings[r].depth % 2 == 1; o++) {
            if (rings[o].depth + 1 == rings[r].depth && is_around(&rings[o], &rings[r])) {
                rings[r].outline = o;
                break;
            }
        }
    }
}

static void write_position(struct buffer *out, struct geo_point point)
{
    buffer_text(out, "[");
    buffer_degrees_e7(out, point.lon_e7);
    buffer_text(out, ",");
    buffer_degrees_e7(out, point.lat_e7);
    buffer_text(out, "]");
}

static void write_ring(struct buffer *out, const struct ring *ring, bool hole)
{
    bool backwards = (turn_of(ring) < 0) != hole;
    buffer_text(out, "[");
    for (uint32_t i = 0; i <= ring->count && ring->count > 0; i++) {
        uint32_t at = i % ring->count;
        if (i > 0) {
            buffer_text(out, ",");
        }
        write_position(out, ring->points[backwards && at > 0 ? ring->count - at : at]);
    }
    buffer_text(out, "]");
}

/* The polygon of an outline: it and its holes. */
static void write_part(struct buffer *out, const struct ring *rings, uint32_t count,
                       uint32_t outline)
{
    buffer_text(out, "[");
    write_ring(out, &rings[outline], false);
    for (uint32_t r = 0; r < count; r++) {
        if (r != outline && rings[r].outline == outline) {
            buffer_text(out, ",");
            write_ring(out, &rings[r], true);
        }
    }
    buffer_text(out, "]");
}

static void write_area(struct buffer *out, const struct geo_shape *shape)
{
    uint32_t count = shape->ring_count, parts = 0, written = 0;
    struct ring *rings = calloc(count, sizeof *rings);
    if (rings == NULL) {
        out->failed = STATUS_NO_MEMORY;
        return;
    }
    cut_rings(shape, rings);
    nest_rings(rings, count);
    for (uint32_t r = 0; r < count; r++) {
        parts += rings[r].outline == r;
    }
    buffer_printf(out, "{\"type\":\"%s\",\"coordinates\":%s",
                  parts > 1 ? "MultiPolygon" : "Polygon", parts > 1 ? "[" : "");
    for (uint32_t r = 0; r < count; r++) {
        if (rings[r].outline == r) {
            buffer_text(out, written++ > 0 ? "," : "");
            write_part(out, rings, count, r);
        }
    }
    buffer_text(out, parts > 1 ? "]}" : "}");
    free(rings);
}

void geo_geojson_write_geometry(struct buffer *out, const struct geo_shape *shape)
{
    ASSERT(shape->point_count > 0);
    if (shape->kind == GEO_POLYGON) {
        write_area(out, shape);
        return;
    }
    bool line = shape->kind == GEO_CORRIDOR;
    buffer_printf(out, "{\"type\":\"%s\",\"coordinates\":%s", line ? "LineString" : "Point",
                  line ? "[" : "");
    for (uint32_t i = 0; i < shape->point_count; i++) {
        buffer_text(out, i > 0 ? "," : "");
        write_position(out, shape->points[i]);
    }
    buffer_text(out, line ? "]}" : "}");
}

/* With as few digits as give the same number again. */
static void write_number(struct buffer *out, const char *before, double number)
{
    char digits[40];
    (void)snprintf(digits, sizeof digits, "%.15g", number);
    if (strtod(digits, NULL) != number) {
        (void)snprintf(digits, sizeof digits, "%.17g", number);
    }
    buffer_printf(out, "%s%s", before, digits);
}

static void write_property(struct buffer *out, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }
    buffer_printf(out, ",\"%s\":", name);
    buffer_json_string(out, value, strlen(value));
}

void geo_geojson_write_feature(struct buffer *out, const struct geo_feature *feature)
{
    buffer_text(out, "{\"type\":\"Feature\",\"properties\":{\"datum\":\"wgs84\"");
    write_property(out, "id", feature->id);
    write_property(out, "school", feature->school);
    write_property(out, "kind", feature->kind);
    write_property(out, "name", feature->name);
    write_property(out, "severity", feature->severity);
    write_property(out, "schedule", feature->schedule);
    if (feature->shape.kind != GEO_POLYGON) {
        write_number(out, ",\"radius_m\":", feature->shape.radius_m);
    }
    buffer_text(out, "},\"geometry\":");
    geo_geojson_write_geometry(out, &feature->shape);
    buffer_text(out, "}");
}
