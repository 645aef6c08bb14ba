/*
 * run.h - one run of campus-load, from the first connection to the check of the archive.
 * Know: steps follow each other over the same connections; once a second, and at the end of each
 * step, the counts are sampled.
 * Units: microseconds of clock_mono_us.
 * Memory: own, until load_run_close.
 * Threads: the main thread.
 */
#ifndef BENCH_LOAD_RUN_H
#define BENCH_LOAD_RUN_H

#include <signal.h>

#include "bench/load/climb.h"
#include "bench/load/options.h"
#include "bench/load/watch.h"

struct load_step_result {
    double rate, seconds; /* as wished; seconds as it was, if it ended early */
    double sent_per_s, acked_per_s;
    uint64_t unacked; /* reports, when it ended */
    double lag_ms;    /* how late a message left at most */
    uint64_t alerts;  /* with 0 the next four are 0 */
    double alert_p50_ms, alert_p90_ms, alert_p99_ms, alert_max_ms;
    struct load_watch_step watch;
};

struct load_second {
    double t; /* its end, seconds of the run */
    uint64_t sent, acked, alerts, unacked;
    double alert_p50_ms, alert_p99_ms, alert_max_ms;
    struct load_watch_second watch;
};

struct load_run {
    const struct load_options *options;
    struct load_cards cards;
    struct load_ledger ledger;
    bool ledger_made;
    struct load_feed_source feeds[2];
    struct load_warm_up warm_up;
    struct load_model model;
    struct load_fleet *fleet; /* or: */
    struct load_keepers *keepers;
    struct load_keeper_counts kept;
    struct load_fleet_counts fleet_counts;
    struct load_listener *listener;
    struct load_archive *archive;
    struct load_watch watch;
    struct load_climb climb; /* with options->ladder */

    /* while it runs */
    int64_t start_us, step_us; /* of the run, of the step */
    struct load_counts at_step, at_second;
    struct histogram recent_us;

    /* results */
    struct load_step_result steps[LOAD_STEPS_MAX];
    uint32_t step_count; /* that ended */
    struct load_second *seconds;
    uint32_t second_count, second_room;
    double sent_per_s;
    int64_t lag_max_us;
    struct load_alerts alerts;
    struct load_archive_result found;
    struct score truth; /* of a day */
};

/* Everything, in order. The run ends early, but in order, when *stop is set. */
enum status load_run_all(struct load_run *run, const struct load_options *options,
                         const volatile sig_atomic_t *stop,
                         struct status_detail *detail) MUST_CHECK;
/* After load_run_all, whatever it returned. */
void load_run_close(struct load_run *run);

/* ---- for climb.c ---- */

/* Samples the seconds of the run that have passed. */
void load_run_sample(struct load_run *run, int64_t now_us);
void load_run_step_begin(struct load_run *run, int64_t begin_us);
void load_run_step_end(struct load_run *run, int64_t end_us, double rate);
/* What has come of step `no` by now. */
void load_run_step_alerts(struct load_run *run, uint32_t no);

/* ---- result.c ---- */

/* A line on stderr: the newest second. */
void load_result_print_second(const struct load_run *run);

void load_result_print(const struct load_run *run);
/* STATUS_IO, STATUS_NO_MEMORY with the file's name. */
enum status load_result_write(const struct load_run *run, const char *path,
                              struct status_detail *detail) MUST_CHECK;

#endif
