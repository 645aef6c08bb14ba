#include "bench/load/climb.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "bench/load/run.h"

static const int64_t second_us = 1000000, poll_us = 20000;
static const int64_t lead_us = 100000; /* for the generators to hear of a step */
static const int64_t stop_wait_us = 10000000;
static const int64_t rest_max_us = 60000000;
static const int64_t quiet_us = 1000000;    /* rest: no alert for so long */
static const double rest_archive_ms = 1500; /* and the archive nearer than that */

/* ---- lifecycle ---- */

enum status load_climb_init(struct load_climb *climb, const struct ladder_options *options,
                            double step_s, struct status_detail *detail)
{
    *climb = (struct load_climb){.shared = NULL};
    enum status status = ladder_init(&climb->ladder, options, detail);
    if (status != STATUS_OK) {
        return status;
    }
    void *memory = mmap(NULL, sizeof *climb->shared, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory to share");
    }
    climb->shared = memory;
    *climb->shared = (struct load_step){options->start, step_s};
    return STATUS_OK;
}

void load_climb_release(struct load_climb *climb)
{
    if (climb->shared != NULL) {
        (void)munmap(climb->shared, sizeof *climb->shared);
        climb->shared = NULL;
    }
}

double load_climb_reports(const struct ladder_options *options, double step_s, double sos_per_s)
{
    /* a geometric row up to the highest rate, that rate once more for each time between */
    double rates = options->rate_max * options->factor / (options->factor - 1) +
                   options->rate_max * options->sharpen;
    return (rates + sos_per_s * LADDER_STEPS_MAX) * step_s;
}

/* ---- waiting ---- */

static void sleep_until(int64_t mono_us)
{
    struct timespec until = {(time_t)(mono_us / second_us), (long)(mono_us % second_us) * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* A turn of waiting: samples whole seconds, hears of generators that failed. */
static enum status turn(struct load_run *run, int64_t until_us, struct status_detail *detail)
{
    int64_t next_us = clock_mono_us() + poll_us;
    sleep_until(next_us < until_us ? next_us : until_us);
    load_run_sample(run, clock_mono_us());
    return load_fleet_status(run->fleet, detail);
}

/* Until the step's time is over, and its feed has ended or was ended. */
static enum status pass_step(struct load_run *run, int64_t end_us, const volatile int *stop,
                             struct status_detail *detail)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && clock_mono_us() < end_us && !*stop) {
        status = turn(run, end_us, detail);
    }
    return status;
}

static enum status end_feed(struct load_run *run, struct status_detail *detail)
{
    enum status status = STATUS_OK;
    int64_t give_up_us = clock_mono_us() + stop_wait_us;
    for (bool told = false; status == STATUS_OK && !load_fleet_idle(run->fleet);) {
        if (!told) {
            load_fleet_stop(run->fleet);
            told = true;
        }
        if (clock_mono_us() > give_up_us) {
            return status_detail_set(detail, STATUS_TIMEOUT, "a generator does not end its step");
        }
        status = turn(run, give_up_us, detail);
    }
    return status;
}

/* Until nothing is unacknowledged, no SOS waits for its alert, alerts have ended and the archive is
 * near; tells how long SOS were owed. *ret_rested false: not within a minute. */
static enum status rest(struct load_run *run, const volatile int *stop, double *ret_owed_ms,
                        bool *ret_rested, struct status_detail *detail)
{
    const int64_t from_us = clock_mono_us();
    enum status status = STATUS_OK;
    *ret_owed_ms = 0;
    *ret_rested = false;
    while (status == STATUS_OK && !*stop && clock_mono_us() - from_us < rest_max_us) {
        struct load_counts counts = load_ledger_counts(&run->ledger);
        load_listener_alerts(run->listener, &run->alerts);
        int64_t now_us = clock_mono_us();
        bool owed = load_ledger_silent(&run->ledger, LOAD_SOS) > 0;
        *ret_owed_ms = owed ? (double)(now_us - from_us) / 1000 : *ret_owed_ms;
        int64_t heard_us = run->alerts.last_us > from_us ? run->alerts.last_us : from_us;
        if (!owed && now_us - heard_us > quiet_us &&
            (counts.acked == counts.sent || run->options->qos == 0) &&
            load_watch_archive_ms(&run->watch) < rest_archive_ms) {
            *ret_rested = true;
            return STATUS_OK;
        }
        status = turn(run, now_us + poll_us, detail);
    }
    return status;
}

/* ---- a step ---- */

static uint64_t losses(const struct load_run *run)
{
    struct load_fleet_counts counts;
    load_fleet_counts(run->fleet, &counts);
    return counts.losses + run->alerts.losses;
}

static void fill_step(struct load_run *run, const struct load_step_result *result,
                      uint64_t unacked_before, struct ladder_step *ret)
{
    *ret = (struct ladder_step){.rate = result->rate,
                                .seconds = result->seconds,
                                .sent = result->sent_per_s * result->seconds,
                                .unacked_begin = (double)unacked_before,
                                .unacked_end = (double)result->unacked,
                                .lag_ms = result->lag_ms,
                                .archive_probed = result->watch.probed,
                                .archive_p99_ms = result->watch.archive_p99_ms,
                                .archive_begin_ms = result->watch.archive_begin_ms,
                                .archive_end_ms = result->watch.archive_end_ms,
                                .from = result->watch.from,
                                .to = result->watch.to};
    if (run->options->qos == 0) {
        ret->unacked_begin = ret->unacked_end = 0;
    }
}

static void tell(const struct load_step_result *step, const struct ladder_verdict *verdict)
{
    (void)fprintf(stderr, "campus-load: %.0f a second: %s%s%s\n", step->rate,
                  verdict->broke == LADDER_HELD ? "held" : verdict->what,
                  verdict->broke == LADDER_HELD ? "" : "; by ", verdict->by);
}

/* One step and the rest after it. */
static enum status climb_step(struct load_climb *climb, struct load_run *run, uint32_t feed,
                              const volatile int *stop, bool *ret_rested,
                              struct status_detail *detail)
{
    const uint32_t no = run->step_count;
    const int64_t from_us = clock_mono_us() + lead_us;
    const int64_t end_us = from_us + (int64_t)(climb->shared->seconds * 1e6);
    struct load_counts before = load_ledger_counts(&run->ledger);
    uint64_t lost = losses(run);
    enum status status = load_listener_step(run->listener, from_us);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "no memory for the steps");
    }
    load_run_step_begin(run, from_us);
    load_fleet_run(run->fleet, feed, from_us, clock_wall_ms() + lead_us / 1000);
    status = pass_step(run, end_us, stop, detail);
    if (status != STATUS_OK) {
        return status;
    }
    bool whole = clock_mono_us() >= end_us;
    load_run_step_end(run, whole ? end_us : clock_mono_us(), climb->shared->rate);
    double owed_ms = 0;
    status = end_feed(run, detail);
    if (status == STATUS_OK) {
        status = rest(run, stop, &owed_ms, ret_rested, detail);
    }
    if (status != STATUS_OK || !whole) {
        return status; /* what was cut short tells nothing about its rate */
    }
    load_run_step_alerts(run, no);
    struct ladder_step step;
    fill_step(run, &run->steps[no], before.sent - before.acked, &step);
    step.alerts = run->steps[no].alerts;
    step.alert_p99_ms = run->steps[no].alert_p99_ms;
    step.alert_owed_ms = owed_ms;
    step.lost = losses(run) - lost;
    ladder_take(&climb->ladder, &step, &climb->verdicts[no]);
    tell(&run->steps[no], &climb->verdicts[no]);
    return STATUS_OK;
}

enum status load_climb_run(struct load_climb *climb, struct load_run *run, uint32_t feed,
                           const volatile int *stop, struct status_detail *detail)
{
    bool rested;
    double rate, owed_ms;
    /* what the start left behind is of no step */
    enum status status = rest(run, stop, &owed_ms, &rested, detail);
    while (status == STATUS_OK && !*stop && rested &&
           ladder_next(&climb->ladder, &rate) == STATUS_OK) {
        climb->shared->rate = rate;
        status = climb_step(climb, run, feed, stop, &rested, detail);
    }
    if (status == STATUS_OK && !rested && !*stop) {
        (void)fprintf(stderr, "campus-load: no rest within %" PRId64 " s: the ladder ends\n",
                      rest_max_us / second_us);
    }
    return status;
}
