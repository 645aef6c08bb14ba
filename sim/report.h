/*
 * report.h - what the cards and gates of the simulated city send.
 * Know: the values of the enums are those of core/event.h.
 * Units: in the names; times are Unix milliseconds.
 * Threads: any.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "geo/point.h"

enum sim_report_kind { SIM_FIX = 1, SIM_PASS = 2, SIM_SIGNAL = 3 };
enum sim_source { SIM_SOURCE_NONE = 0, SIM_GNSS = 1, SIM_WIFI = 2, SIM_CELL = 3 };
enum sim_direction { SIM_DIRECTION_UNKNOWN = 0, SIM_IN = 1, SIM_OUT = 2 };
enum sim_signal {
    SIM_SIGNAL_SOS = 1,
    SIM_SIGNAL_LOW_BATTERY = 2,
    SIM_SIGNAL_REMOVED = 3,
    SIM_SIGNAL_POWERED_OFF = 4,
};

struct sim_report {
    int64_t time_ms;    /* by the clock of the card or gate */
    int64_t arrival_ms; /* when it is sent, true time */
    uint64_t seq;       /* the sender's number, from 1; a repeated one is the same report again */
    uint32_t pupil;     /* place in city->pupils, whose card it is */
    uint8_t kind;       /* enum sim_report_kind */
    uint8_t source;     /* fix: enum sim_source */
    uint8_t direction;  /* pass: enum sim_direction */
    uint8_t signal;     /* signal: enum sim_signal */
    uint8_t gate;       /* pass: place in the school's gates */
    uint8_t battery_pct;
    bool again;        /* the network delivers an earlier report once more, under its number */
    bool has_position; /* fix, signal; 0,0 is a position too, as some cards send it */
    struct geo_point point;
    uint32_t accuracy_cm; /* radius of 68 % as the card believes it */
};

#endif
