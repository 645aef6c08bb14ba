/* Lookups. */
#include "geo/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/touch.h"
#include "geo/index_internal.h"

enum { BATCH = INDEX_BATCH, COPIED = 8 };

/* ---- one point ---- */

uint32_t index_find_set(const struct geo_index *index, struct geo_point p)
{
    struct index_spot spot = index_spot_of(index, p);
    uint32_t head = index->words[spot.word], side = head & 7, bits = index->cell_bits;
    uint32_t entry =
        index_entries(index->words, head)[index_place(side, bits, spot.east, spot.north)];
    return (entry & ENTRY_SLOT) == 0 ? entry : index_slot_set(index, p, spot, head, entry, bits);
}

/* Apart, so that the other way needs no frame. */
__attribute__((noinline)) static uint32_t
find_plain(const struct geo_index *index, struct geo_point point, uint32_t ret[GEO_FOUND_MAX])
{
    uint32_t set = index_find_set(index, point);
    const uint32_t *items = index->set_items + index->set_starts[set];
    uint32_t count = index->set_starts[set + 1] - index->set_starts[set];
    /* nearly always all of them, without a branch on their number; the items end with as many */
    memcpy(ret, items, COPIED * sizeof *items);
    if (__builtin_expect(count > COPIED, 0)) {
        memcpy(ret, items, count * sizeof *items);
    }
    return count;
}

uint32_t geo_index_find(const struct geo_index *index, struct geo_point point,
                        uint32_t ret[GEO_FOUND_MAX])
{
    return index->has_avx2 ? index_find_avx2(index, point, ret) : find_plain(index, point, ret);
}

/* ---- many points ---- */

/* Each step asks for what the next one reads, for all points, before any of them waits. Which
 * points go on is a list made without a branch: the way down is as hard to foresee as the points.
 */
static void find_some(const struct geo_index *index, const struct geo_point *points, uint32_t count,
                      uint32_t *ret_sets)
{
    const uint32_t *words = index->words;
    struct index_spot spots[BATCH];
    uint32_t heads[BATCH], places[BATCH], slot_count = 0;
    uint8_t slotted[BATCH] = {0};
    for (uint32_t i = 0; i < count; i++) {
        spots[i] = index_spot_of(index, points[i]);
        heads[i] = words[spots[i].word];
        places[i] = index_place(heads[i] & 7, index->cell_bits, spots[i].east, spots[i].north);
        __builtin_prefetch(index_entries(words, heads[i]) + places[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry = index_entries(words, heads[i])[places[i]];
        ret_sets[i] = entry;
        slotted[slot_count] = (uint8_t)i;
        __builtin_prefetch(index_slot(words, heads[i], entry));
        slot_count += entry >> 15;
    }
    for (uint32_t k = 0; k < slot_count; k++) {
        uint8_t i = slotted[k];
        ret_sets[i] =
            index_slot_set(index, points[i], spots[i], heads[i], ret_sets[i], index->cell_bits);
    }
}

void geo_index_find_batch(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets)
{
    while (count > 0) {
        uint32_t some = count < BATCH ? count : BATCH;
        if (index->has_avx2) {
            index_find_some_avx2(index, points, some, ret_sets);
        } else {
            find_some(index, points, some, ret_sets);
        }
        points += some;
        ret_sets += some;
        count -= some;
    }
}

/* ---- what it holds ---- */

const uint32_t *geo_index_set(const struct geo_index *index, uint32_t set, uint32_t *ret_count)
{
    ASSERT(set < index->set_count);
    *ret_count = index->set_starts[set + 1] - index->set_starts[set];
    return index->set_items + index->set_starts[set];
}

void geo_index_expect_sets(const struct geo_index *index, const uint32_t *sets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        touch(&index->set_starts[sets[i]]);
        touch(&index->set_starts[sets[i] + 1]);
    }
    for (uint32_t i = 0; i < count; i++) { /* the items end with some that may be read beyond */
        touch(&index->set_items[index->set_starts[sets[i]]]);
    }
}

/* The points of its rings lie behind each other. */
static void touch_points(const struct geo_index *index, const struct index_shape *shape)
{
    enum { LINE_POINTS = 8, LINES_MAX = 16 };
    const uint32_t last = shape->ring_count - 1;
    const uint32_t first = index_ring_first(shape, index->words, 0);
    const uint32_t end = index_ring_first(shape, index->words, last) +
                         index_ring_edges(shape, index->words, last) + 1;
    for (uint32_t i = first, lines = 0; i < end && lines < LINES_MAX; i += LINE_POINTS, lines++) {
        touch(&index->points[i]);
    }
}

void geo_index_expect_shapes(const struct geo_index *index, const uint32_t *shapes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) { /* one may lie on two lines */
        touch(&index->shapes[shapes[i]].kind);
        touch(&index->shapes[shapes[i]].high);
    }
    for (uint32_t i = 0; i < count; i++) {
        touch(&index->words[index->shapes[shapes[i]].rings]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (index->shapes[shapes[i]].ring_count > 0) {
            touch_points(index, &index->shapes[shapes[i]]);
        }
    }
}

uint32_t geo_index_set_count(const struct geo_index *index)
{
    return index->set_count;
}

uint32_t geo_index_shape_count(const struct geo_index *index)
{
    return index->shape_count;
}
