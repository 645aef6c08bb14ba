#include "bench/load/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/load/climb.h"
#include "cli/cli.h"

static const char usage[] =
    "campus-load --cards FILE [--broker URL,...] [--pg CONNINFO] [...]\n"
    "       campus-load page | compare | stamp ...: what is done with a run's JSON\n"
    "  --cards FILE       CSV: school,card,lat,lon (the centre of the school's ground, WGS-84)\n"
    "  --broker URL,...   mqtt://[user@]host[:port], several times or with commas: connections take\n"
    "                     turns at them; password in CAMPUS_BROKER_PASSWORD\n"
    "  --listen URL,...   where alerts are heard (at every --broker); an alert counts once\n"
    "  --pg CONNINFO      the archive to check afterwards; \"\": no check\n"
    "  --rate N           fixes a second, one a report, one report a message (2000)\n"
    "  --seconds N        (60; with --quick 10)\n"
    "  --step RATE:S      instead of both, several times: the steps of one run\n"
    "  --ladder           instead of steps: rates that rise until something breaks, from --rate (1000;\n"
    "                     with --quick 2000) by --factor X (1.5; 2) to --rate-max N (200000), --step-s\n"
    "                     N (60; 8) each, then --sharpen N times between the last two (2; 1); bounds:\n"
    "                     --alert-ms N (250; 99 % of the alerts), --archive-ms N (5000; 99 % of the\n"
    "                     probes), --lag-ms N (1000; the generators behind their schedule)\n"
    "  --part NAME=PID    several times: CPU is told by part; children belong to their parents\n"
    "  --probes-per-s N   reports of a card of its own that is looked for in the archive (10; 0: none)\n"
    "  --model WORD       steady, bell, lunch, backlog or day: what leaves when (steady)\n"
    "  --away-share X     backlog: so many cards were away (0.3), --away-min N for so long (10)\n"
    "  --city DIR         day: as campus-sim city wrote it; --pupils N of it take part (134000)\n"
    "  --day N            day: which one (2); --from 6 --to 21: its hours\n"
    "  --speed N          day: simulated seconds a second (60)\n"
    "  --origin T         day: Unix time at which it is --from, also for campusd (clock.origin)\n"
    "  --interval-s N     a card's next fix after so long: rate x interval cards take part (10)\n"
    "  --crossing-share X of the cards walk out of and into the school's ground (0.1)\n"
    "  --sos-per-s N      SOS signals besides (1)\n"
    "  --connections N    that carry the cards' topics (8); \"cards\": a connection for each card\n"
    "  --gateways N       connections that carry a school's cards each, as gateways do\n"
    "  --batch K          card reports a gateway's message; without --gateways fixes a report (1)\n"
    "  --qos N            0: not acknowledged, 1 (1)\n"
    "  --generators N     processes that send; more where the limit of open files asks for it (1)\n"
    "  --connects-per-s N how fast connections come up (5000)\n"
    "  --keepalive-s N    an idle connection pings so often; 0: never (120)\n"
    "  --patience-s N     how long to wait for what does not come any more (30)\n"
    "  --receipts         cards keep what has no receipt and send it again; one connection\n"
    "  --heard FILE       writes each alert heard: its id and a hash of its bytes\n"
    "  --json FILE        the figures, by step and by second\n"
    "  --broker and --pg default to what ./campus up wrote\n"
    "  The schedule waits for nothing; latency counts from the moment a report had to leave.\n"
    "  SIGTERM ends the sending early; what was sent is checked as ever.";

static const double reports_max = 500e6;

/* ---- options that may stand several times ---- */

/* Moves the values of the option out of argv, in their order. Returns how many; -1: told. */
static int take_repeated(int *argc, char **argv, const char *name, const char **ret, int count_max)
{
    size_t length = strlen(name);
    int count = 0, kept = 1;
    for (int i = 1; i < *argc; i++) {
        bool equals = strncmp(argv[i], name, length) == 0 && argv[i][length] == '=';
        if (!equals && strcmp(argv[i], name) != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        if (!equals && i + 1 == *argc) {
            (void)cli_usage(usage, "%s needs a value", name);
            return -1;
        }
        if (count == count_max) {
            (void)cli_usage(usage, "%s: at most %d times", name, count_max);
            return -1;
        }
        ret[count++] = equals ? argv[i] + length + 1 : argv[++i];
    }
    *argc = kept;
    return count;
}

static int add_brokers(const char *name, const char *urls, struct load_broker *brokers,
                       uint32_t *count)
{
    char url[MQTT_HOST_MAX + MQTT_USER_MAX + 32];
    struct status_detail detail;
    for (const char *at = urls; at != NULL;) {
        size_t length = strcspn(at, ",");
        if (length >= sizeof url || *count == LOAD_BROKERS_MAX) {
            return cli_usage(usage, "%s: at most %u brokers, each with a URL of at most %zu bytes",
                             name, LOAD_BROKERS_MAX, sizeof url - 1);
        }
        (void)snprintf(url, sizeof url, "%.*s", (int)length, at);
        if (mqtt_url_parse(url, &brokers[*count].url, &detail) != STATUS_OK) {
            return cli_usage(usage, "%s: %s", name, detail.text);
        }
        brokers[(*count)++].password = getenv("CAMPUS_BROKER_PASSWORD");
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return CLI_OK;
}

static int read_brokers(struct load_options *options, int *argc, char **argv)
{
    const char *urls[LOAD_BROKERS_MAX], *listen[LOAD_BROKERS_MAX];
    int count = take_repeated(argc, argv, "--broker", urls, LOAD_BROKERS_MAX);
    int listen_count = take_repeated(argc, argv, "--listen", listen, LOAD_BROKERS_MAX);
    if (count < 0 || listen_count < 0) {
        return CLI_USAGE;
    }
    if (count == 0) {
        urls[0] = cli_setting("broker");
        count = urls[0] != NULL;
    }
    if (count == 0) {
        return cli_usage(usage, "--broker is missing, and there is no CAMPUS_BROKER");
    }
    int outcome = CLI_OK;
    options->broker_url = urls[0];
    for (int i = 0; i < count && outcome == CLI_OK; i++) {
        outcome = add_brokers("--broker", urls[i], options->brokers, &options->broker_count);
    }
    for (int i = 0; i < listen_count && outcome == CLI_OK; i++) {
        outcome = add_brokers("--listen", listen[i], options->listen, &options->listen_count);
    }
    if (outcome == CLI_OK && listen_count == 0) {
        memcpy(options->listen, options->brokers, sizeof options->listen);
        options->listen_count = options->broker_count;
    }
    return outcome;
}

static int read_step(const char *word, struct load_step *ret)
{
    const char *colon = strchr(word, ':');
    if (colon == NULL ||
        text_to_double((struct text){word, (size_t)(colon - word)}, &ret->rate) != STATUS_OK ||
        text_to_double(text_of(colon + 1), &ret->seconds) != STATUS_OK || ret->rate < 0.1 ||
        ret->rate > 1e6 || ret->seconds < 1 || ret->seconds > 1e6) {
        return cli_usage(usage,
                         "--step %s: RATE:SECONDS, from 0.1 to 1000000 a second, from 1 to 1000000 "
                         "seconds",
                         word);
    }
    return CLI_OK;
}

static int read_steps(struct load_options *options, int *argc, char **argv)
{
    const char *words[LOAD_STEPS_MAX];
    int count = take_repeated(argc, argv, "--step", words, LOAD_STEPS_MAX);
    int outcome = count < 0 ? CLI_USAGE : CLI_OK;
    for (int i = 0; i < count && outcome == CLI_OK; i++) {
        outcome = read_step(words[i], &options->steps[options->step_count++]);
    }
    return outcome;
}

/* ---- numbers ---- */

struct number_option {
    const char *name, *text;
    double low, high, value;
};

enum number {
    RATE,
    SECONDS,
    INTERVAL,
    CROSSING,
    SOS,
    GATEWAYS,
    BATCH,
    QOS,
    GENERATORS,
    CONNECTS,
    KEEPALIVE,
    PATIENCE,
    PROBES,
    FACTOR,
    RATE_MAX,
    STEP_S,
    SHARPEN,
    ALERT_MS,
    ARCHIVE_MS,
    LAG_MS,
    AWAY_SHARE,
    AWAY_MIN,
    PUPILS,
    DAY,
    FROM,
    TO,
    SPEED,
    ORIGIN,
    NUMBERS
};

static int read_numbers(struct number_option *numbers)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        struct number_option *n = &numbers[i];
        if (n->text != NULL && (text_to_double(text_of(n->text), &n->value) != STATUS_OK ||
                                n->value < n->low || n->value > n->high)) {
            return cli_usage(usage, "%s %s: a number from %g to %g", n->name, n->text, n->low,
                             n->high);
        }
    }
    return CLI_OK;
}

static int read_connections(struct load_options *options, const char *word)
{
    int64_t count = 8;
    if (word != NULL && strcmp(word, "cards") == 0) {
        options->connections = 0;
        return CLI_OK;
    }
    if (word != NULL &&
        (text_to_i64(text_of(word), &count) != STATUS_OK || count < 1 || count > 1000000)) {
        return cli_usage(usage, "--connections %s: a number from 1 to 1000000, or cards", word);
    }
    options->connections = (uint32_t)count;
    return CLI_OK;
}

static void take_model(struct load_options *options, const struct number_option *numbers)
{
    struct load_model_options *model = &options->model;
    model->away_share = numbers[AWAY_SHARE].value;
    model->away_min = numbers[AWAY_MIN].value;
    model->pupils = numbers[PUPILS].value;
    model->day = floor(numbers[DAY].value);
    model->from_h = numbers[FROM].value;
    model->to_h = numbers[TO].value;
    model->speed = floor(numbers[SPEED].value);
    model->origin_s = numbers[ORIGIN].value;
}

/* A day's fixes come by its clock, from all its cards; nobody crosses but by itself. */
static void set_day(struct load_options *options)
{
    const struct load_model_options *model = &options->model;
    double seconds = (model->to_h - model->from_h) * 3600 / model->speed;
    options->rate = model->pupils * model->speed / 60;
    options->steps[0] = (struct load_step){options->rate, seconds};
    options->step_count = 1;
    options->interval_s = 60 / model->speed;
    options->crossing_share = options->sos_per_s = 0;
}

static void take_numbers(struct load_options *options, const struct number_option *numbers,
                         bool quick)
{
    if (options->step_count == 0) {
        options->steps[options->step_count++] =
            (struct load_step){numbers[RATE].value, numbers[SECONDS].value};
    }
    for (uint32_t i = 0; i < options->step_count; i++) {
        struct load_step *step = &options->steps[i];
        step->seconds = quick ? 10 : step->seconds;
        options->rate = step->rate > options->rate ? step->rate : options->rate;
    }
    options->interval_s = numbers[INTERVAL].value;
    options->crossing_share = numbers[CROSSING].value;
    options->sos_per_s = numbers[SOS].value;
    options->gateways = (uint32_t)numbers[GATEWAYS].value;
    options->batch = (uint32_t)numbers[BATCH].value;
    options->qos = (uint32_t)numbers[QOS].value;
    options->generators = (uint32_t)numbers[GENERATORS].value;
    options->connects_per_s = (uint32_t)numbers[CONNECTS].value;
    options->keepalive_s = (uint32_t)numbers[KEEPALIVE].value;
    options->patience_s = numbers[PATIENCE].value;
    take_model(options, numbers);
}

bool load_options_probes(const struct load_options *options)
{
    return options->pg != NULL && options->pg[0] != '\0' && options->probes_per_s > 0 &&
           !options->receipts;
}

double load_options_reports(const struct load_options *options)
{
    double reports = 0;
    if (options->ladder) {
        return load_climb_reports(&options->climb, options->step_s, options->sos_per_s);
    }
    for (uint32_t i = 0; i < options->step_count; i++) {
        reports += options->steps[i].seconds * (options->steps[i].rate + options->sos_per_s);
    }
    return reports;
}

static int check(struct load_options *options)
{
    enum load_model_kind kind;
    struct status_detail detail;
    if (load_model_parse(&options->model, &kind, &detail) != STATUS_OK) {
        return cli_usage(usage, "%s", detail.text);
    }
    if (kind == LOAD_MODEL_DAY) {
        set_day(options);
    }
    double reports = load_options_reports(options);
    options->pg = options->pg != NULL ? options->pg : cli_setting("pg");
    if (options->cards_path == NULL) {
        return cli_usage(usage, "--cards is missing");
    }
    if (reports > reports_max) {
        return cli_usage(usage, "over 500 million reports; fewer seconds or a lower rate");
    }
    if (options->ladder && options->receipts) {
        return cli_usage(usage, "--ladder does not go with --receipts");
    }
    if (options->receipts && (kind == LOAD_MODEL_DAY || kind == LOAD_MODEL_BACKLOG)) {
        return cli_usage(usage, "--receipts goes with --model steady, bell and lunch");
    }
    if (options->receipts && (options->broker_count > 1 || options->gateways > 0 ||
                              options->batch > 1 || options->connections == 0)) {
        return cli_usage(usage, "--receipts goes over one connection to one broker");
    }
    return CLI_OK;
}

uint16_t load_options_fixes(const struct load_options *options)
{
    return options->gateways > 0 ? 1 : (uint16_t)options->batch;
}

/* What a ladder has by itself; what was asked for is read over it. */
static void ladder_defaults(struct number_option *numbers, bool quick)
{
    numbers[RATE].value = quick ? 2000 : 1000;
    numbers[FACTOR].value = quick ? 2 : numbers[FACTOR].value;
    numbers[STEP_S].value = quick ? 8 : numbers[STEP_S].value;
    numbers[SHARPEN].value = quick ? 1 : numbers[SHARPEN].value;
    numbers[CROSSING].value =
        0.02; /* alerts enough for a percentile, and not a load of their own */
    numbers[SOS].value = 10;
}

static void take_ladder(struct load_options *options, const struct number_option *numbers)
{
    options->probes_per_s = numbers[PROBES].value;
    options->step_s = numbers[STEP_S].value;
    options->climb = (struct ladder_options){.start = numbers[RATE].value,
                                             .factor = numbers[FACTOR].value,
                                             .rate_max = numbers[RATE_MAX].value,
                                             .sharpen = (uint32_t)numbers[SHARPEN].value,
                                             .alert_p99_ms = numbers[ALERT_MS].value,
                                             .archive_ms = numbers[ARCHIVE_MS].value,
                                             .lag_ms = numbers[LAG_MS].value};
    if (options->ladder) { /* cards enough for where it may end */
        double high = options->climb.start * 8;
        options->rate = high < options->climb.rate_max ? high : options->climb.rate_max;
    }
}

static int read_parts(struct load_options *options, int *argc, char **argv)
{
    int count = take_repeated(argc, argv, "--part", options->parts, PARTS_PIDS_MAX);
    options->part_count = count > 0 ? (uint32_t)count : 0;
    return count < 0 ? CLI_USAGE : CLI_OK;
}

static int read_words(struct load_options *options, int argc, char **argv)
{
    struct number_option numbers[NUMBERS] = {
        [RATE] = {"--rate", NULL, 0.1, 1e6, 2000},
        [SECONDS] = {"--seconds", NULL, 1, 1e6, 60},
        [INTERVAL] = {"--interval-s", NULL, 0.001, 1e5, 10},
        [CROSSING] = {"--crossing-share", NULL, 0, 1, 0.1},
        [SOS] = {"--sos-per-s", NULL, 0, 1e5, 1},
        [GATEWAYS] = {"--gateways", NULL, 0, 1e6, 0},
        [BATCH] = {"--batch", NULL, 1, LOAD_EVENTS_MAX, 1},
        [QOS] = {"--qos", NULL, 0, 1, 1},
        [GENERATORS] = {"--generators", NULL, 1, LOAD_PARTS_MAX, 1},
        [CONNECTS] = {"--connects-per-s", NULL, 1, 1e6, 5000},
        [KEEPALIVE] = {"--keepalive-s", NULL, 0, 65535, 120},
        [PATIENCE] = {"--patience-s", NULL, 0.1, 3600, 30},
        [PROBES] = {"--probes-per-s", NULL, 0, 1000, 10},
        [FACTOR] = {"--factor", NULL, 1.05, 100, 1.5},
        [RATE_MAX] = {"--rate-max", NULL, 0.1, 1e6, 200000},
        [STEP_S] = {"--step-s", NULL, 1, 3600, 60},
        [SHARPEN] = {"--sharpen", NULL, 0, 10, 2},
        [ALERT_MS] = {"--alert-ms", NULL, 1, 1e6, 250},
        [ARCHIVE_MS] = {"--archive-ms", NULL, 1, 1e7, 5000},
        [LAG_MS] = {"--lag-ms", NULL, 1, 1e6, 1000},
        [AWAY_SHARE] = {"--away-share", NULL, 0, 1, 0.3},
        [AWAY_MIN] = {"--away-min", NULL, 0.1, 10000, 10},
        [PUPILS] = {"--pupils", NULL, 1, 1e6, SIM_PUPILS_DEFAULT},
        [DAY] = {"--day", NULL, 1, 10000, 2},
        [FROM] = {"--from", NULL, 6, 21, 6},
        [TO] = {"--to", NULL, 6, 21, 21},
        [SPEED] = {"--speed", NULL, 1, CLOCK_SPEED_MAX, 60},
        [ORIGIN] = {"--origin", NULL, 0, 1e11, 0},
    };
    const char *connections = NULL;
    bool quick = false;
    struct cli_option list[NUMBERS + 11] = {{"--pg", &options->pg, NULL},
                                            {"--cards", &options->cards_path, NULL},
                                            {"--json", &options->json, NULL},
                                            {"--heard", &options->heard, NULL},
                                            {"--connections", &connections, NULL},
                                            {"--receipts", NULL, &options->receipts},
                                            {"--quick", NULL, &quick},
                                            {"--model", &options->model.kind, NULL},
                                            {"--city", &options->model.city, NULL},
                                            {"--ladder", NULL, &options->ladder}};
    for (size_t i = 0; i < NUMBERS; i++) {
        list[10 + i] = (struct cli_option){numbers[i].name, &numbers[i].text, NULL};
    }
    int words;
    int outcome = cli_options(argc, argv, list, usage, &words);
    if (outcome == CLI_OK && words > 1) {
        outcome = cli_usage(usage, "what is %s?", argv[1]);
    }
    if (outcome == CLI_OK && options->ladder && options->step_count > 0) {
        outcome = cli_usage(usage, "--ladder has steps of its own: no --step beside it");
    }
    if (options->ladder) {
        ladder_defaults(numbers, quick);
    }
    outcome = outcome == CLI_OK ? read_numbers(numbers) : outcome;
    outcome = outcome == CLI_OK ? read_connections(options, connections) : outcome;
    if (outcome == CLI_OK) {
        take_numbers(options, numbers, quick);
        take_ladder(options, numbers);
    }
    return outcome;
}

int load_options_read(struct load_options *ret, int argc, char **argv)
{
    *ret = (struct load_options){.step_count = 0};
    int outcome = read_brokers(ret, &argc, argv);
    outcome = outcome == CLI_OK ? read_steps(ret, &argc, argv) : outcome;
    outcome = outcome == CLI_OK ? read_parts(ret, &argc, argv) : outcome;
    outcome = outcome == CLI_OK ? read_words(ret, argc, argv) : outcome;
    return outcome == CLI_OK ? check(ret) : outcome;
}
