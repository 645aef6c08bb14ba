/* Ways: which shapes does the straight line between two fixes pass, and where? */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_internal.h"

/* Edges that one way may meet before each shape is walked whole. */
enum { EDGES_MAX = 1024 };

/* The edges near the way, a key of shape and first point each. */
struct trail {
    const struct geo_index *index;
    uint32_t count;
    bool is_full;
    uint64_t keys[EDGES_MAX];
};

/* ---- the coarse cells under the way ---- */

static void push_edge(struct trail *trail, uint32_t shape, uint32_t point)
{
    uint64_t key = (uint64_t)(shape & SHAPE_MASK) << 32 | point;
    if (trail->count == EDGES_MAX) {
        trail->is_full = true;
        return;
    }
    uint32_t at = trail->count;
    while (at > 0 && trail->keys[at - 1] > key) {
        at--;
    }
    if (at > 0 && trail->keys[at - 1] == key) {
        return;
    }
    memmove(trail->keys + at + 1, trail->keys + at, (trail->count - at) * sizeof key);
    trail->keys[at] = key;
    trail->count++;
}

static void push_cell(struct trail *trail, uint32_t column, uint32_t row)
{
    const struct geo_index *index = trail->index;
    uint32_t head = index_lines_at(index, column, row);
    const uint32_t *list = index->words + index->words[head >> 3];
    const uint32_t *run = list + 1, *end = run + 2 * (size_t)(head != 0 ? list[0] : 0);
    for (; run < end && !trail->is_full; run += 2) {
        uint32_t first = run[0] & POINT_MASK, edges = (run[0] >> POINT_BITS) + 1;
        for (uint32_t i = 0; i < edges; i++) {
            push_edge(trail, run[1], first + i);
        }
    }
}

/* From the grid's corner, row by row the columns that the line lies over. */
static void push_line(struct trail *trail, double x, double y, double dx, double dy)
{
    const struct geo_index *index = trail->index;
    uint32_t bits = index->cell_bits;
    struct index_span rows =
        index_span_of(fmin(y, y + dy) - 2, fmax(y, y + dy) + 2, bits, index->height);
    for (uint32_t row = rows.from; row <= rows.to && !trail->is_full; row++) {
        double south = ldexp(row, (int)bits) - 2, north = ldexp(row + 1.0, (int)bits) + 2;
        double from = dy == 0 ? 0 : fmin(1, fmax(0, ((dy > 0 ? south : north) - y) / dy));
        double to = dy == 0 ? 1 : fmin(1, fmax(0, ((dy > 0 ? north : south) - y) / dy));
        double a = x + from * dx, b = x + to * dx;
        struct index_span columns =
            index_span_of(fmin(a, b) - 2, fmax(a, b) + 2, bits, index->width);
        for (uint32_t column = columns.from; column <= columns.to; column++) {
            push_cell(trail, column, row);
        }
    }
}

/* Once more from the other side, where the way leaves the globe's rectangle or a round shape may. */
static void follow(struct trail *trail, struct geo_point a, struct geo_point b)
{
    const struct geo_index *index = trail->index;
    double x = (double)a.lon_e7 - index->lon, y = (double)a.lat_e7 - index->lat;
    double dx = (double)geo_lon_gap(a.lon_e7, b.lon_e7);
    double dy = (double)b.lat_e7 - a.lat_e7;
    push_line(trail, x, y, dx, dy);
    if (!index->has_near || fabs(a.lon_e7 + dx) > GEO_LON_E7_MAX) {
        push_line(trail, x + (a.lon_e7 > 0 ? -1.0 : 1.0) * (double)GEO_TURN_E7, y, dx, dy);
    }
}

/* ---- one shape ---- */

struct passage {
    const struct geo_index *index;
    struct geo_point a, b;
    struct geo_stretch *items;
    uint32_t capacity, total;
    bool is_coarse;
};

/* The rest of the room. */
static uint32_t room_of(const struct passage *passage, struct geo_stretch **ret)
{
    uint32_t written = passage->total < passage->capacity ? passage->total : passage->capacity;
    *ret = passage->items + written;
    return passage->capacity - written;
}

static void pass_round(struct passage *passage, uint32_t number)
{
    const struct geo_index *index = passage->index;
    const struct index_shape *round = &index->shapes[number];
    struct geo_shape shape = {.kind = (enum geo_shape_kind)round->kind,
                              .point_count = index->words[round->rings + 1],
                              .points = index->points + index_ring_first(round, index->words, 0),
                              .radius_m = round->radius_m,
                              .low = round->low,
                              .high = round->high};
    struct geo_stretch *room;
    uint32_t capacity = room_of(passage, &room);
    bool coarse = false;
    uint32_t count = geo_shape_way(&shape, passage->a, passage->b, room, capacity, &coarse);
    for (uint32_t i = 0; i < count && i < capacity; i++) {
        room[i].shape = number;
    }
    passage->total += count;
    passage->is_coarse |= coarse;
}

/* All edges of a polygon: given to the way, and where its start lies among them. */
static bool walk_all(const struct geo_index *index, const struct index_shape *shape,
                     struct geo_way *way, bool give)
{
    bool inside = false;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        const struct geo_point *edge = index->points + index_ring_first(shape, index->words, r);
        for (uint32_t i = index_ring_edges(shape, index->words, r); i > 0; i--, edge++) {
            inside ^= geo_way_ray_crosses(way->start, edge[0], edge[1]);
            if (give) {
                geo_way_edge(way, edge[0], edge[1]);
            }
        }
    }
    return inside;
}

/* keys: its edges near the way; NULL: not known. */
static void pass_polygon(struct passage *passage, uint32_t number, const uint64_t *keys,
                         uint32_t count, struct geo_way_ends ends)
{
    const struct geo_index *index = passage->index;
    struct geo_way way;
    struct geo_stretch *room;
    uint32_t capacity = room_of(passage, &room);
    geo_way_init(&way, passage->a, passage->b);
    bool by_walk = keys == NULL || way.start.lon_e7 != passage->a.lon_e7;
    ends.start_inside = ends.a_covered;
    for (uint32_t i = 0; i < count && keys != NULL; i++) {
        const struct geo_point *edge = index->points + (uint32_t)keys[i];
        by_walk |= index_is_on_edge(edge, passage->a); /* its sides are another matter */
        geo_way_edge(&way, edge[0], edge[1]);
    }
    if (by_walk) {
        ends.start_inside = walk_all(index, &index->shapes[number], &way, keys == NULL);
    }
    bool coarse = false;
    passage->total += geo_way_finish(&way, &ends, number, room, capacity, &coarse);
    passage->is_coarse |= coarse;
}

static void pass(struct passage *passage, uint32_t number, const uint64_t *keys, uint32_t count,
                 struct geo_way_ends ends)
{
    if (passage->index->shapes[number].kind == GEO_POLYGON) {
        pass_polygon(passage, number, keys, count, ends);
    } else {
        pass_round(passage, number);
    }
}

/* ---- all shapes, ascending ---- */

/* The next number after `last` (from 0 with -1) in a set; INT64_MAX: none. */
static int64_t next_in_set(const struct geo_index *index, uint32_t set, int64_t last)
{
    for (uint32_t i = index->set_starts[set]; i < index->set_starts[set + 1]; i++) {
        if (index->set_items[i] > last) {
            return index->set_items[i];
        }
    }
    return INT64_MAX;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct geo_way_ends ends_of(const struct geo_index *index, uint32_t shape, uint32_t set_a,
                                   uint32_t set_b)
{
    return (struct geo_way_ends){.a_covered = index_is_in_set(index, set_a, shape),
                                 .b_covered = index_is_in_set(index, set_b, shape)};
}

/* Those that the trail has met, and those that cover an end. */
static void pass_met(struct passage *passage, const struct trail *trail, uint32_t set_a,
                     uint32_t set_b)
{
    const struct geo_index *index = passage->index;
    uint32_t at = 0;
    for (int64_t last = -1;;) {
        int64_t next = at < trail->count ? (int64_t)(trail->keys[at] >> 32) : INT64_MAX;
        next = least(next, next_in_set(index, set_a, last));
        next = least(next, next_in_set(index, set_b, last));
        if (next == INT64_MAX) {
            return;
        }
        uint32_t first = at, shape = (uint32_t)next;
        while (at < trail->count && trail->keys[at] >> 32 == shape) {
            at++;
        }
        pass(passage, shape, trail->keys + first, at - first, ends_of(index, shape, set_a, set_b));
        last = next;
    }
}

/* A way over so many edges that each shape is walked. */
static void pass_all(struct passage *passage, uint32_t set_a, uint32_t set_b)
{
    const struct geo_index *index = passage->index;
    for (uint32_t i = 0; i < index->shape_count; i++) {
        if (index->shapes[i].kind != 0) {
            pass(passage, i, NULL, 0, ends_of(index, i, set_a, set_b));
        }
    }
}

uint32_t geo_index_way(const struct geo_index *index, struct geo_point a, struct geo_point b,
                       struct geo_stretch *ret, uint32_t ret_capacity, bool *ret_coarse)
{
    struct passage passage = {
        .index = index, .a = a, .b = b, .items = ret, .capacity = ret_capacity};
    if (index->cell_count > 0) {
        struct trail trail;
        trail.index = index;
        trail.count = 0;
        trail.is_full = false;
        follow(&trail, a, b);
        uint32_t set_a = index_find_set(index, a), set_b = index_find_set(index, b);
        if (trail.is_full) {
            pass_all(&passage, set_a, set_b);
        } else {
            pass_met(&passage, &trail, set_a, set_b);
        }
    }
    if (ret_coarse != NULL) {
        *ret_coarse = passage.is_coarse;
    }
    return passage.total;
}
