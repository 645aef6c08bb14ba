/*
 * fences.h - the fences in force, with the index over their shapes.
 * Know: immutable; built aside, swapped whole by engine_step. Shape i of the index is items[i].
 * Memory: the set owns its arena and index. Threads: any may read.
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
    uint32_t number_end; /* max fence no + 1 */
    struct geo_index *index;
};

/* Room for `count` fences; the caller fills items and shapes (their points in ->arena) and calls
 * fence_set_seal, which builds the index. */
enum status fence_set_new(uint32_t count, struct fence_set **ret) MUST_CHECK;
enum status fence_set_seal(struct fence_set *set, struct status_detail *detail) MUST_CHECK;
void fence_set_free(struct fence_set *set);

/* "school" | "danger" | "place" | "" (= place); STATUS_INVALID otherwise. */
enum status fence_kind_parse(const char *word, enum fence_kind *ret) MUST_CHECK;
const char *fence_kind_word(enum fence_kind kind);
/* "info" | "warning" | "critical"; "" gives the kind's own (danger: warning, else info). */
enum status severity_parse(const char *word, enum fence_kind kind, enum severity *ret) MUST_CHECK;
const char *severity_word(enum severity severity);

#endif
