/*
 * alert.h - what the engine tells people.
 * Know: the id is derived from what caused the alert, so a replay gives the same id.
 * Threads: any.
 */
#ifndef CORE_ALERT_H
#define CORE_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"

#define ALERT_LIST(X)                                                                              \
    X(ALERT_ENTERED, "entered")                                                                    \
    X(ALERT_LEFT, "left")                                                                          \
    X(ALERT_DANGER, "danger")                                                                      \
    X(ALERT_SOS, "sos")                                                                            \
    X(ALERT_LOW_BATTERY, "low_battery")                                                            \
    X(ALERT_GATE_PASS, "gate_pass")                                                                \
    X(ALERT_REMOVED, "removed")                                                                    \
    X(ALERT_POWERED_OFF, "powered_off")                                                            \
    X(ALERT_SILENT, "silent")                                                                      \
    X(ALERT_HEARD, "heard")

enum alert_type {
    ALERT_NONE = 0,
#define X(name, word) name,
    ALERT_LIST(X)
#undef X
        ALERT_TYPE_COUNT
};

/* Why a crossing is not sure: before the fix that settled it, within its bounds or at it. */
enum alert_doubt {
    ALERT_DOUBT_SILENCE = 1,     /* nothing was said for long */
    ALERT_DOUBT_OFF = 2,         /* the card was switched off */
    ALERT_DOUBT_LOW_BATTERY = 4, /* the battery was low */
    ALERT_DOUBTS = 7,            /* all of them */
};

/* Without a pupil: `silent` and `heard` of a school where many fell silent at once. */
struct alert {
    uint8_t type;        /* enum alert_type */
    uint8_t severity;    /* enum severity */
    uint8_t direction;   /* gate pass: enum pass_direction */
    bool late;           /* it happened more than TIME_LATE_MS before it was known */
    uint16_t index;      /* the event's place in its report */
    uint8_t battery_pct; /* low battery, 255 = not told */
    bool has_position;
    uint32_t school_no, pupil_no, card_no;
    uint32_t fence_no, fence_version; /* entered, left, danger */
    uint32_t gate_no;                 /* gate pass */
    int64_t time_ms;                  /* when it happened, as near as known */
    int64_t earliest_ms, latest_ms;   /* and within which bounds */
    int64_t raised_ms;                /* when it was known: arrival of what settled it */
    struct geo_point point;           /* last position known, with has_position */
    uint32_t accuracy_cm;
    uint32_t doubts; /* enum alert_doubt: entered, left, danger */
    uint32_t
        doubt_e6; /* entered, left, danger: the chance that it is wrong, as the engine believes */
    struct origin cause; /* the report that settled it */
};

const char *alert_word(enum alert_type type);         /* "entered" */
const char *alert_doubt_word(enum alert_doubt doubt); /* "silence" */
/* Parents hear of it too? Of the state of a card the school alone does. */
bool alert_is_for_guardians(enum alert_type type);

/* The id: "<word>-<c|g|t><origin no>.<epoch>.<seq>.<index>" and "-f<fence no>" where a fence is
 * concerned. Plain ASCII, unique for (cause, type, fence). What a tick tells is caused by what was last
 * heard: no is the card, seq the second; of a school no is 0, epoch its number, seq the second of the
 * tick that told it silent. */
#define ALERT_ID_MAX 96
void alert_id(const struct alert *alert, char ret[ALERT_ID_MAX]);

#endif
