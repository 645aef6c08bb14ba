/*
 * index_internal.h - how the index lies in memory. The words (uint32_t) begin with the coarse grid,
 * row by row; an entry of it, or of a block, is a set, a block of finer entries, or a leaf:
 *
 *     entry   set << 2 | ENTRY_SET     leaf's first word << 2 | ENTRY_LEAF
 *             block's first word / 8 << 5 | log2 of its side << 2 | ENTRY_BLOCK
 *     leaf    groups | places << 8, a word for each group, places sets, each group's edges
 *     group   kind | edges << 2; a round group's edges begin with the number of a shape of its
 * radius edge    lat a, lon a, lat b, lon b
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

#define EDGE_WORDS    4u
#define CHUNK_EDGES   16u
#define NODE_CHILDREN 16u

/* A box and what it holds: edges (of the closed lines of a shape), or nodes of the level below. */
struct index_node {
    struct geo_point low, high;
    uint32_t first;
    uint16_t count, level;
};

struct index_line { /* a shape as distances need it */
    uint32_t root;  /* node */
    bool polygon;
    double radius_m;
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

    struct index_line *lines;
    uint32_t line_count;
    struct geo_point *points; /* rings closed */
    size_t point_count;
    struct index_node
        *nodes; /* of all shapes, then the tree over the shapes; its root is the last */
    uint32_t node_count, tree_first;
    uint32_t *order; /* the shapes as the lowest nodes of the tree name them */
};

/* The set of the leaf's cell at p; lon is the cell's western edge. */
uint32_t index_leaf_set(const struct geo_index *index, const uint32_t *leaf, struct geo_point p,
                        int32_t lon);
/* Lines, points, nodes and order of an index that has none. STATUS_NO_MEMORY; what was made is
 * freed with the index. */
enum status index_build_lines(struct geo_index *index, const struct geo_shape *shapes,
                              uint32_t shape_count) MUST_CHECK;

#endif
