/* Is the index whole? Every number in it leads to where it may, and cells say what the shapes say. */
#include <string.h>

#include "geo/index_walk_internal.h"

enum { SAMPLES = 20000 /* cells compared with the shapes, however many there are */ };

/* ---- walking ---- */

struct walk {
    const struct geo_index *index;
    bool (*visit)(void *context, const struct index_cell *cell);
    void *context;
};

static bool walk_block(const struct walk *walk, uint32_t head, struct index_cell cell);

static bool walk_entry(const struct walk *walk, uint32_t head, uint32_t entry,
                       struct index_cell cell)
{
    const struct geo_index *index = walk->index;
    cell.set = entry;
    cell.slot = NULL;
    if ((entry & ENTRY_SLOT) != 0) {
        cell.kind = index_kind(entry);
        uint32_t before = (entry & (ENTRY_UNITS - 1)) * UNIT_WORDS;
        if (before > head >> 3 || index_slot_words(cell.kind) > before) {
            return false;
        }
        cell.slot = index_slot(index->words, head, entry);
        if (cell.kind == SLOT_WIDE && cell.slot[0] == WIDE_BLOCK) {
            return walk_block(walk, cell.slot[1], cell);
        }
    }
    return walk->visit(walk->context, &cell);
}

static bool walk_block(const struct walk *walk, uint32_t head, struct index_cell cell)
{
    uint32_t side = head & 7, width = 1u << side;
    if (side > cell.bits || (head >> 3) + index_entry_words(side) > walk->index->word_count) {
        return false;
    }
    const uint16_t *entries = index_entries(walk->index->words, head);
    uint32_t bits = cell.bits - side;
    for (uint32_t i = 0; i < width * width; i++) {
        struct index_cell part = {.lon = cell.lon + ((int64_t)(i & (width - 1)) << bits),
                                  .lat = cell.lat + ((int64_t)(i >> side) << bits),
                                  .bits = bits};
        if (!walk_entry(walk, head, entries[i], part)) {
            return false;
        }
    }
    return true;
}

bool index_walk(const struct geo_index *index, uint32_t cell,
                bool (*visit)(void *context, const struct index_cell *cell), void *context)
{
    struct walk walk = {index, visit, context};
    uint32_t bits = index->cell_bits;
    struct index_cell whole = {.lon = index->lon + ((int64_t)(cell % index->width) << bits),
                               .lat = index->lat + ((int64_t)(cell / index->width) << bits),
                               .bits = bits};
    uint32_t word = index_head_word(index, cell % index->width, cell / index->width);
    return walk_block(&walk, index->words[word], whole);
}

/* ---- checking ---- */

struct check {
    const struct geo_index *index;
    uint64_t cells;
    uint32_t step; /* every so manieth cell is compared */
    const char *fault;
    struct index_cell at;
};

static bool fail(struct check *check, const char *fault)
{
    check->fault = fault;
    return false;
}

static bool is_edge(const struct geo_index *index, uint32_t point)
{
    uint32_t number = point & POINT_MASK;
    return number == NO_EDGE || (number >= FIRST_POINT && number + 1 < index->point_count);
}

static bool check_set(struct check *check, uint32_t set)
{
    const struct geo_index *index = check->index;
    if (set >= index->set_count) {
        return fail(check, "a set that is none");
    }
    for (uint32_t i = index->set_starts[set]; i < index->set_starts[set + 1]; i++) {
        uint32_t shape = index->set_items[i];
        if (shape >= index->shape_count || index->shapes[shape].kind == 0) {
            return fail(check, "a set holds a shape that is none");
        }
        if (i > index->set_starts[set] && shape <= index->set_items[i - 1]) {
            return fail(check, "a set is out of order");
        }
    }
    return true;
}

static bool check_sets(struct check *check, const uint32_t *sets, uint32_t count)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++) {
        ok = check_set(check, sets[i] & LEAF_SET_MASK);
    }
    return ok;
}

static bool check_short_sets(struct check *check, const uint32_t *sets)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < 4; i++) {
        ok = check_set(check, index_short_set(sets, i));
    }
    return ok;
}

static bool check_far(struct check *check, const uint32_t *edges, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!is_edge(check->index, edges[i])) {
            return fail(check, "a leaf's edge is none");
        }
    }
    return true;
}

static bool check_groups(struct check *check, const uint32_t *slot)
{
    const struct geo_index *index = check->index;
    const uint32_t *leaf = index->words + slot[1];
    if (slot[1] >= index->word_count) {
        return fail(check, "groups lie off the words");
    }
    uint32_t groups = leaf[0] & 0xff, places = leaf[0] >> 16;
    const uint32_t *edges = leaf + 1 + groups + places;
    bool ok = true;
    for (uint32_t i = 0; ok && i < places; i++) {
        ok = check_set(check, leaf[1 + groups + i]);
    }
    for (uint32_t g = 0; ok && g < groups; g++) {
        bool is_round = (leaf[1 + g] & 3) == GROUP_ROUND;
        if (is_round && *edges++ >= index->shape_count) {
            return fail(check, "a group's shape is none");
        }
        for (uint32_t i = leaf[1 + g] >> 2; i > 0; i--) {
            if (!is_edge(index, *edges++)) {
                return fail(check, "a group's edge is none");
            }
        }
    }
    return ok;
}

/* The corner of the cell, looked up and asked of each shape. */
static bool compare(struct check *check, const struct index_cell *cell)
{
    const struct geo_index *index = check->index;
    uint32_t found[GEO_FOUND_MAX], at = 0;
    if (cell->lat > GEO_LAT_E7_MAX || cell->lon > GEO_LON_E7_MAX || cell->lat < -GEO_LAT_E7_MAX ||
        cell->lon < -GEO_LON_E7_MAX) {
        return true;
    }
    struct geo_point p = {(int32_t)cell->lat, (int32_t)cell->lon};
    uint32_t count = geo_index_find(index, p, found);
    for (uint32_t i = 0; i < index->shape_count; i++) {
        bool said = at < count && found[at] == i;
        at += said;
        if (said != index_shape_covers(index, i, p)) {
            return fail(check, "the cell's corner is not where the shapes have it");
        }
    }
    return at == count || fail(check, "more shapes than there are");
}

static bool check_slot(struct check *check, const struct index_cell *cell)
{
    const uint32_t *slot = cell->slot;
    switch (cell->kind) {
    case SLOT_ONE:
        return check_sets(check, slot + 2, 2);
    case SLOT_TWO:
        return check_sets(check, slot + 4, 4);
    case SLOT_FOUR:
        return check_short_sets(check, slot + 8);
    case SLOT_FAR:
        return check_far(check, slot + 2, 2) && check_short_sets(check, slot);
    case SLOT_FAR4:
        return check_far(check, slot, 4) && check_short_sets(check, slot + 4);
    case SLOT_WIDE:
        return slot[0] == WIDE_GROUPS ? check_groups(check, slot) : check_set(check, slot[1]);
    }
    return fail(check, "a slot of no kind");
}

static bool check_cell(void *context, const struct index_cell *cell)
{
    struct check *check = context;
    check->at = *cell;
    bool ok = cell->slot == NULL ? check_set(check, cell->set) : check_slot(check, cell);
    return ok && (check->cells++ % check->step != 0 || compare(check, cell));
}

static bool count_cell(void *context, const struct index_cell *cell)
{
    (void)cell;
    ++*(uint64_t *)context;
    return true;
}

/* Lists of edges lead to edges of the shapes that they name. */
static bool check_lines(struct check *check, uint32_t cell)
{
    const struct geo_index *index = check->index;
    uint32_t head = index_lines_at(index, cell % index->width, cell / index->width);
    uint32_t touches = index->words[head >> 3];
    const uint32_t *list = index->words + touches;
    for (uint32_t i = 0; touches != 0 && i < list[0]; i++) {
        const uint32_t *run = list + 1 + 2 * (size_t)i;
        uint32_t point = run[0] & POINT_MASK, shape = run[1] & SHAPE_MASK;
        if (!is_edge(index, point) || shape >= index->shape_count ||
            index->owners_of[point / OWNER_POINTS] != run[1]) {
            return fail(check, "a run's edges are none of its shape");
        }
    }
    for (uint32_t i = 0; i < 1u << (2 * (head & 7)) && index->has_near; i++) {
        uint32_t entry = index_near_entries(index->words, head)[i];
        const uint32_t *near = index->words + index_near_list(head >> 3, entry);
        for (uint32_t k = 0; k < index_near_runs(*near); k++) {
            uint32_t point = near[1 + k] & POINT_MASK;
            if (!is_edge(index, point) || point == NO_EDGE ||
                (index->owners_of[point / OWNER_POINTS] & SHAPE_MASK) >= index->shape_count) {
                return fail(check, "an edge of a near list is none");
            }
        }
    }
    return true;
}

enum status geo_index_check(const struct geo_index *index, struct status_detail *detail)
{
    struct check check = {.index = index};
    uint64_t cells = 0;
    bool ok = true;
    for (uint32_t cell = 0; ok && cell < index->cell_count; cell++) {
        ok = index_walk(index, cell, count_cell, &cells);
    }
    check.step = (uint32_t)(cells / SAMPLES) + 1;
    for (uint32_t cell = 0; ok && cell < index->cell_count; cell++) {
        ok = index_walk(index, cell, check_cell, &check) && check_lines(&check, cell);
    }
    return ok ? STATUS_OK
              : status_detail_set(detail, STATUS_INVALID,
                                  "the index is broken near %.7f, %.7f (longitude, latitude): %s",
                                  (double)check.at.lon * 1e-7, (double)check.at.lat * 1e-7,
                                  check.fault != NULL ? check.fault : "a block lies off the words");
}

/* ---- linear: what the lookups are compared with ---- */

bool index_shape_covers(const struct geo_index *index, uint32_t number, struct geo_point p)
{
    const struct index_shape *shape = &index->shapes[number];
    bool inside = false;
    if (shape->kind == 0 || p.lat_e7 < shape->low.lat_e7 || p.lat_e7 > shape->high.lat_e7) {
        return false;
    }
    if (shape->kind != GEO_POLYGON) {
        struct geo_shape as_given = {.kind = (enum geo_shape_kind)shape->kind,
                                     .point_count = index->words[shape->rings + 1],
                                     .points =
                                         index->points + index_ring_first(shape, index->words, 0),
                                     .radius_m = shape->radius_m};
        return geo_shape_covers(&as_given, p);
    }
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        const struct geo_point *ring = index->points + index_ring_first(shape, index->words, r);
        uint32_t count = index->words[shape->rings + 2 * r + 1];
        struct geo_shape one = {.kind = GEO_POLYGON,
                                .point_count = count,
                                .ring_count = 1,
                                .points = ring,
                                .ring_ends = &count};
        for (uint32_t i = 0; i < count; i++) {
            if (index_is_on_edge(ring + i, p)) {
                return true;
            }
        }
        inside ^= geo_shape_covers(&one, p); /* not on an edge: the parity */
    }
    return inside;
}
