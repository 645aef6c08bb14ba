/* The memory that an index shares with those changed from it, and the numbers of its sets. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "geo/index_build_internal.h"

enum {
    READ_BEYOND = 8,        /* set items that a lookup may copy behind a set */
    WORDS_READ_BEYOND = 16, /* behind a list */
    LINE = 64,
};

/* ---- memory ---- */

/* Room for `more` items. A fixed array does not move. */
static bool make_room(struct index_store *store, void **items, size_t item_bytes, size_t count,
                      size_t *room, size_t more)
{
    if (count + more <= *room) {
        return true;
    }
    if (store->is_fixed) {
        store->is_full = true;
        return false;
    }
    size_t wanted = (count + more) + (count + more) / 2 + 64;
    void *moved = realloc(*items, wanted * item_bytes);
    if (moved == NULL) {
        return false;
    }
    *items = moved;
    *room = wanted;
    return true;
}

static bool room_for_u32s(struct index_store *store, uint32_t **items, size_t count, size_t *room,
                          size_t more)
{
    void *untyped = *items;
    bool ok = make_room(store, &untyped, sizeof **items, count, room, more);
    *items = untyped;
    return ok;
}

static bool room_for_points(struct index_store *store, size_t more)
{
    size_t owners = store->point_count / OWNER_POINTS;
    if (!room_for_u32s(store, &store->owners_of, owners, &store->owner_room,
                       more / OWNER_POINTS + 1)) {
        return false;
    }
    void *untyped = store->points;
    bool ok = make_room(store, &untyped, sizeof *store->points, store->point_count,
                        &store->point_room, more);
    store->points = untyped;
    return ok;
}

enum status index_store_grow_words(struct index_store *store, size_t count)
{
    if (count > GEO_INDEX_BYTES_MAX / sizeof *store->words - store->word_count) {
        return STATUS_TOO_LARGE;
    }
    return room_for_u32s(store, &store->words, store->word_count, &store->word_room, count)
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

static void free_store(struct index_store *store)
{
    free(store->points);
    free(store->owners_of);
    free(store->words);
    free(store->set_starts);
    free(store->set_items);
    free(store->set_table);
    free(store);
}

struct index_store *index_store_new(void)
{
    /* nothing crosses it, and no point of the globe lies on it */
    const struct geo_point beyond = {INT32_MAX - 1, INT32_MAX};
    struct index_store *store = calloc(1, sizeof *store);
    uint32_t empty;
    if (store == NULL) {
        return NULL;
    }
    atomic_init(&store->owners, 1);
    if (!room_for_points(store, FIRST_POINT) ||
        index_store_grow_words(store, (size_t)2 * TILE_CELLS) != STATUS_OK ||
        index_store_intern(store, NULL, 0, &empty) != STATUS_OK) {
        free_store(store);
        return NULL;
    }
    for (uint32_t i = 0; i < FIRST_POINT; i++) {
        store->points[i] = beyond;
    }
    store->points[NO_EDGE].lon_e7--; /* an edge, not a point */
    store->point_count = FIRST_POINT;
    store->word_count = (size_t)2 * TILE_CELLS; /* the page of no heads; the entry of set 0 */
    memset(store->words, 0, store->word_count * sizeof *store->words);
    return store;
}

void index_store_leave(struct index_store *store)
{
    if (store != NULL && atomic_fetch_sub(&store->owners, 1) == 1) {
        free_store(store);
    }
}

enum status index_store_add_ring(struct index_store *store, const struct geo_point *points,
                                 uint32_t count, bool closed, uint32_t *ret_first)
{
    ASSERT(count > 0 && store->point_count % OWNER_POINTS == 0);
    size_t taken = (count + (size_t)RING_PAD + OWNER_POINTS) / OWNER_POINTS * OWNER_POINTS;
    if (store->point_count + taken > POINT_MASK) {
        return STATUS_TOO_LARGE;
    }
    if (!room_for_points(store, taken)) {
        return STATUS_NO_MEMORY;
    }
    struct geo_point *at = store->points + store->point_count;
    memcpy(at, points, count * sizeof *points);
    for (size_t i = count; i < taken; i++) {
        at[i] = points[closed ? 0 : count - 1];
    }
    *ret_first = (uint32_t)store->point_count;
    store->point_count += taken;
    return STATUS_OK;
}

void index_store_set_owner(struct index_store *store, const struct index_shape *shape,
                           uint32_t number)
{
    for (uint32_t r = 0; r < shape->ring_count; r++) {
        size_t first = index_ring_first(shape, store->words, r);
        size_t end = first + store->words[shape->rings + 2 * r + 1] + RING_PAD + 1;
        for (size_t i = first; i < end; i += OWNER_POINTS) {
            store->owners_of[i / OWNER_POINTS] = number | shape->flags;
        }
    }
}

/* Twice the room, on a line of the cache. */
static bool settle(void **items, size_t item_bytes, size_t count, size_t *room)
{
    size_t wanted = 2 * count + 65536;
    void *settled = aligned_alloc(LINE, (wanted * item_bytes + LINE - 1) / LINE * LINE);
    if (settled == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(settled, *items, count * item_bytes);
    }
    free(*items);
    *items = settled;
    *room = wanted;
    return true;
}

static bool settle_u32s(uint32_t **items, size_t count, size_t *room)
{
    void *untyped = *items;
    bool ok = settle(&untyped, sizeof **items, count, room);
    *items = untyped;
    return ok;
}

enum status index_store_fix(struct index_store *store)
{
    void *points = store->points;
    bool ok = settle(&points, sizeof *store->points, store->point_count, &store->point_room);
    store->points = points;
    ok = ok &&
         settle_u32s(&store->owners_of, store->point_count / OWNER_POINTS, &store->owner_room) &&
         settle_u32s(&store->words, store->word_count, &store->word_room) &&
         settle_u32s(&store->set_starts, store->set_start_count, &store->set_start_room) &&
         settle_u32s(&store->set_items, store->set_item_count, &store->set_item_room);
    if (!ok) {
        return STATUS_NO_MEMORY;
    }
    memset(store->set_items + store->set_item_count, 0, READ_BEYOND * sizeof *store->set_items);
    memset(store->words + store->word_count, 0, WORDS_READ_BEYOND * sizeof *store->words);
    store->is_fixed = true;
    return STATUS_OK;
}

/* By a set that nobody has. */
void index_store_part(struct index_store *store)
{
    if (store->set_item_count + 2 * (size_t)READ_BEYOND > store->set_item_room ||
        store->set_start_count == store->set_start_room ||
        store->word_count + 2 * (size_t)WORDS_READ_BEYOND > store->word_room) {
        store->is_full = true;
        return;
    }
    store->word_count += WORDS_READ_BEYOND;
    store->set_item_count += READ_BEYOND;
    store->set_starts[store->set_start_count++] = (uint32_t)store->set_item_count;
    memset(store->set_items + store->set_item_count, 0, READ_BEYOND * sizeof *store->set_items);
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
static uint32_t *slot_of(const struct index_store *store, const uint32_t *items, uint32_t count)
{
    uint32_t mask = (uint32_t)store->set_table_size - 1;
    for (uint32_t at = hash_of(items, count) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &store->set_table[at];
        if (*slot == 0) {
            return slot;
        }
        const uint32_t *starts = store->set_starts + *slot - 1;
        if (starts[1] - starts[0] == count &&
            (count == 0 ||
             memcmp(store->set_items + starts[0], items, count * sizeof *items) == 0)) {
            return slot;
        }
    }
}

static enum status widen_table(struct index_store *store)
{
    uint32_t *old = store->set_table;
    size_t size = store->set_table_size == 0 ? 1024 : store->set_table_size * 2;
    uint32_t *table = calloc(size, sizeof *table);
    if (table == NULL) {
        return STATUS_NO_MEMORY;
    }
    store->set_table = table;
    store->set_table_size = size;
    for (uint32_t set = 0; set + 1 < store->set_start_count; set++) {
        const uint32_t *starts = store->set_starts + set;
        *slot_of(store, store->set_items + starts[0], starts[1] - starts[0]) = set + 1;
    }
    free(old);
    return STATUS_OK;
}

enum status index_store_intern(struct index_store *store, const uint32_t *items, uint32_t count,
                               uint32_t *ret)
{
    if (store->set_start_count * 2 >= store->set_table_size) {
        enum status status = widen_table(store);
        if (status != STATUS_OK) {
            return status;
        }
    }
    uint32_t *slot = slot_of(store, items, count);
    if (*slot == 0) {
        if (!room_for_u32s(store, &store->set_starts, store->set_start_count,
                           &store->set_start_room, 2) ||
            !room_for_u32s(store, &store->set_items, store->set_item_count, &store->set_item_room,
                           count + (size_t)READ_BEYOND)) {
            return STATUS_NO_MEMORY;
        }
        if (store->set_start_count == 0) {
            store->set_starts[store->set_start_count++] = 0;
        }
        if (count > 0) {
            memcpy(store->set_items + store->set_item_count, items, count * sizeof *items);
        }
        store->set_item_count += count;
        store->set_starts[store->set_start_count++] = (uint32_t)store->set_item_count;
        *slot = (uint32_t)store->set_start_count - 1;
    }
    *ret = *slot - 1;
    return STATUS_OK;
}
