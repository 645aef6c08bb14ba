/* What happens in a cell that more than two edges of one boundary cross, and below. */
#include <math.h>

#include "geo/index_internal.h"

static uint32_t polygon_state(const struct geo_index *index, uint32_t kind, const uint32_t *edges,
                              uint32_t count, struct geo_point p, int32_t lon)
{
    uint32_t odd = 0;
    bool touched = false;
    for (uint32_t i = 0; i < count; i += 2) { /* two at a time: their number is hard to foresee */
        int64_t side, other_side;
        odd ^= index_edge_crossed(index->points + edges[i], p, lon, &side);
        odd ^= index_edge_crossed(index->points + edges[i + 1], p, lon, &other_side);
        touched |= (side == 0) | (other_side == 0);
    }
    for (uint32_t i = 0; i < count && __builtin_expect(touched, 0); i++) {
        if (index_is_on_edge(index->points + edges[i], p)) {
            return kind;
        }
    }
    return odd;
}

static uint32_t round_state(const struct geo_index *index, uint32_t shape, const uint32_t *edges,
                            uint32_t count, struct geo_point p)
{
    struct geo_scale scale = geo_scale_at(p.lat_e7);
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < count; i++) {
        const struct geo_point *edge = index->points + edges[i];
        best = fmin(best, geo_segment_gap2(scale, p, edge[0], edge[1]));
    }
    /* the same expression as in geo_shape_covers, so that both agree to the last bit */
    return sqrt(best) - index->shapes[shape].radius_m <= 0;
}

static uint32_t groups_set(const struct geo_index *index, const uint32_t *leaf, struct geo_point p)
{
    uint32_t groups = leaf[0] & 0xff;
    int32_t lon = index_cell_lon(index, p, leaf[0] >> 8 & 0xff);
    const uint32_t *places = leaf + 1 + groups;
    const uint32_t *edges = places + (leaf[0] >> 16);
    uint32_t place = 0, stride = 1;
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t kind = leaf[1 + i] & 3, count = leaf[1 + i] >> 2;
        if (kind == GROUP_ROUND) {
            place += stride * round_state(index, edges[0], edges + 1, count, p);
            edges++;
        } else {
            place += stride * polygon_state(index, kind, edges, count, p, lon);
        }
        edges += count;
        stride *= kind == GROUP_ON_OWN ? 3 : 2;
    }
    return places[place];
}

uint32_t index_edges_on(const struct geo_index *index, const uint32_t *leaf, struct geo_point p,
                        uint32_t crossed)
{
    bool on_first = index_is_on_edge(index->points + (leaf[2] & POINT_MASK), p);
    bool on_second = index_is_on_edge(index->points + (leaf[3] & POINT_MASK), p);
    if ((leaf[2] & EDGES_ONE) != 0 && (on_first || on_second)) {
        crossed = (leaf[2] & EDGES_ON_FIRST) != 0 ? 1 : 0;
    } else {
        crossed = on_first ? (crossed & 2) | ((leaf[2] & EDGES_ON_FIRST) != 0 ? 1 : 0) : crossed;
        crossed = on_second ? (crossed & 1) | ((leaf[2] & EDGES_ON_SECOND) != 0 ? 2 : 0) : crossed;
    }
    return leaf[crossed >> 1] >> (16 * (crossed & 1)) & (EDGES_SETS_MAX - 1);
}

uint32_t index_four_on(const struct geo_index *index, const uint32_t *four, struct geo_point p,
                       uint32_t crossed)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (!index_is_on_edge(index->points + (four[i] & POINT_MASK), p)) {
            continue;
        }
        uint32_t group = four[i] >> POINT_BITS & 3, others = 0;
        for (uint32_t k = 0; k < 4; k++) {
            others |= (four[k] >> POINT_BITS & 3) == group ? 1u << k : 0;
        }
        crossed = (crossed & ~others) | ((four[i] & FOUR_ON_ODD) != 0 ? 1u << i : 0);
    }
    return index_four_sets(four, crossed);
}

uint32_t index_four_set(const struct geo_index *index, const uint32_t *slot, struct geo_point p)
{
    const uint32_t *four = index->words + slot[0];
    int32_t lon = index_cell_lon(index, p, slot[3] >> POINT_BITS);
    uint32_t crossed = 0;
    bool touched = false;
    for (uint32_t i = 0; i < 4; i++) {
        int64_t side;
        crossed |= index_edge_crossed(index->points + (four[i] & POINT_MASK), p, lon, &side) << i;
        touched |= side == 0;
    }
    return touched ? index_four_on(index, four, p, crossed) : index_four_sets(four, crossed);
}

uint32_t index_wide_set(const struct geo_index *index, const uint32_t *slot, struct geo_point p,
                        uint32_t bits)
{
    if ((slot[2] & SLOT_FOUR) != 0) {
        return index_four_set(index, slot, p);
    }
    while (slot[0] == WIDE_BLOCK) {
        uint32_t head = slot[1], side = head & 7, mask = (1u << bits) - 1;
        uint32_t east = ((uint32_t)p.lon_e7 - (uint32_t)index->lon) & mask;
        uint32_t north = ((uint32_t)p.lat_e7 - (uint32_t)index->lat) & mask;
        uint32_t entry = index_entries(index->words, head)[index_place(side, bits, east, north)];
        if ((entry & ENTRY_SLOT) == 0) {
            return entry;
        }
        slot = index_slot(index->words, head, entry);
        if ((slot[2] & SLOT_WIDE) == 0) {
            return (slot[2] & SLOT_FOUR) != 0 ? index_four_set(index, slot, p)
                                              : index_edges_set(index, slot, p);
        }
        bits -= side;
    }
    return slot[0] == WIDE_GROUPS ? groups_set(index, index->words + slot[1], p) : slot[1];
}
