/*
 * fences.h - the fences in force, with the index over their shapes.
 * Know: immutable; built aside, swapped whole by engine_step. Shape i of the index is items[i].
 * Memory: the set owns its arena and index.
 * Threads: any may read.
 */
#ifndef CORE_FENCES_H
#define CORE_FENCES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "geo/index.h"
#include "geo/shape.h"

enum fence_kind {
    FENCE_PLACE = 1,  /* raises entered and left */
    FENCE_SCHOOL = 2, /* the same, a school's own ground */
    FENCE_DANGER = 3, /* raises danger on entering, nothing on leaving */
};
enum severity { SEVERITY_INFO = 1, SEVERITY_WARNING = 2, SEVERITY_CRITICAL = 3 };

struct fence {
    const char *id;
    uint32_t no;        /* registry number, stable over versions */
    uint32_t version;   /* from 1 */
    uint32_t school_no; /* whose pupils it concerns; 0 = everyone */
    uint8_t kind;       /* enum fence_kind */
    uint8_t severity;   /* enum severity; 0 = by kind */
};

struct fence_set {
    uint64_t revision;
    struct arena arena;
    struct fence *items;
    struct geo_shape *shapes; /* same order */
    uint32_t count;
    uint32_t number_end;     /* max fence no + 1 */
    struct geo_index *index; /* NULL in an empty set */
    uint32_t *by_no;         /* number_end of them: place in items + 1, 0 = none */
    uint32_t *grounds;       /* places in items of the FENCE_SCHOOL fences, by school_no, then no */
    uint32_t ground_count;
};

/* Room for `count` fences; the caller fills items and shapes (ids and points in ->arena) and calls
 * fence_set_seal, which builds the index. fence_set_new: STATUS_TOO_LARGE (beyond FENCES_MAX),
 * STATUS_NO_MEMORY. fence_set_seal: STATUS_INVALID (an id is missing or doubled, a number is 0,
 * doubled or beyond REGISTRY_NUMBER_MAX, a version is 0, a kind or severity is none), and what
 * geo_index_new returns; the offender is in detail. */
enum status fence_set_new(uint32_t count, struct fence_set **ret) MUST_CHECK;
enum status fence_set_seal(struct fence_set *set, struct status_detail *detail) MUST_CHECK;
void fence_set_free(struct fence_set *set);

/* NULL: no fence of that number. */
const struct fence *fence_set_by_no(const struct fence_set *set, uint32_t fence_no);
/* Asks memory for these fences, all at once; ret_places: the places in items of those that are there.
 * Returns how many. */
uint32_t fence_set_expect(const struct fence_set *set, const uint32_t *fence_nos, uint32_t count,
                          uint32_t *ret_places);
/* The school's own grounds: ret_places[0..returned) are places in items. */
uint32_t fence_set_grounds(const struct fence_set *set, uint32_t school_no,
                           const uint32_t **ret_places);

/* "school" | "danger" | "place" | "" (= place); STATUS_INVALID otherwise. */
enum status fence_kind_parse(const char *word, enum fence_kind *ret) MUST_CHECK;
const char *fence_kind_word(enum fence_kind kind);
/* "info" | "warning" | "critical"; "" gives the kind's own (danger: warning, else info). */
enum status severity_parse(const char *word, enum fence_kind kind, enum severity *ret) MUST_CHECK;
const char *severity_word(enum severity severity);

#endif
