/*
 * presence.h - the states of (pupil, fence) that are worth a place: inside, or with evidence under
 * way.
 * Know: "outside, nothing under way" needs no place, so a city of pupils times a city of
 * fences costs a few places a pupil. When all are taken, the stalest that is not inside makes room.
 * Memory: places in the caller's arena, all at the start.
 * Threads: one at a time.
 */
#ifndef CORE_PRESENCE_H
#define CORE_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum presence_flag {
    PRESENCE_PASSED = 1,     /* a gate pass is in the run */
    PRESENCE_DENIED = 2,     /* two firm fixes in a row were for the state since the run began */
    PRESENCE_STREAK_FOR = 4, /* the streak is for the state */
    PRESENCE_LAST_FIRM = 8,  /* the last fix was firm */
    PRESENCE_FIRM = 16,      /* the streak is against the state, and has begun */
    PRESENCE_WAITING = 32,   /* in the list of those that may make room */
};

/* A run is what has spoken against the present state (unknown: for inside) since something last spoke
 * clearly for it; a streak is what fixes have said firmly one after the other, for or against. */
struct presence {
    int64_t run_ms; /* when the run crossed the boundary, as near as known; 0: there is none */
    uint32_t pupil_no, fence_no;
    uint32_t next;         /* of the same pupil, or of the free places; 0 ends */
    uint32_t older, newer; /* those that may make room, by last change */
    int16_t sum_mn;   /* evidence for inside; a settled state keeps only what speaks against it */
    uint16_t since_s; /* so long before run_ms was the fix before the run */
    uint16_t lasts_s; /* so long the streak has lasted */
    uint16_t away_m;  /* how far its last fix was from the boundary; 0: a vague one since */
    uint8_t state;    /* enum presence_state */
    uint8_t flags;    /* enum presence_flag */
};
_Static_assert(sizeof(struct presence) == 40, "tens of bytes each");

struct presences {
    struct presence *items; /* place 0 is none */
    uint32_t *first;        /* of each pupil */
    uint32_t free, oldest, newest;
    uint32_t count;
    uint64_t evicted, refused;
};

size_t presences_bytes(uint32_t pupil_end, uint32_t count_max);
enum status presences_init(struct presences *presences, struct arena *arena, uint32_t pupil_end,
                           uint32_t count_max) MUST_CHECK;

/* 0 when there is none. */
uint32_t presences_find(const struct presences *presences, uint32_t pupil_no, uint32_t fence_no);
/* A new place in state unknown with sum 0; 0 when every place is of a pupil inside (counted). */
uint32_t presences_add(struct presences *presences, uint32_t pupil_no, uint32_t fence_no);
void presences_drop(struct presences *presences, uint32_t place);
/* Call after a change of state or sum: inside stays, the others line up to make room. */
void presences_touch(struct presences *presences, uint32_t place);

#endif
