/*
 * pupil.h - what the engine knows of one pupil: a line of the cache, as nearly every fix waits for it.
 * Threads: one at a time.
 */
#ifndef CORE_PUPIL_H
#define CORE_PUPIL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/limits.h"
#include "geo/point.h"

enum pupil_hearing {
    PUPIL_TOLD = 1,       /* that it is silent or switched off, and it was not heard since */
    PUPIL_OFF = 2,        /* switched off, and nothing said since */
    PUPIL_WAS_SILENT = 4, /* since it was last clear where the pupil was */
    PUPIL_WAS_OFF = 8,
    PUPIL_HEARING = 15, /* all of them */
};

#define PUPIL_CARD_BITS 63u

struct pupil_state {
    int64_t last_ms;                /* of the newest fix that told something; 0: there was none */
    struct geo_point point, before; /* of that fix, and of the one before it */
    uint32_t school_no;             /* as the directory has it */
    uint32_t first;                 /* of the pupil's presences (presence.h); 0: there are none */
    /* Fence sets count 1, 2, ...: a fence that came with set `settled_in` or before and has no
     * presence is one that the pupil is outside of. A newer one is unknown until the fixes since
     * `base_set` have put -base_mn on every fence that they were far from. */
    uint32_t settled_in, base_set;
    /* 1 + the index's number of a set of fences: as long as fixes lie in just these, they tell nothing
     * new. 0: each fix is looked at. */
    uint32_t quiet;
    uint16_t base_mn;
    uint16_t accuracy_cm; /* of the newest fix; 0: not told */
    uint16_t clear_s;     /* so long before last_ms were the newest two clear fixes in a row */
    uint8_t sigma_m, before_sigma_m; /* rounded up; UINT8_MAX: that or more */
    bool was_vague : 1;              /* the last fix, whether it told something or not */
    bool waits : 1;                  /* something of its card is held back (order.h) */
    uint8_t card : 6;                /* the low bits of the card that next_seq is of */
    uint8_t way_s;     /* the way from `before` to `point` took so long; 0: it tells no passage */
    uint16_t next_seq; /* the low bits of the report that comes next in the card's sequence */
    uint32_t heard_s;  /* arrival of the last thing heard of the card, Unix time; 0: nothing was */
    /* When the newest of it was said, in 4 s of device time, the low bits; the card's own interval between
     * such; enum pupil_hearing. */
    uint32_t said : 16, interval_s : 12, hearing : 4;
};
_Static_assert(sizeof(struct pupil_state) == 64 && FIX_ACCURACY_CM_MAX <= UINT16_MAX,
               "one for every pupil");

static inline bool pupil_has_position(const struct pupil_state *pupil)
{
    return pupil->last_ms != 0;
}

#endif
