/* Distances: each shape's edges lie in chunks under a tree of boxes, the shapes' boxes under
 * another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

/* ---- build ---- */

struct node_list {
    struct index_node *items;
    size_t count, capacity;
};

static bool push_node(struct node_list *list, struct index_node node)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;
        struct index_node *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = node;
    return true;
}

static void widen(struct index_node *node, struct geo_point low, struct geo_point high)
{
    node->low.lat_e7 = low.lat_e7 < node->low.lat_e7 ? low.lat_e7 : node->low.lat_e7;
    node->low.lon_e7 = low.lon_e7 < node->low.lon_e7 ? low.lon_e7 : node->low.lon_e7;
    node->high.lat_e7 = high.lat_e7 > node->high.lat_e7 ? high.lat_e7 : node->high.lat_e7;
    node->high.lon_e7 = high.lon_e7 > node->high.lon_e7 ? high.lon_e7 : node->high.lon_e7;
}

/* Puts the nodes [first .. end of list) under parents until there is one; its number is the last.
 */
static bool raise_tree(struct node_list *list, size_t first)
{
    ASSERT(first < list->count && list->items != NULL);
    uint16_t level = list->items[first].level;
    while (list->count - first > 1) {
        size_t end = list->count;
        level++;
        for (size_t at = first; at < end; at += NODE_CHILDREN) {
            struct index_node parent = list->items[at];
            size_t stop = at + NODE_CHILDREN < end ? at + NODE_CHILDREN : end;
            for (size_t child = at + 1; child < stop; child++) {
                widen(&parent, list->items[child].low, list->items[child].high);
            }
            parent.first = (uint32_t)at;
            parent.count = (uint16_t)(stop - at);
            parent.level = level;
            if (!push_node(list, parent)) {
                return false;
            }
        }
        first = end;
    }
    return true;
}

/* Chunks of the edges between points[start .. end), which follow one another. */
static bool push_chunks(struct node_list *list, const struct geo_point *points, size_t start,
                        size_t end)
{
    for (size_t at = start; at + 1 < end; at += CHUNK_EDGES) {
        size_t stop = at + CHUNK_EDGES < end - 1 ? at + CHUNK_EDGES : end - 1;
        struct index_node chunk = {points[at], points[at], (uint32_t)at, (uint16_t)(stop - at), 0};
        for (size_t i = at + 1; i <= stop; i++) {
            widen(&chunk, points[i], points[i]);
        }
        if (!push_node(list, chunk)) {
            return false;
        }
    }
    return true;
}

static bool push_ring(struct geo_index *index, struct node_list *list, const struct geo_point *ring,
                      uint32_t count, bool close)
{
    size_t start = index->point_count;
    memcpy(index->points + start, ring, count * sizeof *ring);
    index->point_count += count;
    if (close || count == 1) { /* a circle's centre is an edge without length */
        index->points[index->point_count++] = ring[0];
    }
    return push_chunks(list, index->points, start, index->point_count);
}

static bool push_shape(struct geo_index *index, struct node_list *list, uint32_t number,
                       const struct geo_shape *shape)
{
    size_t first = list->count;
    uint32_t start = 0;
    bool polygon = shape->kind == GEO_POLYGON, ok = true;
    if (!polygon) {
        ok = push_ring(index, list, shape->points, shape->point_count, false);
    }
    for (uint32_t r = 0; r < shape->ring_count && polygon && ok; r++) {
        uint32_t count = shape->ring_ends[r] - start;
        ok = count == 0 || push_ring(index, list, shape->points + start, count, true);
        start = shape->ring_ends[r];
    }
    ok = ok && raise_tree(list, first);
    index->lines[number] =
        (struct index_line){(uint32_t)list->count - 1, polygon, polygon ? 0 : shape->radius_m};
    return ok;
}

/* The bits of two numbers, taken in turns. */
static uint64_t weave(uint32_t x, uint32_t y)
{
    uint64_t woven = 0;
    for (uint32_t bit = 0; bit < 32; bit++) {
        woven |= (uint64_t)(x >> bit & 1) << (2 * bit) | (uint64_t)(y >> bit & 1) << (2 * bit + 1);
    }
    return woven;
}

/* Neighbours side by side: the shapes in the order of their first points along a Z-curve. */
static enum status order_shapes(struct geo_index *index, const struct geo_shape *shapes)
{
    struct build_key *keys = malloc(index->line_count * sizeof *keys);
    if (keys == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < index->line_count; i++) {
        struct geo_point p = shapes[i].points[0];
        keys[i] = (struct build_key){weave((uint32_t)p.lon_e7 ^ 0x80000000u, //
                                           (uint32_t)p.lat_e7 ^ 0x80000000u),
                                     i};
    }
    build_sort(keys, index->line_count);
    for (uint32_t i = 0; i < index->line_count; i++) {
        index->order[i] = (uint32_t)keys[i].low;
    }
    free(keys);
    return STATUS_OK;
}

static struct index_node shape_node(const struct geo_shape *shape, uint32_t place)
{
    struct geo_shape bounds = *shape;
    geo_shape_set_bounds(&bounds);
    return (struct index_node){bounds.low, bounds.high, place, 1, 0};
}

static enum status push_all(struct geo_index *index, const struct geo_shape *shapes,
                            struct node_list *list)
{
    for (uint32_t i = 0; i < index->line_count; i++) {
        if (!push_shape(index, list, i, &shapes[i])) {
            return STATUS_NO_MEMORY;
        }
    }
    index->tree_first = (uint32_t)list->count;
    for (uint32_t i = 0; i < index->line_count; i++) {
        if (!push_node(list, shape_node(&shapes[index->order[i]], i))) {
            return STATUS_NO_MEMORY;
        }
    }
    return raise_tree(list, index->tree_first) ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status index_build_lines(struct geo_index *index, const struct geo_shape *shapes,
                              uint32_t shape_count)
{
    size_t points = 0;
    if (shape_count == 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < shape_count; i++) {
        points += shapes[i].point_count + (size_t)shapes[i].ring_count + 1;
    }
    index->line_count = shape_count;
    index->lines = malloc(shape_count * sizeof *index->lines);
    index->order = malloc(shape_count * sizeof *index->order);
    index->points = malloc(points * sizeof *index->points);
    if (index->lines == NULL || index->order == NULL || index->points == NULL) {
        return STATUS_NO_MEMORY;
    }
    struct node_list list = {0};
    enum status status = order_shapes(index, shapes);
    if (status == STATUS_OK) {
        status = push_all(index, shapes, &list);
    }
    index->nodes = list.items;
    index->node_count = (uint32_t)list.count;
    return status;
}

/* ---- search ---- */

struct search {
    const struct geo_index *index;
    struct geo_point point;
    struct geo_scale scale;
    double reach_m;
    const uint32_t *covering;
    uint32_t covering_count;
    struct geo_near *found;
    uint32_t found_count, found_capacity, total;
    double best2; /* of the shape at hand */
};

static double gap_to(int64_t low, int64_t high, int64_t at)
{
    return (double)(at < low ? low - at : at > high ? at - high : 0);
}

/* Square of the metres to a box, a little short of the truth; round the globe where that is nearer.
 */
static double box_gap2(const struct search *search, const struct index_node *node)
{
    int64_t west = node->low.lon_e7, east = node->high.lon_e7;
    double x = gap_to(west, east, search->point.lon_e7);
    double other_way = (double)(GEO_TURN_E7 - (east - west)) - x;
    x = other_way < x ? fmax(0, other_way) : x;
    double y = gap_to(node->low.lat_e7, node->high.lat_e7, search->point.lat_e7);
    x *= search->scale.lon_m;
    y *= search->scale.lat_m;
    return (x * x + y * y) * (1 - 1e-12);
}

static void search_chunk(struct search *search, const struct index_node *chunk)
{
    const struct geo_point *points = search->index->points + chunk->first;
    for (uint32_t i = 0; i < chunk->count; i++) {
        double gap2 = geo_segment_gap2(search->scale, search->point, points[i], points[i + 1]);
        search->best2 = gap2 < search->best2 ? gap2 : search->best2;
    }
}

static void search_line(struct search *search,
                        const struct index_node *node) /* NOLINT(misc-no-recursion) */
{
    if (node->level == 0) {
        search_chunk(search, node);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct index_node *child = &search->index->nodes[node->first + i];
        if (box_gap2(search, child) <= search->best2) {
            search_line(search, child);
        }
    }
}

static bool is_covering(const struct search *search, uint32_t shape)
{
    for (uint32_t i = 0; i < search->covering_count; i++) {
        if (search->covering[i] >= shape) {
            return search->covering[i] == shape;
        }
    }
    return false;
}

/* Keeps the found ones ascending; where there is no room the last that does not cover the point
 * goes. */
static void keep(struct search *search, struct geo_near near, bool covers)
{
    search->total++;
    if (search->found_count == search->found_capacity) {
        uint32_t victim = search->found_count;
        while (victim > 0 && is_covering(search, search->found[victim - 1].shape)) {
            victim--;
        }
        if (victim == 0 || (!covers && search->found[victim - 1].shape < near.shape)) {
            return;
        }
        memmove(search->found + victim - 1, search->found + victim,
                (search->found_count - victim) * sizeof *search->found);
        search->found_count--;
    }
    uint32_t at = search->found_count++;
    for (; at > 0 && search->found[at - 1].shape > near.shape; at--) {
        search->found[at] = search->found[at - 1];
    }
    search->found[at] = near;
}

static void search_shape(struct search *search, uint32_t shape)
{
    const struct index_line *line = &search->index->lines[shape];
    double reach_m = search->reach_m;
    double far_m = reach_m + line->radius_m;
    /* one step of rounding more, so that what lies at the reach exactly is found */
    search->best2 = far_m * far_m * (1 + 1e-9) + 1e-9;
    double limit2 = search->best2;
    const struct index_node *root = &search->index->nodes[line->root];
    if (box_gap2(search, root) <= limit2) {
        search_line(search, root);
    }
    bool covers = is_covering(search, shape);
    double distance_m = HUGE_VAL;
    if (search->best2 < limit2) {
        distance_m = sqrt(search->best2) - line->radius_m;
    }
    if (line->polygon) {
        distance_m = covers ? -distance_m : distance_m;
    }
    if (distance_m > reach_m) {
        return;
    }
    float near_m = distance_m < -reach_m ? (float)-reach_m : (float)distance_m;
    keep(search, (struct geo_near){shape, near_m}, covers);
}

static void search_tree(struct search *search,
                        const struct index_node *node) /* NOLINT(misc-no-recursion) */
{
    if (box_gap2(search, node) > search->reach_m * search->reach_m * (1 + 1e-9) + 1e-9) {
        return;
    }
    if (node->level == 0) {
        search_shape(search, search->index->order[node->first]);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        search_tree(search, &search->index->nodes[node->first + i]);
    }
}

uint32_t geo_index_near(const struct geo_index *index, struct geo_point point, float reach_m,
                        struct geo_near *ret, uint32_t ret_capacity)
{
    ASSERT(reach_m >= 0);
    if (index->line_count == 0) {
        return 0;
    }
    uint32_t covering[GEO_FOUND_MAX];
    struct search search = {.index = index,
                            .point = point,
                            .scale = geo_scale_at(point.lat_e7),
                            .reach_m = (double)reach_m,
                            .covering = covering,
                            .covering_count = geo_index_find(index, point, covering),
                            .found = ret,
                            .found_capacity = ret_capacity};
    search_tree(&search, &index->nodes[index->node_count - 1]);
    return search.total;
}
