/*
 * plan.h - what one pupil truly does on one day: a walk through places and times.
 * Know: between two stops a pupil moves straight and evenly, so the position is known at any
 * moment. Every crossing of the school's ground goes through one of its gates.
 * Units: milliseconds
 * since local midnight; metres from the school's centre.
 * Memory: the stops live in the caller's
 * arena.
 * Threads: one per arena.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "base/arena.h"
#include "base/status.h"
#include "sim/city.h"

#define SIM_DAY_BEGIN_MS 21600000u /* 06:00 */
#define SIM_DAY_END_MS   75600000u /* 21:00 */
/* Nobody is ever faster: a bus in town. */
#define SIM_SPEED_MAX_MS 9.0

enum sim_plan_kind {
    SIM_PLAN_PLAIN, /* lunch at school */
    SIM_PLAN_LUNCH_HOME,
    SIM_PLAN_BOARDER, /* never leaves */
    SIM_PLAN_SICK,    /* at home all day */
    SIM_PLAN_TRUANT,  /* leaves in the morning and does not come back */
    SIM_PLAN_STRAY,   /* goes to a danger zone after school */
};

struct sim_stop {
    uint32_t time_ms;
    float east_m, north_m;
    bool indoors; /* until this stop, since the one before */
};

struct sim_pass {
    uint32_t time_ms;
    uint8_t gate;
    bool in;
};
#define SIM_PASSES_MAX 4u

struct sim_plan {
    enum sim_plan_kind kind;
    const struct sim_stop *stops; /* from SIM_DAY_BEGIN_MS to SIM_DAY_END_MS, times never fall */
    uint32_t stop_count;
    struct sim_pass passes[SIM_PASSES_MAX]; /* true ones, by time */
    uint32_t pass_count;
    struct sim_spot home;
};

/* The plan of a pupil (place in city->pupils) on the day of that number. STATUS_NO_MEMORY. */
enum status sim_plan_make(const struct sim_city *city, uint64_t seed, uint32_t day, uint32_t pupil,
                          struct arena *arena, struct sim_plan *ret) MUST_CHECK;

/* Where the pupil is; before the first and after the last stop: there. */
struct sim_spot sim_plan_spot(const struct sim_plan *plan, uint32_t time_ms, bool *ret_indoors);

#endif
