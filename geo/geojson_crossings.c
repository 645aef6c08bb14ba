/* How tangled are the rings? A tree of boxes over all edges, near ones together, held against itself. */
#include <stdlib.h>

#include "geo/geojson_area_internal.h"

struct edge {
    struct geo_point a, b;
    uint64_t key; /* near edges have near keys, mostly */
};

struct box {
    int32_t lat_low, lat_high, lon_low, lon_high;
};

/* boxes[1] is the root, node n has the children 2n and 2n+1, the leaves are boxes[leaves + edge]. */
struct tangle {
    struct edge *edges;
    struct box *boxes;
    size_t leaves;
    uint32_t crossings, crossings_max;
    uint64_t work, work_max;
};

static const struct box nothing = {INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN};

static bool boxes_meet(const struct box *a, const struct box *b)
{
    return a->lat_low <= b->lat_high && b->lat_low <= a->lat_high && a->lon_low <= b->lon_high &&
           b->lon_low <= a->lon_high;
}

static struct box box_of(const struct edge *edge)
{
    struct geo_point a = edge->a, b = edge->b;
    return (struct box){
        a.lat_e7 < b.lat_e7 ? a.lat_e7 : b.lat_e7, a.lat_e7 > b.lat_e7 ? a.lat_e7 : b.lat_e7,
        a.lon_e7 < b.lon_e7 ? a.lon_e7 : b.lon_e7, a.lon_e7 > b.lon_e7 ? a.lon_e7 : b.lon_e7};
}

static struct box united(const struct box *a, const struct box *b)
{
    return (struct box){a->lat_low < b->lat_low ? a->lat_low : b->lat_low,
                        a->lat_high > b->lat_high ? a->lat_high : b->lat_high,
                        a->lon_low < b->lon_low ? a->lon_low : b->lon_low,
                        a->lon_high > b->lon_high ? a->lon_high : b->lon_high};
}

/* On which side of the edge the point lies: -1, 0, 1. The products fit, their difference may not. */
static int side(const struct edge *edge, struct geo_point p)
{
    int64_t left =
        ((int64_t)edge->b.lon_e7 - edge->a.lon_e7) * ((int64_t)p.lat_e7 - edge->a.lat_e7);
    int64_t right =
        ((int64_t)edge->b.lat_e7 - edge->a.lat_e7) * ((int64_t)p.lon_e7 - edge->a.lon_e7);
    return (left > right) - (left < right);
}

static bool same(struct geo_point a, struct geo_point b)
{
    return a.lat_e7 == b.lat_e7 && a.lon_e7 == b.lon_e7;
}

/* Is p, which lies on the edge's line, between its ends? */
static bool within(const struct edge *edge, struct geo_point p)
{
    struct box box = box_of(edge);
    return p.lat_e7 >= box.lat_low && p.lat_e7 <= box.lat_high && p.lon_e7 >= box.lon_low &&
           p.lon_e7 <= box.lon_high && !same(p, edge->a) && !same(p, edge->b);
}

static bool edges_cross(const struct edge *e, const struct edge *f)
{
    int fa = side(e, f->a), fb = side(e, f->b), ea = side(f, e->a), eb = side(f, e->b);
    return (fa * fb < 0 && ea * eb < 0) || (fa == 0 && within(e, f->a)) ||
           (fb == 0 && within(e, f->b)) || (ea == 0 && within(f, e->a)) ||
           (eb == 0 && within(f, e->b));
}

static bool is_enough(const struct tangle *tangle)
{
    return tangle->crossings > tangle->crossings_max || tangle->work > tangle->work_max;
}

/* Holds what is below node m against what is below node n, both as deep as the other. */
static void hold(struct tangle *tangle, size_t m, size_t n)
{
    tangle->work++;
    if (is_enough(tangle) || !boxes_meet(&tangle->boxes[m], &tangle->boxes[n])) {
        return;
    }
    if (m >= tangle->leaves) {
        tangle->crossings += m != n && edges_cross(&tangle->edges[m - tangle->leaves],
                                                   &tangle->edges[n - tangle->leaves]);
        return;
    }
    hold(tangle, 2 * m, 2 * n);
    hold(tangle, 2 * m, 2 * n + 1);
    if (m != n) {
        hold(tangle, 2 * m + 1, 2 * n);
    }
    hold(tangle, 2 * m + 1, 2 * n + 1);
}

/* Every bit followed by an empty one. */
static uint64_t spread(uint32_t value)
{
    uint64_t bits = value;
    bits = (bits | bits << 16) & 0x0000ffff0000ffffu;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ffu;
    bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0fu;
    bits = (bits | bits << 2) & 0x3333333333333333u;
    return (bits | bits << 1) & 0x5555555555555555u;
}

static int by_key(const void *a, const void *b)
{
    const struct edge *e = a, *f = b;
    return (e->key > f->key) - (e->key < f->key);
}

static void list_edges(const struct geojson_area *area, struct edge *edges)
{
    uint32_t start = 0;
    for (uint32_t r = 0; r < area->ring_count; start = area->ring_ends[r++]) {
        uint32_t end = area->ring_ends[r];
        for (uint32_t i = start; i < end; i++) {
            struct geo_point a = area->points[i], b = area->points[i + 1 < end ? i + 1 : start];
            uint64_t key = spread((uint32_t)a.lat_e7 ^ 0x80000000u) << 1 |
                           spread((uint32_t)a.lon_e7 ^ 0x80000000u);
            edges[i] = (struct edge){a, b, key};
        }
    }
    qsort(edges, start, sizeof *edges, by_key);
}

static bool build(struct tangle *tangle, const struct geojson_area *area)
{
    uint32_t points = area->ring_ends[area->ring_count - 1];
    tangle->leaves = 1;
    while (tangle->leaves < points) {
        tangle->leaves *= 2;
    }
    tangle->edges = calloc(points, sizeof *tangle->edges);
    tangle->boxes = calloc(2 * tangle->leaves, sizeof *tangle->boxes);
    if (tangle->edges == NULL || tangle->boxes == NULL) {
        return false;
    }
    list_edges(area, tangle->edges);
    for (size_t i = 0; i < tangle->leaves; i++) {
        tangle->boxes[tangle->leaves + i] = i < points ? box_of(&tangle->edges[i]) : nothing;
    }
    for (size_t n = tangle->leaves - 1; n > 0; n--) {
        tangle->boxes[n] = united(&tangle->boxes[2 * n], &tangle->boxes[2 * n + 1]);
    }
    return true;
}

enum status geojson_area_crossings(const struct geojson_area *area, uint32_t crossings_max,
                                   uint64_t work_max, uint32_t *ret)
{
    struct tangle tangle = {.crossings_max = crossings_max, .work_max = work_max};
    bool built = build(&tangle, area);
    if (built) {
        hold(&tangle, 1, 1);
        *ret = is_enough(&tangle) ? crossings_max + 1 : tangle.crossings;
    }
    free(tangle.edges);
    free(tangle.boxes);
    return built ? STATUS_OK : STATUS_NO_MEMORY;
}
