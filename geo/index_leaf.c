/* What happens in a cell that a boundary crosses. */
#include <math.h>

#include "geo/index_internal.h"

static inline struct geo_point edge_start(const uint32_t *edge)
{
    return (struct geo_point){(int32_t)edge[0], (int32_t)edge[1]};
}

static inline struct geo_point edge_end(const uint32_t *edge)
{
    return (struct geo_point){(int32_t)edge[2], (int32_t)edge[3]};
}

static bool is_on_edge(const uint32_t *edges, uint32_t count, struct geo_point p)
{
    for (uint32_t i = 0; i < count; i++, edges += EDGE_WORDS) {
        struct geo_point a = edge_start(edges), b = edge_end(edges);
        if (geo_side(p, a, b) == 0 && geo_box_holds(p, a, b)) {
            return true;
        }
    }
    return false;
}

/* The state of a group of polygons: 0 or 1 by the number of edges crossed on the way from the
 * cell's western edge, or what lying on an edge means. An edge that comes in over the western edge
 * counts as if it went on beyond it, which the state of the cell makes good (geo/README.md). */
static inline uint32_t polygon_state(uint32_t kind, const uint32_t *edges, uint32_t count,
                                     struct geo_point p, int32_t lon)
{
    uint32_t odd = 0, touched = 0;
    for (const uint32_t *edge = edges; edge < edges + (size_t)count * EDGE_WORDS;
         edge += EDGE_WORDS) {
        struct geo_point a = edge_start(edge), b = edge_end(edge);
        int64_t side = geo_side(p, a, b);
        uint32_t above_a = (uint32_t)(p.lat_e7 >= a.lat_e7) | (uint32_t)(a.lon_e7 < lon);
        uint32_t below_b = (uint32_t)(p.lat_e7 < b.lat_e7) | (uint32_t)(b.lon_e7 < lon);
        odd ^= above_a & below_b & (uint32_t)(side < 0);
        touched |= (uint32_t)(side == 0);
    }
    if (__builtin_expect(touched != 0, 0) && is_on_edge(edges, count, p)) {
        return kind;
    }
    return odd;
}

static uint32_t round_state(const struct geo_index *index, const uint32_t *group, uint32_t count,
                            struct geo_point p)
{
    struct geo_scale scale = geo_scale_at(p.lat_e7);
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *edge = group + 1 + (size_t)i * EDGE_WORDS;
        best = fmin(best, geo_segment_gap2(scale, p, edge_start(edge), edge_end(edge)));
    }
    /* the same expression as in geo_shape_covers, so that both agree to the last bit */
    return sqrt(best) - index->lines[group[0]].radius_m <= 0;
}

uint32_t index_leaf_set(const struct geo_index *index, const uint32_t *leaf, struct geo_point p,
                        int32_t lon)
{
    uint32_t groups = leaf[0] & 0xff;
    const uint32_t *places = leaf + 1 + groups;
    const uint32_t *edges = places + (leaf[0] >> 8);
    uint32_t place = 0, stride = 1;
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t kind = leaf[1 + i] & 3, count = leaf[1 + i] >> 2;
        if (kind == GROUP_ROUND) {
            place += stride * round_state(index, edges, count, p);
            edges += 1;
        } else {
            place += stride * polygon_state(kind, edges, count, p, lon);
        }
        edges += (size_t)count * EDGE_WORDS;
        stride *= kind == GROUP_ON_OWN ? 3 : 2;
    }
    return places[place];
}
