/* Which boundaries concern a cell? Exact for polygons, to the safe side by a millimetre for round
 * shapes. */
#include <math.h>
#include <stdlib.h>

#include "geo/index_build_internal.h"

__extension__ typedef __int128 wide_int; /* cells near the root are wider than geo_side allows */

static wide_int side_of(const struct build_edge *edge, int64_t lon, int64_t lat)
{
    return (wide_int)((int64_t)edge->b.lon_e7 - edge->a.lon_e7) * (lat - edge->a.lat_e7) -
           (wide_int)((int64_t)edge->b.lat_e7 - edge->a.lat_e7) * (lon - edge->a.lon_e7);
}

/* As index_edge_crossed counts an edge for a point in a cell whose western edge is `west`. */
static uint32_t crosses(const struct build_edge *edge, int64_t lon, int64_t lat, int64_t west)
{
    return (lat >= edge->a.lat_e7 || edge->a.lon_e7 < west) &&
           (lat < edge->b.lat_e7 || edge->b.lon_e7 < west) && side_of(edge, lon, lat) < 0;
}

/* Does the edge meet the closed square from the cell's first to its last lattice point? */
static bool touches(const struct build_edge *edge, struct build_cell cell)
{
    int64_t size = (int64_t)1 << cell.bits;
    int64_t east = cell.lon + size - 1, north = cell.lat + size - 1;
    bool rising = edge->a.lon_e7 <= edge->b.lon_e7;
    int32_t low = rising ? edge->a.lon_e7 : edge->b.lon_e7;
    int32_t high = rising ? edge->b.lon_e7 : edge->a.lon_e7;
    if (low > east || high < cell.lon || edge->a.lat_e7 > north || edge->b.lat_e7 < cell.lat) {
        return false;
    }
    /* the corners farthest to the left and to the right of the line */
    return side_of(edge, cell.lon, rising ? north : cell.lat) >= 0 &&
           side_of(edge, east, rising ? cell.lat : north) <= 0;
}

bool build_grow(struct build_u32s *list, size_t count)
{
    size_t wanted = list->count + count;
    if (wanted <= list->capacity) {
        return true;
    }
    size_t capacity = wanted + wanted / 2 + 64;
    uint32_t *items = realloc(list->items, capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    list->items = items;
    list->capacity = capacity;
    return true;
}

enum status build_push_run(struct build *build, struct build_run run)
{
    if (build->run_count == build->run_capacity) {
        size_t capacity = build->run_capacity * 2 + 64;
        struct build_run *runs = realloc(build->runs, capacity * sizeof *runs);
        if (runs == NULL) {
            return STATUS_NO_MEMORY;
        }
        build->runs = runs;
        build->run_capacity = capacity;
    }
    build->runs[build->run_count++] = run;
    return STATUS_OK;
}

enum status build_too_many(struct build *build, struct build_cell cell)
{
    return status_detail_set(build->detail, STATUS_TOO_LARGE,
                             "more than %d fences cover %.5f, %.5f (longitude, latitude)",
                             GEO_FOUND_MAX, (double)cell.lon * 1e-7, (double)cell.lat * 1e-7);
}

static enum status push_inside(struct build *build, uint32_t shape, struct build_cell cell)
{
    if (build->inside.count >= GEO_FOUND_MAX) {
        return build_too_many(build, cell);
    }
    if (!build_grow(&build->inside, 1)) {
        return STATUS_NO_MEMORY;
    }
    build->inside.items[build->inside.count++] = shape;
    return STATUS_OK;
}

static enum status narrow_polygon(struct build *build, struct build_run run,
                                  struct build_cell parent, struct build_cell cell)
{
    if (!build_grow(&build->refs, run.count)) {
        return STATUS_NO_MEMORY;
    }
    uint32_t first = (uint32_t)build->refs.count;
    uint32_t base = run.base;
    for (uint32_t i = 0; i < run.count; i++) {
        uint32_t ref = build->refs.items[run.first + i];
        const struct build_edge *edge = &build->edges[ref];
        /* the state at the cell's corner, then without what the cell will count itself */
        base ^= crosses(edge, cell.lon, cell.lat, parent.lon);
        if (touches(edge, cell)) {
            base ^= crosses(edge, cell.lon, cell.lat, cell.lon);
            build->refs.items[build->refs.count++] = ref;
        }
    }
    uint32_t count = (uint32_t)build->refs.count - first;
    if (count > 0) {
        return build_push_run(build, (struct build_run){run.shape, first, count, base});
    }
    return base ? push_inside(build, run.shape, cell) : STATUS_OK;
}

/* ---- round shapes ---- */

/* A cell seen from an edge's start, in steps. */
struct rectangle {
    double west, south, east, north;
};

enum closeness { FAR, NEAR, WITHIN };

/* Of one dimension: keeps the part of 0..1 in which start + t * delta lies in low..high. */
static bool clip(double delta, double low, double high, double *from, double *to)
{
    if (delta == 0) {
        return low <= 0 && high >= 0;
    }
    double t1 = low / delta, t2 = high / delta;
    *from = fmax(*from, fmin(t1, t2));
    *to = fmin(*to, fmax(t1, t2));
    return *from <= *to;
}

/* Square of the distance from a place to the segment from 0,0 to dx,dy. */
static double segment_gap2(double x, double y, double dx, double dy)
{
    double length2 = dx * dx + dy * dy;
    double t = length2 > 0 ? fmax(0, fmin(1, (x * dx + y * dy) / length2)) : 0;
    return (x - t * dx) * (x - t * dx) + (y - t * dy) * (y - t * dy);
}

static double rectangle_gap2(const struct rectangle *r, double x, double y)
{
    double ex = fmax(0, fmax(r->west - x, x - r->east));
    double ey = fmax(0, fmax(r->south - y, y - r->north));
    return ex * ex + ey * ey;
}

/* Is the edge seen round the globe as geo_segment_gap2 sees it, from all of the cell? The shorter way to its
 * start, a long one as it is. */
static bool is_seen_so(const struct build_edge *edge, double x, double size)
{
    int64_t span = (int64_t)edge->b.lon_e7 - edge->a.lon_e7;
    const double half = (double)GEO_TURN_E7 / 2;
    return span > GEO_LON_E7_MAX / 2 || span < -GEO_LON_E7_MAX / 2 ? edge->turns == 0
                                                                   : x > -half && x + size < half;
}

/* Distances grow with the scale, so the cell's smallest scale bounds the nearest of its points from
 * below, and its largest, at a corner, the farthest from above. */
static enum closeness closeness_of(const struct build_edge *edge, double radius_m,
                                   struct build_cell cell, struct geo_scale least,
                                   struct geo_scale most)
{
    double size = (double)(((int64_t)1 << cell.bits) - 1);
    double x = (double)(cell.lon - edge->a.lon_e7 - edge->turns * GEO_TURN_E7);
    double y = (double)(cell.lat - edge->a.lat_e7);
    double dx = (double)((int64_t)edge->b.lon_e7 - edge->a.lon_e7);
    double dy = (double)((int64_t)edge->b.lat_e7 - edge->a.lat_e7);
    double margin_m = 1e-3 + radius_m * 1e-9;
    double within_m = radius_m - margin_m, farthest2 = 0;
    double from = 0, to = 1;
    double nearest2 =
        clip(dx, x, x + size, &from, &to) && clip(dy, y, y + size, &from, &to) ? 0 : HUGE_VAL;
    struct rectangle r = {x * least.lon_m, y * least.lat_m, (x + size) * least.lon_m,
                          (y + size) * least.lat_m};
    nearest2 = fmin(nearest2, rectangle_gap2(&r, 0, 0));
    nearest2 = fmin(nearest2, rectangle_gap2(&r, dx * least.lon_m, dy * least.lat_m));
    for (int corner = 0; corner < 4; corner++) {
        double cx = x + (corner & 1 ? size : 0), cy = y + (corner & 2 ? size : 0);
        nearest2 = fmin(nearest2, segment_gap2(cx * least.lon_m, cy * least.lat_m, dx * least.lon_m,
                                               dy * least.lat_m));
        farthest2 = fmax(farthest2, segment_gap2(cx * most.lon_m, cy * most.lat_m, dx * most.lon_m,
                                                 dy * most.lat_m));
    }
    if (nearest2 > (radius_m + margin_m) * (radius_m + margin_m)) {
        return FAR;
    }
    return within_m > 0 && farthest2 < within_m * within_m && is_seen_so(edge, x, size) ? WITHIN
                                                                                        : NEAR;
}

static int32_t clamp_lat(int64_t lat)
{
    return (int32_t)(lat < -GEO_LAT_E7_MAX  ? -GEO_LAT_E7_MAX
                     : lat > GEO_LAT_E7_MAX ? GEO_LAT_E7_MAX
                                            : lat);
}

/* A degree of latitude grows and one of longitude shrinks away from the equator. */
void build_scales(struct build_cell cell, struct geo_scale *ret_least, struct geo_scale *ret_most)
{
    int32_t south = clamp_lat(cell.lat),
            north = clamp_lat(cell.lat + ((int64_t)1 << cell.bits) - 1);
    struct geo_scale a = geo_scale_at(south), b = geo_scale_at(north);
    *ret_least = (struct geo_scale){fmin(a.lat_m, b.lat_m), fmin(a.lon_m, b.lon_m)};
    *ret_most = (struct geo_scale){fmax(a.lat_m, b.lat_m), fmax(a.lon_m, b.lon_m)};
    if (south < 0 && north > 0) {
        struct geo_scale equator = geo_scale_at(0);
        ret_least->lat_m = equator.lat_m;
        ret_most->lon_m = equator.lon_m;
    }
}

static enum status narrow_round(struct build *build, struct build_run run, struct build_cell cell)
{
    if (!build_grow(&build->refs, run.count)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_scale least, most;
    build_scales(cell, &least, &most);
    uint32_t first = (uint32_t)build->refs.count;
    double radius_m = build->index->shapes[run.shape].radius_m;
    for (uint32_t i = 0; i < run.count; i++) {
        uint32_t ref = build->refs.items[run.first + i];
        enum closeness closeness = closeness_of(&build->edges[ref], radius_m, cell, least, most);
        if (closeness == WITHIN) {
            build->refs.count = first;
            return push_inside(build, run.shape, cell);
        }
        if (closeness == NEAR) {
            build->refs.items[build->refs.count++] = ref;
        }
    }
    uint32_t count = (uint32_t)build->refs.count - first;
    return count == 0 ? STATUS_OK
                      : build_push_run(build, (struct build_run){run.shape, first, count, 0});
}

enum status build_narrow(struct build *build, struct build_part from, struct build_cell parent,
                         struct build_cell cell, struct build_part *ret)
{
    size_t first = build->run_count;
    enum status status = STATUS_OK;
    for (size_t i = from.first; i < from.end && status == STATUS_OK; i++) {
        struct build_run run = build->runs[i];
        if (build->index->shapes[run.shape].kind == GEO_POLYGON) {
            status = narrow_polygon(build, run, parent, cell);
        } else {
            status = narrow_round(build, run, cell);
        }
    }
    if (status == STATUS_OK) {
        *ret = (struct build_part){first, build->run_count, build->inside.count, 0};
    }
    return status;
}

bool build_point_is_inside(const struct build *build, const struct build_run *run,
                           struct build_cell cell)
{
    const struct index_shape *shape = &build->index->shapes[run->shape];
    if (shape->kind == GEO_POLYGON) {
        return true; /* an edge touches a cell of one point: the point lies on it */
    }
    struct geo_point p = {(int32_t)cell.lat, (int32_t)cell.lon};
    struct geo_scale scale = geo_scale_at(p.lat_e7);
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct build_edge *edge = &build->edges[build->refs.items[run->first + i]];
        best = fmin(best, geo_segment_gap2(scale, p, edge->a, edge->b));
    }
    return sqrt(best) - shape->radius_m <= 0;
}
