/*
 * ladder.h - how many reports a second a system bears: which rate is tried next, whether it held,
 * and which part stood in the way.
 * Know: it measures nothing and waits for nothing; what a step showed is told to it. Rates rise by
 * a factor until one breaks, or fall where the first breaks; then the middle between the last that
 * held and the first that broke is tried, `sharpen` times.
 * Units: reports a second, seconds, milliseconds, cores.
 * Memory: the caller's.
 * Threads: one.
 */
#ifndef BENCH_LOAD_LADDER_H
#define BENCH_LOAD_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "bench/load/parts.h"

#define LADDER_STEPS_MAX 64u

struct ladder_options {
    double start, factor, rate_max;
    uint32_t sharpen;
    double alert_p99_ms, archive_ms, lag_ms;
};

/* What a step showed. */
struct ladder_step {
    double rate, seconds;
    double sent;                       /* reports */
    double unacked_begin, unacked_end; /* reports without the broker's acknowledgement */
    double lag_ms;                     /* how late a message left at most */
    uint64_t alerts;                   /* timed ones */
    double alert_p99_ms;
    double alert_owed_ms;  /* how long after the end an SOS of the step was still without alert */
    bool archive_probed;   /* else the three below mean nothing */
    double archive_p99_ms; /* probes that are not there yet count with their age */
    double archive_begin_ms, archive_end_ms; /* how far the archive was behind */
    uint64_t lost;                           /* connections, alerts, reports: anything */
    struct parts_use from, to;               /* no parts: nobody can be blamed */
};

enum ladder_broke {
    LADDER_HELD,
    LADDER_LOST,      /* something was lost */
    LADDER_BACKLOG,   /* the broker acknowledges less than is sent */
    LADDER_GENERATOR, /* the generators themselves could not keep up */
    LADDER_ALERTS,    /* too late, or not at all */
    LADDER_ARCHIVE    /* too late, or later and later */
};
/* One word: "held", "losses", "backlog", "generator", "alerts", "archive". */
const char *ladder_broke_word(enum ladder_broke broke);

struct ladder_verdict {
    enum ladder_broke broke;
    char what[96]; /* the measure that broke, in words; "" when it held */
    /* The part with the least headroom: the machine when all of it is in use, a part whose busiest
     * thread leaves nothing of a core, or "unknown": everybody waited for something else. */
    char by[PART_NAME_MAX];
    char why[256]; /* with shares */
};
void ladder_judge(const struct ladder_options *options, const struct ladder_step *step,
                  struct ladder_verdict *ret);

struct ladder {
    struct ladder_options options;
    uint32_t count;    /* steps that were taken */
    uint32_t halvings; /* of the middle */
    double good, bad;  /* highest that held, lowest that broke; 0: none yet */
    char by[PART_NAME_MAX];
    char what[96], why[256]; /* of `bad` */
};

/* STATUS_INVALID: options that never end, or make no sense. */
enum status ladder_init(struct ladder *ladder, const struct ladder_options *options,
                        struct status_detail *detail) MUST_CHECK;
/* The rate to try; STATUS_END: the knee is found, or is not within the bounds. */
enum status ladder_next(const struct ladder *ladder, double *ret_rate) MUST_CHECK;
/* Takes the step of the rate that ladder_next named. */
void ladder_take(struct ladder *ladder, const struct ladder_step *step, struct ladder_verdict *ret);
/* The knee is the highest rate that held; 0: none. *ret_reached is false while nothing broke. */
double ladder_knee(const struct ladder *ladder, bool *ret_reached);

#endif
