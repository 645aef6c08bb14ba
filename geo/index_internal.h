/*
 * index_internal.h - how the index lies in memory. The words (uint32_t) begin with the coarse grid,
 * row by row; an entry of it, or of a block, is a set, a block of finer entries, or a leaf:
 *
 *     entry   set << 2 | ENTRY_SET     leaf's first word << 2 | ENTRY_LEAF
 *             block's first word / 8 << 5 | log2 of its side << 2 | ENTRY_BLOCK
 *     leaf    groups | places << 8, a word for each group, places sets, each group's edges
 *     group   kind | edges << 2; a round group's edges begin with a shape of its radius
 *     edge    lat a, lon a, lat b, lon b; polygons have an even number of them in a group, if
 *             need be by one that nothing crosses
 *
 * Shapes with the same edges in a leaf are one group. The states of the groups, the first counting
 * fastest, number the place that holds the answer.
 */
#ifndef GEO_INDEX_INTERNAL_H
#define GEO_INDEX_INTERNAL_H

#include "geo/index.h"
#include "geo/shape_internal.h"

enum { ENTRY_SET = 0, ENTRY_BLOCK = 1, ENTRY_LEAF = 2 };

/* What it means to lie on an edge of the group: as crossing an even number of its edges, an odd
 * number, or a state of its own, where some of its shapes are on this side and some on that. */
enum { GROUP_ON_EVEN = 0, GROUP_ON_ODD = 1, GROUP_ON_OWN = 2, GROUP_ROUND = 3 };

#define EDGE_WORDS 4u

/* ---- distances ---- */

#define CHUNK_EDGES   16u
#define NODE_CHILDREN 16u
#define LANES         4u /* of a vector */
/* The reach up to which a coarse cell knows the nodes to look at. */
#define CELL_REACH_M 64

/* Edges of one shape that follow one another: point i to point i + 1. What is missing at the end
 * repeats the last point. */
struct index_chunk {
    int32_t lats[CHUNK_EDGES + 1], lons[CHUNK_EDGES + 1];
    uint32_t shape;
    uint32_t is_long; /* an edge spans so much that floats would not do */
    float radius_m;   /* 0: of a polygon */
};

/* The boxes of up to 16 chunks (level 0) or nodes of the level below, which follow one another. The
 * radius of round shapes is in their boxes. What is missing has a box off the globe. */
struct index_node {
    int32_t low_lats[NODE_CHILDREN], low_lons[NODE_CHILDREN];
    int32_t high_lats[NODE_CHILDREN], high_lons[NODE_CHILDREN];
    uint32_t first, count, level;
};

struct geo_index {
    int32_t lat, lon; /* the coarse grid's low corner */
    uint32_t width, height;
    uint32_t cell_bits; /* log2 of a coarse cell's side */
    uint32_t *words;
    size_t word_count;

    uint32_t *set_starts; /* set_count + 1 of them */
    uint32_t *set_items;
    uint32_t set_count;

    double *radii_m; /* of the shapes, 0 of polygons */
    uint32_t shape_count;
    struct index_chunk *chunks;
    uint32_t chunk_count;
    struct index_node *nodes; /* level by level; the root is the last */
    uint32_t node_count;
    /* The lowest nodes within CELL_REACH_M of a coarse cell: cell_nodes[cell_starts[c] ..
     * cell_starts[c + 1]); NULL where coarse cells are so wide that the tree is better. */
    uint32_t *cell_starts, *cell_nodes;
};

static inline struct geo_point index_edge_start(const uint32_t *edge)
{
    return (struct geo_point){(int32_t)edge[0], (int32_t)edge[1]};
}

static inline struct geo_point index_edge_end(const uint32_t *edge)
{
    return (struct geo_point){(int32_t)edge[2], (int32_t)edge[3]};
}

bool index_is_on_edge(const uint32_t *edges, uint32_t count, struct geo_point p);

/* The state of a group of polygons: 0 or 1 by the number of edges crossed on the way from the cell's
 * western edge, or what lying on an edge means. An edge that comes in over the western edge counts
 * as if it went on beyond it, which the state of the cell makes good (geo/README.md). Two edges at a
 * time, as the number of edges is hard to foresee. */
static inline uint32_t index_polygon_state(uint32_t kind, const uint32_t *edges, uint32_t count,
                                           struct geo_point p, int32_t lon)
{
    uint32_t odd = 0;
    bool touched = false;
    for (uint32_t i = 0; i < count; i += 2) {
        const uint32_t *edge = edges + (size_t)i * EDGE_WORDS;
        for (uint32_t k = 0; k < 2; k++, edge += EDGE_WORDS) {
            struct geo_point a = index_edge_start(edge), b = index_edge_end(edge);
            int64_t side = geo_side(p, a, b);
            uint32_t above_a = (uint32_t)(p.lat_e7 >= a.lat_e7) | (uint32_t)(a.lon_e7 < lon);
            uint32_t below_b = (uint32_t)(p.lat_e7 < b.lat_e7) | (uint32_t)(b.lon_e7 < lon);
            odd ^= above_a & below_b & (uint32_t)(side < 0);
            touched |= side == 0;
        }
    }
    if (__builtin_expect(touched, 0) && index_is_on_edge(edges, count, p)) {
        return kind;
    }
    return odd;
}

/* The number of the set of shapes that cover the point. */
uint32_t index_find_set(const struct geo_index *index, struct geo_point p);
/* The set of the leaf's cell at p; lon is the cell's western edge. Any leaf. */
uint32_t index_leaf_set(const struct geo_index *index, const uint32_t *leaf, struct geo_point p,
                        int32_t lon);
/* Lines, points, nodes and order of an index that has none. STATUS_NO_MEMORY; what was made is
 * freed with the index. */
enum status index_build_lines(struct geo_index *index, const struct geo_shape *shapes,
                              uint32_t shape_count) MUST_CHECK;

#endif
