/*
 * index_internal.h - how the index lies in memory. A grid of coarse cells; the word of a cell leads
 * to a block of 2^side x 2^side entries, which are sets, leaves, or finer blocks:
 *
 *     head    block's first word << 3 | side                of a coarse cell, or of a finer block
 *     block   entries of 16 bits each, row by row, and from the next word of four its slots
 *     entry   a set's number, or ENTRY_SLOT | number of the slot
 *     slot    four words: a leaf of two edges, with SLOT_FOUR in the third the first word of a leaf
 *             of four and in the fourth the log2 of the cell << 27, or with SLOT_WIDE what is wider
 *     edges   sets in 16 bits each: of no edge crossed, the first, the second, both; the first edge
 *             | EDGES_ON_FIRST and so on; the second edge | log2 of the cell << 27
 *     four    four edges, each | its group << 27 | FOUR_ON_ODD; sets by the edges crossed, in 16 bits:
 *             but eight of them, where the fourth edge is none
 *     wide    an enum wide, and a set, groups' first word, or a head
 *     groups  groups | log2 of the cell << 8 | places << 16, a word for each group, places sets,
 *             each group's edges
 *     group   kind | edges << 2; a round group's edges begin with a shape of its radius
 *
 * An edge is the number of its first point; it leads to the point after it. The edges of a group of
 * polygons are even in number, if need be by NO_EDGE, which nothing crosses. Shapes with the same
 * edges in a leaf are one group. The states of the groups, the first counting fastest, number the
 * place that holds the answer.
 *
 * Each ring lies in `points` with its first point once more at its end, and RING_PAD times more,
 * so that vectors may read beyond it: what they read are points of the ring. Lines repeat their
 * last point.
 */
#ifndef GEO_INDEX_INTERNAL_H
#define GEO_INDEX_INTERNAL_H

#include <stdatomic.h>

#include "geo/index.h"
#include "geo/shape_internal.h"

enum { ENTRY_SLOT = 1 << 15, SLOT_WORDS = 4 };
#define SLOT_WIDE (1u << 31)
#define SLOT_FOUR (1u << 30)
enum wide { WIDE_SET = 0, WIDE_GROUPS = 1, WIDE_BLOCK = 2 };

/* What it means to lie on an edge of the group: as crossing an even number of its edges, an odd
 * number, or a state of its own, where some of its shapes are on this side and some on that. */
enum { GROUP_ON_EVEN = 0, GROUP_ON_ODD = 1, GROUP_ON_OWN = 2, GROUP_ROUND = 3 };

enum { RING_PAD = 7, NO_EDGE = 0, FIRST_POINT = 8 };

/* What lying on an edge of a leaf of two means: as having crossed it. EDGES_ONE: both are of one
 * group, and what it means for the first it means for both. */
enum {
    EDGES_ON_FIRST = 1u << 27,
    EDGES_ON_SECOND = 1u << 28,
    EDGES_ONE = 1u << 29,
    EDGES_SETS_MAX = 1 << 16, /* where there are more, groups hold them */
};

/* What lying on an edge of the group means: as an odd number of crossings, not an even one. */
#define FOUR_ON_ODD (1u << 29)
#define FOUR_WORDS  12u
#define THREE_WORDS 8u

/* Points are numbered in 27 bits: where a run of them or an edge of a leaf shares its word. */
#define POINT_BITS 27u
#define POINT_MASK ((1u << POINT_BITS) - 1)

/* ---- distances ---- */

/* Lists lead to edges. A coarse cell's list of the edges that touch it: a word that counts the runs,
 * then two words a run, by shape. The list of a near entry has, of each shape whose boundary lies
 * within GEO_NEAR_M of its cell, the edges that may be the nearest: a word that counts them, then a
 * word for up to RUN_EDGES_MAX edges that follow one another, by shape.
 *
 *     touch   first point | edges - 1 << 27, shape | its flags
 *     near    first point | metres to those edges, or to the round shape, at least << 27
 *     lines   the list of what touches the coarse cell, then a block of entries of 8 bits, then from
 *             the next word on its near lists
 *     entry   the number of the near list, from 1; 0: none
 *     list    its first word / 4 << 5 | metres within which there is no boundary
 *
 * Near entries are there where coarse cells are small enough. */
#define RUN_EDGES_MAX   8u
#define TOUCH_EDGES_MAX 32u
#define OWNER_POINTS    4u /* that many points have an owner: rings begin on a multiple of it */
#define RUN_LONG        (1u << 31) /* floats do not hold an edge of the shape to a centimetre */
#define RUN_ROUND       (1u << 30)
#define SHAPE_MASK      (RUN_ROUND - 1)
#define NEAR_METRES_MAX (GEO_NEAR_M - 1u)

struct index_shape {
    uint32_t kind;  /* enum geo_shape_kind; 0: no shape has this number */
    uint32_t rings; /* word: of each ring the first of its points, and how many there are */
    uint32_t ring_count;
    uint32_t flags;  /* of its runs */
    double radius_m; /* 0 of polygons */
    struct geo_point low, high;
};

/* What an index shares with those changed from it. Only ever added to, behind what readers use, and
 * never moved once there are readers. */
struct index_store {
    atomic_uint owners;
    struct geo_point *points;
    uint32_t *owners_of; /* of OWNER_POINTS each: the shape, with its flags */
    uint32_t *words, *set_starts, *set_items;
    size_t point_count, word_count, set_start_count, set_item_count;
    size_t point_room, owner_room, word_room, set_start_room, set_item_room;
    bool is_fixed;       /* has readers: not to be moved */
    bool is_full;        /* something did not fit since */
    uint32_t *set_table; /* set + 1 by hash; of builders alone */
    size_t set_table_size;
};

/* Metres per step at the southern edge of a row of cells. */
struct index_row {
    float lat_m, lon_m;
};

struct geo_index {
    int32_t lat, lon; /* the grid's low corner */
    uint32_t width, height;
    uint32_t cell_bits; /* log2 of a coarse cell's side */
    uint32_t cell_count;
    uint32_t *finds; /* heads by cell, and one more, off the grid, of the empty set */
    uint32_t *lines; /* heads, 0 = nothing there: the store begins with words of 0 */
    const uint32_t *words, *set_starts, *set_items, *owners_of;
    const struct geo_point *points;
    uint32_t flags; /* of any of its shapes */
    uint32_t set_count, word_count, point_count;
    bool has_avx2;
    bool has_near;          /* cells are small enough, and far from the antimeridian */
    float row_part;         /* of a step in a row */
    struct index_row *rows; /* height + 1 of them, where has_near */
    struct index_shape *shapes;
    uint32_t shape_count;
    size_t bytes; /* in use when it was made */
    struct index_store *store;
};

/* Cells and places in them. */
struct index_spot {
    uint32_t cell, east, north; /* cell_count off the grid, with no place */
};

static inline struct index_spot index_spot_of(const struct geo_index *index, struct geo_point p)
{
    /* what lies west or south of the grid wraps to a large number */
    uint32_t east = (uint32_t)p.lon_e7 - (uint32_t)index->lon;
    uint32_t north = (uint32_t)p.lat_e7 - (uint32_t)index->lat;
    uint32_t column = east >> index->cell_bits, row = north >> index->cell_bits;
    uint32_t mask = (1u << index->cell_bits) - 1;
    bool on_grid = (column < index->width) & (row < index->height);
    return (struct index_spot){on_grid ? row * index->width + column : index->cell_count,
                               east & mask, north & mask};
}

/* The number of the entry in a block of 2^side, of a cell of 2^bits steps. */
static inline uint32_t index_place(uint32_t side, uint32_t bits, uint32_t east, uint32_t north)
{
    return (north >> (bits - side) << side) + (east >> (bits - side));
}

static inline const uint16_t *index_entries(const uint32_t *words, uint32_t head)
{
    return (const uint16_t *)(const void *)(words + (head >> 3));
}

/* The words that a block's entries take. */
static inline uint32_t index_entry_words(uint32_t side)
{
    uint32_t words = (1u << (2 * side)) / 2;
    return words < SLOT_WORDS ? SLOT_WORDS : words;
}

static inline const uint32_t *index_slot(const uint32_t *words, uint32_t head, uint32_t entry)
{
    return words + (head >> 3) + index_entry_words(head & 7) +
           (size_t)(entry & (ENTRY_SLOT - 1)) * SLOT_WORDS;
}

/* The words that near entries take. */
static inline uint32_t index_near_entry_words(uint32_t side)
{
    return ((1u << (2 * side)) + 3) / 4;
}

static inline const uint8_t *index_near_entries(const uint32_t *words, uint32_t head)
{
    return (const uint8_t *)(words + (head >> 3) + 1);
}

/* The near list of an entry that is not 0: as it stands for the word 0, none. */
static inline uint32_t index_near_list(const uint32_t *words, uint32_t head, uint32_t entry)
{
    uint32_t before = (head >> 3) + index_near_entry_words(head & 7);
    return words[entry != 0 ? before + entry : 0];
}

/* The state of some edges of polygons for a point in a cell whose western edge is `lon`: 0 or 1 by
 * the number of edges crossed on the way from there. An edge that comes in over the western edge
 * counts as if it went on beyond it, which the state of the cell makes good (geo/README.md). */
static inline uint32_t index_edge_crossed(const struct geo_point *edge, struct geo_point p,
                                          int32_t lon, int64_t *ret_side)
{
    struct geo_point a = edge[0], b = edge[1];
    bool swap = (a.lat_e7 > b.lat_e7) | ((a.lat_e7 == b.lat_e7) & (a.lon_e7 > b.lon_e7));
    struct geo_point low = swap ? b : a, high = swap ? a : b;
    *ret_side = geo_side(p, low, high);
    uint32_t above = (uint32_t)(p.lat_e7 >= low.lat_e7) | (uint32_t)(low.lon_e7 < lon);
    uint32_t below = (uint32_t)(p.lat_e7 < high.lat_e7) | (uint32_t)(high.lon_e7 < lon);
    return above & below & (uint32_t)(*ret_side < 0);
}

static inline bool index_is_on_edge(const struct geo_point *edge, struct geo_point p)
{
    return geo_side(p, edge[0], edge[1]) == 0 && geo_box_holds(p, edge[0], edge[1]);
}

static inline bool index_is_in_set(const struct geo_index *index, uint32_t set, uint32_t shape)
{
    bool found = false;
    for (uint32_t i = index->set_starts[set]; i < index->set_starts[set + 1]; i++) {
        found |= index->set_items[i] == shape;
    }
    return found;
}

/* The western edge of the cell of 2^bits steps in which p lies. */
static inline int32_t index_cell_lon(const struct geo_index *index, struct geo_point p,
                                     uint32_t bits)
{
    uint32_t east = ((uint32_t)p.lon_e7 - (uint32_t)index->lon) & ((1u << bits) - 1);
    return (int32_t)((int64_t)p.lon_e7 - east);
}

/* The set of a leaf of two edges at a point on one of them, which it crosses or not. */
uint32_t index_edges_on(const struct geo_index *index, const uint32_t *leaf, struct geo_point p,
                        uint32_t crossed);

static inline uint32_t index_edges_set(const struct geo_index *index, const uint32_t *leaf,
                                       struct geo_point p)
{
    const struct geo_point *first = index->points + (leaf[2] & POINT_MASK);
    const struct geo_point *second = index->points + (leaf[3] & POINT_MASK);
    int32_t lon = index_cell_lon(index, p, leaf[3] >> POINT_BITS);
    int64_t side, other_side;
    uint32_t crossed = index_edge_crossed(first, p, lon, &side);
    crossed |= index_edge_crossed(second, p, lon, &other_side) << 1;
    if (__builtin_expect((side == 0) | (other_side == 0), 0)) {
        return index_edges_on(index, leaf, p, crossed);
    }
    uint64_t sets = (uint64_t)leaf[1] << 32 | leaf[0];
    return (uint32_t)(sets >> (16 * crossed)) & (EDGES_SETS_MAX - 1);
}

static inline uint32_t index_four_sets(const uint32_t *four, uint32_t crossed)
{
    return four[4 + crossed / 2] >> (16 * (crossed & 1)) & (EDGES_SETS_MAX - 1);
}

/* The same of a leaf of four edges. */
uint32_t index_four_on(const struct geo_index *index, const uint32_t *four, struct geo_point p,
                       uint32_t crossed);
uint32_t index_four_set(const struct geo_index *index, const uint32_t *slot, struct geo_point p);

/* The number of the set of shapes that cover the point. */
uint32_t index_find_set(const struct geo_index *index, struct geo_point p);
/* Points that are looked up at a time, if the processor has AVX2 with its instructions. */
#define INDEX_BATCH 256u
bool index_has_avx2(void);
void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets);
/* The set of a slot that is wide or of four, for a point in a cell of 2^bits steps. */
uint32_t index_wide_set(const struct geo_index *index, const uint32_t *slot, struct geo_point p,
                        uint32_t bits);

/* Coarse cells along one side of the grid. */
struct index_span {
    uint32_t from, to; /* included */
};
/* Those from low to high steps; the nearest one, where there are none. */
struct index_span index_span_of(double low, double high, uint32_t bits, uint32_t count);

/* By all its edges. */
bool index_shape_covers(const struct geo_index *index, uint32_t number, struct geo_point p);

/* Edges of a ring: a line has at least one. */
static inline uint32_t index_ring_edges(const struct index_shape *shape, const uint32_t *words,
                                        uint32_t ring)
{
    uint32_t points = words[shape->rings + 2 * ring + 1];
    return shape->kind == GEO_POLYGON || points == 1 ? points : points - 1;
}

static inline uint32_t index_ring_first(const struct index_shape *shape, const uint32_t *words,
                                        uint32_t ring)
{
    return words[shape->rings + 2 * ring];
}

#endif
