/*
 * options.h - what the words behind campus-load ask for.
 * Memory: points into argv; static tables.
 * Threads: one.
 */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include "bench/load/feed.h"
#include "bench/load/fleet.h"
#include "bench/load/ladder.h"
#include "bench/load/model.h"
#include "bench/load/parts.h"

struct load_options {
    const char *pg, *cards_path, *json, *heard;
    const char *broker_url; /* the first */
    struct load_broker brokers[LOAD_BROKERS_MAX], listen[LOAD_BROKERS_MAX];
    uint32_t broker_count, listen_count;
    bool receipts;
    struct load_step steps[LOAD_STEPS_MAX];
    uint32_t step_count;
    double rate; /* the highest */
    struct load_model_options model;
    double interval_s, crossing_share, sos_per_s, patience_s;
    uint32_t connections; /* 0: one a card */
    uint32_t gateways, batch, generators, connects_per_s, keepalive_s, qos;
    const char *parts[PARTS_PIDS_MAX]; /* "NAME=PID" */
    uint32_t part_count;
    double probes_per_s;
    bool ladder; /* then: */
    struct ladder_options climb;
    double step_s;
};

/* CLI_OK, or CLI_USAGE (told already). */
int load_options_read(struct load_options *ret, int argc, char **argv);
/* How many fixes a card puts into a report of its own. */
uint16_t load_options_fixes(const struct load_options *options);
/* Is the archive's latency probed? */
bool load_options_probes(const struct load_options *options);
/* Reports of the run at most. */
double load_options_reports(const struct load_options *options);

#endif
