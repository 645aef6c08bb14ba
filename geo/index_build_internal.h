/*
 * index_build_internal.h - what the two halves of the build share: index_build.c keeps the memory
 * and writes entries, index_cell.c tells which boundaries concern a cell.
 */
#ifndef GEO_INDEX_BUILD_INTERNAL_H
#define GEO_INDEX_BUILD_INTERNAL_H

#include "geo/index_internal.h"

/* A square of 2^bits x 2^bits lattice points; lon, lat is its low corner, which may lie off the
 * globe. */
struct build_cell {
    int64_t lon, lat;
    uint32_t bits;
};

/* An edge of a polygon, a below b or, level, west of it; or a stretch of a line as it was given,
 * seen `turns` times round the globe. */
struct build_edge {
    struct geo_point a, b;
    int32_t turns;
};

/* The edges of a shape that touch a cell: refs[first .. first + count). */
struct build_run {
    uint32_t shape, first, count;
    uint32_t base; /* polygons: the state 0 of polygon_state is inside */
};

struct build_u32s {
    uint32_t *items;
    size_t count, capacity;
};

/* What concerns a cell: runs[first .. end), and the shapes that cover all of it, inside[0 ..
 * inside). */
struct build_part {
    size_t first, end, inside;
    uint32_t stuck; /* as many times its cell was cut without losing an edge */
};

struct build {
    const struct geo_shape *shapes;
    uint32_t shape_count;
    struct build_edge *edges;
    size_t edge_count;
    /* stacks: a cell's part is pushed on its parent's and popped after it */
    struct build_run *runs;
    size_t run_count, run_capacity;
    struct build_u32s refs, inside;
    /* the result */
    struct build_u32s words, set_starts, set_items, set_table;
    struct build_cell at; /* the one at hand, for telling where it failed */
    struct status_detail *detail;
};

/* `count` more items behind the present ones, not set. False: no memory. */
bool build_grow(struct build_u32s *list, size_t count);
/* Pushes the part of `cell`, which lies in `parent`, whose part is `from`. STATUS_NO_MEMORY, or
 * STATUS_TOO_LARGE where too many shapes cover the cell. */
enum status build_narrow(struct build *build, struct build_part from, struct build_cell parent,
                         struct build_cell cell, struct build_part *ret) MUST_CHECK;
enum status build_push_run(struct build *build, struct build_run run) MUST_CHECK;
/* Does the shape of the run cover this point, a cell of one point? */
bool build_point_is_inside(const struct build *build, const struct build_run *run,
                           struct build_cell cell);
enum status build_too_many(struct build *build, struct build_cell cell);

/* Sorts by high, then low. */
struct build_key {
    uint64_t high, low;
};
void build_sort(struct build_key *keys, size_t count);

#endif
