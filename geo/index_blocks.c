/* What lookups read: the globe is halved in both directions again and again, each square taking
 * along the edges that touch it, until what is left in one is small. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

enum {
    SAME_UNITS = 96,         /* so far back an equal slot is looked for */
    SLOT_CELL_BITS_MAX = 15, /* slots of larger coarse cells hold no edges */
    LEAF_EDGES = 4,          /* cells with more edges or places are cut again... */
    LEAF_PLACES = 32,
    SMALL_CELL_BITS = 11, /* ...but for edges not below 20 m... */
    LEAF_EDGES_MAX = 48,
    STUCK_LEVELS = 6,   /* ...nor where it did not help so often: edges that run together */
    TINY_CELL_BITS = 6, /* 70 cm: only what a leaf cannot hold is cut again */
    LEAF_PLACES_MAX = 1024,
    LEAF_GROUPS_MAX = 10, /* 2^10 places */
    SAME_EDGES_MAX = 256, /* more are not compared */
    SIDE_BITS_MAX = 5,
};

/* Where entries go: `heads` of coarse cells, or the entries of a block on the stack; rows of
 * `stride`, from the window's corner on. */
struct grid {
    uint32_t *heads;
    size_t entries, slots; /* the block's first ones on their stacks */
    uint32_t stride;
    struct build_window window;
};

static enum status grow_words(struct build *build, size_t count)
{
    enum status status = index_store_grow_words(build->store, count);
    if (status == STATUS_TOO_LARGE) {
        return status_detail_set(build->detail, status,
                                 "the index needs more than %zu MiB: too many different edges run "
                                 "together at %.5f, %.5f (longitude, latitude)",
                                 GEO_INDEX_BYTES_MAX >> 20, (double)build->at.lon * 1e-7,
                                 (double)build->at.lat * 1e-7);
    }
    return status;
}

/* ---- sets ---- */

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
    size_t edges;
    uint8_t group_of[GEO_FOUND_MAX]; /* by run */
};

static uint32_t times_of(const struct build *build, const struct build_run *run,
                         const struct build_edge *edge)
{
    uint32_t times = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct build_edge *other = &build->edges[build->refs.items[run->first + i]];
        times += memcmp(edge, other, offsetof(struct build_edge, turns)) == 0;
    }
    return times;
}

/* In whatever order; an invalid polygon may have an edge twice. */
static bool same_edges(const struct build *build, const struct build_run *a,
                       const struct build_run *b)
{
    const struct index_shape *shape_a = &build->index->shapes[a->shape];
    const struct index_shape *shape_b = &build->index->shapes[b->shape];
    if (a->count != b->count || a->count > SAME_EDGES_MAX ||
        (shape_a->kind == GEO_POLYGON) != (shape_b->kind == GEO_POLYGON) ||
        shape_a->radius_m != shape_b->radius_m) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct build_edge *edge = &build->edges[build->refs.items[a->first + i]];
        if (times_of(build, a, edge) != times_of(build, b, edge)) {
            return false;
        }
    }
    return true;
}

static uint32_t first_kind(const struct build *build, const struct build_run *run)
{
    if (build->index->shapes[run->shape].kind != GEO_POLYGON) {
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
        if (g == LEAF_GROUPS_MAX) {
            return false;
        }
        struct group *group = &ret->groups[g];
        if (g == ret->group_count) {
            ret->places *= 2;
            ret->edges += kind == GROUP_ROUND ? 1 + run->count : even(run->count);
            *group = (struct group){i, kind, 2};
            ret->group_count++;
        } else if (kind != group->kind && group->kind != GROUP_ON_OWN) {
            group->kind = GROUP_ON_OWN;
            group->states = 3;
            ret->places = ret->places / 2 * 3;
        }
        if (ret->places > LEAF_PLACES_MAX) {
            return false;
        }
        ret->group_of[i - part.first] = (uint8_t)g;
    }
    return true;
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
    return index_store_intern(build->store, found.items, found.count, ret);
}

static uint32_t point_of(const struct build *build, const struct build_run *run, uint32_t edge)
{
    return build->edges[build->refs.items[run->first + edge]].point;
}

/* Edges of polygons that need no state of their own for lying on them, in few groups: nearly all. */
static bool is_plain(const struct build *build, const struct leaf *leaf, uint32_t edges_max)
{
    uint32_t edges = 0;
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        uint32_t kind = leaf->groups[g].kind;
        edges += build->runs[leaf->groups[g].run].count;
        if (kind != GROUP_ON_EVEN && kind != GROUP_ON_ODD) {
            return false;
        }
    }
    return edges <= edges_max;
}

/* The sets of a plain leaf by the edges crossed. */
static enum status plain_sets(struct build *build, struct build_part part, const struct leaf *leaf,
                              uint32_t ret_sets[4])
{
    static const uint32_t place_of_one[4] = {0, 1, 1, 0};
    enum status status = STATUS_OK;
    for (uint32_t crossed = 0; crossed < 4 && status == STATUS_OK; crossed++) {
        uint32_t place = leaf->group_count == 1 ? place_of_one[crossed] : crossed;
        status = intern_place(build, part, leaf, place, &ret_sets[crossed]);
    }
    return status;
}

/* A slot of the block at hand; an equal one is kept once: most edges pass several cells alike. */
static enum status push_slot(struct build *build, const struct grid *grid, enum slot_kind kind,
                             const uint32_t *slot, uint32_t *ret_entry)
{
    struct build_u32s *slots = &build->slots, *kinds = &build->slot_kinds;
    uint32_t words = index_slot_words(kind), entry = ENTRY_SLOT | (uint32_t)kind << ENTRY_KIND_BITS;
    size_t first = grid->slots / UNIT_WORDS, count = slots->count / UNIT_WORDS;
    for (size_t at = count; at > first && at + SAME_UNITS > count; at--) {
        if (kinds->items[at - 1] == (uint32_t)kind &&
            memcmp(slots->items + (at - 1) * UNIT_WORDS, slot, words * sizeof *slot) == 0) {
            *ret_entry = entry | (uint32_t)(at - 1 - first);
            return STATUS_OK;
        }
    }
    ASSERT(count - first + words / UNIT_WORDS < ENTRY_UNITS);
    if (!build_grow(slots, words) || !build_grow(kinds, words / UNIT_WORDS)) {
        return STATUS_NO_MEMORY;
    }
    memcpy(slots->items + slots->count, slot, words * sizeof *slot);
    for (uint32_t i = 0; i < words / UNIT_WORDS; i++) { /* none begins within another */
        kinds->items[kinds->count++] = i == 0 ? (uint32_t)kind : UINT32_MAX;
    }
    slots->count += words;
    *ret_entry = entry | (uint32_t)(count - first);
    return STATUS_OK;
}

static enum status push_wide(struct build *build, const struct grid *grid, enum wide kind,
                             uint32_t value, uint32_t *ret_entry)
{
    const uint32_t slot[UNIT_WORDS] = {(uint32_t)kind, value};
    return push_slot(build, grid, SLOT_WIDE, slot, ret_entry);
}

static enum status push_set(struct build *build, const struct grid *grid, uint32_t set,
                            uint32_t *ret_entry)
{
    *ret_entry = set;
    return set < ENTRY_SLOT ? STATUS_OK : push_wide(build, grid, WIDE_SET, set, ret_entry);
}

static void write_group_edges(const struct build *build, const struct group *group, uint32_t **at)
{
    const struct build_run *run = &build->runs[group->run];
    if (group->kind == GROUP_ROUND) {
        *(*at)++ = run->shape;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        *(*at)++ = point_of(build, run, i);
    }
    if (group->kind != GROUP_ROUND && run->count % 2 == 1) {
        *(*at)++ = NO_EDGE;
    }
}

static enum status write_groups(struct build *build, struct build_part part,
                                const struct leaf *leaf, struct build_cell cell,
                                const struct grid *grid, uint32_t *ret_entry)
{
    struct index_store *store = build->store;
    enum status status = grow_words(build, 1 + leaf->group_count + leaf->places + leaf->edges);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t word = (uint32_t)store->word_count, *at = store->words + word;
    *at++ = leaf->group_count | cell.bits << 8 | leaf->places << 16;
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        uint32_t count = build->runs[leaf->groups[g].run].count, kind = leaf->groups[g].kind;
        *at++ = kind | (kind == GROUP_ROUND ? count : even(count)) << 2;
    }
    for (uint32_t place = 0; place < leaf->places && status == STATUS_OK; place++) {
        status = intern_place(build, part, leaf, place, at++);
    }
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        write_group_edges(build, &leaf->groups[g], &at);
    }
    store->word_count = (size_t)(at - store->words);
    return status == STATUS_OK ? push_wide(build, grid, WIDE_GROUPS, word, ret_entry) : status;
}

static const struct build_edge *edge_of(const struct build *build, const struct build_run *run,
                                        uint32_t edge)
{
    return &build->edges[build->refs.items[run->first + edge]];
}

/* The edges of a plain leaf, and the group of each; returns how many. */
static uint32_t leaf_edges(const struct build *build, const struct leaf *leaf,
                           const struct build_edge *ret_edges[4], uint32_t ret_groups[4])
{
    uint32_t count = 0;
    for (uint32_t g = 0; g < leaf->group_count; g++) {
        const struct build_run *run = &build->runs[leaf->groups[g].run];
        for (uint32_t i = 0; i < run->count; i++, count++) {
            ASSERT(count < 4);
            ret_edges[count] = edge_of(build, run, i);
            ret_groups[count] = g;
        }
    }
    return count;
}

/* Writes the edge as a slot holds it; false: it does not fit. */
static bool put_edge(const struct build *build, const struct build_edge *edge, uint32_t *ret)
{
    int64_t half = (int64_t)1 << (build->coarse.bits - 1);
    int64_t lon = build->coarse.lon + half, lat = build->coarse.lat + half;
    int64_t steps[4] = {edge->a.lon_e7 - lon, edge->a.lat_e7 - lat, edge->b.lon_e7 - lon,
                        edge->b.lat_e7 - lat};
    int16_t held[4];
    bool fits = build->coarse.bits <= SLOT_CELL_BITS_MAX;
    for (uint32_t i = 0; i < 4; i++) {
        fits = fits && steps[i] >= INT16_MIN && steps[i] <= INT16_MAX;
        held[i] = (int16_t)(fits ? steps[i] : 0);
    }
    memcpy(ret, held, sizeof held);
    return fits;
}

static bool put_edges(const struct build *build, const struct build_edge *const *edges,
                      uint32_t count, const uint32_t *places, uint32_t *ret)
{
    bool fits = true;
    for (uint32_t i = 0; i < count; i++) {
        fits = put_edge(build, edges[i], ret + 2 * (size_t)places[i]) && fits;
    }
    return fits;
}

static uint32_t leaf_flags(const struct leaf *leaf, uint32_t edges)
{
    uint32_t first = leaf->groups[0].kind == GROUP_ON_ODD ? LEAF_ON : 0;
    if (edges == 1) {
        return first;
    }
    if (leaf->group_count == 1) {
        return first | LEAF_ONE;
    }
    return first | (leaf->groups[1].kind == GROUP_ON_ODD ? LEAF_ON_SECOND : 0);
}

/* Differences to a point of the cell fit 32 bits. */
static bool are_within_reach(const struct build *build, const struct build_edge *const *edges,
                             uint32_t count)
{
    int64_t far = (int64_t)1 << 30;
    bool fits = true;
    for (uint32_t i = 0; i < count; i++) {
        fits = fits && llabs(edges[i]->a.lon_e7 - build->coarse.lon) < far &&
               llabs(edges[i]->b.lon_e7 - build->coarse.lon) < far;
    }
    return fits;
}

/* One edge or two, which stay in the store. */
static enum status push_far(struct build *build, const struct grid *grid, const uint32_t sets[4],
                            uint32_t flags, const struct build_edge *const *edges, uint32_t count,
                            uint32_t *ret_entry)
{
    const uint32_t slot[UNIT_WORDS] = {sets[0] | sets[1] << 16, sets[2] | sets[3] << 16,
                                       edges[0]->point | flags >> 1,
                                       count > 1 ? edges[1]->point : NO_EDGE};
    return push_slot(build, grid, SLOT_FAR, slot, ret_entry);
}

static enum status push_plain(struct build *build, struct build_part part, const struct leaf *leaf,
                              struct build_cell cell, const struct grid *grid, uint32_t *ret_entry)
{
    static const uint32_t places[2] = {0, 1};
    const struct build_edge *edges[4];
    uint32_t sets[4], groups[4], slot[2 * UNIT_WORDS] = {0};
    uint32_t count = leaf_edges(build, leaf, edges, groups), flags = leaf_flags(leaf, count);
    ASSERT(count == 1 || count == 2);
    enum status status = plain_sets(build, part, leaf, sets);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t most = sets[0] | sets[1] | sets[2] | sets[3];
    if (put_edges(build, edges, count, places, slot) && most <= LEAF_SET_MASK) {
        uint32_t kept = 1u << count; /* the sets */
        memcpy(slot + 2 * (size_t)count, sets, kept * sizeof *sets);
        slot[2 * (size_t)count] |= flags;
        return push_slot(build, grid, count == 1 ? SLOT_ONE : SLOT_TWO, slot, ret_entry);
    }
    return most < SHORT_SETS_MAX && are_within_reach(build, edges, count)
               ? push_far(build, grid, sets, flags, edges, count, ret_entry)
               : write_groups(build, part, leaf, cell, grid, ret_entry);
}

/* The place that tells the states of the groups, where these edges of them are crossed. */
static uint32_t place_of(const uint32_t *groups, uint32_t edges, uint32_t crossed)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < edges; i++) {
        place ^= (crossed >> i & 1) << groups[i];
    }
    return place;
}

/* The sets of three edges or four, and which is whose; false: more than four, or large numbers. */
static bool put_four_sets(const uint32_t sets[16], uint32_t *four)
{
    uint32_t kept[4] = {0}, count = 0;
    for (uint32_t crossed = 0; crossed < 16; crossed++) {
        uint32_t at = 0;
        while (at < count && kept[at] != sets[crossed]) {
            at++;
        }
        if (at == 4 || sets[crossed] >= SHORT_SETS_MAX) {
            return false;
        }
        kept[at] = sets[crossed];
        count += at == count;
        four[FOUR_TABLE] |= at << (2 * crossed);
    }
    four[FOUR_SETS] = kept[0] | kept[1] << 16;
    four[FOUR_SETS + 1] = kept[2] | kept[3] << 16;
    return true;
}

/* Of a leaf's edges, three or four, in `four`: which sets there are; false: they are groups' then. */
static enum status make_four(struct build *build, struct build_part part, const struct leaf *leaf,
                             const uint32_t *groups, uint32_t count, uint32_t *four, bool *ret_fits)
{
    uint32_t sets[16];
    for (uint32_t crossed = 0; crossed < 16; crossed++) {
        uint32_t place = place_of(groups, count, crossed);
        enum status status = intern_place(build, part, leaf, place, &sets[crossed]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kind = leaf->groups[groups[i]].kind == GROUP_ON_ODD ? FOUR_ON_ODD : 0;
        four[FOUR_EDGES] |= (groups[i] | kind) << (FOUR_EDGE_BITS * i);
    }
    *ret_fits = put_four_sets(sets, four);
    return STATUS_OK;
}

static enum status push_four(struct build *build, struct build_part part, const struct leaf *leaf,
                             struct build_cell cell, const struct grid *grid, uint32_t *ret_entry)
{
    const struct build_edge *edges[4];
    uint32_t groups[4], slot[3 * UNIT_WORDS], far[2 * UNIT_WORDS] = {NO_EDGE};
    uint32_t count = leaf_edges(build, leaf, edges, groups);
    bool fits;
    enum status status = make_four(build, part, leaf, groups, count, far + 4, &fits);
    if (status != STATUS_OK || !fits) {
        return status != STATUS_OK ? status
                                   : write_groups(build, part, leaf, cell, grid, ret_entry);
    }
    memcpy(slot + 2 * (size_t)index_four_places[3], &slot_edge_none, sizeof slot_edge_none);
    if (put_edges(build, edges, count, index_four_places, slot)) {
        memcpy(slot + 8, far + 4, UNIT_WORDS * sizeof *slot);
        return push_slot(build, grid, SLOT_FOUR, slot, ret_entry);
    }
    if (!are_within_reach(build, edges, count)) {
        return write_groups(build, part, leaf, cell, grid, ret_entry);
    }
    for (uint32_t i = 0; i < count; i++) {
        far[i] = edges[i]->point;
    }
    return push_slot(build, grid, SLOT_FAR4, far, ret_entry);
}

static bool leaf_will_do(const struct leaf *leaf, struct build_part part, struct build_cell cell)
{
    if (cell.bits <= TINY_CELL_BITS ||
        (part.stuck >= STUCK_LEVELS && leaf->edges <= LEAF_EDGES_MAX)) {
        return true;
    }
    return leaf->places <= LEAF_PLACES &&
           (leaf->edges <= LEAF_EDGES ||
            (cell.bits <= SMALL_CELL_BITS && leaf->edges <= LEAF_EDGES_MAX));
}

/* ---- cells ---- */

static enum status set_of(struct build *build, struct build_part part, struct build_cell cell,
                          uint32_t *ret_set)
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
    return index_store_intern(build->store, found.items, found.count, ret_set);
}

static size_t edges_in(const struct build *build, struct build_part part)
{
    size_t count = 0;
    for (size_t i = part.first; i < part.end; i++) {
        count += build->runs[i].count;
    }
    return count;
}

static enum status divide(struct build *build, struct build_part part, struct build_cell cell,
                          const struct grid *grid, uint32_t column, uint32_t row, uint32_t levels);

/* Units were counted from the first slot, and are from the entries now. */
static uint16_t entry_from_end(uint32_t entry, size_t slot_words)
{
    uint32_t units = (uint32_t)slot_words / UNIT_WORDS, unit = entry & (ENTRY_UNITS - 1);
    return (uint16_t)((entry & ENTRY_SLOT) == 0 ? entry : entry - unit + (units - unit));
}

/* The block's slots and entries leave their stacks for the words. */
static enum status write_block(struct build *build, const struct grid *grid, uint32_t side,
                               uint32_t *ret_head)
{
    struct index_store *store = build->store;
    size_t entries = (size_t)1 << (2 * side), slot_words = build->slots.count - grid->slots;
    uint32_t entry_words = index_entry_words(side);
    enum status status = grow_words(build, 3 + entry_words + slot_words);
    if (status != STATUS_OK) {
        return status;
    }
    while (store->word_count % UNIT_WORDS != 0) { /* a slot lies in one line of the cache */
        store->words[store->word_count++] = 0;
    }
    if (slot_words > 0) {
        memcpy(store->words + store->word_count, build->slots.items + grid->slots,
               slot_words * sizeof *store->words);
    }
    store->word_count += slot_words;
    uint32_t *at = store->words + store->word_count;
    memset(at, 0, entry_words * sizeof *at);
    for (size_t i = 0; i < entries; i++) {
        uint16_t entry = entry_from_end(build->entries.items[grid->entries + i], slot_words);
        memcpy((char *)at + i * sizeof entry, &entry, sizeof entry);
    }
    *ret_head = (uint32_t)store->word_count << 3 | side;
    store->word_count += entry_words;
    return STATUS_OK;
}

static enum status make_block(struct build *build, struct build_part part, struct build_cell cell,
                              uint32_t side, uint32_t *ret_head)
{
    size_t entries = (size_t)1 << (2 * side);
    uint32_t width = 1u << side;
    struct grid grid = {
        NULL, build->entries.count, build->slots.count, width, {0, 0, width, width}};
    if (!build_grow(&build->entries, entries)) {
        return STATUS_NO_MEMORY;
    }
    build->entries.count += entries;
    enum status status = divide(build, part, cell, &grid, 0, 0, side);
    if (status == STATUS_OK) {
        status = write_block(build, &grid, side, ret_head);
    }
    build->entries.count = grid.entries;
    build->slots.count = grid.slots;
    build->slot_kinds.count = grid.slots / UNIT_WORDS;
    return status;
}

static uint32_t side_for(size_t edges, uint32_t bits)
{
    uint32_t side = edges <= 4 ? 2 : edges <= 20 ? 3 : edges <= 60 ? 4 : SIDE_BITS_MAX;
    return side < bits ? side : bits;
}

/* No point of the globe lies in it: whatever is said of it will do. */
static bool is_off_globe(struct build_cell cell)
{
    int64_t size = (int64_t)1 << cell.bits;
    return cell.lat > GEO_LAT_E7_MAX || cell.lon > GEO_LON_E7_MAX ||
           cell.lat + size <= -GEO_LAT_E7_MAX || cell.lon + size <= -GEO_LON_E7_MAX;
}

static enum status make_entry(struct build *build, struct build_part part, struct build_cell cell,
                              const struct grid *grid, uint32_t *ret_entry)
{
    *ret_entry = 0;
    if (is_off_globe(cell)) {
        return STATUS_OK;
    }
    if (part.first == part.end || cell.bits == 0) {
        uint32_t set = 0;
        enum status status = set_of(build, part, cell, &set);
        return status == STATUS_OK ? push_set(build, grid, set, ret_entry) : status;
    }
    build->at = cell;
    size_t edges = edges_in(build, part);
    struct leaf leaf;
    if ((edges <= LEAF_EDGES_MAX || cell.bits <= TINY_CELL_BITS) && plan_leaf(build, part, &leaf) &&
        leaf_will_do(&leaf, part, cell)) {
        return is_plain(build, &leaf, 2) ? push_plain(build, part, &leaf, cell, grid, ret_entry)
               : is_plain(build, &leaf, 4)
                   ? push_four(build, part, &leaf, cell, grid, ret_entry)
                   : write_groups(build, part, &leaf, cell, grid, ret_entry);
    }
    uint32_t head;
    enum status status = make_block(build, part, cell, side_for(edges, cell.bits), &head);
    return status == STATUS_OK ? push_wide(build, grid, WIDE_BLOCK, head, ret_entry) : status;
}

/* Of a coarse cell, or many that are all of one set. */
static enum status make_head(struct build *build, struct build_part part, struct build_cell cell,
                             uint32_t *ret_head)
{
    build->at = build->coarse = cell;
    *ret_head = 0;
    if (is_off_globe(cell)) {
        return STATUS_OK;
    }
    if (part.first != part.end) {
        uint32_t side = side_for(edges_in(build, part), cell.bits);
        return make_block(build, part, cell, side, ret_head);
    }
    uint32_t set;
    enum status status = set_of(build, part, cell, &set);
    if (status != STATUS_OK || set == 0) { /* the store's first block is of set 0 */
        *ret_head = 0;
        return status;
    }
    struct build_u32s *list = &build->set_heads;
    if (set >= list->count) {
        size_t more = set + (size_t)1 - list->count;
        if (!build_grow(list, more)) {
            return STATUS_NO_MEMORY;
        }
        memset(list->items + list->count, 0, more * sizeof *list->items);
        list->count += more;
    }
    if (list->items[set] == 0) {
        status = make_block(build, part, cell, 0, &list->items[set]);
    }
    *ret_head = list->items[set];
    return status;
}

static void fill_grid(struct build *build, const struct grid *grid, uint32_t column, uint32_t row,
                      uint32_t side, uint32_t entry)
{
    const struct build_window *window = &grid->window;
    uint32_t *entries = grid->heads != NULL ? grid->heads : build->entries.items + grid->entries;
    uint32_t west = column > window->west ? column : window->west;
    for (uint32_t y = row > window->south ? row : window->south;
         y < row + side && y < window->north; y++) {
        for (uint32_t x = west; x < column + side && x < window->east; x++) {
            entries[(size_t)(y - window->south) * grid->stride + (x - window->west)] = entry;
        }
    }
}

static bool is_in_window(const struct build_window *window, uint32_t column, uint32_t row,
                         uint32_t side)
{
    return column < window->east && column + side > window->west && row < window->north &&
           row + side > window->south;
}

/* Writes the entries of a cell that spans 2^levels by 2^levels places of the grid. */
static enum status divide(struct build *build, struct build_part part, struct build_cell cell,
                          const struct grid *grid, uint32_t column, uint32_t row, uint32_t levels)
{
    if (levels == 0 || part.first == part.end || is_off_globe(cell)) {
        uint32_t entry = 0;
        enum status status = grid->heads != NULL ? make_head(build, part, cell, &entry)
                                                 : make_entry(build, part, cell, grid, &entry);
        if (status == STATUS_OK) {
            fill_grid(build, grid, column, row, 1u << levels, entry);
        }
        return status;
    }
    uint32_t half = 1u << (levels - 1);
    int64_t half_size = (int64_t)1 << (cell.bits - 1);
    size_t refs = build->refs.count, inside = build->inside.count;
    for (uint32_t quarter = 0; quarter < 4; quarter++) {
        uint32_t east = column + (quarter & 1) * half, north = row + (quarter >> 1) * half;
        if (!is_in_window(&grid->window, east, north, half)) {
            continue;
        }
        struct build_cell child = {cell.lon + (quarter & 1) * half_size,
                                   cell.lat + (quarter >> 1) * half_size, cell.bits - 1};
        struct build_part narrowed;
        enum status status = build_narrow(build, part, cell, child, &narrowed);
        if (status == STATUS_OK) {
            bool same = edges_in(build, narrowed) == edges_in(build, part);
            narrowed.stuck = same ? part.stuck + 1 : 0;
            status = divide(build, narrowed, child, grid, east, north, levels - 1);
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

/* ---- edges ---- */

static void add_edge(struct build *build, uint32_t point)
{
    struct geo_point a = build->store->points[point], b = build->store->points[point + 1];
    bool swap = a.lat_e7 > b.lat_e7 || (a.lat_e7 == b.lat_e7 && a.lon_e7 > b.lon_e7);
    build->edges[build->edge_count++] =
        swap ? (struct build_edge){b, a, 0, point} : (struct build_edge){a, b, 0, point};
}

static void add_polygon(struct build *build, const struct index_shape *shape)
{
    const struct index_store *store = build->store;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        uint32_t first = index_ring_first(shape, store->words, r);
        uint32_t count = index_ring_edges(shape, store->words, r);
        for (uint32_t i = 0; i < count; i++) {
            const struct geo_point *edge = store->points + first + i;
            /* a point that stands twice lies on its neighbours' edges */
            if (i == 0 || memcmp(&edge[0], &edge[1], sizeof edge[0]) != 0) {
                add_edge(build, first + i);
            }
        }
    }
}

static void add_line(struct build *build, const struct index_shape *shape)
{
    const struct index_store *store = build->store;
    uint32_t first = index_ring_first(shape, store->words, 0);
    uint32_t count = index_ring_edges(shape, store->words, 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct geo_point *edge = store->points + first + i;
        for (int32_t turns = -1; turns <= 1; turns++) {
            build->edges[build->edge_count++] =
                (struct build_edge){edge[0], edge[1], turns, first + i};
        }
    }
}

static enum status add_shape(struct build *build, uint32_t number)
{
    const struct index_shape *shape = &build->index->shapes[number];
    uint32_t first = (uint32_t)build->edge_count;
    if (shape->kind == GEO_POLYGON) {
        add_polygon(build, shape);
    } else {
        add_line(build, shape);
    }
    uint32_t count = (uint32_t)build->edge_count - first;
    if (count == 0) {
        return STATUS_OK;
    }
    if (!build_grow(&build->refs, count)) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t e = 0; e < count; e++) {
        build->refs.items[build->refs.count++] = first + e;
    }
    return build_push_run(build, (struct build_run){number, first, count, 0});
}

/* Edges of the shapes that reach into the window; a shape over the antimeridian reaches everywhere. */
static bool concerns_window(const struct build *build, const struct index_shape *shape)
{
    const struct geo_index *index = build->index;
    const struct build_window *window = &build->window;
    int64_t west = index->lon + ((int64_t)window->west << index->cell_bits);
    int64_t south = index->lat + ((int64_t)window->south << index->cell_bits);
    int64_t east = index->lon + ((int64_t)window->east << index->cell_bits);
    int64_t north = index->lat + ((int64_t)window->north << index->cell_bits);
    if (shape->kind == 0 || shape->low.lat_e7 >= north || shape->high.lat_e7 < south) {
        return false;
    }
    return shape->low.lon_e7 < -GEO_LON_E7_MAX || shape->high.lon_e7 > GEO_LON_E7_MAX ||
           (shape->low.lon_e7 < east && shape->high.lon_e7 >= west);
}

/* Round ones may be seen thrice. */
static size_t edges_of(const struct build *build, const struct index_shape *shape)
{
    size_t edges = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        edges += index_ring_edges(shape, build->store->words, r);
    }
    return shape->kind == GEO_POLYGON ? edges : 3 * edges;
}

static enum status add_shapes(struct build *build)
{
    const struct geo_index *index = build->index;
    size_t edges = 0;
    for (uint32_t i = 0; i < index->shape_count; i++) {
        if (concerns_window(build, &index->shapes[i])) {
            edges += edges_of(build, &index->shapes[i]);
        }
    }
    if (edges > UINT32_MAX / 64) { /* a stack of them, a level each, is counted in 32 bits */
        return status_detail_set(build->detail, STATUS_TOO_LARGE, "more than %u points in all",
                                 UINT32_MAX / 192);
    }
    build->edges = malloc((edges + 1) * sizeof *build->edges);
    enum status status = build->edges != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < index->shape_count && status == STATUS_OK; i++) {
        if (concerns_window(build, &index->shapes[i])) {
            status = add_shape(build, i);
        }
    }
    return status;
}

enum status build_blocks(struct build *build)
{
    const struct geo_index *index = build->index;
    uint32_t levels = 0;
    while (1u << levels < index->width || 1u << levels < index->height) {
        levels++;
    }
    enum status status = build_new_heads(&build->window, &build->finds);
    if (status == STATUS_OK) {
        status = add_shapes(build);
    }
    if (status == STATUS_OK) {
        uint32_t stride = build->window.east - build->window.west;
        struct grid grid = {build->finds, 0, 0, stride, build->window};
        struct build_cell all = {index->lon, index->lat, index->cell_bits + levels};
        struct build_part part = {0, build->run_count, 0, 0};
        status = divide(build, part, all, &grid, 0, 0, levels);
    }
    return status;
}
