/*
 * index_walk_internal.h - the cells of an index, one after the other, for those who look at it as a
 * whole.
 */
#ifndef GEO_INDEX_WALK_INTERNAL_H
#define GEO_INDEX_WALK_INTERNAL_H

#include "geo/index_internal.h"

/* A cell that is not divided: its low corner, and its slot, or its set where it has none. */
struct index_cell {
    int64_t lon, lat;
    uint32_t bits, set;
    enum slot_kind kind; /* of the slot */
    const uint32_t *slot;
};

/* What a coarse cell's head leads to; false stops the walk. False: stopped, or a block or slot lies
 * off the words. */
bool index_walk(const struct geo_index *index, uint32_t cell,
                bool (*visit)(void *context, const struct index_cell *cell), void *context);

#endif
