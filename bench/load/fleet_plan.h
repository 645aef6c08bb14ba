/*
 * fleet_plan.h - which connection carries which sender, and which generator process has it.
 * Know: lines are the connections of the whole fleet, numbered; line i belongs to part
 * i % parts and is there number i / parts. Cards keep their order: one line each, for ever.
 * Memory: own, until fleet_plan_release.
 * Threads: one.
 */
#ifndef BENCH_LOAD_FLEET_PLAN_H
#define BENCH_LOAD_FLEET_PLAN_H

#include "bench/load/fleet.h"

struct fleet_plan {
    uint32_t senders, lines, parts;
    uint32_t gateways;           /* the first of the lines */
    uint32_t *line_of;           /* of each sender */
    uint8_t *part_of;            /* the same as line_of % parts */
    const char **gateway_school; /* of each gateway; points into the cards */
};

/* files_max: descriptors that a process may have. The errors of load_fleet_open. */
enum status fleet_plan_init(struct fleet_plan *plan, const struct load_fleet_options *options,
                            uint64_t files_max, struct status_detail *detail) MUST_CHECK;
void fleet_plan_release(struct fleet_plan *plan);
/* How many lines a part has. */
uint32_t fleet_plan_lines(const struct fleet_plan *plan, uint32_t part);

#endif
