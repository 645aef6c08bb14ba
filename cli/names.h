/*
 * names.h - ids numbered from 1 in the order in which they come.
 * Know: the number of names is bounded beforehand.
 * Memory: all in the arena given, the ids as copies.
 * Threads: one.
 */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

struct names {
    struct arena *arena;
    struct text *items; /* by number; 0 unused */
    uint32_t *slots;    /* numbers by hash */
    uint32_t count, slot_mask, most;
};

/* Room for `most` names, at most 2^29. STATUS_NO_MEMORY. */
enum status names_init(struct names *names, struct arena *arena, uint32_t most) MUST_CHECK;
/* The number of the name, a new one where it is new; 0: no memory. */
uint32_t names_number(struct names *names, struct text name);

#endif
