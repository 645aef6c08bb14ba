/*
 * index_internal.h - how the index lies in memory. A grid of coarse cells, in tiles of four by four:
 * most tiles have nothing in them and no page. The head of a cell leads to a block of 2^side x
 * 2^side entries, which are sets, leaves, or finer blocks:
 *
 *     page    the find heads of a tile's cells, row by row, then their line heads
 *     head    first word of a block's entries << 3 | side   of a coarse cell, or of a finer block
 *     block   its slots, then entries of 16 bits each, row by row
 *     entry   a set's number, or ENTRY_SLOT | kind << 12 | how many times four words before the
 *             entries the slot begins
 *     one     an edge; the set where it is not crossed | its LEAF_ON, the set where it is
 *     two     two edges; sets by the edges crossed, a bit each, with flags on the first
 *     four    four edges, 0, 2, 1, 3; then what each way to cross them says: four sets in 16 bits each;
 *             for each of the 16 ways two bits that say which; 3 bits an edge, its group and
 *             FOUR_ON_ODD
 *     far     four sets in 16 bits each, as of two; the first edge | flags >> 1, the second edge
 *     far4    four edges; then as of four
 *     wide    an enum wide, and a set, groups' first word, or a head
 *     groups  groups | log2 of the cell << 8 | places << 16, a word for each group, places sets,
 *             each group's edges
 *     group   kind | edges << 2; a round group's edges begin with a shape of its radius
 *
 * One, two and four hold their edges: low and high end, each longitude and latitude in 16 bits, in
 * steps from the middle of the coarse cell. Leaves of edges that do not fit are far or far4.
 * Elsewhere an edge is the number of its first point; it leads to the point after it. The edges of a
 * group of polygons are even in number, if need be by NO_EDGE, which nothing crosses. Shapes with the same
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

enum { ENTRY_SLOT = 1 << 15, ENTRY_KIND_BITS = 12, ENTRY_UNITS = 1 << ENTRY_KIND_BITS };
enum { UNIT_WORDS = 4 };
enum slot_kind { SLOT_ONE, SLOT_TWO, SLOT_FOUR, SLOT_FAR, SLOT_FAR4, SLOT_WIDE };
enum wide { WIDE_SET = 0, WIDE_GROUPS = 1, WIDE_BLOCK = 2 };

/* What it means to lie on an edge of the group: as crossing an even number of its edges, an odd
 * number, or a state of its own, where some of its shapes are on this side and some on that. */
enum { GROUP_ON_EVEN = 0, GROUP_ON_ODD = 1, GROUP_ON_OWN = 2, GROUP_ROUND = 3 };

enum { TILE_BITS = 2, TILE_SIDE = 1 << TILE_BITS, TILE_CELLS = TILE_SIDE * TILE_SIDE };

enum { RING_PAD = 3, NO_EDGE = 0, FIRST_POINT = 8 };

/* What lying on an edge of a leaf means: as having crossed it. LEAF_ONE: both edges are of one group,
 * and what it means for the first it means for both. */
#define LEAF_ON        (1u << 28)
#define LEAF_ON_SECOND (1u << 29)
#define LEAF_ONE       (1u << 30)
#define LEAF_SET_MASK  (LEAF_ON - 1)
enum { SHORT_SETS_MAX = 1 << 16 }; /* where sets have 16 bits: others are in groups */

/* What lying on an edge of the group means: as an odd number of crossings, not an even one. */
enum { FOUR_EDGE_BITS = 3, FOUR_GROUP_MASK = 3, FOUR_ON_ODD = 4 };
enum { FOUR_SETS = 0, FOUR_TABLE = 2, FOUR_EDGES = 3 }; /* words behind its edges */

/* Points are numbered in 27 bits: where a run of them or an edge of a leaf shares its word. */
#define POINT_BITS 27u
#define POINT_MASK ((1u << POINT_BITS) - 1)

/* ---- distances ---- */

/* Lists lead to edges. A coarse cell's list of the edges that touch it: a word that counts the runs,
 * then two words a run, by shape. The list of a near entry has, of each shape whose boundary lies
 * within GEO_NEAR_M of its cell, the edges that may be the nearest: a word that counts them, with
 * the metres within which there is no boundary << 27, then a word for up to RUN_EDGES_MAX edges that
 * follow one another, by shape.
 *
 *     touch   first point | edges - 1 << 27, shape | its flags
 *     near    first point | metres to those edges, or to the round shape, at least << 27
 *     lines   the first word of the list of what touches the coarse cell, then a block of entries of
 *             16 bits, row by row
 *     entry   how many pairs of words before the block its near list begins; 0: there is none
 *
 * Near entries are there where coarse cells are small enough. */
#define RUN_EDGES_MAX   4u
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
    uint32_t cell_bits;                    /* log2 of a coarse cell's side */
    struct geo_point cell_mask, cell_half; /* the steps within one, and half of them */
    uint32_t cell_count;
    uint32_t *tiles; /* first words of their pages, row by row, and one more, off the grid; 0: none,
                        for the store begins with a page of 0 */
    uint32_t tile_width, tile_count;
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
    uint32_t word, east, north; /* the word of its find head, that of its line head TILE_CELLS on */
};

/* The word of the find head of a cell on the grid. */
static inline uint32_t index_head_word(const struct geo_index *index, uint32_t column, uint32_t row)
{
    uint32_t tile = (row >> TILE_BITS) * index->tile_width + (column >> TILE_BITS);
    return index->tiles[tile] + (row % TILE_SIDE) * TILE_SIDE + column % TILE_SIDE;
}

static inline uint32_t index_lines_at(const struct geo_index *index, uint32_t column, uint32_t row)
{
    return index->words[index_head_word(index, column, row) + TILE_CELLS];
}

static inline struct index_spot index_spot_of(const struct geo_index *index, struct geo_point p)
{
    /* what lies west or south of the grid wraps to a large number */
    uint32_t east = (uint32_t)p.lon_e7 - (uint32_t)index->lon;
    uint32_t north = (uint32_t)p.lat_e7 - (uint32_t)index->lat;
    uint32_t column = east >> index->cell_bits, row = north >> index->cell_bits;
    uint32_t mask = (uint32_t)index->cell_mask.lat_e7;
    bool on_grid = (column < index->width) & (row < index->height);
    uint32_t tile = (row >> TILE_BITS) * index->tile_width + (column >> TILE_BITS);
    uint32_t place = (row % TILE_SIDE) * TILE_SIDE + column % TILE_SIDE;
    return (struct index_spot){index->tiles[on_grid ? tile : index->tile_count] + place,
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

/* The words that a block's entries take, whole units. */
static inline uint32_t index_entry_words(uint32_t side)
{
    uint32_t words = (1u << (2 * side)) / 2;
    return words < UNIT_WORDS ? UNIT_WORDS : words;
}

static inline const uint32_t *index_slot(const uint32_t *words, uint32_t head, uint32_t entry)
{
    return words + (head >> 3) - (size_t)(entry & (ENTRY_UNITS - 1)) * UNIT_WORDS;
}

static inline enum slot_kind index_kind(uint32_t entry)
{
    return (enum slot_kind)(entry >> ENTRY_KIND_BITS & 7);
}

static inline uint32_t index_slot_words(enum slot_kind kind)
{
    return UNIT_WORDS * (kind == SLOT_FOUR ? 3 : kind == SLOT_TWO || kind == SLOT_FAR4 ? 2 : 1);
}

/* The words that near entries take. */
static inline uint32_t index_near_entry_words(uint32_t side)
{
    return ((1u << (2 * side)) + 1) / 2;
}

static inline const uint16_t *index_near_entries(const uint32_t *words, uint32_t head)
{
    return (const uint16_t *)(const void *)(words + (head >> 3) + 1);
}

/* The first word of an entry's near list, its block beginning at that word; 0, where a list of none
 * lies: none. Without a branch, which would be hard to foresee. */
static inline uint32_t index_near_list(uint32_t block, uint32_t entry)
{
    return (block - 2 * entry) & (0 - (uint32_t)(entry != 0));
}

static inline uint32_t index_near_runs(uint32_t list_word)
{
    return list_word & POINT_MASK;
}

static inline uint32_t index_near_metres(uint32_t list_word)
{
    return list_word >> POINT_BITS;
}

/* The state of an edge of polygons, lower end and upper end, for a point in a cell whose western edge
 * is `lon`: 1 where it is crossed on the way from there. An edge that comes in over the western edge
 * counts as if it went on beyond it, which the state of the cell makes good (geo/README.md). */
static inline uint32_t index_crossed(struct geo_point low, struct geo_point high,
                                     struct geo_point p, int32_t lon, int64_t *ret_side)
{
    *ret_side = geo_side(p, low, high);
    uint32_t above = (uint32_t)(p.lat_e7 >= low.lat_e7) | (uint32_t)(low.lon_e7 < lon);
    uint32_t below = (uint32_t)(p.lat_e7 < high.lat_e7) | (uint32_t)(high.lon_e7 < lon);
    return above & below & (uint32_t)(*ret_side < 0);
}

static inline uint32_t index_edge_crossed(const struct geo_point *edge, struct geo_point p,
                                          int32_t lon, int64_t *ret_side)
{
    struct geo_point a = edge[0], b = edge[1];
    bool swap = (a.lat_e7 > b.lat_e7) | ((a.lat_e7 == b.lat_e7) & (a.lon_e7 > b.lon_e7));
    return index_crossed(swap ? b : a, swap ? a : b, p, lon, ret_side);
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

/* An edge that a slot holds. */
struct slot_edge {
    int16_t low_lon, low_lat, high_lon, high_lat;
};

/* In place of one that a leaf has fewer: nothing crosses it or lies on it. */
static const struct slot_edge slot_edge_none = {INT16_MAX - 1, INT16_MAX, INT16_MAX, INT16_MAX};

/* Where a leaf of four has its edges, and its set by those crossed. */
static const uint32_t index_four_places[4] = {0, 2, 1, 3};
static inline uint32_t index_short_set(const uint32_t *sets, uint32_t number)
{
    return sets[number >> 1] >> (16 * (number & 1)) & (SHORT_SETS_MAX - 1);
}

/* `four`: what stands behind its edges. */
static inline uint32_t index_four_set(const uint32_t *four, uint32_t crossed)
{
    return index_short_set(four + FOUR_SETS, four[FOUR_TABLE] >> (2 * crossed) & 3);
}

/* The point in steps from the middle of the coarse cell. */
static inline struct geo_point index_here(const struct geo_index *index, struct index_spot spot)
{
    uint32_t half = 1u << (index->cell_bits - 1);
    return (struct geo_point){(int32_t)(spot.north - half), (int32_t)(spot.east - half)};
}

/* The western edge of the cell of 2^bits steps, from there. */
static inline int32_t index_west(const struct geo_index *index, struct index_spot spot,
                                 uint32_t bits)
{
    return (int32_t)((spot.east & ~((1u << bits) - 1)) - (1u << (index->cell_bits - 1)));
}

/* The set of an entry that has a slot; the block is of a cell of 2^bits steps. */
uint32_t index_slot_set(const struct geo_index *index, struct geo_point p, struct index_spot spot,
                        uint32_t head, uint32_t entry, uint32_t bits);

/* The number of the set of shapes that cover the point. */
uint32_t index_find_set(const struct geo_index *index, struct geo_point p);
uint32_t index_find_avx2(const struct geo_index *index, struct geo_point p, uint32_t *ret);
/* Points that are looked up at a time, if the processor has AVX2 with its instructions. */
#define INDEX_BATCH 256u
bool index_has_avx2(void);
void index_find_some_avx2(const struct geo_index *index, const struct geo_point *points,
                          uint32_t count, uint32_t *ret_sets);
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
