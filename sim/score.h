/*
 * score.h - alerts beside what truly happened: found, missed, false, double, brief.
 * Know: a crossing and an alert are of one kind when pupil, fence and type agree. A crossing undone
 * in less than brief_ms is brief with the one that undoes it: neither found nor missed, and an alert
 * of it is not false.
 * Units: Unix milliseconds.
 * Memory: the caller's arrays, which are sorted in place.
 * Threads: any.
 */
#ifndef SIM_SCORE_H
#define SIM_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/histogram.h"

/* The crossing that an alert finds lies within its bounds, give or take this, and before it was raised:
 * clocks are wrong, and a lie that lasts may stand at the crossing itself. */
#define SCORE_SLACK_MS 600000

enum score_type {
    SCORE_NONE,    /* a danger zone left: makes what it undoes brief, is not scored itself */
    SCORE_ENTERED, /* a school's ground */
    SCORE_LEFT,
    SCORE_DANGER,
    SCORE_PLACE_ENTERED, /* a building, the playground, the front of a gate */
    SCORE_PLACE_LEFT,
    SCORE_TYPES
};

struct score_mark {
    uint32_t pupil_no, fence_no;
    uint8_t type;      /* enum score_type */
    bool brief, taken; /* crossings: set by score */
    bool wrong;        /* alerts: set by score, there was no such crossing */
    uint32_t doubt_e6; /* alerts: as they tell it; not scored */
    int64_t time_ms;
    int64_t earliest_ms, latest_ms, raised_ms; /* alerts */
};

struct score_kind {
    uint64_t crossings, found, missed, brief; /* crossings = found + missed, without brief ones */
    uint64_t wrong, doubled, of_brief;        /* alerts that found nothing */
    struct histogram delays_ms;               /* raised_ms - true time */
    struct histogram errors_ms;               /* |time_ms - true time| */
};

struct score {
    struct score_kind kinds[SCORE_TYPES]; /* by enum score_type */
};

/* *ret is cleared first. */
void score(struct score_mark *crossings, uint32_t crossing_count, struct score_mark *alerts,
           uint32_t alert_count, int64_t brief_ms, struct score *ret);

/* The table of a score, without ends of lines: the head, and a row of a type. Times are in seconds: how
 * long after the crossing the alert was raised (at most, of 50, 90 and 99 % of those found), and how
 * far the moment that it tells lies from the true one (median). */
void score_head(struct buffer *out);
void score_row(const struct score *score, enum score_type type, struct buffer *out);

#endif
