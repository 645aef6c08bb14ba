/*
 * index_build_internal.h - what the parts of the build share: index_store.c keeps the memory and
 * numbers the sets, index_blocks.c writes what lookups read, index_cell.c tells which boundaries
 * concern a cell, index_lines.c writes what distances need, index_grid.c lays out the grid and writes
 * its pages, index_build.c calls them.
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
    uint32_t point; /* the first of its two, as they lie in the store */
};

/* The edges of a shape that touch a cell: refs[first .. first + count). */
struct build_run {
    uint32_t shape, first, count;
    uint32_t base; /* polygons: the state 0 of the edges is inside */
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

/* Coarse cells, west and south included, east and north not. */
struct build_window {
    uint32_t west, south, east, north;
};

struct build {
    struct geo_index *index; /* its grid and shapes are set */
    struct index_store *store;
    struct build_window window;       /* what is built; the rest is there already */
    struct build_window lines_window; /* and from where it is near */
    uint32_t *finds, *lines;          /* heads of the cells of the windows, row by row */
    struct build_edge *edges;
    size_t edge_count;
    /* stacks: a cell's part is pushed on its parent's and popped after it */
    struct build_run *runs;
    size_t run_count, run_capacity;
    struct build_u32s refs, inside;
    struct build_u32s set_heads;      /* by set: a block of it alone, 0 = none yet */
    struct build_u32s entries, slots; /* stacks, too: of the blocks begun and not yet written */
    struct build_u32s slot_kinds;     /* of each four words of slots */
    struct build_cell coarse;         /* the coarse cell at hand */
    struct build_cell at;             /* the one at hand, for telling where it failed */
    struct status_detail *detail;
};

/* ---- index_store.c ---- */

/* NULL: no memory. */
struct index_store *index_store_new(void);
/* Gives up one owner's share. */
void index_store_leave(struct index_store *store);
/* A ring or, not closed, a line. STATUS_TOO_LARGE: more points than are numbered. */
enum status index_store_add_ring(struct index_store *store, const struct geo_point *points,
                                 uint32_t count, bool closed, uint32_t *ret_first) MUST_CHECK;
/* Of all its rings. */
void index_store_set_owner(struct index_store *store, const struct index_shape *shape,
                           uint32_t number);
/* Room for that many words more: STATUS_TOO_LARGE beyond GEO_INDEX_BYTES_MAX; STATUS_NO_MEMORY,
 * also where a fixed store has no room left. */
enum status index_store_grow_words(struct index_store *store, size_t count) MUST_CHECK;
/* The number of the set of these shapes, ascending. */
enum status index_store_intern(struct index_store *store, const uint32_t *items, uint32_t count,
                               uint32_t *ret) MUST_CHECK;
/* No array moves from now on; there is room to add to them. */
enum status index_store_fix(struct index_store *store) MUST_CHECK;
/* What is added from now on lies apart from what readers of the past may read. */
void index_store_part(struct index_store *store);

/* ---- index_cell.c ---- */

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
/* The least and the greatest scale in a cell. */
void build_scales(struct build_cell cell, struct geo_scale *ret_least, struct geo_scale *ret_most);

/* ---- index_grid.c ---- */

/* In steps, all included. */
struct build_extent {
    int64_t south, west, north, east;
};
extern const struct build_extent build_extent_none;
void build_widen_extent(struct build_extent *all, const struct index_shape *shape);
/* The cells of the extent; false: some of it lies off the grid, or it is most of it. */
bool build_window_of(const struct geo_index *index, const struct build_extent *extent,
                     struct build_window *ret);
/* Sets the index's grid, with no pages yet. STATUS_NO_MEMORY. */
enum status index_grid_new(struct geo_index *index) MUST_CHECK;
/* The same grid and pages as the old one's, in tables of its own. */
enum status index_grid_copy(const struct geo_index *old, struct geo_index *index) MUST_CHECK;
void index_grid_release(struct geo_index *index);
/* Of 0, for each cell of the window. */
enum status build_new_heads(const struct build_window *window, uint32_t **ret) MUST_CHECK;
/* New pages for the tiles in which heads were made. */
enum status build_pages(struct build *build) MUST_CHECK;

/* ---- index_blocks.c, index_lines.c ---- */

/* The finds of the window. */
enum status build_blocks(struct build *build) MUST_CHECK;
/* Touches, rows and nears of the window, and of the cells around it that are near. */
enum status build_lines(struct build *build) MUST_CHECK;

#endif
