/* What a run found, for people and as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/figures.h"
#include "bench/load/run.h"
#include "bench/load/truth.h"

static const double percentiles[] = {10, 20, 30, 40, 50, 60,   70,   75,    80,
                                     85, 90, 95, 98, 99, 99.5, 99.9, 99.99, 100};

static double ms_at(const struct histogram *histogram, double percent)
{
    return (double)histogram_percentile(histogram, percent) / 1000;
}

/* ---- for people ---- */

static void print_latency(const char *words, const struct histogram *h)
{
    if (h->count == 0) {
        (void)printf("  %-8s none\n", words);
        return;
    }
    (void)printf("  %-8s %9" PRIu64 " %9.1f %9.1f %9.1f %9.1f\n", words, h->count, ms_at(h, 50),
                 ms_at(h, 90), ms_at(h, 99), (double)h->max / 1000);
}

static void print_acks(const struct load_run *run)
{
    struct load_counts counts = load_ledger_counts(&run->ledger);
    const struct load_fleet_counts *fleet = &run->fleet_counts;
    if (run->keepers != NULL) {
        (void)printf("receipts      for %" PRIu64 " of %" PRIu64 "; sent again %" PRIu64
                     "; connection lost %u times\n",
                     counts.acked, counts.sent, run->kept.resent, run->kept.losses);
        return;
    }
    (void)printf("connections   %u over %u brokers, of %u generators; lost %" PRIu64 "; %" PRIu64
                 " messages, %" PRIu64 " pings\n",
                 fleet->connections, run->options->broker_count, fleet->generators, fleet->losses,
                 fleet->messages, fleet->pings);
    if (run->options->qos > 0) {
        (void)printf("acknowledged  %" PRIu64 " of %" PRIu64 "\n", counts.acked, counts.sent);
    } else {
        (void)printf("acknowledged  nothing: QoS 0\n");
    }
}

static void print_steps(const struct load_run *run)
{
    if (run->step_count < 2) {
        return;
    }
    (void)printf(
        "steps         wished     sent    acked   unacked   lag ms   alerts  median     90%%"
        "     99%%     max\n");
    for (uint32_t i = 0; i < run->step_count; i++) {
        const struct load_step_result *step = &run->steps[i];
        (void)printf("  %8.0f s %8.0f %8.0f %8.0f %9" PRIu64 " %8.1f %8" PRIu64
                     " %7.1f %7.1f %7.1f %7.1f\n",
                     step->seconds, step->rate, step->sent_per_s, step->acked_per_s, step->unacked,
                     step->lag_ms, step->alerts, step->alert_p50_ms, step->alert_p90_ms,
                     step->alert_p99_ms, step->alert_max_ms);
    }
}

/* ---- beside it: cores, the archive, the ladder ---- */

static void print_cores(FILE *out, const struct load_run *run, const struct parts_rates *rates)
{
    const struct parts_use *use = &run->watch.second;
    for (uint32_t i = 0; i < use->count; i++) {
        (void)fprintf(out, "  %s %.2f", use->parts[i].name, rates->cores[i]);
    }
    if (use->count > 0) {
        (void)fprintf(out, "  others %.2f", rates->others);
    }
}

void load_result_print_second(const struct load_run *run)
{
    const struct load_second *second = &run->seconds[run->second_count - 1];
    if (!run->options->ladder && isatty(STDERR_FILENO) == 0) {
        return;
    }
    const double rate = run->options->ladder ? run->climb.shared->rate : run->options->rate;
    (void)fprintf(stderr,
                  "%6.0f s  rate %.0f  sent %" PRIu64 "  acked %" PRIu64 "  unacked %" PRIu64
                  "  alerts %" PRIu64 ", 99 %% %.1f ms",
                  second->t, rate, second->sent, second->acked, second->unacked, second->alerts,
                  second->alert_p99_ms);
    if (second->watch.archive_ms >= 0) {
        (void)fprintf(stderr, "  archive %.0f ms", second->watch.archive_ms);
    }
    print_cores(stderr, run, &second->watch.rates);
    (void)fputc('\n', stderr);
}

static void print_step_parts(const struct load_run *run)
{
    if (run->watch.second.count == 0) {
        return;
    }
    (void)printf("cores\n");
    for (uint32_t i = 0; i < run->step_count; i++) {
        const struct load_step_result *step = &run->steps[i];
        (void)printf("  %8.0f", step->rate);
        print_cores(stdout, run, &step->watch.rates);
        (void)printf("  stolen %.2f\n", step->watch.rates.stolen);
    }
}

static void print_archived(const struct load_run *run)
{
    if (run->watch.probe != NULL) {
        struct histogram took;
        struct load_probe_state state;
        load_probe_all(run->watch.probe, &took);
        load_probe_look(run->watch.probe, &state);
        print_latency("archived", &took);
        if (state.awaited > 0 || state.losses > 0) {
            (void)printf("  %u probes are awaited; PostgreSQL was lost to them %u times%s%s\n",
                         state.awaited, state.losses, state.trouble[0] != '\0' ? ": " : "",
                         state.trouble);
        }
    }
}

static void print_ladder(const struct load_run *run)
{
    if (!run->options->ladder) {
        return;
    }
    bool reached;
    const struct ladder *ladder = &run->climb.ladder;
    double knee = ladder_knee(ladder, &reached);
    (void)printf("ladder\n");
    for (uint32_t i = 0; i < ladder->count; i++) {
        const struct ladder_verdict *verdict = &run->climb.verdicts[i];
        (void)printf("  %8.0f  %-9s  %s%s%s\n", run->steps[i].rate,
                     ladder_broke_word(verdict->broke), verdict->what,
                     verdict->broke == LADDER_HELD ? "" : "; by ", verdict->by);
    }
    if (!reached) {
        (void)printf("knee          not reached: %.0f a second held\n", knee);
    } else {
        (void)printf("knee          %.0f a second held, %.0f did not: %s\n"
                     "              by %s: %s\n",
                     knee, ladder->bad, ladder->what, ladder->by, ladder->why);
    }
}

/* ---- all of it ---- */

static void print_day(const struct load_run *run)
{
    if (run->model.kind == LOAD_MODEL_DAY) {
        (void)printf("the day       %u pupils, day %u, at speed %g; at most %.0f s of it late\n",
                     run->cards.count, run->model.day.day, run->model.day.speed,
                     load_model_lag_s(&run->model, run->lag_max_us));
        load_truth_print(&run->truth);
    }
}

void load_result_print(const struct load_run *run)
{
    const struct load_alerts *alerts = &run->alerts;
    (void)printf("cards         %u of %u, one fix every %.1f s each, %u cross their fence\n",
                 run->cards.count, run->cards.in_file, run->cards.count / run->options->rate,
                 run->cards.crossing);
    (void)printf("sent          %" PRIu64 " reports and %" PRIu64
                 " SOS, %.1f a second, at most %.1f ms "
                 "behind the schedule; %" PRIu64 " reports before the run\n",
                 load_ledger_sent(&run->ledger, LOAD_FIX), load_ledger_sent(&run->ledger, LOAD_SOS),
                 run->sent_per_s, (double)run->lag_max_us / 1000,
                 load_ledger_sent(&run->ledger, LOAD_WARM_UP));
    print_acks(run);
    (void)printf("alerts        %" PRIu64 ", of them %" PRIu64 " SOS, %" PRIu64
                 " of before the run; repeats %" PRIu64 ", of others %" PRIu64
                 ", unreadable %" PRIu64 "; SOS without alert %u; connection lost %" PRIu64 "\n",
                 alerts->alerts, alerts->sos, alerts->warm_up, alerts->repeats, alerts->foreign,
                 alerts->unreadable, load_ledger_silent(&run->ledger, LOAD_SOS), alerts->losses);
    (void)printf("latency ms      alerts    median       90%%       99%%       max\n");
    print_latency("all", &alerts->all_us);
    print_latency("SOS", &alerts->sos_us);
    print_archived(run);
    print_steps(run);
    print_step_parts(run);
    print_ladder(run);
    print_day(run);
    if (run->archive == NULL) {
        (void)printf("archive       not checked: no --pg\n");
        return;
    }
    const struct load_archive_result *found = &run->found;
    (void)printf(
        "archive       %" PRIu64 " rows, complete %.1f s after the last alert: lost %" PRIu64
        ", doubled %" PRIu64 ", sent by nobody %" PRIu64 "\n",
        found->rows, (double)found->settle_ms / 1000, found->lost, found->doubled, found->unknown);
}

/* ---- JSON ---- */

static void add_figures(const struct load_run *run, struct figures *figures)
{
    struct load_counts counts = load_ledger_counts(&run->ledger);
    const struct load_alerts *alerts = &run->alerts;
    if (run->archive != NULL) {
        figures_add(figures, "load.lost", (double)run->found.lost);
        figures_add(figures, "load.doubled", (double)run->found.doubled);
        figures_add(figures, "load.unknown", (double)run->found.unknown);
        figures_add(figures, "load.archive_settle_s", (double)run->found.settle_ms / 1000);
    }
    if (alerts->all_us.count > 0) {
        figures_add(figures, "load.alert_p50_ms", ms_at(&alerts->all_us, 50));
        figures_add(figures, "load.alert_p90_ms", ms_at(&alerts->all_us, 90));
        figures_add(figures, "load.alert_p99_ms", ms_at(&alerts->all_us, 99));
        figures_add(figures, "load.alert_max_ms", (double)alerts->all_us.max / 1000);
    }
    if (alerts->sos_us.count > 0) {
        figures_add(figures, "load.sos_p50_ms", ms_at(&alerts->sos_us, 50));
        figures_add(figures, "load.sos_p99_ms", ms_at(&alerts->sos_us, 99));
        figures_add(figures, "load.sos_max_ms", (double)alerts->sos_us.max / 1000);
    }
    figures_add(figures, "load.sent_per_s", run->sent_per_s);
    figures_add(figures, "load.lag_max_ms", (double)run->lag_max_us / 1000);
    figures_add(figures, "load.sent", (double)counts.sent);
    figures_add(figures, "load.acked", (double)counts.acked);
    figures_add(figures, "load.alerts", (double)alerts->alerts);
    figures_add(figures, "load.alert_repeats", (double)alerts->repeats);
    figures_add(figures, "load.sos_silent", load_ledger_silent(&run->ledger, LOAD_SOS));
    if (run->watch.probe != NULL) {
        struct histogram took;
        load_probe_all(run->watch.probe, &took);
        figures_add(figures, "load.archived_p50_ms", ms_at(&took, 50));
        figures_add(figures, "load.archived_p99_ms", ms_at(&took, 99));
    }
    bool reached = false;
    double knee = run->options->ladder ? ladder_knee(&run->climb.ladder, &reached) : 0;
    if (reached) {
        figures_add(figures, "load.knee_per_s", knee);
    }
    if (run->model.kind == LOAD_MODEL_DAY) {
        load_truth_figures(&run->truth, run->cards.count, figures);
        figures_add(figures, "load.day_lag_s", load_model_lag_s(&run->model, run->lag_max_us));
    }
    if (run->fleet != NULL) {
        figures_add(figures, "load.connections", run->fleet_counts.connections);
        figures_add(figures, "load.connections_lost", (double)run->fleet_counts.losses);
        figures_add(figures, "load.generators", run->fleet_counts.generators);
        figures_add(figures, "load.messages", (double)run->fleet_counts.messages);
    }
}

static void set_count(json_t *object, const char *key, uint64_t value)
{
    (void)json_object_set_new(object, key, json_integer((json_int_t)value));
}

/* Whole numbers without a point: scripts compare them as words. */
static json_t *number(double value)
{
    return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value)
                                                       : json_real(value);
}

static void set_real(json_t *object, const char *key, double value)
{
    (void)json_object_set_new(object, key, number(value));
}

static json_t *options_json(const struct load_run *run)
{
    const struct load_options *options = run->options;
    json_t *json = json_object();
    set_count(json, "cards", run->cards.count);
    set_real(json, "interval_s", options->interval_s);
    set_real(json, "crossing_share", options->crossing_share);
    set_real(json, "sos_per_s", options->sos_per_s);
    set_count(json, "brokers", options->broker_count);
    set_count(json, "connections", run->fleet != NULL ? run->fleet_counts.connections : 1);
    set_count(json, "gateways", options->gateways);
    set_count(json, "batch", options->batch);
    set_count(json, "generators", run->fleet_counts.generators);
    set_count(json, "keepalive_s", options->keepalive_s);
    set_count(json, "qos", options->qos);
    (void)json_object_set_new(json, "receipts", json_boolean(options->receipts));
    return json;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key, json_string(text));
}

static json_t *cores_json(const struct parts_use *use, const struct parts_rates *rates)
{
    json_t *json = json_object();
    for (uint32_t i = 0; i < use->count; i++) {
        set_real(json, use->parts[i].name, rates->cores[i]);
    }
    if (use->count > 0) {
        set_real(json, "others", rates->others);
    }
    return json;
}

/* Without alerts there is no latency to tell. */
static json_t *step_json(const struct load_run *run, uint32_t no)
{
    const struct load_step_result *step = &run->steps[no];
    json_t *json = json_object();
    set_real(json, "rate", step->rate);
    set_real(json, "seconds", step->seconds);
    set_real(json, "sent_per_s", step->sent_per_s);
    set_real(json, "acked_per_s", step->acked_per_s);
    set_count(json, "alerts", step->alerts);
    if (step->alerts > 0) {
        set_real(json, "alert_p50_ms", step->alert_p50_ms);
        set_real(json, "alert_p90_ms", step->alert_p90_ms);
        set_real(json, "alert_p99_ms", step->alert_p99_ms);
        set_real(json, "alert_max_ms", step->alert_max_ms);
    }
    set_count(json, "unacked", step->unacked);
    set_real(json, "lag_ms", step->lag_ms);
    if (step->watch.probed) {
        set_real(json, "archive_p50_ms", step->watch.archive_p50_ms);
        set_real(json, "archive_p99_ms", step->watch.archive_p99_ms);
    }
    (void)json_object_set_new(json, "cpu", cores_json(&step->watch.to, &step->watch.rates));
    if (run->options->ladder && no < run->climb.ladder.count) {
        const struct ladder_verdict *verdict = &run->climb.verdicts[no];
        if (verdict->broke != LADDER_HELD) {
            set_text(json, "broke", verdict->what);
            set_text(json, "broke_by_measure", ladder_broke_word(verdict->broke));
            set_text(json, "by", verdict->by);
        }
    }
    return json;
}

static json_t *steps_json(const struct load_run *run)
{
    json_t *json = json_array();
    for (uint32_t i = 0; i < run->step_count; i++) {
        (void)json_array_append_new(json, step_json(run, i));
    }
    return json;
}

static void append_second(json_t *const *columns, const struct load_second *second)
{
    const bool any = second->alerts > 0;
    json_t *const cells[] = {number(second->t),
                             json_integer((json_int_t)second->sent),
                             json_integer((json_int_t)second->acked),
                             json_integer((json_int_t)second->alerts),
                             json_integer((json_int_t)second->unacked),
                             any ? number(second->alert_p50_ms) : json_null(),
                             any ? number(second->alert_p99_ms) : json_null(),
                             any ? number(second->alert_max_ms) : json_null()};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        (void)json_array_append_new(columns[i], cells[i]);
    }
}

static json_t *seconds_cores_json(const struct load_run *run)
{
    const struct parts_use *use = &run->watch.second;
    json_t *json = json_object(), *others = json_array();
    for (uint32_t part = 0; part < use->count; part++) {
        json_t *column = json_array();
        for (uint32_t i = 0; i < run->second_count; i++) {
            (void)json_array_append_new(column, json_real(run->seconds[i].watch.rates.cores[part]));
        }
        (void)json_object_set_new(json, use->parts[part].name, column);
    }
    for (uint32_t i = 0; use->count > 0 && i < run->second_count; i++) {
        (void)json_array_append_new(others, json_real(run->seconds[i].watch.rates.others));
    }
    if (use->count > 0) {
        (void)json_object_set_new(json, "others", others);
    } else {
        json_decref(others);
    }
    return json;
}

static json_t *seconds_json(const struct load_run *run)
{
    static const char *const names[] = {"t",       "sent",         "acked",        "alerts",
                                        "unacked", "alert_p50_ms", "alert_p99_ms", "alert_max_ms"};
    enum { COLUMNS = sizeof names / sizeof names[0] };
    json_t *json = json_object(), *columns[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = json_array();
        (void)json_object_set_new(json, names[i], columns[i]);
    }
    for (uint32_t i = 0; i < run->second_count; i++) {
        append_second(columns, &run->seconds[i]);
    }
    (void)json_object_set_new(json, "cpu", seconds_cores_json(run));
    if (run->watch.probe != NULL) {
        json_t *behind = json_array();
        for (uint32_t i = 0; i < run->second_count; i++) {
            (void)json_array_append_new(behind, json_real(run->seconds[i].watch.archive_ms));
        }
        (void)json_object_set_new(json, "archive_ms", behind);
    }
    return json;
}

static json_t *percentiles_json(const struct histogram *histogram)
{
    json_t *json = json_array();
    for (size_t i = 0; histogram->count > 0 && i < sizeof percentiles / sizeof percentiles[0];
         i++) {
        (void)json_array_append_new(json, json_pack("[o,o]", number(percentiles[i]),
                                                    number(ms_at(histogram, percentiles[i]))));
    }
    return json;
}

static json_t *knee_json(const struct load_run *run)
{
    bool reached;
    const struct ladder *ladder = &run->climb.ladder;
    double knee = ladder_knee(ladder, &reached);
    json_t *json = json_object();
    if (reached) {
        set_real(json, "rate", knee);
        set_real(json, "broke_at", ladder->bad);
        set_text(json, "what", ladder->what);
        set_text(json, "by", ladder->by);
        set_text(json, "why", ladder->why);
    } else {
        set_text(json, "by", "not reached");
    }
    return json;
}

static json_t *versions_json(const struct load_run *run)
{
    json_t *json = json_object();
    char broker[LOAD_VERSION_MAX];
    struct utsname kernel;
    load_watch_broker_version(&run->options->brokers[0], broker);
    if (broker[0] != '\0') {
        set_text(json, "broker", broker);
    }
    if (run->archive != NULL) {
        set_text(json, "PostgreSQL", load_archive_version(run->archive));
    }
    if (uname(&kernel) == 0) {
        set_text(json, "kernel", kernel.release);
    }
    return json;
}

static json_t *result_json(const struct load_run *run)
{
    struct figures figures = {0};
    add_figures(run, &figures);
    json_t *flat = json_object(), *latency = json_object(), *json = json_object();
    for (uint32_t i = 0; i < figures.count; i++) {
        set_real(flat, figures.items[i].key, figures.items[i].value);
    }
    (void)json_object_set_new(latency, "alert", percentiles_json(&run->alerts.all_us));
    (void)json_object_set_new(latency, "sos", percentiles_json(&run->alerts.sos_us));
    if (run->watch.probe != NULL) {
        struct histogram took;
        load_probe_all(run->watch.probe, &took);
        (void)json_object_set_new(latency, "archived", percentiles_json(&took));
    }
    /* figures first: scripts/bench.sh puts machine, commit and command before it */
    (void)json_object_set_new(json, "figures", flat);
    (void)json_object_set_new(json, "options", options_json(run));
    (void)json_object_set_new(json, "steps", steps_json(run));
    (void)json_object_set_new(json, "seconds", seconds_json(run));
    (void)json_object_set_new(json, "latency", latency);
    (void)json_object_set_new(json, "versions", versions_json(run));
    if (run->options->ladder) {
        (void)json_object_set_new(json, "knee", knee_json(run));
    }
    if (run->model.kind == LOAD_MODEL_DAY) {
        (void)json_object_set_new(json, "truth", load_truth_json(&run->truth));
    }
    return json;
}

enum status load_result_write(const struct load_run *run, const char *path,
                              struct status_detail *detail)
{
    json_t *json = result_json(run);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        json_decref(json);
        return status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    bool written = json_dumpf(json, file, JSON_REAL_PRECISION(9)) == 0 && fputc('\n', file) != EOF;
    json_decref(json);
    if (fclose(file) != 0 || !written) {
        return status_detail_set(detail, STATUS_IO, "%s: not written: %s", path, strerror(errno));
    }
    return STATUS_OK;
}
