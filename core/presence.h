/*
 * presence.h - the states of (pupil, fence) that are worth a place: inside, or with evidence under
 * way.
 * Know: "outside, nothing under way" needs no place, so a city of pupils times a city of
 * fences costs a few places a pupil. When all are taken, one that is not inside makes room,
 * of a pupil who was silent for long.
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
#include "core/pupil.h"

enum presence_state { PRESENCE_UNKNOWN = 0, PRESENCE_OUTSIDE = 1, PRESENCE_INSIDE = 2 };

enum presence_flag {
    PRESENCE_PASSED = 1,     /* a gate pass is in the run */
    PRESENCE_DENIED = 2,     /* two firm fixes in a row were for the state since the run began */
    PRESENCE_STREAK_FOR = 4, /* the streak is for the state */
    PRESENCE_LAST_FIRM = 8,  /* the last fix was firm */
    PRESENCE_FIRM = 16,      /* the streak is against the state, and has begun */
    PRESENCE_SILENCE = 32,   /* within the run's bounds the card was silent for long */
    PRESENCE_OFF = 64,       /* and was switched off */
    PRESENCE_FLAGS = 127,    /* all of them */
};

/* A run is what has spoken against the present state (unknown: for inside) since something last spoke
 * clearly for it; a streak is what fixes have said firmly one after the other, for or against. */
struct presence {
    uint32_t run_low; /* when the run crossed the boundary, as near as known: presence_run_ms */
    uint32_t pupil_no : 23, run_middle : 9;
    uint32_t fence_no : 23, run_high : 9;
    /* next of the same pupil, or of the free places, 0 ends; enum presence_state, presence_flag */
    uint32_t next : 23, state : 2, flags : 7;
    int16_t sum_mn;   /* evidence for inside; a settled state keeps only what speaks against it */
    uint16_t since_s; /* so long before the run was the fix before it */
    uint16_t lasts_s; /* so long the streak has lasted */
    uint16_t away_m;  /* how far the boundary was when it was measured last */
    struct geo_point measured; /* from there: mostly of the last fix that was firm */
};
_Static_assert(sizeof(struct presence) == 32 && REGISTRY_NUMBER_MAX < 1u << 23,
               "two in a line of the cache");

/* Unix time; 0: no run is under way. */
static inline int64_t presence_run_ms(const struct presence *presence)
{
    return (int64_t)(presence->run_low | (uint64_t)presence->run_middle << 32 |
                     (uint64_t)presence->run_high << 41);
}

static inline void presence_set_run(struct presence *presence, int64_t run_ms)
{
    presence->run_low = (uint32_t)run_ms;
    presence->run_middle = (uint32_t)(run_ms >> 32) & 0x1ffu;
    presence->run_high = (uint32_t)(run_ms >> 41) & 0x1ffu;
}

/* Is the pupil inside, and does nothing speak against it? Then a word for it changes nothing. */
static inline bool presence_is_quiet(const struct presence *presence)
{
    return presence->state == PRESENCE_INSIDE && presence_run_ms(presence) == 0 &&
           presence->sum_mn == 0;
}

struct presences {
    struct presence *items;     /* place 0 is none */
    struct pupil_state *pupils; /* the caller's, by number */
    uint32_t free, count, count_max;
    uint32_t used_end; /* places from here on were never taken */
    uint32_t hand;     /* where the next search for room begins */
    uint64_t evicted, refused;
};

size_t presences_bytes(uint32_t count_max);
enum status presences_init(struct presences *presences, struct arena *arena,
                           struct pupil_state *pupils, uint32_t count_max) MUST_CHECK;

/* 0 when there is none. */
uint32_t presences_find(const struct presences *presences, uint32_t pupil_no, uint32_t fence_no);
/* A new place in state unknown with sum 0; 0 when there is none and none makes room (counted). */
uint32_t presences_add(struct presences *presences, uint32_t pupil_no, uint32_t fence_no);
void presences_drop(struct presences *presences, uint32_t place);

/* Room is made by the stalest of so many that are not inside, among so many places. */
#define PRESENCES_COMPARED  16u
#define PRESENCES_LOOKED_AT 4096u

#endif
