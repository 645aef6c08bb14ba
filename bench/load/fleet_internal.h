/*
 * fleet_internal.h - what the first process and the generators say to each other.
 * Memory: struct fleet_part is shared; each field has one writer, the generator, but for lag.
 */
#ifndef BENCH_LOAD_FLEET_INTERNAL_H
#define BENCH_LOAD_FLEET_INTERNAL_H

#include <stdatomic.h>

#include "bench/load/conn_pool.h"
#include "bench/load/fleet.h"
#include "bench/load/fleet_plan.h"

enum fleet_order { FLEET_CONNECT, FLEET_PROBE, FLEET_RUN, FLEET_STOP, FLEET_CLOSE };

/* A packet of a generator's socket. */
struct fleet_command {
    uint32_t order, number; /* PROBE: its number; RUN: the feed's */
    int64_t start_us, wall_ms;
};

struct fleet_part {
    _Alignas(64) _Atomic uint32_t up, runs_done, failed;
    _Atomic uint64_t losses, pings, messages;
    _Atomic int64_t lag_max_us; /* the first process takes it, by exchange */
    /* written before failed */
    enum status status;
    struct status_detail detail;
};

/* What a generator gets. */
struct fleet_setup {
    const struct load_fleet_options *options;
    const struct fleet_plan *plan;
    const struct conn_target *targets;
    uint32_t part;
    int commands; /* descriptor; its end is the end */
    struct fleet_part *shared;
};

/* Runs until told to close. In the generator's process. */
void generator_main(const struct fleet_setup *setup);

#endif
