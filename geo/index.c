/* Lookups. */
#include "geo/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_internal.h"

enum { BATCH = INDEX_BATCH, COPIED = 8 };

/* ---- one point ---- */

uint32_t index_find_set(const struct geo_index *index, struct geo_point p)
{
    struct index_spot spot = index_spot_of(index, p);
    uint32_t head = index->finds[spot.cell], side = head & 7, bits = index->cell_bits;
    uint32_t entry =
        index_entries(index->words, head)[index_place(side, bits, spot.east, spot.north)];
    if ((entry & ENTRY_SLOT) == 0) {
        return entry;
    }
    const uint32_t *slot = index_slot(index->words, head, entry);
    return (slot[2] & (SLOT_WIDE | SLOT_FOUR)) == 0 ? index_edges_set(index, slot, p)
                                                    : index_wide_set(index, slot, p, bits - side);
}

uint32_t geo_index_find(const struct geo_index *index, struct geo_point point,
                        uint32_t ret[GEO_FOUND_MAX])
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

/* ---- many points ---- */

/* Each step asks for what the next one reads, for all points, before any of them waits. Which
 * points go on is a list made without a branch: the way down is as hard to foresee as the points.
 */
static void find_some(const struct geo_index *index, const struct geo_point *points, uint32_t count,
                      uint32_t *ret_sets)
{
    const uint16_t *entries[BATCH];
    const uint32_t *words = index->words;
    uint32_t slots[BATCH] = {0}; /* their first words */
    uint32_t heads[BATCH];
    uint8_t slotted[BATCH] = {0}, wide[BATCH] = {0};
    uint32_t slot_count = 0, wide_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct index_spot spot = index_spot_of(index, points[i]);
        uint32_t head = index->finds[spot.cell];
        heads[i] = head;
        entries[i] = index_entries(words, head) +
                     index_place(head & 7, index->cell_bits, spot.east, spot.north);
        __builtin_prefetch(entries[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry = *entries[i];
        ret_sets[i] = entry;
        slots[slot_count] = (uint32_t)(index_slot(words, heads[i], entry) - words);
        slotted[slot_count] = (uint8_t)i;
        __builtin_prefetch(words + slots[slot_count]);
        slot_count += entry >> 15;
    }
    for (uint32_t k = 0; k < slot_count; k++) {
        __builtin_prefetch(index->points + (words[slots[k] + 2] & POINT_MASK));
        __builtin_prefetch(index->points + (words[slots[k] + 3] & POINT_MASK));
    }
    for (uint32_t k = 0; k < slot_count; k++) {
        uint8_t i = slotted[k];
        wide[wide_count] = (uint8_t)k;
        wide_count += (words[slots[k] + 2] & (SLOT_WIDE | SLOT_FOUR)) != 0;
        ret_sets[i] = index_edges_set(index, words + slots[k], points[i]);
    }
    for (uint32_t k = 0; k < wide_count; k++) {
        uint8_t i = slotted[wide[k]];
        ret_sets[i] = index_wide_set(index, words + slots[wide[k]], points[i],
                                     index->cell_bits - (heads[i] & 7));
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

uint32_t geo_index_set_count(const struct geo_index *index)
{
    return index->set_count;
}

uint32_t geo_index_shape_count(const struct geo_index *index)
{
    return index->shape_count;
}
