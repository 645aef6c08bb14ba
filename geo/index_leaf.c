/* What happens in a cell that boundaries cross. */
#include <math.h>
#include <string.h>

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

/* ---- edges in slots ---- */

/* The point, and where the cell of the leaf begins. */
struct here {
    struct geo_point p;
    int32_t west;
};

static struct slot_edge edge_at(const uint32_t *slot, uint32_t place)
{
    struct slot_edge edge;
    memcpy(&edge, slot + 2 * (size_t)place, sizeof edge);
    return edge;
}

static uint32_t edge_crossed(struct slot_edge edge, struct here here, bool *ret_on)
{
    struct geo_point low = {edge.low_lat, edge.low_lon}, high = {edge.high_lat, edge.high_lon};
    int64_t side;
    uint32_t crossed = index_crossed(low, high, here.p, here.west, &side);
    *ret_on = side == 0 && geo_box_holds(here.p, low, high);
    return crossed;
}

/* The crossed edges of two, where the point may lie on them. */
static uint32_t crossed_on(uint32_t flags, uint32_t crossed, bool on_first, bool on_second)
{
    if ((flags & LEAF_ONE) != 0 && (on_first || on_second)) {
        return (flags & LEAF_ON) != 0 ? 1 : 0;
    }
    crossed = on_first ? (crossed & 2) | ((flags & LEAF_ON) != 0 ? 1 : 0) : crossed;
    return on_second ? (crossed & 1) | ((flags & LEAF_ON_SECOND) != 0 ? 2 : 0) : crossed;
}

static uint32_t one_set(const uint32_t *slot, struct here here)
{
    bool on;
    uint32_t crossed = edge_crossed(edge_at(slot, 0), here, &on);
    crossed = on ? (slot[2] & LEAF_ON) != 0 : crossed;
    return slot[2 + crossed] & LEAF_SET_MASK;
}

static uint32_t two_set(const uint32_t *slot, struct here here)
{
    bool on_first, on_second;
    uint32_t crossed = edge_crossed(edge_at(slot, 0), here, &on_first);
    crossed |= edge_crossed(edge_at(slot, 1), here, &on_second) << 1;
    return slot[4 + crossed_on(slot[4], crossed, on_first, on_second)] & LEAF_SET_MASK;
}

/* The set of four edges, where the point may lie on some. */
static uint32_t four_set_on(const uint32_t *four, uint32_t crossed, const bool on[4])
{
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t edge = four[FOUR_EDGES] >> (FOUR_EDGE_BITS * i), others = 0;
        for (uint32_t k = 0; k < 4 && on[i]; k++) {
            uint32_t other = four[FOUR_EDGES] >> (FOUR_EDGE_BITS * k);
            others |= ((edge ^ other) & FOUR_GROUP_MASK) == 0 ? 1u << k : 0;
        }
        crossed = on[i] ? (crossed & ~others) | ((edge & FOUR_ON_ODD) != 0 ? 1u << i : 0) : crossed;
    }
    return index_four_set(four, crossed);
}

static uint32_t four_set(const uint32_t *slot, struct here here)
{
    uint32_t crossed = 0;
    bool on[4];
    for (uint32_t i = 0; i < 4; i++) {
        crossed |= edge_crossed(edge_at(slot, index_four_places[i]), here, &on[i]) << i;
    }
    return four_set_on(slot + 8, crossed, on);
}

/* ---- edges elsewhere ---- */

static uint32_t far4_set(const struct geo_index *index, const uint32_t *slot, struct geo_point p,
                         uint32_t bits)
{
    int32_t lon = index_cell_lon(index, p, bits);
    uint32_t crossed = 0;
    bool on[4];
    for (uint32_t i = 0; i < 4; i++) {
        int64_t side;
        const struct geo_point *edge = index->points + slot[i];
        crossed |= index_edge_crossed(edge, p, lon, &side) << i;
        on[i] = side == 0 && geo_box_holds(p, edge[0], edge[1]);
    }
    return four_set_on(slot + 4, crossed, on);
}

static uint32_t far_set(const struct geo_index *index, const uint32_t *slot, struct geo_point p,
                        uint32_t bits)
{
    const struct geo_point *first = index->points + (slot[2] & POINT_MASK);
    const struct geo_point *second = index->points + (slot[3] & POINT_MASK);
    int32_t lon = index_cell_lon(index, p, bits);
    int64_t side, other_side;
    uint32_t crossed = index_edge_crossed(first, p, lon, &side);
    crossed |= index_edge_crossed(second, p, lon, &other_side) << 1;
    if ((side == 0) | (other_side == 0)) {
        crossed = crossed_on(slot[2] << 1, crossed, index_is_on_edge(first, p),
                             index_is_on_edge(second, p));
    }
    return index_short_set(slot, crossed);
}

/* ---- slots ---- */

uint32_t index_slot_set(const struct geo_index *index, struct geo_point p, struct index_spot spot,
                        uint32_t head, uint32_t entry, uint32_t bits)
{
    for (;;) {
        const uint32_t *slot = index_slot(index->words, head, entry);
        bits -= head & 7;
        struct here here = {index_here(index, spot), index_west(index, spot, bits)};
        switch (index_kind(entry)) {
        case SLOT_ONE:
            return one_set(slot, here);
        case SLOT_TWO:
            return two_set(slot, here);
        case SLOT_FOUR:
            return four_set(slot, here);
        case SLOT_FAR:
            return far_set(index, slot, p, bits);
        case SLOT_FAR4:
            return far4_set(index, slot, p, bits);
        case SLOT_WIDE:
            break;
        }
        if (slot[0] != WIDE_BLOCK) {
            return slot[0] == WIDE_GROUPS ? groups_set(index, index->words + slot[1], p) : slot[1];
        }
        head = slot[1];
        uint32_t mask = (1u << bits) - 1;
        uint32_t place = index_place(head & 7, bits, spot.east & mask, spot.north & mask);
        entry = index_entries(index->words, head)[place];
        if ((entry & ENTRY_SLOT) == 0) {
            return entry;
        }
    }
}
