/* What happens in a cell that a boundary crosses. */
#include <math.h>

#include "geo/index_internal.h"

bool index_is_on_edge(const uint32_t *edges, uint32_t count, struct geo_point p)
{
    for (uint32_t i = 0; i < count; i++, edges += EDGE_WORDS) {
        struct geo_point a = index_edge_start(edges), b = index_edge_end(edges);
        if (geo_side(p, a, b) == 0 && geo_box_holds(p, a, b)) {
            return true;
        }
    }
    return false;
}

static uint32_t round_state(const struct geo_index *index, const uint32_t *group, uint32_t count,
                            struct geo_point p)
{
    struct geo_scale scale = geo_scale_at(p.lat_e7);
    double best = HUGE_VAL;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *edge = group + 1 + (size_t)i * EDGE_WORDS;
        best = fmin(best, geo_segment_gap2(scale, p, index_edge_start(edge), index_edge_end(edge)));
    }
    /* the same expression as in geo_shape_covers, so that both agree to the last bit */
    return sqrt(best) - index->radii_m[group[0]] <= 0;
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
            place += stride * index_polygon_state(kind, edges, count, p, lon);
        }
        edges += (size_t)count * EDGE_WORDS;
        stride *= kind == GROUP_ON_OWN ? 3 : 2;
    }
    return places[place];
}
