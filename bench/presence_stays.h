/*
 * presence_stays.h - where a phone truly stayed, found in its whole trace after the fact.
 * Know: this is the truth that rules are held against, so it uses what no rule has: the future. After
 * Li et al. 2008 (stay points), made robust:
 *   - Only fixes of STAY_ACCURACY_CM_MAX or better count, in the order of their own times, one a moment.
 *   - A group begins with a fix; those within STAY_RADIUS_M of the group's mean belong to it.
 *   - It is over where the phone is clearly elsewhere: STAY_AWAY_FIXES fixes in a row that do not
 *     belong, the last of them STAY_AWAY_MS or more after the last that does. Less is noise, or a lie,
 *     or a step outside that nobody wants to hear of.
 *   - Phones that lie still fall silent: silence after the last fix belongs to the stay, less the time
 *     that the way to the next fix takes on foot; at the end of the trace all of it. Silence longer
 *     than STAY_SILENT_MS_MAX is a phone that is off and tells nothing.
 *   - A stay is a group that lasts longer than STAY_MS_MIN, of STAY_FIXES_MIN fixes or more that span
 *     STAY_SEEN_MS_MIN or more (at the end of the trace, where the silence has no measured end, that
 *     is enough), and two thirds of the fixes meanwhile belong to it: a receiver that tells one place
 *     again and again on the way past others lies.
 *   - Neighbouring stays nearer to each other than STAY_RADIUS_M, nothing clearly else between, are one.
 * Memory: the caller's arrays.
 * Threads: any.
 */
#ifndef BENCH_PRESENCE_STAYS_H
#define BENCH_PRESENCE_STAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "geo/point.h"

#define STAY_RADIUS_M        100.0
#define STAY_MS_MIN          600000
#define STAY_SEEN_MS_MIN     180000
#define STAY_AWAY_MS         300000
#define STAY_SILENT_MS_MAX   43200000
#define STAY_AWAY_FIXES      3u
#define STAY_FIXES_MIN       4u
#define STAY_ACCURACY_CM_MAX 10000u
#define STAY_WALK_M_PER_S    1.4

struct stay_fix {
    int64_t time_ms;
    struct geo_point point;
    uint32_t accuracy_cm;
};

struct stay {
    int64_t from_ms, to_ms;  /* to_ms with the silence after the last fix */
    uint32_t first, last;    /* fixes that belong to it */
    uint32_t fix_count;      /* of those between that belong, both ends included */
    struct geo_point centre; /* mean of them */
    uint32_t place;          /* set by stays_places */
};

/* Moves the fixes that count to the front, by time; returns how many. */
uint32_t stays_usable(struct stay_fix *fixes, uint32_t count);
/* Of fixes as stays_usable leaves them; returns how many, at most `capacity`. */
uint32_t stays_find(const struct stay_fix *fixes, uint32_t count, struct stay *ret,
                    uint32_t capacity);
/* Distinct places: a stay belongs to the nearest place whose centre is within STAY_RADIUS_M, else makes
 * a new one; a centre is the mean of its stays. ret_places has room for `count`; returns how many. */
uint32_t stays_places(struct stay *stays, uint32_t count, struct geo_point *ret_places);
/* Stays of one trace in a row at one place, nothing clearly else between, are one visit of it: joins
 * them in place, returns how many are left. After stays_places. */
uint32_t stays_join(struct stay *stays, uint32_t count, const struct stay_fix *fixes,
                    const struct geo_point *places);

#endif
