#include "core/directory.h"

#include <string.h>

#include "base/assert.h"
#include "base/touch.h"
#include "core/limits.h"

enum table_name { SCHOOLS, PUPILS, CARDS, GUARDIANS, GATES, OWNTRACKS, TABLE_COUNT };

static const char *const table_words[TABLE_COUNT] = {"school",   "pupil", "card",
                                                     "guardian", "gate",  "owntracks device"};

/* Open addressing with linear probing; at most half full. A slot holds a number, 0 is empty, and above it
 * bits of the id's hash: another id is nearly always told by them, without a look at it. */
enum { NUMBER_BITS = 23 };
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)
_Static_assert(REGISTRY_NUMBER_MAX <= NUMBER_MASK, "a slot has room for every number");

struct dir_table {
    uint32_t *slots;
    uint32_t mask;
};

struct key {
    uint32_t place, tag; /* tag: as it stands in the slot */
};

static uint64_t mix(uint64_t hash, const char *at, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, at, length);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

/* Eight bytes a step, the last ones once more where they do not come out even. */
static struct key key_of(const struct dir_table *table, struct text id)
{
    const size_t word = sizeof(uint64_t);
    uint64_t hash = id.length;
    for (size_t at = 0; at + word <= id.length; at += word) {
        hash = mix(hash, id.at + at, word);
    }
    if (id.length >= word) {
        hash = mix(hash, id.at + id.length - word, word);
    } else if (id.length >= word / 2) {
        hash = mix(hash, id.at, word / 2);
        hash = mix(hash, id.at + id.length - word / 2, word / 2);
    } else {
        for (size_t i = 0; i < id.length; i++) {
            hash = mix(hash, id.at + i, 1);
        }
    }
    hash = (hash ^ (hash >> 29)) * 0xff51afd7ed558ccdu;
    return (struct key){(uint32_t)(hash >> 32) & table->mask, (uint32_t)hash & ~NUMBER_MASK};
}

static const char *id_of(const struct directory *directory, enum table_name name, uint32_t no)
{
    switch (name) {
    case SCHOOLS:
        return directory->schools[no].id;
    case PUPILS:
        return directory->pupils[no].id;
    case CARDS:
        return directory->cards[no].id;
    case GUARDIANS:
        return directory->guardians[no].id;
    case GATES:
        return directory->gates[no].id;
    case OWNTRACKS:
        return directory->cards[no].owntracks;
    case TABLE_COUNT:
        break;
    }
    return NULL;
}

static uint32_t end_of(const struct directory *directory, enum table_name name)
{
    switch (name) {
    case SCHOOLS:
        return directory->school_end;
    case PUPILS:
        return directory->pupil_end;
    case CARDS:
    case OWNTRACKS:
        return directory->card_end;
    case GUARDIANS:
        return directory->guardian_end;
    case GATES:
        return directory->gate_end;
    case TABLE_COUNT:
        break;
    }
    return 0;
}

static bool allocate_arrays(struct directory *directory, const struct directory_ends *ends)
{
    struct arena *arena = &directory->arena;
    directory->schools = arena_array(arena, directory->school_end, sizeof *directory->schools);
    directory->pupils = arena_array(arena, directory->pupil_end, sizeof *directory->pupils);
    directory->cards = arena_array(arena, directory->card_end, sizeof *directory->cards);
    directory->guardians =
        arena_array(arena, directory->guardian_end, sizeof *directory->guardians);
    directory->gates = arena_array(arena, directory->gate_end, sizeof *directory->gates);
    directory->guardian_links =
        arena_array(arena, ends->guardian_links, sizeof *directory->guardian_links);
    directory->tables = arena_array(arena, TABLE_COUNT, sizeof *directory->tables);
    return directory->schools != NULL && directory->pupils != NULL && directory->cards != NULL &&
           directory->guardians != NULL && directory->gates != NULL &&
           directory->guardian_links != NULL && directory->tables != NULL;
}

static uint32_t at_least_one(uint32_t end)
{
    return end > 0 ? end : 1; /* entry 0 is always there */
}

enum status directory_new(const struct directory_ends *ends, struct directory **ret)
{
    if (ends->schools > REGISTRY_NUMBER_MAX || ends->pupils > REGISTRY_NUMBER_MAX ||
        ends->cards > REGISTRY_NUMBER_MAX || ends->guardians > REGISTRY_NUMBER_MAX ||
        ends->gates > REGISTRY_NUMBER_MAX ||
        ends->guardian_links > REGISTRY_NUMBER_MAX * PUPIL_GUARDIANS_MAX) {
        return STATUS_TOO_LARGE;
    }
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, SIZE_MAX / 2);
    struct directory *directory = arena_alloc(&arena, sizeof *directory);
    if (directory == NULL) {
        return STATUS_NO_MEMORY;
    }
    *directory = (struct directory){.arena = arena,
                                    .school_end = at_least_one(ends->schools),
                                    .pupil_end = at_least_one(ends->pupils),
                                    .card_end = at_least_one(ends->cards),
                                    .guardian_end = at_least_one(ends->guardians),
                                    .gate_end = at_least_one(ends->gates),
                                    .guardian_link_count = ends->guardian_links};
    if (!allocate_arrays(directory, ends)) {
        directory_free(directory);
        return STATUS_NO_MEMORY;
    }
    *ret = directory;
    return STATUS_OK;
}

void directory_free(struct directory *directory)
{
    if (directory != NULL) {
        struct arena arena = directory->arena; /* it holds the directory itself */
        arena_release(&arena);
    }
}

/* A slot that holds the id in all likelihood; 0: none does. */
static uint32_t next_slot(const struct dir_table *table, struct key *key)
{
    uint32_t slot;
    while ((slot = table->slots[key->place]) != 0) {
        key->place = (key->place + 1) & table->mask;
        if ((slot & ~NUMBER_MASK) == key->tag) {
            break;
        }
    }
    return slot;
}

static uint32_t find(const struct directory *directory, enum table_name name, struct text id)
{
    const struct dir_table *table = &directory->tables[name];
    if (table->slots == NULL) {
        return 0;
    }
    struct key key = key_of(table, id);
    uint32_t slot;
    while ((slot = next_slot(table, &key)) != 0) {
        if (text_is(id, id_of(directory, name, slot & NUMBER_MASK))) {
            return slot & NUMBER_MASK;
        }
    }
    return 0;
}

/* All of it: an entry may lie on two lines. */
static void touch_entry(const struct directory *directory, enum table_name name, uint32_t no)
{
    if (name == SCHOOLS) {
        touch(&directory->schools[no].id);
    } else {
        touch(&directory->cards[no].id);
        touch(&directory->cards[no].school_no);
    }
}

/* By the slots first: nearly all of them are right; then the entries, then their ids. */
static void find_all(const struct directory *directory, enum table_name name,
                     const struct text *ids, uint32_t count, uint32_t *ret_nos)
{
    const struct dir_table *table = &directory->tables[name];
    struct key keys[DIRECTORY_BATCH_MAX];
    ASSERT(count <= DIRECTORY_BATCH_MAX);
    if (table->slots == NULL) {
        memset(ret_nos, 0, count * sizeof *ret_nos);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = key_of(table, ids[i]);
        touch(&table->slots[keys[i].place]);
    }
    for (uint32_t i = 0; i < count; i++) {
        ret_nos[i] = next_slot(table, &keys[i]) & NUMBER_MASK;
        touch_entry(directory, name, ret_nos[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        touch(ret_nos[i] != 0 ? id_of(directory, name, ret_nos[i]) : "");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (ret_nos[i] != 0 && !text_is(ids[i], id_of(directory, name, ret_nos[i]))) {
            ret_nos[i] = find(directory, name, ids[i]); /* another id with the same bits */
        }
    }
}

static enum status build_table(struct directory *directory, enum table_name name,
                               struct status_detail *detail)
{
    uint32_t end = end_of(directory, name), count = 0, size = 4;
    for (uint32_t no = 1; no < end; no++) {
        count += id_of(directory, name, no) != NULL;
    }
    while (size < 2 * count) {
        size *= 2;
    }
    struct dir_table *table = &directory->tables[name];
    table->slots = arena_array(&directory->arena, size, sizeof *table->slots);
    if (table->slots == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "directory: no memory for its tables");
    }
    table->mask = size - 1;
    for (uint32_t no = 1; no < end; no++) {
        const char *id = id_of(directory, name, no);
        if (id == NULL) {
            continue;
        }
        struct text text = text_of(id);
        uint32_t other = find(directory, name, text);
        if (other != 0) {
            return status_detail_set(detail, STATUS_INVALID,
                                     "%s \"%s\" stands twice, as numbers %u and %u: give one of "
                                     "them another id",
                                     table_words[name], id, other, no);
        }
        struct key key = key_of(table, text);
        while (table->slots[key.place] != 0) {
            key.place = (key.place + 1) & table->mask;
        }
        table->slots[key.place] = no | key.tag;
    }
    return STATUS_OK;
}

/* Does `no` name an entry? */
static bool exists(const struct directory *directory, enum table_name name, uint32_t no)
{
    return no > 0 && no < end_of(directory, name) && id_of(directory, name, no) != NULL;
}

static enum status dangling(struct status_detail *detail, const char *kind, const char *id,
                            const char *target, uint32_t no)
{
    return status_detail_set(detail, STATUS_INVALID,
                             "%s \"%s\" refers to %s number %u, which is not "
                             "in the registry",
                             kind, id, target, no);
}

static enum status check_pupil(const struct directory *directory, const struct dir_pupil *pupil,
                               struct status_detail *detail)
{
    if (!exists(directory, SCHOOLS, pupil->school_no)) {
        return dangling(detail, "pupil", pupil->id, "school", pupil->school_no);
    }
    if (pupil->guardian_count > PUPIL_GUARDIANS_MAX) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "pupil \"%s\" has %u guardians, at most %u "
                                 "are told",
                                 pupil->id, pupil->guardian_count, PUPIL_GUARDIANS_MAX);
    }
    if (pupil->guardian_first > directory->guardian_link_count ||
        pupil->guardian_count > directory->guardian_link_count - pupil->guardian_first) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "pupil \"%s\": guardians %u to %u are beyond "
                                 "the %u links",
                                 pupil->id, pupil->guardian_first,
                                 pupil->guardian_first + pupil->guardian_count,
                                 directory->guardian_link_count);
    }
    for (uint32_t i = 0; i < pupil->guardian_count; i++) {
        uint32_t no = directory->guardian_links[pupil->guardian_first + i];
        if (!exists(directory, GUARDIANS, no)) {
            return dangling(detail, "pupil", pupil->id, "guardian", no);
        }
    }
    return STATUS_OK;
}

static enum status check_references(const struct directory *directory, struct status_detail *detail)
{
    for (uint32_t no = 1; no < directory->pupil_end; no++) {
        const struct dir_pupil *pupil = &directory->pupils[no];
        enum status status = pupil->id != NULL ? check_pupil(directory, pupil, detail) : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (uint32_t no = 1; no < directory->card_end; no++) {
        const struct dir_card *card = &directory->cards[no];
        if (card->id == NULL) {
            continue;
        }
        if ((card->pupil_no != 0 || card->school_no != 0) &&
            !exists(directory, SCHOOLS, card->school_no)) {
            return dangling(detail, "card", card->id, "school", card->school_no);
        }
        if (card->pupil_no != 0 && !exists(directory, PUPILS, card->pupil_no)) {
            return dangling(detail, "card", card->id, "pupil", card->pupil_no);
        }
    }
    for (uint32_t no = 1; no < directory->gate_end; no++) {
        const struct dir_gate *gate = &directory->gates[no];
        if (gate->id != NULL && !exists(directory, SCHOOLS, gate->school_no)) {
            return dangling(detail, "gate", gate->id, "school", gate->school_no);
        }
    }
    return STATUS_OK;
}

enum status directory_seal(struct directory *directory, struct status_detail *detail)
{
    enum status status = check_references(directory, detail);
    for (int name = 0; name < TABLE_COUNT && status == STATUS_OK; name++) {
        status = build_table(directory, (enum table_name)name, detail);
    }
    return status;
}

uint32_t directory_school(const struct directory *directory, struct text id)
{
    return find(directory, SCHOOLS, id);
}

void directory_schools(const struct directory *directory, const struct text *ids, uint32_t count,
                       uint32_t *ret_nos)
{
    find_all(directory, SCHOOLS, ids, count, ret_nos);
}

void directory_cards(const struct directory *directory, const struct text *ids, uint32_t count,
                     uint32_t *ret_nos)
{
    find_all(directory, CARDS, ids, count, ret_nos);
}

uint32_t directory_pupil(const struct directory *directory, struct text id)
{
    return find(directory, PUPILS, id);
}

uint32_t directory_card(const struct directory *directory, struct text id)
{
    return find(directory, CARDS, id);
}

uint32_t directory_guardian(const struct directory *directory, struct text id)
{
    return find(directory, GUARDIANS, id);
}

uint32_t directory_gate(const struct directory *directory, struct text id)
{
    return find(directory, GATES, id);
}

uint32_t directory_owntracks(const struct directory *directory, struct text user_device)
{
    return find(directory, OWNTRACKS, user_device);
}
