#include "bench/load/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"

enum { QUIET_US = 1500000, CROSSING_PERIOD_MS = 120000, WARM_UP = 0, STEADY = 1 };
static const int64_t poll_us = 50000;
static const int64_t lead_us = 100000; /* for the generators to hear of a run before it begins */
static const int64_t second_us = 1000000;
static const volatile sig_atomic_t *stopped;

/* ---- before ---- */

static enum status make_warm_up(const void *context, struct load_share share, int64_t wall_ms,
                                struct load_feed **ret, struct status_detail *detail)
{
    struct load_warm_up options = *(const struct load_warm_up *)context;
    options.wall_ms = wall_ms;
    return load_feed_warm_up(&options, share, ret, detail);
}

static enum status set_feeds(struct load_run *run, struct status_detail *detail)
{
    const struct load_options *options = run->options;
    run->warm_up = (struct load_warm_up){.cards = &run->cards, .rate = options->rate};
    struct load_steady steady = {.cards = &run->cards,
                                 .steps = options->steps,
                                 .step_count = options->step_count,
                                 .sos_per_s = options->sos_per_s,
                                 .fixes = load_options_fixes(options)};
    if (options->ladder) {
        steady.steps = run->climb.shared;
        steady.step_count = 1;
    }
    run->feeds[WARM_UP] = (struct load_feed_source){make_warm_up, &run->warm_up};
    run->feeds[STEADY] = (struct load_feed_source){load_model_make, &run->model};
    return load_model_open(&options->model, &steady, &run->cards, &run->model, detail);
}

static enum status read_cards(struct load_run *run, struct status_detail *detail)
{
    const struct load_options *options = run->options;
    double wanted = round(options->rate * options->interval_s);
    uint32_t count_max = wanted < 1 ? 1 : wanted > UINT32_MAX ? UINT32_MAX : (uint32_t)wanted;
    enum status status = load_cards_read(&run->cards, options->cards_path, count_max,
                                         options->crossing_share, detail);
    if (status == STATUS_OK && load_options_probes(options) && run->cards.in_file > 1 &&
        run->cards.count == run->cards.in_file) { /* one is left for the probe */
        count_max = run->cards.in_file - 1;
        load_cards_release(&run->cards);
        status = load_cards_read(&run->cards, options->cards_path, count_max,
                                 options->crossing_share, detail);
    }
    if (status == STATUS_OK && options->ladder) {
        status = load_climb_init(&run->climb, &options->climb, options->step_s, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    double interval_ms = run->cards.count * 1000.0 / options->rate;
    run->cards.period_ms =
        interval_ms * 8 > CROSSING_PERIOD_MS ? (int64_t)(interval_ms * 8) : CROSSING_PERIOD_MS;
    status = set_feeds(run, detail);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t reports = load_model_reports(&run->model) + run->cards.crossing;
    if (options->ladder) {
        reports = (uint64_t)load_options_reports(options) + run->cards.crossing;
    }
    status = load_ledger_init(&run->ledger, run->cards.count + run->cards.gate_count, reports);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "no memory for %" PRIu64 " reports", reports);
    }
    run->ledger_made = true;
    run->ledger.epoch = (uint32_t)(clock_wall_ms() / 1000);
    return STATUS_OK;
}

/* Before any thread: it forks. */
static enum status open_fleet(struct load_run *run, struct status_detail *detail)
{
    const struct load_options *options = run->options;
    const struct load_fleet_options fleet = {.brokers = options->brokers,
                                             .broker_count = options->broker_count,
                                             .cards = &run->cards,
                                             .gates = run->cards.gates,
                                             .gate_count = run->cards.gate_count,
                                             .ledger = &run->ledger,
                                             .feeds = run->feeds,
                                             .feed_count = 2,
                                             .connections = options->connections,
                                             .gateways = options->gateways,
                                             .batch = options->batch,
                                             .generators = options->generators,
                                             .connects_per_s = options->connects_per_s,
                                             .keepalive_s = (uint16_t)options->keepalive_s,
                                             .qos = (uint8_t)options->qos};
    return load_fleet_open(&fleet, &run->fleet, detail);
}

static enum status open_watch(struct load_run *run, struct status_detail *detail)
{
    const struct load_options *options = run->options;
    const struct load_watch_options watch = {
        .parts = options->parts,
        .part_count = options->part_count,
        .pg = options->pg,
        .probes_per_s = load_options_probes(options) ? options->probes_per_s : 0,
        .broker = &options->brokers[0],
        .cards_path = options->cards_path,
        .cards = &run->cards,
        .epoch = run->ledger.epoch};
    return load_watch_open(&run->watch, &watch, detail);
}

static enum status open_all(struct load_run *run, struct status_detail *detail)
{
    const struct load_options *options = run->options;
    enum status status = read_cards(run, detail);
    if (status == STATUS_OK && !options->receipts) {
        status = open_fleet(run, detail);
    }
    if (status == STATUS_OK && options->pg != NULL && options->pg[0] != '\0') {
        status = load_archive_open(options->pg, &run->cards, &run->archive, detail);
    }
    if (status == STATUS_OK) {
        status = load_listener_open(
            options->listen, options->listen_count, &run->cards, &run->ledger, options->heard,
            run->model.kind == LOAD_MODEL_DAY ? run->model.alerts_path : NULL, &run->listener,
            detail);
    }
    if (status == STATUS_OK && options->receipts) {
        status = load_keepers_open(options->broker_url, options->brokers[0].password, &run->cards,
                                   &run->ledger, &run->keepers, detail);
    } else if (status == STATUS_OK) {
        status = load_fleet_connect(run->fleet, detail);
    }
    return status == STATUS_OK ? open_watch(run, detail) : status;
}

void load_run_close(struct load_run *run)
{
    load_watch_close(&run->watch);
    if (run->fleet != NULL) {
        load_fleet_close(run->fleet);
    }
    if (run->keepers != NULL) {
        load_keepers_close(run->keepers);
    }
    if (run->listener != NULL) {
        load_listener_close(run->listener);
    }
    if (run->archive != NULL) {
        load_archive_close(run->archive);
    }
    if (run->ledger_made) {
        load_ledger_release(&run->ledger);
    }
    free(run->seconds);
    load_climb_release(&run->climb);
    load_model_release(&run->model);
    load_cards_release(&run->cards);
}

/* ---- waiting ---- */

/* Keepers are served by this thread. */
static void wait_until(struct load_run *run, int64_t mono_us)
{
    if (run->keepers != NULL) {
        load_keepers_run_until(run->keepers, mono_us);
    }
    if (clock_mono_us() < mono_us) {
        struct timespec until = {(time_t)(mono_us / second_us), (long)(mono_us % second_us) * 1000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

/* Until every report is acknowledged, or none was for patience_s. */
static void wait_acks(struct load_run *run)
{
    uint64_t before = UINT64_MAX;
    int64_t grew_us = clock_mono_us();
    while (run->options->qos > 0) {
        struct load_counts counts = load_ledger_counts(&run->ledger);
        int64_t now_us = clock_mono_us();
        if (counts.acked != before) {
            before = counts.acked;
            grew_us = now_us;
        }
        if (counts.acked == counts.sent ||
            (double)(now_us - grew_us) > run->options->patience_s * 1e6) {
            return;
        }
        wait_until(run, now_us + poll_us);
    }
}

/* Until every SOS has its alert and no alert came for a while, but not longer than patience_s. */
static void wait_alerts(struct load_run *run)
{
    int64_t start_us = clock_mono_us();
    for (;;) {
        int64_t now_us = clock_mono_us();
        load_listener_alerts(run->listener, &run->alerts);
        int64_t quiet_since_us = run->alerts.last_us > start_us ? run->alerts.last_us : start_us;
        bool quiet =
            now_us - quiet_since_us > QUIET_US && load_ledger_silent(&run->ledger, LOAD_SOS) == 0;
        if (quiet || (double)(now_us - start_us) > run->options->patience_s * 1e6) {
            return;
        }
        wait_until(run, now_us + poll_us);
    }
}

/* What is published before the daemon first subscribed reaches nobody, and is nobody's loss: so an
 * SOS goes out every second until one raises an alert. */
static enum status wait_daemon(struct load_run *run, struct status_detail *detail)
{
    int64_t start_us = clock_mono_us();
    uint32_t probes = 0;
    while (!load_listener_heard_probe(run->listener)) {
        int64_t now_us = clock_mono_us();
        if ((double)(now_us - start_us) > run->options->patience_s * 1e6) {
            return status_detail_set(detail, STATUS_TIMEOUT,
                                     "an SOS raised no alert within %.0f s: does campusd run, and "
                                     "does its registry know the cards of %s?",
                                     run->options->patience_s, run->options->cards_path);
        }
        enum status status = load_fleet_status(run->fleet, detail);
        if (status != STATUS_OK) {
            return status;
        }
        if (now_us >= start_us + (int64_t)probes * second_us) {
            load_fleet_probe(run->fleet, ++probes);
        }
        wait_until(run, now_us + poll_us);
    }
    return STATUS_OK;
}

/* ---- samples ---- */

static double ms_at(const struct histogram *histogram, double percent)
{
    return (double)histogram_percentile(histogram, percent) / 1000;
}

static void sample_second(struct load_run *run, int64_t end_us)
{
    struct load_counts counts = load_ledger_counts(&run->ledger);
    load_listener_recent(run->listener, &run->recent_us);
    if (run->second_count == run->second_room) {
        uint32_t room = run->second_room > 0 ? run->second_room * 2 : 256;
        struct load_second *seconds = realloc(run->seconds, room * sizeof *seconds);
        ASSERT(seconds != NULL); /* a load tester without memory has nothing more to say */
        run->seconds = seconds;
        run->second_room = room;
    }
    run->seconds[run->second_count++] =
        (struct load_second){.t = (double)(end_us - run->start_us) / 1e6,
                             .sent = counts.sent - run->at_second.sent,
                             .acked = counts.acked - run->at_second.acked,
                             .unacked = counts.sent - counts.acked,
                             .alerts = run->recent_us.count,
                             .alert_p50_ms = ms_at(&run->recent_us, 50),
                             .alert_p99_ms = ms_at(&run->recent_us, 99),
                             .alert_max_ms = (double)run->recent_us.max / 1000};
    load_watch_second(&run->watch, clock_mono_us(), &run->seconds[run->second_count - 1].watch);
    run->at_second = counts;
    load_result_print_second(run);
}

static int64_t second_end_us(const struct load_run *run)
{
    return run->start_us + ((int64_t)run->second_count + 1) * second_us;
}

void load_run_sample(struct load_run *run, int64_t now_us)
{
    while (second_end_us(run) <= now_us) {
        sample_second(run, second_end_us(run));
    }
}

void load_run_step_begin(struct load_run *run, int64_t begin_us)
{
    run->step_us = begin_us;
    run->at_step = load_ledger_counts(&run->ledger);
    if (run->fleet != NULL) {
        (void)load_fleet_take_lag_us(run->fleet);
    }
    load_watch_step_begin(&run->watch, clock_mono_us());
}

void load_run_step_end(struct load_run *run, int64_t end_us, double rate)
{
    struct load_counts counts = load_ledger_counts(&run->ledger);
    double took_s = (double)(end_us - run->step_us) / 1e6;
    took_s = took_s > 0.001 ? took_s : 0.001;
    if (run->fleet != NULL) {
        int64_t lag_us = load_fleet_take_lag_us(run->fleet);
        run->lag_max_us = lag_us > run->lag_max_us ? lag_us : run->lag_max_us;
        run->steps[run->step_count].lag_ms = (double)lag_us / 1000;
    }
    struct load_step_result *step = &run->steps[run->step_count];
    load_watch_step_end(&run->watch, clock_mono_us(), &step->watch);
    load_watch_step_begin(&run->watch, clock_mono_us());
    step->rate = rate;
    step->seconds = took_s;
    step->sent_per_s = (double)(counts.sent - run->at_step.sent) / took_s;
    step->acked_per_s = (double)(counts.acked - run->at_step.acked) / took_s;
    step->unacked = counts.sent - counts.acked;
    run->at_step = counts;
    run->step_us = end_us;
    run->step_count++;
}

/* When the step that runs has to end; INT64_MAX: all did. */
static int64_t step_end_us(const struct load_run *run)
{
    return run->step_count < run->options->step_count
               ? run->step_us + (int64_t)(run->options->steps[run->step_count].seconds * 1e6)
               : INT64_MAX;
}

static void sample(struct load_run *run, int64_t now_us)
{
    while (second_end_us(run) <= now_us && step_end_us(run) != INT64_MAX) {
        sample_second(run, second_end_us(run));
    }
    if (step_end_us(run) <= now_us) {
        load_run_step_end(run, step_end_us(run), run->options->steps[run->step_count].rate);
    }
}

/* ---- the run ---- */

/* Waits for the generators to tell all; samples meanwhile, if this is the run. */
static enum status watch_fleet(struct load_run *run, bool is_run, struct status_detail *detail)
{
    bool told = false;
    while (!load_fleet_idle(run->fleet) || (is_run && !*stopped && step_end_us(run) != INT64_MAX)) {
        int64_t now_us = clock_mono_us();
        enum status status = load_fleet_status(run->fleet, detail);
        if (status != STATUS_OK) {
            return status;
        }
        if (*stopped && !told) {
            load_fleet_stop(run->fleet);
            told = true;
        }
        if (is_run) {
            sample(run, now_us);
        }
        int64_t next_us = now_us + poll_us;
        if (is_run && second_end_us(run) < next_us) {
            next_us = second_end_us(run);
        }
        if (is_run && step_end_us(run) < next_us) {
            next_us = step_end_us(run);
        }
        wait_until(run, next_us);
    }
    return STATUS_OK;
}

static enum status keep_item(struct load_run *run, const struct load_feed_item *item, bool is_run,
                             int64_t due_us, struct status_detail *detail)
{
    wait_until(run, due_us);
    int64_t now_us = clock_mono_us();
    if (is_run) {
        run->lag_max_us = now_us - due_us > run->lag_max_us ? now_us - due_us : run->lag_max_us;
        sample(run, now_us);
    }
    return load_keepers_send(run->keepers, item->sender, (enum load_kind)item->kind, due_us,
                             detail);
}

/* The feed, told by this thread. */
static enum status keep_feed(struct load_run *run, struct load_feed *feed, bool is_run,
                             int64_t start_us, struct status_detail *detail)
{
    struct load_feed_item item;
    while (!*stopped && feed->next(feed, &item) == STATUS_OK) {
        enum status status = keep_item(run, &item, is_run, start_us + item.due_us, detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    while (is_run && !*stopped && step_end_us(run) != INT64_MAX) { /* the last one is over */
        wait_until(run, clock_mono_us() + poll_us);
        sample(run, clock_mono_us());
    }
    return STATUS_OK;
}

static enum status tell_feed(struct load_run *run, uint32_t no, int64_t start_us,
                             struct status_detail *detail)
{
    int64_t wall_ms = load_model_wall_ms(&run->model, start_us);
    const struct load_feed_source *source = &run->feeds[no];
    if (run->fleet != NULL) {
        load_fleet_run(run->fleet, no, start_us, wall_ms);
        return watch_fleet(run, no == STEADY, detail);
    }
    struct load_feed *feed;
    enum status status =
        source->make(source->context, (struct load_share){0, 1, NULL}, wall_ms, &feed, detail);
    if (status == STATUS_OK) {
        status = keep_feed(run, feed, no == STEADY, start_us, detail);
        feed->close(feed);
    }
    return status;
}

static enum status warm_up(struct load_run *run, struct status_detail *detail)
{
    enum status status = tell_feed(run, WARM_UP, clock_mono_us() + lead_us, detail);
    if (status != STATUS_OK) {
        return status;
    }
    wait_acks(run);
    /* what they raised and left behind must not stand in the way of what is timed */
    wait_alerts(run);
    struct load_counts counts = load_ledger_counts(&run->ledger);
    if (counts.acked == counts.sent || run->options->qos == 0) {
        return run->archive != NULL ? load_archive_await(run->archive, &run->ledger,
                                                         run->options->patience_s, detail)
                                    : STATUS_OK;
    }
    return status_detail_set(detail, STATUS_TIMEOUT,
                             "only %" PRIu64 " of %" PRIu64
                             " reports before the run were acknowledged",
                             counts.acked, counts.sent);
}

static enum status steady(struct load_run *run, struct status_detail *detail)
{
    int64_t from_us = clock_mono_us() + lead_us;
    enum status status = load_model_start_us(&run->model, &from_us, detail);
    if (status != STATUS_OK) {
        return status;
    }
    run->start_us = run->step_us = from_us;
    run->at_step = run->at_second = load_ledger_counts(&run->ledger);
    const uint64_t before = run->at_step.sent;
    if (run->fleet != NULL) {
        (void)load_fleet_take_lag_us(run->fleet);
    }
    for (uint32_t i = 0; i < run->options->step_count; i++) {
        if (load_listener_step(run->listener, from_us) != STATUS_OK) {
            return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the steps");
        }
        from_us += (int64_t)(run->options->steps[i].seconds * 1e6);
    }
    load_watch_begin(&run->watch, clock_mono_us());
    status = tell_feed(run, STEADY, run->start_us, detail);
    if (status != STATUS_OK) {
        return status;
    }
    int64_t now_us = clock_mono_us();
    sample(run, now_us);
    int64_t end_us = run->step_us > now_us || step_end_us(run) == INT64_MAX ? run->step_us : now_us;
    if (step_end_us(run) != INT64_MAX) { /* it ended early */
        load_run_step_end(run, end_us, run->options->steps[run->step_count].rate);
    }
    double took_s = (double)(end_us - run->start_us) / 1e6;
    run->sent_per_s = (double)(load_ledger_counts(&run->ledger).sent - before) /
                      (took_s > 0.001 ? took_s : 0.001);
    return STATUS_OK;
}

static enum status climb(struct load_run *run, const volatile int *stop,
                         struct status_detail *detail)
{
    run->start_us = run->step_us = clock_mono_us();
    run->at_step = run->at_second = load_ledger_counts(&run->ledger);
    const uint64_t before = run->at_step.sent;
    load_watch_begin(&run->watch, run->start_us);
    enum status status = load_climb_run(&run->climb, run, STEADY, stop, detail);
    double took_s = (double)(clock_mono_us() - run->start_us) / 1e6;
    run->sent_per_s = (double)(load_ledger_counts(&run->ledger).sent - before) /
                      (took_s > 0.001 ? took_s : 0.001);
    return status;
}

/* ---- after ---- */

void load_run_step_alerts(struct load_run *run, uint32_t no)
{
    struct load_step_result *step = &run->steps[no];
    struct histogram *took = &run->recent_us;
    load_listener_step_alerts(run->listener, no, took);
    step->alerts = took->count;
    step->alert_p50_ms = ms_at(took, 50);
    step->alert_p90_ms = ms_at(took, 90);
    step->alert_p99_ms = ms_at(took, 99);
    step->alert_max_ms = (double)took->max / 1000;
}

static void finish_steps(struct load_run *run)
{
    for (uint32_t i = 0; i < run->step_count; i++) {
        load_run_step_alerts(run, i);
    }
}

enum status load_run_all(struct load_run *run, const struct load_options *options,
                         const volatile sig_atomic_t *stop, struct status_detail *detail)
{
    *run = (struct load_run){.options = options};
    stopped = stop;
    enum status status = open_all(run, detail);
    if (status == STATUS_OK && run->fleet != NULL) { /* receipts tell as much */
        status = wait_daemon(run, detail);
    }
    if (status == STATUS_OK) {
        status = warm_up(run, detail);
    }
    if (status == STATUS_OK) {
        status = options->ladder ? climb(run, stop, detail) : steady(run, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    wait_acks(run);
    wait_alerts(run);
    finish_steps(run);
    load_ledger_seal(&run->ledger);
    if (run->archive != NULL) {
        status = load_archive_check(run->archive, &run->ledger, options->patience_s, &run->found,
                                    detail);
    }
    if (status == STATUS_OK && run->model.kind == LOAD_MODEL_DAY) {
        load_listener_kept(run->listener);
        status = load_model_score(&run->model, &run->truth, detail);
    }
    if (run->fleet != NULL) {
        load_fleet_counts(run->fleet, &run->fleet_counts);
    } else {
        load_keepers_counts(run->keepers, &run->kept);
    }
    return status;
}
