/* Building: the globe is halved in both directions again and again, each square taking along the
 * edges that touch it, until what is left in one is small. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

enum {
    CELL_BITS_MIN = 16, /* 700 m: a coarse cell holds a school or two */
    COARSE_CELLS_MAX = 1 << 18,
    LEAF_EDGES = 6, /* cells with more edges or places are cut again... */
    LEAF_PLACES = 32,
    SMALL_CELL_BITS = 10, /* ...but for edges not below 11 m... */
    LEAF_EDGES_MAX = 48,
    STUCK_LEVELS = 6,   /* ...nor where it did not help so often: edges that run together */
    TINY_CELL_BITS = 6, /* 70 cm: only what a leaf cannot hold is cut again */
    LEAF_PLACES_MAX = 1024,
    LEAF_GROUPS_MAX = 10, /* 2^10 places */
    SIDE_BITS_MAX = 5,
};
#define WORDS_MAX (GEO_INDEX_BYTES_MAX / sizeof(uint32_t))

/* Where entries go: a grid of words, width x height of them in use, rows of `stride`. */
struct grid {
    size_t first;
    uint32_t stride, width, height;
};

/* ---- memory ---- */

bool build_grow(struct build_u32s *list, size_t count)
{
    size_t wanted = list->count + count;
    if (wanted <= list->capacity) {
        return true;
    }
    size_t capacity = wanted + wanted / 2 + 64;
    uint32_t *items = realloc(list->items, capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    list->items = items;
    list->capacity = capacity;
    return true;
}

static enum status grow_words(struct build *build, size_t count)
{
    if (count > WORDS_MAX - build->words.count) {
        return status_detail_set(build->detail, STATUS_TOO_LARGE,
                                 "the index needs more than %zu MiB: too many different edges run "
                                 "together at %.5f, %.5f (longitude, latitude)",
                                 GEO_INDEX_BYTES_MAX >> 20, (double)build->at.lon * 1e-7,
                                 (double)build->at.lat * 1e-7);
    }
    return build_grow(&build->words, count) ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool key_less(const struct build_key *a, const struct build_key *b)
{
    return a->high < b->high || (a->high == b->high && a->low < b->low);
}

static void sift(struct build_key *keys, size_t at, size_t count)
{
    struct build_key key = keys[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && key_less(&keys[child], &keys[child + 1])) {
            child++;
        }
        if (!key_less(&key, &keys[child])) {
            break;
        }
        keys[at] = keys[child];
    }
    keys[at] = key;
}

void build_sort(struct build_key *keys, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) {
        sift(keys, i, count);
    }
    while (count > 1) {
        count--;
        struct build_key key = keys[0];
        keys[0] = keys[count];
        keys[count] = key;
        sift(keys, 0, count);
    }
}

/* ---- sets ---- */

static uint32_t hash_of(const uint32_t *items, uint32_t count)
{
    uint64_t hash = 0xcbf29ce484222325u ^ count;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ items[i]) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

/* The slot of the set of these items in the table, or the free slot for it. */
static uint32_t *slot_of(const struct build *build, const uint32_t *items, uint32_t count)
{
    uint32_t mask = (uint32_t)build->set_table.count - 1;
    for (uint32_t at = hash_of(items, count) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &build->set_table.items[at];
        if (*slot == 0) {
            return slot;
        }
        ASSERT(build->set_starts.items != NULL);
        const uint32_t *starts = build->set_starts.items + *slot - 1;
        if (starts[1] - starts[0] == count &&
            (count == 0 ||
             memcmp(build->set_items.items + starts[0], items, count * sizeof *items) == 0)) {
            return slot;
        }
    }
}

static enum status widen_table(struct build *build)
{
    struct build_u32s old = build->set_table, wide = {0};
    size_t count = old.count == 0 ? 1024 : old.count * 2;
    if (!build_grow(&wide, count)) {
        return STATUS_NO_MEMORY;
    }
    memset(wide.items, 0, count * sizeof *wide.items);
    wide.count = count;
    build->set_table = wide;
    for (uint32_t set = 0; set + 1 < build->set_starts.count; set++) {
        ASSERT(build->set_starts.items != NULL);
        const uint32_t *starts = build->set_starts.items + set;
        *slot_of(build, build->set_items.items + starts[0], starts[1] - starts[0]) = set + 1;
    }
    free(old.items);
    return STATUS_OK;
}

/* The number of the set of these shapes, ascending. */
static enum status intern(struct build *build, const uint32_t *items, uint32_t count, uint32_t *ret)
{
    if (build->set_starts.count * 2 >= build->set_table.count) {
        enum status status = widen_table(build);
        if (status != STATUS_OK) {
            return status;
        }
    }
    uint32_t *slot = slot_of(build, items, count);
    if (*slot == 0) {
        if (!build_grow(&build->set_starts, 2) || !build_grow(&build->set_items, count)) {
            return STATUS_NO_MEMORY;
        }
        if (build->set_starts.count == 0) {
            build->set_starts.items[build->set_starts.count++] = 0;
        }
        if (count > 0) {
            memcpy(build->set_items.items + build->set_items.count, items, count * sizeof *items);
        }
        build->set_items.count += count;
        build->set_starts.items[build->set_starts.count++] = (uint32_t)build->set_items.count;
        *slot = (uint32_t)build->set_starts.count - 1;
    }
    *ret = *slot - 1;
    return STATUS_OK;
}

struct found {
    uint32_t items[GEO_FOUND_MAX];
    uint32_t count;
};

static void insert(struct found *found, uint32_t shape)
{
    ASSERT(found->count < GEO_FOUND_MAX);
    uint32_t at = found->count++;
    for (; at > 0 && found->items[at - 1] > shape; at--) {
        found->items[at] = found->items[at - 1];
    }
    found->items[at] = shape;
}

static void find_inside(const struct build *build, struct build_part part, struct found *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < part.inside; i++) {
        insert(ret, build->inside.items[i]);
    }
}

/* ---- leaves ---- */

struct group {
    size_t run; /* the first of its runs; the others are marked by their group's number */
    uint32_t kind, states;
};

struct leaf {
    struct group groups[LEAF_GROUPS_MAX];
    uint32_t group_count, places;
    size_t edge_words;
    uint8_t group_of[GEO_FOUND_MAX]; /* by run */
};

static bool same_edges(const struct build *build, const struct build_run *a,
                       const struct build_run *b)
{
    const struct geo_shape *shape_a = &build->shapes[a->shape], *shape_b = &build->shapes[b->shape];
    if (a->count != b->count || (shape_a->kind == GEO_POLYGON) != (shape_b->kind == GEO_POLYGON) ||
        (shape_a->kind != GEO_POLYGON && shape_a->radius_m != shape_b->radius_m)) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct build_edge *edge_a = &build->edges[build->refs.items[a->first + i]];
        const struct build_edge *edge_b = &build->edges[build->refs.items[b->first + i]];
        if (memcmp(edge_a, edge_b, offsetof(struct build_edge, turns)) != 0) {
            return false;
        }
    }
    return true;
}

static uint32_t first_kind(const struct build *build, const struct build_run *run)
{
    if (build->shapes[run->shape].kind != GEO_POLYGON) {
        return GROUP_ROUND;
    }
    return run->base ? GROUP_ON_EVEN : GROUP_ON_ODD; /* whichever is inside */
}

static uint32_t even(uint32_t count)
{
    return (count + 1) & ~1u;
}

/* Groups the part's runs; false: they need more places than a leaf has. */
static bool plan_leaf(const struct build *build, struct build_part part, struct leaf *ret)
{
    *ret = (struct leaf){.places = 1};
    if (part.end - part.first + part.inside > GEO_FOUND_MAX) {
        return false;
    }
    for (size_t i = part.first; i < part.end; i++) {
        const struct build_run *run = &build->runs[i];
        uint32_t g = 0, kind = first_kind(build, run);
        while (g < ret->group_count && !same_edges(build, &build->runs[ret->groups[g].run], run)) {
            g++;
        }
        struct group *group = &ret->groups[g];
        if (g == ret->group_count) {
            ret->places *= 2;
            ret->edge_words += kind == GROUP_ROUND ? 1 + run->count * (size_t)EDGE_WORDS
                                                   : even(run->count) * (size_t)EDGE_WORDS;
            if (ret->places > LEAF_PLACES_MAX) {
                return false;
            }
            *group = (struct group){i, kind, 2};
            ret->group_count++;
        } else if (kind != group->kind && group->kind != GROUP_ON_OWN) {
            group->kind = GROUP_ON_OWN;
            group->states = 3;
            ret->places = ret->places / 2 * 3;
        }
        ret->group_of[i - part.first] = (uint8_t)g;
    }
    return ret->places <= LEAF_PLACES_MAX;
}

static bool is_inside(const struct build_run *run, uint32_t kind, uint32_t state)
{
    return state == 2 || (kind == GROUP_ROUND ? state == 1 : state != run->base);
}

/* The set of one place, its number telling the states of the groups. */
static enum status intern_place(struct build *build, struct build_part part,
                                const struct leaf *leaf, uint32_t place, uint32_t *ret)
{
    uint32_t states[LEAF_GROUPS_MAX];
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        states[g] = place % leaf->groups[g].states;
        place /= leaf->groups[g].states;
    }
    struct found found;
    find_inside(build, part, &found);
    for (size_t i = part.first; i < part.end; i++) {
        uint32_t g = leaf->group_of[i - part.first];
        if (is_inside(&build->runs[i], leaf->groups[g].kind, states[g])) {
            insert(&found, build->runs[i].shape);
        }
    }
    return intern(build, found.items, found.count, ret);
}

/* Above every point, and east of every cell: never crossed, and never touched. */
static const struct build_edge no_edge = {
    {INT32_MAX - 1, INT32_MAX - 1}, {INT32_MAX - 1, INT32_MAX}, 0};

static enum status write_leaf(struct build *build, struct build_part part, const struct leaf *leaf,
                              uint32_t *ret_entry)
{
    enum status status = grow_words(build, 1 + leaf->group_count + leaf->places + leaf->edge_words);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_entry = (uint32_t)build->words.count << 2 | ENTRY_LEAF;
    uint32_t *at = build->words.items + build->words.count;
    *at++ = leaf->group_count | leaf->places << 8;
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        uint32_t count = build->runs[leaf->groups[g].run].count, kind = leaf->groups[g].kind;
        *at++ = kind | (kind == GROUP_ROUND ? count : even(count)) << 2;
    }
    for (uint32_t place = 0; place < leaf->places && status == STATUS_OK; place++) {
        status = intern_place(build, part, leaf, place, at++);
    }
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        const struct build_run *run = &build->runs[leaf->groups[g].run];
        if (leaf->groups[g].kind == GROUP_ROUND) {
            *at++ = run->shape;
        }
        for (uint32_t i = 0; i < run->count; i++) {
            const struct build_edge *edge = &build->edges[build->refs.items[run->first + i]];
            memcpy(at, edge, EDGE_WORDS * sizeof *at);
            at += EDGE_WORDS;
        }
        if (leaf->groups[g].kind != GROUP_ROUND && run->count % 2 == 1) {
            memcpy(at, &no_edge, EDGE_WORDS * sizeof *at);
            at += EDGE_WORDS;
        }
    }
    build->words.count = (size_t)(at - build->words.items);
    return status;
}

/* ---- cells ---- */

static enum status write_set(struct build *build, struct build_part part, struct build_cell cell,
                             uint32_t *ret_entry)
{
    struct found found;
    find_inside(build, part, &found);
    for (size_t i = part.first; i < part.end; i++) { /* only in a cell of one point */
        if (!build_point_is_inside(build, &build->runs[i], cell)) {
            continue;
        }
        if (found.count == GEO_FOUND_MAX) {
            return build_too_many(build, cell);
        }
        insert(&found, build->runs[i].shape);
    }
    uint32_t set;
    enum status status = intern(build, found.items, found.count, &set);
    if (status == STATUS_OK) {
        *ret_entry = set << 2 | ENTRY_SET;
    }
    return status;
}

static size_t edges_in(const struct build *build, struct build_part part)
{
    size_t count = 0;
    for (size_t i = part.first; i < part.end; i++) {
        count += build->runs[i].count;
    }
    return count;
}

static bool leaf_will_do(const struct leaf *leaf, struct build_part part, struct build_cell cell)
{
    size_t edges = leaf->edge_words / EDGE_WORDS;
    if (cell.bits <= TINY_CELL_BITS || (part.stuck >= STUCK_LEVELS && edges <= LEAF_EDGES_MAX)) {
        return true;
    }
    return leaf->places <= LEAF_PLACES &&
           (edges <= LEAF_EDGES || (cell.bits <= SMALL_CELL_BITS && edges <= LEAF_EDGES_MAX));
}

static enum status divide(struct build *build, struct build_part part, struct build_cell cell,
                          const struct grid *grid, uint32_t column, uint32_t row, uint32_t levels);

static enum status write_block(struct build *build, struct build_part part, struct build_cell cell,
                               uint32_t *ret_entry)
{
    size_t edges = edges_in(build, part);
    uint32_t side_bits = edges <= 24 ? 2 : edges <= 96 ? 3 : edges <= 384 ? 4 : SIDE_BITS_MAX;
    side_bits = side_bits < cell.bits ? side_bits : cell.bits;
    size_t entries = (size_t)1 << (2 * side_bits);
    enum status status = grow_words(build, entries + 8);
    if (status != STATUS_OK) {
        return status;
    }
    while (build->words.count % 8 != 0) {
        build->words.items[build->words.count++] = 0;
    }
    struct grid grid = {build->words.count, 1u << side_bits, 1u << side_bits, 1u << side_bits};
    build->words.count += entries;
    *ret_entry = (uint32_t)(grid.first / 8) << 5 | side_bits << 2 | ENTRY_BLOCK;
    return divide(build, part, cell, &grid, 0, 0, side_bits);
}

static enum status write_entry(struct build *build, struct build_part part, struct build_cell cell,
                               uint32_t *ret_entry)
{
    if (part.first == part.end || cell.bits == 0) {
        return write_set(build, part, cell, ret_entry);
    }
    build->at = cell;
    struct leaf leaf;
    if (plan_leaf(build, part, &leaf) && leaf_will_do(&leaf, part, cell)) {
        return write_leaf(build, part, &leaf, ret_entry);
    }
    return write_block(build, part, cell, ret_entry);
}

static void fill_grid(struct build *build, const struct grid *grid, uint32_t column, uint32_t row,
                      uint32_t side, uint32_t entry)
{
    for (uint32_t y = row; y < row + side && y < grid->height; y++) {
        for (uint32_t x = column; x < column + side && x < grid->width; x++) {
            build->words.items[grid->first + (size_t)y * grid->stride + x] = entry;
        }
    }
}

/* Writes the entries of a cell that spans 2^levels by 2^levels places of the grid. */
static enum status divide(struct build *build, struct build_part part, struct build_cell cell,
                          const struct grid *grid, uint32_t column, uint32_t row, uint32_t levels)
{
    if (levels == 0 || part.first == part.end) {
        uint32_t entry = 0;
        enum status status = write_entry(build, part, cell, &entry);
        if (status == STATUS_OK) {
            fill_grid(build, grid, column, row, 1u << levels, entry);
        }
        return status;
    }
    uint32_t half = 1u << (levels - 1);
    int64_t half_size = (int64_t)1 << (cell.bits - 1);
    size_t refs = build->refs.count, inside = build->inside.count;
    for (uint32_t quarter = 0; quarter < 4; quarter++) {
        uint32_t east = quarter & 1, north = quarter >> 1;
        if (column + east * half >= grid->width || row + north * half >= grid->height) {
            continue;
        }
        struct build_cell child = {cell.lon + east * half_size, cell.lat + north * half_size,
                                   cell.bits - 1};
        struct build_part narrowed;
        enum status status = build_narrow(build, part, cell, child, &narrowed);
        if (status == STATUS_OK) {
            bool same = edges_in(build, narrowed) == edges_in(build, part);
            narrowed.stuck = same ? part.stuck + 1 : 0;
            status = divide(build, narrowed, child, grid, column + east * half, row + north * half,
                            levels - 1);
        }
        if (status != STATUS_OK) {
            return status;
        }
        build->run_count = part.end;
        build->refs.count = refs;
        build->inside.count = inside;
    }
    return STATUS_OK;
}

/* ---- the whole ---- */

static bool point_is_on_globe(struct geo_point p)
{
    return p.lat_e7 >= -GEO_LAT_E7_MAX && p.lat_e7 <= GEO_LAT_E7_MAX &&
           p.lon_e7 >= -GEO_LON_E7_MAX && p.lon_e7 <= GEO_LON_E7_MAX;
}

static const char *fault_of(const struct geo_shape *shape)
{
    if (shape->point_count == 0 || shape->point_count > GEO_SHAPE_POINTS_MAX) {
        return "no points, or too many";
    }
    for (uint32_t i = 0; i < shape->point_count; i++) {
        if (!point_is_on_globe(shape->points[i])) {
            return "a point is off the globe";
        }
    }
    if (shape->kind == GEO_POLYGON) {
        uint32_t end = 0;
        for (uint32_t r = 0; r < shape->ring_count; r++) {
            if (shape->ring_ends[r] < end) {
                return "rings that end before they begin";
            }
            end = shape->ring_ends[r];
        }
        return end == shape->point_count ? NULL : "rings that do not end where the points do";
    }
    if (shape->kind != GEO_CIRCLE && shape->kind != GEO_CORRIDOR) {
        return "neither polygon, circle nor corridor";
    }
    if (shape->kind == GEO_CIRCLE && shape->point_count != 1) {
        return "a circle has one point";
    }
    for (uint32_t i = 1; i < shape->point_count; i++) {
        int64_t span = (int64_t)shape->points[i].lon_e7 - shape->points[i - 1].lon_e7;
        if (span > GEO_LON_E7_MAX / 2 || span < -GEO_LON_E7_MAX / 2) {
            return "a step over a quarter of the globe";
        }
    }
    return shape->radius_m > 0 && shape->radius_m <= GEO_RADIUS_M_MAX ? NULL
                                                                      : "a radius out of range";
}

static enum status check_shapes(struct build *build)
{
    size_t edges = 0;
    for (uint32_t i = 0; i < build->shape_count; i++) {
        const char *fault = fault_of(&build->shapes[i]);
        if (fault != NULL) {
            return status_detail_set(build->detail, STATUS_INVALID, "shape %u: %s", i, fault);
        }
        edges += build->shapes[i].point_count * (size_t)3; /* round ones may be seen thrice */
    }
    if (edges > UINT32_MAX / 64) { /* a stack of them, a level each, is counted in 32 bits */
        return status_detail_set(build->detail, STATUS_TOO_LARGE, "more than %u points in all",
                                 UINT32_MAX / 192);
    }
    build->edges = malloc((edges + 1) * sizeof *build->edges);
    return build->edges != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static void add_edge(struct build *build, struct geo_point a, struct geo_point b)
{
    bool swap = a.lat_e7 > b.lat_e7 || (a.lat_e7 == b.lat_e7 && a.lon_e7 > b.lon_e7);
    build->edges[build->edge_count++] =
        swap ? (struct build_edge){b, a, 0} : (struct build_edge){a, b, 0};
}

static uint64_t key_of(struct geo_point p)
{
    return (uint64_t)((uint32_t)p.lat_e7 ^ 0x80000000u) << 32 | ((uint32_t)p.lon_e7 ^ 0x80000000u);
}

static struct geo_point point_of(uint64_t key)
{
    return (struct geo_point){(int32_t)((uint32_t)(key >> 32) ^ 0x80000000u),
                              (int32_t)((uint32_t)key ^ 0x80000000u)};
}

/* In one order whatever the direction in which a ring was drawn, so that neighbours' edges compare.
 */
static enum status sort_edges(struct build *build, size_t first)
{
    size_t count = build->edge_count - first;
    struct build_key *keys = malloc((count + 1) * sizeof *keys);
    if (keys == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const struct build_edge *edge = &build->edges[first + i];
        keys[i] = (struct build_key){key_of(edge->a), key_of(edge->b)};
    }
    build_sort(keys, count);
    for (size_t i = 0; i < count; i++) {
        build->edges[first + i] =
            (struct build_edge){point_of(keys[i].high), point_of(keys[i].low), 0};
    }
    free(keys);
    return STATUS_OK;
}

static enum status add_polygon(struct build *build, const struct geo_shape *shape)
{
    size_t first = build->edge_count;
    uint32_t start = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        uint32_t end = shape->ring_ends[r];
        for (uint32_t i = start; i < end; i++) {
            add_edge(build, shape->points[i], shape->points[i + 1 < end ? i + 1 : start]);
        }
        start = end;
    }
    return sort_edges(build, first);
}

static void add_line(struct build *build, const struct geo_shape *shape)
{
    for (uint32_t i = shape->point_count > 1; i < shape->point_count; i++) {
        struct geo_point a = shape->points[shape->point_count > 1 ? i - 1 : 0];
        for (int32_t turns = -1; turns <= 1; turns++) {
            build->edges[build->edge_count++] = (struct build_edge){a, shape->points[i], turns};
        }
    }
}

static enum status add_shapes(struct build *build)
{
    enum status status = STATUS_OK;
    ASSERT(build->edges != NULL);
    for (uint32_t i = 0; i < build->shape_count && status == STATUS_OK; i++) {
        uint32_t first = (uint32_t)build->edge_count;
        if (build->shapes[i].kind == GEO_POLYGON) {
            status = add_polygon(build, &build->shapes[i]);
        } else {
            add_line(build, &build->shapes[i]);
        }
        uint32_t count = (uint32_t)build->edge_count - first;
        if (status != STATUS_OK) {
            return status;
        }
        if (!build_grow(&build->refs, count)) {
            return STATUS_NO_MEMORY;
        }
        for (uint32_t e = 0; e < count; e++) {
            build->refs.items[build->refs.count++] = first + e;
        }
        if (count > 0) {
            status = build_push_run(build, (struct build_run){i, first, count, 0});
        }
    }
    return status;
}

struct extent {
    int64_t south, west, north, east;
};

static struct extent extent_of(const struct build *build)
{
    struct extent all = {GEO_LAT_E7_MAX, GEO_LON_E7_MAX, -GEO_LAT_E7_MAX, -GEO_LON_E7_MAX};
    for (uint32_t i = 0; i < build->shape_count; i++) {
        struct geo_shape shape = build->shapes[i];
        geo_shape_set_bounds(&shape);
        if (shape.low.lon_e7 < -GEO_LON_E7_MAX || shape.high.lon_e7 > GEO_LON_E7_MAX) {
            shape.low.lon_e7 = -GEO_LON_E7_MAX; /* it goes on at the other side */
            shape.high.lon_e7 = GEO_LON_E7_MAX;
        }
        all.south = shape.low.lat_e7 < all.south ? shape.low.lat_e7 : all.south;
        all.west = shape.low.lon_e7 < all.west ? shape.low.lon_e7 : all.west;
        all.north = shape.high.lat_e7 > all.north ? shape.high.lat_e7 : all.north;
        all.east = shape.high.lon_e7 > all.east ? shape.high.lon_e7 : all.east;
    }
    return all;
}

static enum status build_grid(struct build *build, struct geo_index *index)
{
    struct extent all = extent_of(build);
    uint32_t bits = CELL_BITS_MIN, levels = 0;
    while ((((all.east - all.west) >> bits) + 1) * (((all.north - all.south) >> bits) + 1) >
           COARSE_CELLS_MAX) {
        bits++;
    }
    index->lat = (int32_t)all.south;
    index->lon = (int32_t)all.west;
    index->cell_bits = bits;
    index->width = (uint32_t)(((all.east - all.west) >> bits) + 1);
    index->height = (uint32_t)(((all.north - all.south) >> bits) + 1);
    while (1u << levels < index->width || 1u << levels < index->height) {
        levels++;
    }
    size_t cells = (size_t)index->width * index->height;
    enum status status = grow_words(build, cells);
    if (status != STATUS_OK) {
        return status;
    }
    build->words.count = cells;
    struct grid grid = {0, index->width, index->width, index->height};
    struct build_cell globe = {all.west, all.south, bits + levels};
    struct build_part part = {0, build->run_count, 0, 0};
    return divide(build, part, globe, &grid, 0, 0, levels);
}

/* Hands a list over, without the room that it did not need. */
static uint32_t *take(struct build_u32s *list)
{
    uint32_t *exact = realloc(list->items, (list->count + 1) * sizeof *exact);
    if (exact == NULL) {
        exact = list->items;
    }
    *list = (struct build_u32s){0};
    return exact;
}

static enum status build_all(struct build *build, struct geo_index *index)
{
    uint32_t empty;
    enum status status = check_shapes(build);
    if (status == STATUS_OK) {
        status = intern(build, NULL, 0, &empty); /* set 0 */
    }
    if (status == STATUS_OK) {
        status = add_shapes(build);
    }
    if (status == STATUS_OK && build->shape_count > 0) {
        status = build_grid(build, index);
    }
    if (status == STATUS_OK) {
        status = index_build_lines(index, build->shapes, build->shape_count);
    }
    if (status == STATUS_OK) {
        index->word_count = build->words.count;
        index->words = take(&build->words);
        index->set_count = (uint32_t)build->set_starts.count - 1;
        index->set_starts = take(&build->set_starts);
        index->set_items = take(&build->set_items);
    }
    return status;
}

enum status geo_index_new(const struct geo_shape *shapes, uint32_t shape_count,
                          struct geo_index **ret, struct status_detail *detail)
{
    struct build build = {.shapes = shapes, .shape_count = shape_count, .detail = detail};
    struct geo_index *index = malloc(sizeof *index);
    enum status status = STATUS_NO_MEMORY;
    if (index != NULL) {
        memset(index, 0, sizeof *index);
        status = build_all(&build, index);
    }
    if (status == STATUS_NO_MEMORY) {
        (void)status_detail_set(detail, status, "no memory for the index of %u fences",
                                shape_count);
    }
    free(build.edges);
    free(build.runs);
    free(build.refs.items);
    free(build.inside.items);
    free(build.words.items);
    free(build.set_starts.items);
    free(build.set_items.items);
    free(build.set_table.items);
    if (status == STATUS_OK) {
        *ret = index;
    } else {
        geo_index_free(index);
    }
    return status;
}
