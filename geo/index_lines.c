/* What distances need: the edges in chunks, and a tree of boxes over them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

/* Floats hold 2^19 steps (6 km) to 0.3 mm. */
#define LONG_EDGE_E7 (1 << 19)
/* A coarse cell wider than this (3 km) would name too many nodes. */
#define CELL_BITS_FOR_NODES 18u
/* More than this on an average: long edges all over the place, for which the tree is better too. */
#define NODES_A_CELL 16u
/* Beyond every latitude, and within what the search may subtract. */
#define OFF_GLOBE_E7 1800000000

struct box {
    struct geo_point low, high;
};

/* A ring or a line while it is cut into chunks. */
struct stretch {
    const struct geo_point *points;
    uint32_t count;
    bool closed;
};

struct lines {
    const struct geo_shape *shapes;
    struct index_chunk *chunks; /* in the order of the shapes */
    struct box *boxes;
    struct build_key *keys; /* low: the place of a chunk; in the order in which they are kept */
    uint32_t count;
    struct index_node *nodes;
    uint32_t node_count;
};

/* ---- chunks ---- */

static uint32_t edges_of(const struct stretch *stretch)
{
    return stretch->closed || stretch->count == 1 ? stretch->count : stretch->count - 1;
}

static bool is_long_edge(const struct index_chunk *chunk, uint32_t i)
{
    int64_t lat = (int64_t)chunk->lats[i + 1] - chunk->lats[i];
    int64_t lon = (int64_t)chunk->lons[i + 1] - chunk->lons[i];
    return lat > LONG_EDGE_E7 || lat < -LONG_EDGE_E7 || lon > LONG_EDGE_E7 || lon < -LONG_EDGE_E7;
}

static void push_chunk(struct lines *lines, uint32_t number, const struct stretch *stretch,
                       uint32_t first, uint32_t edges)
{
    const struct geo_shape *shape = &lines->shapes[number];
    struct index_chunk *chunk = &lines->chunks[lines->count];
    struct geo_point points[CHUNK_EDGES + 1];
    *chunk = (struct index_chunk){.shape = number};
    for (uint32_t i = 0; i <= CHUNK_EDGES; i++) {
        uint32_t place = first + (i < edges ? i : edges);
        points[i] = stretch->points[place < stretch->count ? place : place - stretch->count];
        chunk->lats[i] = points[i].lat_e7;
        chunk->lons[i] = points[i].lon_e7;
    }
    for (uint32_t i = 0; i < CHUNK_EDGES; i++) {
        chunk->is_long |= is_long_edge(chunk, i);
    }
    struct geo_shape bounds = {.kind = shape->kind,
                               .point_count = CHUNK_EDGES + 1,
                               .points = points,
                               .radius_m = shape->radius_m};
    geo_shape_set_bounds(&bounds);
    lines->boxes[lines->count++] = (struct box){bounds.low, bounds.high};
    if (shape->kind != GEO_POLYGON) {
        chunk->radius_m = (float)shape->radius_m;
    }
}

static void push_stretch(struct lines *lines, uint32_t number, const struct stretch *stretch)
{
    uint32_t edges = edges_of(stretch);
    for (uint32_t first = 0; first < edges; first += CHUNK_EDGES) {
        uint32_t left = edges - first;
        push_chunk(lines, number, stretch, first, left < CHUNK_EDGES ? left : CHUNK_EDGES);
    }
}

static void push_shape(struct lines *lines, uint32_t number)
{
    const struct geo_shape *shape = &lines->shapes[number];
    if (shape->kind != GEO_POLYGON) {
        push_stretch(lines, number, &(struct stretch){shape->points, shape->point_count, false});
        return;
    }
    uint32_t start = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        uint32_t count = shape->ring_ends[r] - start;
        if (count > 0) {
            push_stretch(lines, number, &(struct stretch){shape->points + start, count, true});
        }
        start = shape->ring_ends[r];
    }
}

static size_t chunks_at_most(const struct geo_shape *shapes, uint32_t count)
{
    size_t chunks = 0;
    for (uint32_t i = 0; i < count; i++) {
        chunks += shapes[i].point_count / CHUNK_EDGES + (size_t)shapes[i].ring_count + 1;
    }
    return chunks;
}

/* ---- order ---- */

static uint64_t middle_of(const struct box *box, bool by_lon)
{
    int64_t twice = by_lon ? (int64_t)box->low.lon_e7 + box->high.lon_e7
                           : (int64_t)box->low.lat_e7 + box->high.lat_e7;
    return (uint64_t)(twice + ((int64_t)1 << 40));
}

static uint64_t extent_of_middles(const struct lines *lines, size_t first, size_t count,
                                  bool by_lon)
{
    uint64_t low = UINT64_MAX, high = 0;
    for (size_t i = first; i < first + count; i++) {
        uint64_t middle = middle_of(&lines->boxes[lines->keys[i].low], by_lon);
        low = middle < low ? middle : low;
        high = middle > high ? middle : high;
    }
    return high - low;
}

/* Halves the chunks across their longer side again and again, in multiples of what fills the nodes,
 * so that each node's share lies close together. */
static void order_chunks(struct lines *lines, size_t first, size_t count)
{
    if (count <= NODE_CHILDREN) {
        return;
    }
    bool by_lon = extent_of_middles(lines, first, count, true) >=
                  extent_of_middles(lines, first, count, false);
    for (size_t i = first; i < first + count; i++) {
        lines->keys[i].high = middle_of(&lines->boxes[lines->keys[i].low], by_lon);
    }
    build_sort(lines->keys + first, count);
    size_t unit = NODE_CHILDREN;
    while (unit * NODE_CHILDREN < count) {
        unit *= NODE_CHILDREN;
    }
    size_t half = (count / unit + 1) / 2 * unit;
    order_chunks(lines, first, half);
    order_chunks(lines, first + half, count - half);
}

/* ---- nodes ---- */

static void clear_node(struct index_node *node, uint32_t first, uint32_t level)
{
    *node = (struct index_node){.first = first, .level = level};
    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        node->low_lats[i] = node->high_lats[i] = OFF_GLOBE_E7;
    }
}

static void push_child(struct index_node *node, const struct box *box)
{
    node->low_lats[node->count] = box->low.lat_e7;
    node->low_lons[node->count] = box->low.lon_e7;
    node->high_lats[node->count] = box->high.lat_e7;
    node->high_lons[node->count] = box->high.lon_e7;
    node->count++;
}

static struct box box_of(const struct index_node *node)
{
    struct box box = {{INT32_MAX, INT32_MAX}, {INT32_MIN, INT32_MIN}};
    for (uint32_t i = 0; i < node->count; i++) {
        box.low.lat_e7 = node->low_lats[i] < box.low.lat_e7 ? node->low_lats[i] : box.low.lat_e7;
        box.low.lon_e7 = node->low_lons[i] < box.low.lon_e7 ? node->low_lons[i] : box.low.lon_e7;
        box.high.lat_e7 =
            node->high_lats[i] > box.high.lat_e7 ? node->high_lats[i] : box.high.lat_e7;
        box.high.lon_e7 =
            node->high_lons[i] > box.high.lon_e7 ? node->high_lons[i] : box.high.lon_e7;
    }
    return box;
}

/* Level upon level until one node is left. */
static void raise_nodes(struct lines *lines)
{
    for (uint32_t at = 0; at < lines->count; at += NODE_CHILDREN) {
        struct index_node *node = &lines->nodes[lines->node_count++];
        clear_node(node, at, 0);
        for (uint32_t i = at; i < at + NODE_CHILDREN && i < lines->count; i++) {
            push_child(node, &lines->boxes[lines->keys[i].low]);
        }
    }
    uint32_t first = 0;
    for (uint32_t level = 1; lines->node_count - first > 1; level++) {
        uint32_t end = lines->node_count;
        for (uint32_t at = first; at < end; at += NODE_CHILDREN) {
            struct index_node *node = &lines->nodes[lines->node_count++];
            clear_node(node, at, level);
            for (uint32_t i = at; i < at + NODE_CHILDREN && i < end; i++) {
                struct box box = box_of(&lines->nodes[i]);
                push_child(node, &box);
            }
        }
        first = end;
    }
}

/* ---- coarse cells ---- */

struct cells {
    uint32_t west, south, east, north; /* east and north included */
};

static uint32_t clamp_cell(int64_t steps, uint32_t bits, uint32_t count)
{
    int64_t cell = steps < 0 ? 0 : steps >> bits;
    return cell < count ? (uint32_t)cell : count - 1;
}

/* The coarse cells within CELL_REACH_M of the node. */
static struct cells cells_near(const struct geo_index *index, const struct index_node *node)
{
    struct box box = box_of(node);
    struct geo_point corners[2] = {box.low, box.high};
    struct geo_shape bounds = {
        .kind = GEO_CORRIDOR, .point_count = 2, .points = corners, .radius_m = CELL_REACH_M};
    geo_shape_set_bounds(&bounds);
    return (struct cells){
        clamp_cell((int64_t)bounds.low.lon_e7 - index->lon, index->cell_bits, index->width),
        clamp_cell((int64_t)bounds.low.lat_e7 - index->lat, index->cell_bits, index->height),
        clamp_cell((int64_t)bounds.high.lon_e7 - index->lon, index->cell_bits, index->width),
        clamp_cell((int64_t)bounds.high.lat_e7 - index->lat, index->cell_bits, index->height)};
}

static size_t count_lists(const struct geo_index *index)
{
    size_t total = 0;
    for (uint32_t n = 0; n < index->node_count && index->nodes[n].level == 0; n++) {
        struct cells cells = cells_near(index, &index->nodes[n]);
        total += (size_t)(cells.east - cells.west + 1) * (cells.north - cells.south + 1);
    }
    return total;
}

/* Writes the lists, or only counts them: starts[c + 1] then holds how many cell c has. */
static void list_nodes(const struct geo_index *index, uint32_t *starts, uint32_t *list)
{
    for (uint32_t n = 0; n < index->node_count && index->nodes[n].level == 0; n++) {
        struct cells cells = cells_near(index, &index->nodes[n]);
        for (uint32_t row = cells.south; row <= cells.north; row++) {
            for (uint32_t column = cells.west; column <= cells.east; column++) {
                uint32_t cell = row * index->width + column;
                if (list != NULL) {
                    list[starts[cell]++] = n;
                } else {
                    starts[cell + 1]++;
                }
            }
        }
    }
}

static enum status build_cell_lists(struct geo_index *index)
{
    size_t cells = (size_t)index->width * index->height;
    size_t total = count_lists(index);
    if (index->cell_bits > CELL_BITS_FOR_NODES || total > cells * NODES_A_CELL) {
        return STATUS_OK;
    }
    uint32_t *starts = malloc((cells + 1) * sizeof *starts);
    if (starts == NULL) {
        return STATUS_NO_MEMORY;
    }
    memset(starts, 0, (cells + 1) * sizeof *starts);
    list_nodes(index, starts, NULL);
    uint32_t *list = malloc((total + 1) * sizeof *list);
    if (list == NULL) {
        free(starts);
        return STATUS_NO_MEMORY;
    }
    for (size_t cell = 0; cell < cells; cell++) {
        starts[cell + 1] += starts[cell];
    }
    list_nodes(index, starts, list); /* moves each start to its end, the next one's start */
    memmove(starts + 1, starts, cells * sizeof *starts);
    starts[0] = 0;
    index->cell_starts = starts;
    index->cell_nodes = list;
    return STATUS_OK;
}

/* ---- the whole ---- */

static enum status arrange(struct lines *lines, struct geo_index *index)
{
    for (uint32_t i = 0; i < index->shape_count; i++) {
        push_shape(lines, i);
        index->radii_m[i] = lines->shapes[i].kind == GEO_POLYGON ? 0 : lines->shapes[i].radius_m;
    }
    for (uint32_t i = 0; i < lines->count; i++) {
        lines->keys[i] = (struct build_key){0, i};
    }
    order_chunks(lines, 0, lines->count);
    index->nodes = lines->nodes = malloc((lines->count / 8 + (size_t)16) * sizeof *lines->nodes);
    index->chunks = malloc((lines->count + (size_t)1) * sizeof *index->chunks);
    if (index->nodes == NULL || index->chunks == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < lines->count; i++) {
        index->chunks[i] = lines->chunks[lines->keys[i].low];
    }
    raise_nodes(lines);
    index->chunk_count = lines->count;
    index->node_count = lines->node_count;
    return build_cell_lists(index);
}

enum status index_build_lines(struct geo_index *index, const struct geo_shape *shapes,
                              uint32_t shape_count)
{
    if (shape_count == 0) {
        return STATUS_OK;
    }
    size_t most = chunks_at_most(shapes, shape_count);
    struct lines lines = {.shapes = shapes};
    enum status status = STATUS_NO_MEMORY;
    index->shape_count = shape_count;
    index->radii_m = malloc(shape_count * sizeof *index->radii_m);
    lines.chunks = malloc(most * sizeof *lines.chunks);
    lines.boxes = malloc(most * sizeof *lines.boxes);
    lines.keys = malloc(most * sizeof *lines.keys);
    if (index->radii_m != NULL && lines.chunks != NULL && lines.boxes != NULL &&
        lines.keys != NULL) {
        status = arrange(&lines, index);
        ASSERT(lines.count <= most);
    }
    free(lines.chunks);
    free(lines.boxes);
    free(lines.keys);
    return status;
}
