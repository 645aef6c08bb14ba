/*
 * event.h - what a card or a gate reports, decoded, converted to WGS-84 and checked.
 * Know: fixed-size plain structs, little-endian on disk (core/record.h): their layout is a contract
 * with the journals that exist. Registry numbers (`*_no`) are stable and never reused; 0 = none.
 * Units: in the names.
 * Threads: any.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "geo/point.h"

enum event_type { EVENT_FIX = 1, EVENT_PASS = 2, EVENT_SIGNAL = 3, EVENT_CALL = 4 };

enum event_flags {
    EVENT_NO_POSITION = 1, /* a fix without a usable position: none, or 0,0; moves nobody */
    EVENT_CLOCK_AHEAD = 2, /* device clock ahead: time_ms was clamped to arrival */
    EVENT_HAS_SPEED = 4,
    EVENT_HAS_HEADING = 8,
    EVENT_HAS_BATTERY = 16,
    EVENT_HAS_ACCURACY = 32,
};

enum fix_source { FIX_UNKNOWN = 0, FIX_GNSS = 1, FIX_WIFI = 2, FIX_CELL = 3 };
enum pass_direction { PASS_UNKNOWN = 0, PASS_IN = 1, PASS_OUT = 2 };
enum signal_kind {
    SIGNAL_SOS = 1,
    SIGNAL_LOW_BATTERY = 2,
    SIGNAL_REMOVED = 3,
    SIGNAL_POWERED_OFF = 4
};
enum call_direction { CALL_INCOMING = 1, CALL_OUTGOING = 2 };
enum call_outcome { CALL_ANSWERED = 1, CALL_MISSED = 2, CALL_REFUSED = 3 };

struct event {
    int64_t time_ms;  /* device time, Unix UTC */
    uint32_t card_no; /* whose card */
    uint8_t type;     /* enum event_type */
    uint8_t flags;    /* enum event_flags */
    uint8_t kind;     /* fix: enum fix_source; pass: enum pass_direction; signal: enum signal_kind;
                         call: enum call_direction */
    uint8_t datum;    /* fix: enum geo_datum it came in; lat/lon here are WGS-84 */
    struct geo_point point; /* fix, and signal where known (else flag EVENT_NO_POSITION) */
    uint32_t accuracy_cm;   /* radius of 68 %, with EVENT_HAS_ACCURACY */
    uint32_t gate_no;       /* pass */
    uint16_t speed_cms;     /* EVENT_HAS_SPEED */
    uint16_t heading_cdeg;  /* 0..35999, EVENT_HAS_HEADING */
    uint8_t battery_pct;    /* EVENT_HAS_BATTERY */
    uint8_t reader;         /* pass: which reader of the gate */
    uint8_t contact;        /* call: slot in the card's list of family numbers; 0 = not on it */
    uint8_t outcome;        /* call: enum call_outcome */
    uint32_t duration_s;    /* call */
    uint32_t reserved;      /* 0 */
};
_Static_assert(sizeof(struct event) == 48, "events lie on disk");

/* Who sent a report, and its place in the sender's sequence. */
/* What caused an alert may be a tick of the clock too; it sends no reports. */
enum origin_kind { ORIGIN_CARD = 1, ORIGIN_GATE = 2, ORIGIN_TICK = 3 };

struct origin {
    uint8_t kind; /* enum origin_kind */
    uint8_t reserved[3];
    uint32_t no;    /* card_no or gate_no */
    uint32_t epoch; /* raised by a sender that lost its counter */
    uint32_t reserved2;
    uint64_t seq;
};
_Static_assert(sizeof(struct origin) == 24, "origins lie on disk");

/* One accepted report: all its events are durable, or none. */
struct report {
    int64_t arrival_ms;
    struct origin origin;
    uint64_t keep_from; /* lowest seq that the sender still keeps; 0 = it keeps nothing */
    uint32_t event_count;
    const struct event *events;
};

/* Gives the event the device's time as it is taken everywhere: a clock a little ahead of the arrival is
 * believed, one up to a day ahead set to it and marked (limits.h). False: no time to be taken. */
bool event_take_time(struct event *event, int64_t time_ms, int64_t arrival_ms);
/* The order in which the report's events happened, equal ones as they stand: a card may send its newest
 * fix first. The report has at most REPORT_EVENTS_MAX. */
void report_order(const struct report *report, uint16_t *ret_order);

#endif
