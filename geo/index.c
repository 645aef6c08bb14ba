/* Lookups. */
#include "geo/index.h"

#include <stdlib.h>

#include "base/assert.h"
#include "geo/index_internal.h"

enum { BATCH = 128 };

/* A point on its way down: the entry reached, and the place within that entry's cell. */
struct descent {
    uint32_t entry, east, north, bits;
};

static inline struct descent enter(const struct geo_index *index, struct geo_point p)
{
    /* what lies west or south of the grid wraps to a large number */
    uint32_t east = (uint32_t)p.lon_e7 - (uint32_t)index->lon;
    uint32_t north = (uint32_t)p.lat_e7 - (uint32_t)index->lat;
    uint32_t column = east >> index->cell_bits, row = north >> index->cell_bits;
    if (column >= index->width || row >= index->height) {
        return (struct descent){.entry = ENTRY_SET};
    }
    uint32_t mask = (1u << index->cell_bits) - 1;
    return (struct descent){index->words[(size_t)row * index->width + column], east & mask,
                            north & mask, index->cell_bits};
}

static inline const uint32_t *block_place(const struct geo_index *index, const struct descent *at)
{
    uint32_t side_bits = (at->entry >> 2) & 7;
    uint32_t bits = at->bits - side_bits;
    return index->words + (size_t)(at->entry >> 5) * 8 +
           ((size_t)(at->north >> bits) << side_bits) + (at->east >> bits);
}

static inline void go_down(const struct geo_index *index, struct descent *at)
{
    uint32_t bits = at->bits - ((at->entry >> 2) & 7);
    at->entry = *block_place(index, at);
    at->bits = bits;
    at->east &= (1u << bits) - 1;
    at->north &= (1u << bits) - 1;
}

static inline uint32_t finish(const struct geo_index *index, const struct descent *at,
                              struct geo_point p)
{
    if ((at->entry & 3) == ENTRY_SET) {
        return at->entry >> 2;
    }
    int32_t lon = (int32_t)((int64_t)p.lon_e7 - at->east);
    const uint32_t *leaf = index->words + (at->entry >> 2);
    if (__builtin_expect(leaf[0] == (1 | 2 << 8) && (leaf[1] & 3) != GROUP_ROUND, 1)) {
        /* nearly all: one group of polygons with two places */
        return leaf[2 + index_polygon_state(leaf[1] & 3, leaf + 4, leaf[1] >> 2, p, lon)];
    }
    return index_leaf_set(index, leaf, p, lon);
}

uint32_t index_find_set(const struct geo_index *index, struct geo_point p)
{
    struct descent at = enter(index, p);
    while ((at.entry & 3) == ENTRY_BLOCK) {
        go_down(index, &at);
    }
    return finish(index, &at, p);
}

/* Each step asks for what the next one reads, for all points, before any of them waits. Which
 * points go on is a list made without a branch: the way down is as hard to foresee as the points.
 */
static void find_some(const struct geo_index *index, const struct geo_point *points, uint32_t count,
                      uint32_t *ret_sets)
{
    struct descent at[BATCH];
    uint8_t blocks[BATCH] = {0}, leaves[BATCH] = {0};
    uint32_t block_count = 0, leaf_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        at[i] = enter(index, points[i]);
        ret_sets[i] = at[i].entry >> 2;
        blocks[block_count] = (uint8_t)i;
        block_count += (at[i].entry & 3) == ENTRY_BLOCK;
        leaves[leaf_count] = (uint8_t)i;
        leaf_count += (at[i].entry & 3) == ENTRY_LEAF;
    }
    while (block_count > 0) {
        uint32_t deeper_count = 0;
        for (uint32_t k = 0; k < block_count; k++) {
            __builtin_prefetch(block_place(index, &at[blocks[k]]));
        }
        for (uint32_t k = 0; k < block_count; k++) {
            uint8_t i = blocks[k];
            go_down(index, &at[i]);
            ret_sets[i] = at[i].entry >> 2;
            blocks[deeper_count] = i;
            deeper_count += (at[i].entry & 3) == ENTRY_BLOCK;
            leaves[leaf_count] = i;
            leaf_count += (at[i].entry & 3) == ENTRY_LEAF;
        }
        block_count = deeper_count;
    }
    for (uint32_t k = 0; k < leaf_count; k++) {
        __builtin_prefetch(index->words + ret_sets[leaves[k]]);
    }
    for (uint32_t k = 0; k < leaf_count; k++) {
        uint8_t i = leaves[k];
        ret_sets[i] = finish(index, &at[i], points[i]);
    }
}

void geo_index_find_batch(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets)
{
    while (count > 0) {
        uint32_t some = count < BATCH ? count : BATCH;
        find_some(index, points, some, ret_sets);
        points += some;
        ret_sets += some;
        count -= some;
    }
}

const uint32_t *geo_index_set(const struct geo_index *index, uint32_t set, uint32_t *ret_count)
{
    ASSERT(set < index->set_count);
    *ret_count = index->set_starts[set + 1] - index->set_starts[set];
    return index->set_items + index->set_starts[set];
}

uint32_t geo_index_set_count(const struct geo_index *index)
{
    return index->set_count;
}

uint32_t geo_index_find(const struct geo_index *index, struct geo_point point,
                        uint32_t ret[GEO_FOUND_MAX])
{
    uint32_t count;
    const uint32_t *items = geo_index_set(index, index_find_set(index, point), &count);
    ASSERT(count <= GEO_FOUND_MAX);
    for (uint32_t i = 0; i < count; i++) { /* few: a call of memcpy would take longer */
        ret[i] = items[i];
    }
    return count;
}

size_t geo_index_bytes(const struct geo_index *index)
{
    size_t cells = (size_t)index->width * index->height, cell_bytes = 0;
    if (index->cell_starts != NULL) {
        cell_bytes = (cells + 1 + index->cell_starts[cells]) * sizeof *index->cell_starts;
    }
    return sizeof *index + index->word_count * sizeof *index->words +
           (index->set_count + (size_t)1) * sizeof *index->set_starts +
           index->set_starts[index->set_count] * sizeof *index->set_items +
           index->shape_count * sizeof *index->radii_m +
           index->chunk_count * sizeof *index->chunks + index->node_count * sizeof *index->nodes +
           cell_bytes;
}

void geo_index_free(struct geo_index *index)
{
    if (index == NULL) {
        return;
    }
    free(index->words);
    free(index->set_starts);
    free(index->set_items);
    free(index->radii_m);
    free(index->chunks);
    free(index->nodes);
    free(index->cell_starts);
    free(index->cell_nodes);
    free(index);
}
