/*
 * watch.h - what is measured beside a run: the CPU of each part, and how far the archive is behind.
 * Know: nothing here is needed for the run; without --part and --pg there is nothing to tell.
 * Units: microseconds of clock_mono_us; cores; milliseconds.
 * Memory: own, until load_watch_close.
 * Threads: the main thread. Opened after the fleet, since that forks.
 */
#ifndef BENCH_LOAD_WATCH_H
#define BENCH_LOAD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/load/load.h"
#include "bench/load/parts.h"
#include "bench/load/probe.h"

struct load_watch_options {
    const char *const *parts; /* "NAME=PID" */
    uint32_t part_count;
    const char *pg;      /* NULL or "": no probe */
    double probes_per_s; /* 0: no probe */
    const struct load_broker *broker;
    const char *cards_path;
    const struct load_cards *cards; /* of the load */
    uint32_t epoch;                 /* of the load */
};

struct load_watch {
    struct parts *parts;           /* or NULL */
    struct load_probe *probe;      /* or NULL */
    struct parts_use second, step; /* at the last look of each */
    double step_archive_ms;
    uint32_t ended[PARTS_MAX]; /* told already */
};

/* A file without a card left for the probe means none, told on stderr. STATUS_INVALID,
 * STATUS_NOT_FOUND: a part; STATUS_UNAVAILABLE: the broker. load_watch_close in any case. */
enum status load_watch_open(struct load_watch *watch, const struct load_watch_options *options,
                            struct status_detail *detail) MUST_CHECK;
void load_watch_close(struct load_watch *watch);

/* The run begins: what was before belongs to no second and no step. */
void load_watch_begin(struct load_watch *watch, int64_t now_us);

struct load_watch_second {
    struct parts_rates rates;
    double archive_ms; /* how far behind; negative: not probed */
};
/* Since the last call. A process of a part that ended is told on stderr, once. */
void load_watch_second(struct load_watch *watch, int64_t now_us, struct load_watch_second *ret);

struct load_watch_step {
    struct parts_use from, to;
    struct parts_rates rates;
    bool probed;
    double archive_p50_ms, archive_p99_ms; /* those that are awaited count with their age */
    double archive_begin_ms, archive_end_ms;
};
void load_watch_step_begin(struct load_watch *watch, int64_t now_us);
void load_watch_step_end(struct load_watch *watch, int64_t now_us, struct load_watch_step *ret);

/* How far the archive is behind now; 0 when nobody asks it. */
double load_watch_archive_ms(struct load_watch *watch);

/* What the broker says of itself ($SYS/broker/version), "" if nothing within a second. */
#define LOAD_VERSION_MAX 128u
void load_watch_broker_version(const struct load_broker *broker, char ret[LOAD_VERSION_MAX]);

#endif
