/*
 * gate.h - how a gate's reader tells a true pass: it misses, reads twice, or takes the wrong
 * direction.
 * Threads: any.
 */
#ifndef SIM_GATE_H
#define SIM_GATE_H

#include "sim/plan.h"
#include "sim/random.h"
#include "sim/report.h"

#define SIM_READINGS_MAX 2u

struct sim_reading {
    uint32_t time_ms, arrival_ms;
    uint8_t gate;
    enum sim_direction direction;
};

/* The readings of one pass, by time; returns how many. */
uint32_t sim_gate_read(struct sim_random *random, const struct sim_pass *pass,
                       struct sim_reading ret[SIM_READINGS_MAX]);

#endif
