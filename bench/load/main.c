/* campus-load: reports at a fixed rate, whatever becomes of them; then: what was lost, what came
 * twice, how long did an alert take. */
#include <inttypes.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench/figures.h"
#include "bench/load/load.h"
#include "cli/cli.h"

static const char usage[] =
    "campus-load --cards FILE [--broker URL] [--pg CONNINFO] [...]\n"
    "  --cards FILE       CSV: school,card,lat,lon (the centre of the school's ground, WGS-84)\n"
    "  --broker URL       mqtt://[user@]host[:port]; password in CAMPUS_BROKER_PASSWORD\n"
    "  --pg CONNINFO      the archive to check afterwards; \"\": no check\n"
    "  --rate N           fixes a second, one a report, one report a message (2000)\n"
    "  --seconds N        (60; with --quick 10)\n"
    "  --interval-s N     a card's next fix after so long: rate x interval cards take part (10)\n"
    "  --crossing-share X of the cards walk out of and into the school's ground (0.1)\n"
    "  --sos-per-s N      SOS signals besides (1)\n"
    "  --connections N    (8)\n"
    "  --patience-s N     how long to wait for what does not come any more (30)\n"
    "  --receipts         cards keep what has no receipt and send it again; one connection\n"
    "  --heard FILE       writes each alert heard: its id and a hash of its bytes\n"
    "  --json FILE        the figures\n"
    "  --broker and --pg default to what ./campus up wrote\n"
    "  The schedule waits for nothing; latency counts from the moment a report had to leave.\n"
    "  SIGTERM ends the sending early; what was sent is checked as ever.";

enum { CONNECTIONS_MAX = 1000, QUIET_US = 1500000, CROSSING_PERIOD_MS = 120000 };
static const int64_t poll_us = 50000;
static volatile sig_atomic_t ended;

static void on_term(int signum)
{
    (void)signum;
    ended = 1;
}

struct load {
    const char *broker_url, *pg, *cards_path, *json, *heard;
    bool receipts;
    double rate, seconds, interval_s, crossing_share, sos_per_s, connections, patience_s;
    struct load_broker broker;
    struct load_cards cards;
    struct load_ledger ledger;
    bool ledger_made;
    struct load_senders *senders; /* or: */
    struct load_keepers *keepers;
    struct load_keeper_counts kept;
    struct load_listener *listener;
    struct load_archive *archive;
    uint64_t fixes, sos; /* of the run */
    double sent_per_s;
    int64_t lag_max_us;
    uint64_t warm_up_sent;
    struct load_alerts alerts;
    struct load_archive_result found;
};

/* ---- options ---- */

struct number_option {
    const char *name, *text;
    double low, high;
    double *value;
};

static int read_numbers(const struct number_option *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct number_option *n = &numbers[i];
        if (n->text != NULL && (text_to_double(text_of(n->text), n->value) != STATUS_OK ||
                                *n->value < n->low || *n->value > n->high)) {
            return cli_usage(usage, "%s %s: a number from %g to %g", n->name, n->text, n->low,
                             n->high);
        }
    }
    return CLI_OK;
}

static int check_options(struct load *load)
{
    load->broker_url = load->broker_url != NULL ? load->broker_url : cli_setting("broker");
    load->pg = load->pg != NULL ? load->pg : cli_setting("pg");
    if (load->cards_path == NULL) {
        return cli_usage(usage, "--cards is missing");
    }
    if (load->broker_url == NULL) {
        return cli_usage(usage, "--broker is missing, and there is no CAMPUS_BROKER");
    }
    struct status_detail detail;
    if (mqtt_url_parse(load->broker_url, &load->broker.url, &detail) != STATUS_OK) {
        return cli_usage(usage, "--broker: %s", detail.text);
    }
    load->broker.password = getenv("CAMPUS_BROKER_PASSWORD");
    load->fixes = (uint64_t)(load->rate * load->seconds);
    load->sos = (uint64_t)(load->sos_per_s * load->seconds);
    if (load->fixes + load->sos > 500000000) {
        return cli_usage(usage, "over 500 million reports; fewer seconds or a lower rate");
    }
    return CLI_OK;
}

static int read_options(struct load *load, int argc, char **argv)
{
    bool quick = false;
    struct number_option numbers[] = {
        {"--rate", NULL, 0.1, 1e6, &load->rate},
        {"--seconds", NULL, 1, 1e6, &load->seconds},
        {"--interval-s", NULL, 0.001, 1e5, &load->interval_s},
        {"--crossing-share", NULL, 0, 1, &load->crossing_share},
        {"--sos-per-s", NULL, 0, 1e5, &load->sos_per_s},
        {"--connections", NULL, 1, CONNECTIONS_MAX, &load->connections},
        {"--patience-s", NULL, 0.1, 3600, &load->patience_s},
    };
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    struct cli_option options[NUMBERS + 8] = {{"--broker", &load->broker_url, NULL},
                                              {"--pg", &load->pg, NULL},
                                              {"--cards", &load->cards_path, NULL},
                                              {"--json", &load->json, NULL},
                                              {"--heard", &load->heard, NULL},
                                              {"--receipts", NULL, &load->receipts},
                                              {"--quick", NULL, &quick}};
    for (size_t i = 0; i < NUMBERS; i++) {
        options[7 + i] = (struct cli_option){numbers[i].name, &numbers[i].text, NULL};
    }
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome == CLI_OK && words > 1) {
        outcome = cli_usage(usage, "what is %s?", argv[1]);
    }
    load->seconds = quick ? 10 : load->seconds;
    if (outcome == CLI_OK) {
        outcome = read_numbers(numbers, NUMBERS);
    }
    return outcome == CLI_OK ? check_options(load) : outcome;
}

/* ---- before the run ---- */

static enum status load_open(struct load *load, struct status_detail *detail)
{
    double wanted = load->rate * load->interval_s;
    uint32_t count_max = wanted < 1 ? 1 : wanted > UINT32_MAX ? UINT32_MAX : (uint32_t)wanted;
    enum status status =
        load_cards_read(&load->cards, load->cards_path, count_max, load->crossing_share, detail);
    if (status != STATUS_OK) {
        return status;
    }
    double interval_ms = load->cards.count * 1000.0 / load->rate;
    load->cards.period_ms =
        interval_ms * 8 > CROSSING_PERIOD_MS ? (int64_t)(interval_ms * 8) : CROSSING_PERIOD_MS;
    uint64_t capacity = load->fixes + load->sos + load->cards.crossing;
    if (load_ledger_init(&load->ledger, load->cards.count, (uint32_t)capacity) != STATUS_OK) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %" PRIu64 " reports",
                                 capacity);
    }
    load->ledger_made = true;
    load->ledger.epoch = (uint32_t)(clock_wall_ms() / 1000);
    if (load->pg != NULL && load->pg[0] != '\0') {
        status = load_archive_open(load->pg, &load->cards, &load->archive, detail);
    }
    if (status == STATUS_OK) {
        status = load_listener_open(&load->broker, &load->cards, &load->ledger, load->heard,
                                    &load->listener, detail);
    }
    if (status == STATUS_OK && load->receipts) {
        status = load_keepers_open(load->broker_url, load->broker.password, &load->cards,
                                   &load->ledger, &load->keepers, detail);
    } else if (status == STATUS_OK) {
        status = load_senders_open(&load->broker, (uint32_t)load->connections, &load->cards,
                                   &load->ledger, &load->senders, detail);
    }
    return status;
}

static void load_close(struct load *load)
{
    if (load->senders != NULL) {
        load_senders_close(load->senders);
    }
    if (load->keepers != NULL) {
        load_keepers_close(load->keepers);
    }
    if (load->listener != NULL) {
        load_listener_close(load->listener);
    }
    if (load->archive != NULL) {
        load_archive_close(load->archive);
    }
    if (load->ledger_made) {
        load_ledger_release(&load->ledger);
    }
    load_cards_release(&load->cards);
}

/* ---- the run ---- */

static void sleep_until(int64_t mono_us)
{
    struct timespec until = {(time_t)(mono_us / 1000000), (long)(mono_us % 1000000) * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Keepers are served by this thread. */
static void wait_until(struct load *load, int64_t mono_us)
{
    if (load->keepers != NULL) {
        load_keepers_run_until(load->keepers, mono_us);
    }
    if (clock_mono_us() < mono_us) {
        sleep_until(mono_us);
    }
}

static enum status send_one(struct load *load, uint32_t card, enum load_kind kind, int64_t due_us,
                            struct status_detail *detail)
{
    return load->keepers != NULL ? load_keepers_send(load->keepers, card, kind, due_us, detail)
                                 : load_send(load->senders, card, kind, due_us, detail);
}

/* Until every report is acknowledged, or none was for patience_s. */
static void wait_acks(struct load *load)
{
    uint64_t before = UINT64_MAX;
    int64_t grew_us = clock_mono_us();
    for (;;) {
        struct load_counts counts = load_ledger_counts(&load->ledger);
        int64_t now_us = clock_mono_us();
        if (counts.acked != before) {
            before = counts.acked;
            grew_us = now_us;
        }
        if (counts.acked == counts.sent || (double)(now_us - grew_us) > load->patience_s * 1e6) {
            return;
        }
        wait_until(load, now_us + poll_us);
    }
}

/* Until every SOS has its alert and no alert came for a while, but not longer than patience_s. */
static void wait_alerts(struct load *load)
{
    int64_t start_us = clock_mono_us();
    for (;;) {
        int64_t now_us = clock_mono_us();
        load_listener_alerts(load->listener, &load->alerts);
        int64_t quiet_since_us = load->alerts.last_us > start_us ? load->alerts.last_us : start_us;
        bool quiet =
            now_us - quiet_since_us > QUIET_US && load_ledger_silent(&load->ledger, LOAD_SOS) == 0;
        if (quiet || (double)(now_us - start_us) > load->patience_s * 1e6) {
            return;
        }
        wait_until(load, now_us + poll_us);
    }
}

/* What is published before the daemon first subscribed reaches nobody, and is nobody's loss: so an
 * SOS goes out every second until one raises an alert. */
static enum status wait_daemon(struct load *load, struct status_detail *detail)
{
    int64_t start_us = clock_mono_us();
    uint32_t probes = 0;
    while (!load_listener_heard_probe(load->listener)) {
        int64_t now_us = clock_mono_us();
        if ((double)(now_us - start_us) > load->patience_s * 1e6) {
            return status_detail_set(detail, STATUS_TIMEOUT,
                                     "an SOS raised no alert within %.0f s: does campusd run, and "
                                     "does its registry know the cards of %s?",
                                     load->patience_s, load->cards_path);
        }
        if (now_us >= start_us + (int64_t)probes * 1000000) {
            enum status status = load_send_probe(load->senders, ++probes, detail);
            if (status != STATUS_OK) {
                return status;
            }
        }
        sleep_until(now_us + poll_us);
    }
    return STATUS_OK;
}

static enum status warm_up(struct load *load, struct status_detail *detail)
{
    int64_t start_us = clock_mono_us();
    for (uint32_t i = 0; i < load->cards.count; i++) {
        if (!load->cards.items[i].crosses) {
            continue;
        }
        int64_t due_us = start_us + (int64_t)((double)load->warm_up_sent * 1e6 / load->rate);
        wait_until(load, due_us);
        enum status status = send_one(load, i, LOAD_WARM_UP, due_us, detail);
        if (status != STATUS_OK) {
            return status;
        }
        load->warm_up_sent++;
    }
    wait_acks(load);
    wait_alerts(load); /* what they raised must not stand in the way of what is timed */
    struct load_counts counts = load_ledger_counts(&load->ledger);
    return counts.acked == counts.sent
               ? STATUS_OK
               : status_detail_set(detail, STATUS_TIMEOUT,
                                   "only %" PRIu64 " of %" PRIu64
                                   " reports before the run were acknowledged",
                                   counts.acked, counts.sent);
}

static enum status run(struct load *load, struct status_detail *detail)
{
    int64_t start_us = clock_mono_us() + poll_us;
    uint64_t fixes = 0, sos = 0;
    while (!ended && (fixes < load->fixes || sos < load->sos)) {
        int64_t fix_due_us = start_us + (int64_t)((double)fixes * 1e6 / load->rate);
        int64_t sos_due_us = sos < load->sos
                                 ? start_us + (int64_t)(((double)sos + 0.5) * 1e6 / load->sos_per_s)
                                 : INT64_MAX;
        bool is_sos = fixes >= load->fixes || sos_due_us < fix_due_us;
        int64_t due_us = is_sos ? sos_due_us : fix_due_us;
        uint32_t card = (uint32_t)((is_sos ? sos * 7919 : fixes) % load->cards.count);
        wait_until(load, due_us);
        int64_t now_us = clock_mono_us();
        load->lag_max_us = now_us - due_us > load->lag_max_us ? now_us - due_us : load->lag_max_us;
        enum status status = send_one(load, card, is_sos ? LOAD_SOS : LOAD_FIX, due_us, detail);
        if (status != STATUS_OK) {
            return status;
        }
        fixes += !is_sos;
        sos += is_sos;
    }
    double took_s = (double)(clock_mono_us() - start_us) / 1e6;
    took_s = took_s > load->seconds || ended ? took_s : load->seconds;
    load->fixes = fixes;
    load->sos = sos;
    load->sent_per_s = (double)(fixes + sos) / took_s;
    return STATUS_OK;
}

/* ---- what came of it ---- */

static double ms_at(const struct histogram *histogram, double percent)
{
    return (double)histogram_percentile(histogram, percent) / 1000;
}

static void print_latency(const char *words, const struct histogram *h)
{
    if (h->count == 0) {
        (void)printf("  %-8s none\n", words);
        return;
    }
    (void)printf("  %-8s %9" PRIu64 " %9.1f %9.1f %9.1f %9.1f\n", words, h->count, ms_at(h, 50),
                 ms_at(h, 90), ms_at(h, 99), (double)h->max / 1000);
}

static void print_results(struct load *load)
{
    struct load_counts counts = load_ledger_counts(&load->ledger);
    const struct load_alerts *alerts = &load->alerts;
    (void)printf("cards         %u of %u, one fix every %.1f s each, %u cross their fence\n",
                 load->cards.count, load->cards.in_file, load->cards.count / load->rate,
                 load->cards.crossing);
    (void)printf("sent          %" PRIu64 " fixes and %" PRIu64
                 " SOS, %.1f a second, at most %.1f ms "
                 "behind the schedule; %" PRIu64 " reports before the run\n",
                 load->fixes, load->sos, load->sent_per_s, (double)load->lag_max_us / 1000,
                 load->warm_up_sent);
    if (load->keepers != NULL) {
        load_keepers_counts(load->keepers, &load->kept);
        (void)printf("receipts      for %" PRIu64 " of %" PRIu64 "; sent again %" PRIu64
                     "; connection lost %u times\n",
                     counts.acked, counts.sent, load->kept.resent, load->kept.losses);
    } else {
        (void)printf("acknowledged  %" PRIu64 " of %" PRIu64 "; connections lost %u\n",
                     counts.acked, counts.sent, load_senders_losses(load->senders));
    }
    (void)printf("alerts        %" PRIu64 ", of them %" PRIu64 " SOS, %" PRIu64
                 " of before the run; repeats %" PRIu64 ", of others %" PRIu64
                 ", unreadable %" PRIu64 "; SOS without alert %u; connection lost %" PRIu64 "\n",
                 alerts->alerts, alerts->sos, alerts->warm_up, alerts->repeats, alerts->foreign,
                 alerts->unreadable, load_ledger_silent(&load->ledger, LOAD_SOS), alerts->losses);
    (void)printf("latency ms      alerts    median       90%%       99%%       max\n");
    print_latency("all", &alerts->all_us);
    print_latency("SOS", &alerts->sos_us);
    if (load->archive == NULL) {
        (void)printf("archive       not checked: no --pg\n");
        return;
    }
    const struct load_archive_result *found = &load->found;
    (void)printf(
        "archive       %" PRIu64 " rows, complete %.1f s after the last alert: lost %" PRIu64
        ", doubled %" PRIu64 ", sent by nobody %" PRIu64 "\n",
        found->rows, (double)found->settle_ms / 1000, found->lost, found->doubled, found->unknown);
}

static void add_figures(struct load *load, struct figures *figures)
{
    struct load_counts counts = load_ledger_counts(&load->ledger);
    const struct load_alerts *alerts = &load->alerts;
    if (load->archive != NULL) {
        figures_add(figures, "load.lost", (double)load->found.lost);
        figures_add(figures, "load.doubled", (double)load->found.doubled);
        figures_add(figures, "load.unknown", (double)load->found.unknown);
        figures_add(figures, "load.archive_settle_s", (double)load->found.settle_ms / 1000);
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
    figures_add(figures, "load.sent_per_s", load->sent_per_s);
    figures_add(figures, "load.lag_max_ms", (double)load->lag_max_us / 1000);
    figures_add(figures, "load.sent", (double)counts.sent);
    figures_add(figures, "load.acked", (double)counts.acked);
    figures_add(figures, "load.alerts", (double)alerts->alerts);
    figures_add(figures, "load.alert_repeats", (double)alerts->repeats);
    figures_add(figures, "load.sos_silent", load_ledger_silent(&load->ledger, LOAD_SOS));
}

static enum status load_all(struct load *load, struct status_detail *detail)
{
    enum status status = load_open(load, detail);
    if (status == STATUS_OK && load->keepers == NULL) { /* receipts tell as much */
        status = wait_daemon(load, detail);
    }
    if (status == STATUS_OK) {
        status = warm_up(load, detail);
    }
    if (status == STATUS_OK) {
        status = run(load, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    wait_acks(load);
    wait_alerts(load);
    if (load->archive != NULL) {
        status = load_archive_check(load->archive, &load->ledger, load->patience_s, &load->found,
                                    detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    print_results(load);
    struct figures figures = {0};
    add_figures(load, &figures);
    return load->json != NULL ? figures_write(&figures, load->json, detail) : STATUS_OK;
}

int main(int argc, char **argv)
{
    static struct load load = {.rate = 2000,
                               .seconds = 60,
                               .interval_s = 10,
                               .crossing_share = 0.1,
                               .sos_per_s = 1,
                               .connections = 8,
                               .patience_s = 30};
    int outcome = read_options(&load, argc, argv);
    if (outcome != CLI_OK) {
        return outcome;
    }
    (void)mosquitto_lib_init();
    (void)signal(SIGTERM, on_term);
    (void)signal(SIGPIPE, SIG_IGN);
    struct status_detail detail;
    enum status status = load_all(&load, &detail);
    if (load.keepers != NULL) {
        load_keepers_counts(load.keepers, &load.kept);
    }
    uint32_t silent = load.ledger_made ? load_ledger_silent(&load.ledger, LOAD_SOS) : 0;
    load_close(&load);
    (void)mosquitto_lib_cleanup();
    if (status != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    if (load.found.lost + load.found.doubled + load.found.unknown + silent + load.kept.conflicts >
        0) {
        return cli_fail(
            "events were lost, doubled or invented, or an SOS raised nothing: see above");
    }
    return CLI_OK;
}
