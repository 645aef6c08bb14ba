/* A new index, or one beside another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

/* Floats hold 2^19 steps (6 km) to 0.3 mm. */
#define LONG_EDGE_E7 (1 << 19)

/* ---- shapes ---- */

static bool has_long_edge(const struct geo_point *points, uint32_t edges)
{
    for (uint32_t i = 0; i < edges; i++) {
        int64_t lat = (int64_t)points[i + 1].lat_e7 - points[i].lat_e7;
        int64_t lon = (int64_t)points[i + 1].lon_e7 - points[i].lon_e7;
        if (llabs(lat) > LONG_EDGE_E7 || llabs(lon) > LONG_EDGE_E7) {
            return true;
        }
    }
    return false;
}

/* One ring more of the shape, for which there are words. */
static enum status add_ring(struct index_store *store, struct index_shape *shape,
                            const struct geo_point *points, uint32_t count, uint32_t ring)
{
    uint32_t first;
    enum status status =
        index_store_add_ring(store, points, count, shape->kind == GEO_POLYGON, &first);
    if (status == STATUS_OK) {
        store->words[shape->rings + 2 * ring] = first;
        store->words[shape->rings + 2 * ring + 1] = count;
        shape->flags |= has_long_edge(store->points + first, count) ? RUN_LONG : 0;
    }
    return status;
}

static enum status begin_rings(struct index_store *store, struct index_shape *shape,
                               uint32_t ring_count)
{
    enum status status = index_store_grow_words(store, 2 * (size_t)ring_count);
    if (status == STATUS_OK) {
        shape->rings = (uint32_t)store->word_count;
        shape->ring_count = ring_count;
        store->word_count += 2 * (size_t)ring_count;
    }
    return status;
}

static enum status add_polygon(struct index_store *store, const struct geo_shape *shape,
                               struct index_shape *ret)
{
    uint32_t start = 0, rings = 0;
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        rings += shape->ring_ends[r] > (r > 0 ? shape->ring_ends[r - 1] : 0);
    }
    enum status status = begin_rings(store, ret, rings);
    rings = 0;
    for (uint32_t r = 0; r < shape->ring_count && status == STATUS_OK; r++) {
        uint32_t count = shape->ring_ends[r] - start;
        if (count > 0) {
            status = add_ring(store, ret, shape->points + start, count, rings++);
        }
        start = shape->ring_ends[r];
    }
    return status;
}

static enum status add_shape(struct geo_index *index, const struct geo_shape *shape,
                             uint32_t number)
{
    struct index_shape *ret = &index->shapes[number];
    struct geo_shape bounds = *shape;
    geo_shape_set_bounds(&bounds);
    *ret =
        (struct index_shape){.kind = (uint32_t)shape->kind, .low = bounds.low, .high = bounds.high};
    enum status status;
    if (shape->kind == GEO_POLYGON) {
        status = add_polygon(index->store, shape, ret);
    } else {
        ret->radius_m = shape->radius_m;
        ret->flags = RUN_ROUND;
        status = begin_rings(index->store, ret, 1);
        if (status == STATUS_OK) {
            status = add_ring(index->store, ret, shape->points, shape->point_count, 0);
        }
    }
    if (status == STATUS_OK) {
        index_store_set_owner(index->store, ret, number);
        index->flags |= ret->flags;
    }
    return status;
}

/* A shape of another store. */
static enum status copy_shape(struct geo_index *index, const struct index_store *from,
                              const struct index_shape *shape, uint32_t number)
{
    struct index_shape *ret = &index->shapes[number];
    *ret = *shape;
    enum status status =
        shape->kind != 0 ? begin_rings(index->store, ret, shape->ring_count) : STATUS_OK;
    for (uint32_t r = 0; r < shape->ring_count && status == STATUS_OK; r++) {
        const struct geo_point *points = from->points + index_ring_first(shape, from->words, r);
        status = add_ring(index->store, ret, points, from->words[shape->rings + 2 * r + 1], r);
    }
    if (status == STATUS_OK && shape->kind != 0) {
        index_store_set_owner(index->store, ret, number);
        index->flags |= ret->flags;
    }
    return status;
}

/* ---- building ---- */

static enum status build_window(struct geo_index *index, struct build_window window,
                                struct status_detail *detail)
{
    struct build build = {
        .index = index, .store = index->store, .window = window, .detail = detail};
    enum status status = build_blocks(&build);
    if (status == STATUS_OK) {
        status = build_lines(&build);
    }
    if (status == STATUS_OK) {
        status = build_pages(&build);
    }
    free(build.finds);
    free(build.lines);
    free(build.edges);
    free(build.runs);
    free(build.refs.items);
    free(build.inside.items);
    free(build.set_heads.items);
    free(build.entries.items);
    free(build.slots.items);
    free(build.slot_kinds.items);
    return status;
}

static size_t bytes_of(const struct geo_index *index)
{
    const struct index_store *store = index->store;
    return sizeof *index + sizeof *store + (index->tile_count + (size_t)1) * sizeof *index->tiles +
           (index->height + (size_t)2) * sizeof *index->rows +
           (index->shape_count + (size_t)1) * sizeof *index->shapes +
           store->point_count * sizeof *store->points +
           store->point_count / OWNER_POINTS * sizeof *store->owners_of +
           (store->word_count + store->set_start_count + store->set_item_count +
            store->set_table_size) *
               sizeof *store->words;
}

/* What readers read. */
static void publish(struct geo_index *index)
{
    const struct index_store *store = index->store;
    index->bytes = bytes_of(index);
    index->words = store->words;
    index->points = store->points;
    index->owners_of = store->owners_of;
    index->set_starts = store->set_starts;
    index->set_items = store->set_items;
    index->word_count = (uint32_t)store->word_count;
    index->point_count = (uint32_t)store->point_count;
    index->set_count = (uint32_t)store->set_start_count - 1;
}

/* Of the shapes that the index has by now. */
static enum status build_all(struct geo_index *index, struct status_detail *detail)
{
    enum status status = index_grid_new(index);
    if (status == STATUS_OK && index->cell_count > 0) {
        status =
            build_window(index, (struct build_window){0, 0, index->width, index->height}, detail);
    }
    if (status == STATUS_OK) {
        status = index_store_fix(index->store);
    }
    if (status == STATUS_OK) {
        publish(index);
    }
    return status;
}

/* An index of `count` shapes to be. */
static struct geo_index *new_index(uint32_t count)
{
    struct geo_index *index = calloc(1, sizeof *index);
    if (index != NULL) {
        index->shape_count = count;
        index->has_avx2 = index_has_avx2();
        index->shapes = calloc(count + (size_t)1, sizeof *index->shapes);
        if (index->shapes == NULL) {
            free(index);
            return NULL;
        }
    }
    return index;
}

/* Keeps the index or frees it, as the status says. */
static enum status conclude(struct geo_index *index, enum status status, uint32_t count,
                            struct geo_index **ret, struct status_detail *detail)
{
    if (status == STATUS_OK) {
        *ret = index;
        return status;
    }
    geo_index_free(index);
    return status != STATUS_NO_MEMORY
               ? status
               : status_detail_set(detail, status, "no memory for the index of %u fences", count);
}

static enum status check_shape(const struct geo_shape *shape, uint32_t number,
                               struct status_detail *detail)
{
    const char *fault = geo_shape_fault(shape);
    return fault == NULL ? STATUS_OK
                         : status_detail_set(detail, STATUS_INVALID, "shape %u: %s", number, fault);
}

static enum status say_too_many_points(enum status status, struct status_detail *detail)
{
    return status != STATUS_TOO_LARGE
               ? status
               : status_detail_set(detail, status, "more than %u points in all", POINT_MASK);
}

enum status geo_index_new(const struct geo_shape *shapes, uint32_t shape_count,
                          struct geo_index **ret, struct status_detail *detail)
{
    for (uint32_t i = 0; i < shape_count; i++) {
        enum status status = check_shape(&shapes[i], i, detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    ASSERT(shape_count <= SHAPE_MASK);
    struct geo_index *index = new_index(shape_count);
    enum status status = STATUS_NO_MEMORY;
    if (index != NULL) {
        index->store = index_store_new();
        status = index->store != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < shape_count && status == STATUS_OK; i++) {
        status = say_too_many_points(add_shape(index, &shapes[i], i), detail);
    }
    if (status == STATUS_OK) {
        status = build_all(index, detail);
    }
    return conclude(index, status, shape_count, ret, detail);
}

void geo_index_free(struct geo_index *index)
{
    if (index == NULL) {
        return;
    }
    index_store_leave(index->store);
    index_grid_release(index);
    free(index->shapes);
    free(index);
}

size_t geo_index_bytes(const struct geo_index *index)
{
    return index->bytes;
}

/* ---- changing ---- */

/* Puts the new shapes in their places and widens the extent by what they and the old ones touch. */
static enum status apply_changes(struct geo_index *index, const struct geo_change *changes,
                                 uint32_t count, struct build_extent *extent)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct index_shape *shape = &index->shapes[changes[i].number];
        if (shape->kind != 0) {
            build_widen_extent(extent, shape);
        }
        *shape = (struct index_shape){0};
        if (changes[i].shape != NULL) {
            status = add_shape(index, changes[i].shape, changes[i].number);
        }
        if (shape->kind != 0) {
            build_widen_extent(extent, shape);
        }
    }
    return status;
}

/* With the cells of the old index, of which those in the window are made anew. STATUS_NO_MEMORY
 * where there is no room, too. */
static enum status change_window(const struct geo_index *old, struct geo_index *index,
                                 struct build_window window, struct status_detail *detail)
{
    enum status status = index_grid_copy(old, index);
    if (status == STATUS_OK) {
        status = build_window(index, window, detail);
    }
    if (status == STATUS_OK) {
        publish(index);
    }
    return status;
}

static struct geo_index *beside(const struct geo_index *old, uint32_t shape_count)
{
    struct geo_index *index = new_index(shape_count);
    if (index == NULL) {
        return NULL;
    }
    struct index_shape *shapes = index->shapes;
    *index = *old;
    index->shapes = shapes;
    index->shape_count = shape_count;
    index->tiles = NULL;
    index->rows = NULL;
    memcpy(shapes, old->shapes, old->shape_count * sizeof *shapes);
    atomic_fetch_add(&index->store->owners, 1);
    return index;
}

/* False: no room, or not worth it. */
static bool change_part(const struct geo_index *old, const struct geo_change *changes,
                        uint32_t count, uint32_t shape_count, struct geo_index **ret)
{
    struct geo_index *index = beside(old, shape_count);
    struct build_extent extent = build_extent_none;
    struct build_window window;
    struct status_detail unheard;
    if (index == NULL) {
        return false;
    }
    index_store_part(index->store);
    if (!index->store->is_full && apply_changes(index, changes, count, &extent) == STATUS_OK &&
        build_window_of(index, &extent, &window) &&
        change_window(old, index, window, &unheard) == STATUS_OK) {
        *ret = index;
        return true;
    }
    geo_index_free(index);
    return false;
}

static enum status change_all(const struct geo_index *old, const struct geo_change *changes,
                              uint32_t count, uint32_t shape_count, struct geo_index **ret,
                              struct status_detail *detail)
{
    struct geo_index *index = new_index(shape_count);
    struct build_extent extent = build_extent_none;
    enum status status = STATUS_NO_MEMORY;
    if (index != NULL) {
        index->store = index_store_new();
        status = index->store != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < old->shape_count && status == STATUS_OK; i++) {
        status = copy_shape(index, old->store, &old->shapes[i], i);
    }
    if (status == STATUS_OK) {
        status = apply_changes(index, changes, count, &extent);
    }
    status = say_too_many_points(status, detail);
    if (status == STATUS_OK) {
        status = build_all(index, detail);
    }
    return conclude(index, status, shape_count, ret, detail);
}

enum status geo_index_change(const struct geo_index *old, const struct geo_change *changes,
                             uint32_t count, struct geo_index **ret, struct status_detail *detail)
{
    uint32_t shape_count = old->shape_count;
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].shape != NULL) {
            enum status status = check_shape(changes[i].shape, changes[i].number, detail);
            if (status != STATUS_OK) {
                return status;
            }
        }
        if (changes[i].number >= shape_count) {
            ASSERT(changes[i].number < SHAPE_MASK);
            shape_count = changes[i].number + 1;
        }
    }
    if (old->cell_count > 0 && change_part(old, changes, count, shape_count, ret)) {
        return STATUS_OK;
    }
    return change_all(old, changes, count, shape_count, ret, detail);
}
