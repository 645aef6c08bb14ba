/* bench-bare: what a message costs campusd beside a subscriber that throws everything away: the same
 * session, topics and QoS at the same broker in the same run, in slices of time. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/figures.h"
#include "bench/load/parts.h"
#include "broker-bridge/mqtt_url.h"
#include "broker-bridge/topic.h"
#include "cli/cli.h"

static const char usage[] =
    "bench-bare --pid PID [--broker URL] [--rate N] [--seconds N] [--slices N] [--json FILE]\n"
    "  --pid PID      of campusd, which is connected to the same broker\n"
    "  --broker URL   mqtt://[user@]host[:port]; password in CAMPUS_BROKER_PASSWORD\n"
    "  --rate N       begins when so many messages a second came, nearly (10000)\n"
    "  --seconds N    measured (50; with --quick 12), in --slices N (5)\n"
    "  --json FILE    the figures\n"
    "  --session ID   opens a session under that name, to be filled, and ends; no --pid beside it\n"
    "  --drain N      with --session: takes N messages that wait there, and forgets it\n"
    "  Somebody else sends: ./campus bench bare does all of it.";

enum {
    KEEPALIVE_S = 60,
    FLOW_WAIT_S = 180,
    DRAIN_WAIT_US = 30000000,
    SLICES_MAX = 100,
    CAMPUSD = 0,
    BARE = 1
};
static const double flowing = 0.8; /* of the rate */
/* Tile38 1.37 (SET and a fence channel on each of 2,206 fences, pipelined, RESP, no alert kept):
 * 40,300 events a CPU second, median of nine runs on two EPYC cores; bench/load/README.md */
static const double tile38_per_cpu_s = 40300;

struct bare {
    struct mqtt_url url;
    const char *password;
    char id[64];
    double pid, rate, seconds, slices, drain;
    _Atomic uint64_t *messages; /* shared with the subscriber */
    pid_t subscriber;
    struct parts *parts;
};

struct slice {
    double messages, campusd_s, bare_s;
};

/* ---- the subscriber, a process of its own ---- */

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    (void)context;
    for (uint32_t i = 0; reason == 0 && topic_filters[i] != NULL; i++) {
        (void)mosquitto_subscribe(client, NULL, topic_filters[i], 1);
    }
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    (void)message;
    _Atomic uint64_t *messages = context;
    atomic_fetch_add_explicit(messages, 1, memory_order_relaxed);
}

static struct mosquitto *make_client(const struct bare *bare, bool clean)
{
    struct mosquitto *client = mosquitto_new(bare->id, clean, bare->messages);
    if (client != NULL && bare->url.user[0] != '\0') {
        (void)mosquitto_username_pw_set(client, bare->url.user, bare->password);
    }
    return client;
}

/* Ends with the signal that its parent sends, or with its parent. */
static void subscribe_for_ever(const struct bare *bare)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct mosquitto *client = make_client(bare, false);
    if (client == NULL) {
        _exit(CLI_FAILED);
    }
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_message_callback_set(client, on_message);
    int error = mosquitto_connect(client, bare->url.host, bare->url.port, KEEPALIVE_S);
    if (error == MOSQ_ERR_SUCCESS) {
        error = mosquitto_loop_forever(client, -1, 1);
    }
    (void)fprintf(stderr, "bench-bare: %s:%d: %s\n", bare->url.host, bare->url.port,
                  error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error));
    _exit(CLI_FAILED);
}

/* A session that nobody reads any more would fill the broker. */
static void forget_session(const struct bare *bare)
{
    struct mosquitto *client = make_client(bare, true);
    if (client == NULL) {
        return;
    }
    if (mosquitto_connect(client, bare->url.host, bare->url.port, KEEPALIVE_S) ==
        MOSQ_ERR_SUCCESS) {
        for (uint32_t i = 0; i < 20 && mosquitto_loop(client, 50, 1) == MOSQ_ERR_SUCCESS; i++) {
        }
        (void)mosquitto_disconnect(client);
    }
    mosquitto_destroy(client);
}

static uint64_t topic_filter_count(void)
{
    uint64_t count = 0;
    while (topic_filters[count] != NULL) {
        count++;
    }
    return count;
}

static void on_subscribed(struct mosquitto *client, void *context, int id, int count,
                          const int *granted)
{
    (void)id;
    (void)count;
    (void)granted;
    _Atomic uint64_t *filters = context;
    if (atomic_fetch_add(filters, 1) + 1 == topic_filter_count()) {
        (void)mosquitto_disconnect(client);
    }
}

/* Subscribed for ever, and gone. */
static enum status open_session(struct bare *bare, struct status_detail *detail)
{
    _Atomic uint64_t filters = 0;
    bare->messages = &filters;
    struct mosquitto *client = make_client(bare, false);
    bare->messages = NULL;
    if (client == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribed);
    int error = mosquitto_connect(client, bare->url.host, bare->url.port, KEEPALIVE_S);
    for (uint32_t i = 0; error == MOSQ_ERR_SUCCESS && i < 1000; i++) {
        error = mosquitto_loop(client, 50, 1);
    }
    mosquitto_destroy(client);
    return atomic_load(&filters) == topic_filter_count()
               ? STATUS_OK
               : status_detail_set(detail, STATUS_UNAVAILABLE, "%s:%d: no subscription: %s",
                                   bare->url.host, bare->url.port, mosquitto_strerror(error));
}

static enum status start_subscriber(struct bare *bare, struct status_detail *detail)
{
    bare->messages = mmap(NULL, sizeof *bare->messages, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bare->messages == MAP_FAILED) {
        bare->messages = NULL;
        return status_detail_set(detail, STATUS_NO_MEMORY, "no shared memory");
    }
    bare->subscriber = fork();
    if (bare->subscriber == 0) {
        subscribe_for_ever(bare);
    }
    if (bare->subscriber < 0) {
        return status_detail_set(detail, STATUS_UNAVAILABLE, "fork: %s", strerror(errno));
    }
    enum status status =
        bare->pid > 0 ? parts_add(bare->parts, "campusd", (int64_t)bare->pid, detail) : STATUS_OK;
    return status == STATUS_OK ? parts_add(bare->parts, "bare", bare->subscriber, detail) : status;
}

static void stop(struct bare *bare)
{
    if (bare->subscriber > 0) {
        (void)kill(bare->subscriber, SIGKILL);
        (void)waitpid(bare->subscriber, NULL, 0);
        forget_session(bare);
    }
    if (bare->messages != NULL) {
        (void)munmap(bare->messages, sizeof *bare->messages);
    }
    parts_free(bare->parts);
}

/* ---- measuring ---- */

static uint64_t messages_now(const struct bare *bare)
{
    return atomic_load_explicit(bare->messages, memory_order_relaxed);
}

static void nap_s(double seconds)
{
    struct timespec nap = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
    while (nanosleep(&nap, &nap) != 0 && errno == EINTR) {
    }
}

/* Both must run: a look tells. */
static enum status look(struct bare *bare, struct parts_use *ret, struct status_detail *detail)
{
    parts_look(bare->parts, clock_mono_us(), ret);
    if (ret->parts[CAMPUSD].ended > 0) {
        return status_detail_set(detail, STATUS_UNAVAILABLE, "campusd ended");
    }
    return ret->parts[BARE].ended > 0 || waitpid(bare->subscriber, NULL, WNOHANG) != 0
               ? status_detail_set(detail, STATUS_UNAVAILABLE, "the bare subscriber ended")
               : STATUS_OK;
}

static enum status wait_flow(struct bare *bare, struct status_detail *detail)
{
    uint32_t in_a_row = 0;
    for (uint32_t second = 0; second < FLOW_WAIT_S; second++) {
        struct parts_use use;
        enum status status = look(bare, &use, detail);
        if (status != STATUS_OK) {
            return status;
        }
        int64_t at_us = clock_mono_us();
        uint64_t before = messages_now(bare);
        nap_s(1);
        double per_s =
            (double)(messages_now(bare) - before) * 1e6 / (double)(clock_mono_us() - at_us);
        in_a_row = per_s >= bare->rate * flowing ? in_a_row + 1 : 0;
        if (in_a_row == 3) {
            return STATUS_OK;
        }
    }
    return status_detail_set(detail, STATUS_TIMEOUT,
                             "nobody sent %.0f messages a second for three seconds", bare->rate);
}

static enum status measure(struct bare *bare, struct slice *slices, struct status_detail *detail)
{
    struct parts_use from, to;
    enum status status = look(bare, &from, detail);
    uint64_t before = messages_now(bare);
    for (uint32_t i = 0; status == STATUS_OK && i < (uint32_t)bare->slices; i++) {
        nap_s(bare->seconds / bare->slices);
        uint64_t now = messages_now(bare);
        status = look(bare, &to, detail);
        slices[i] = (struct slice){(double)(now - before),
                                   to.parts[CAMPUSD].cpu_s - from.parts[CAMPUSD].cpu_s,
                                   to.parts[BARE].cpu_s - from.parts[BARE].cpu_s};
        if (status == STATUS_OK && slices[i].messages <= 0) {
            status = status_detail_set(detail, STATUS_END,
                                       "the messages ended before %.0f seconds were measured",
                                       bare->seconds);
        } else if (status == STATUS_OK && slices[i].bare_s <= 0) {
            status = status_detail_set(detail, STATUS_INVALID,
                                       "slices too short to measure CPU: more --seconds or fewer "
                                       "--slices");
        }
        before = now;
        from = to;
    }
    return status;
}

/* From the last look at which none had come to the last that brought more. */
static enum status drain(struct bare *bare, struct status_detail *detail)
{
    uint64_t last = 0;
    int64_t none_us = clock_mono_us(), last_us = none_us;
    while (last < (uint64_t)bare->drain && clock_mono_us() - last_us < DRAIN_WAIT_US) {
        nap_s(0.05);
        uint64_t now = messages_now(bare);
        int64_t now_us = clock_mono_us();
        if (waitpid(bare->subscriber, NULL, WNOHANG) != 0) {
            bare->subscriber = 0;
            return status_detail_set(detail, STATUS_UNAVAILABLE, "the bare subscriber ended");
        }
        if (now > last) {
            last = now;
            last_us = now_us;
        } else if (now == 0) {
            none_us = now_us;
        }
    }
    if (last < (uint64_t)bare->drain) {
        return status_detail_set(detail, STATUS_TIMEOUT, "only %llu of %.0f messages came",
                                 (unsigned long long)last, bare->drain);
    }
    (void)printf("%.0f\n", (double)last * 1e6 / (double)(last_us - none_us));
    return STATUS_OK;
}

static int rising(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void report(const struct bare *bare, const struct slice *slices, struct figures *figures)
{
    double ratios[SLICES_MAX] = {0};
    struct slice sum = {0};
    uint32_t count = (uint32_t)bare->slices;
    (void)printf("%-10s %12s %20s %20s %8s\n", "slice", "messages/s", "campusd, us each",
                 "bare, us each", "ratio");
    for (uint32_t i = 0; i < count; i++) {
        const struct slice *s = &slices[i];
        ratios[i] = s->campusd_s / s->bare_s;
        sum.messages += s->messages;
        sum.campusd_s += s->campusd_s;
        sum.bare_s += s->bare_s;
        (void)printf("%-10u %12.0f %20.2f %20.2f %8.2f\n", i + 1,
                     s->messages / (bare->seconds / count), s->campusd_s * 1e6 / s->messages,
                     s->bare_s * 1e6 / s->messages, ratios[i]);
    }
    qsort(ratios, count, sizeof ratios[0], rising);
    double ratio = (ratios[count / 2] + ratios[(count - 1) / 2]) / 2;
    (void)printf("\nCPU of campusd by that of a subscriber that throws all away, median: %.2f\n"
                 "messages a CPU second: campusd %.0f, bare subscriber %.0f\n"
                 "for comparison, Tile38 1.37 with 2,206 fences: %.0f events a CPU second (its own "
                 "protocol,\n  pipelined; no debounce, nothing kept in PostgreSQL; measured on "
                 "two EPYC cores)\n",
                 ratio, sum.messages / sum.campusd_s, sum.messages / sum.bare_s, tile38_per_cpu_s);
    figures_add(figures, "load.cpu_vs_bare_subscriber", ratio);
    figures_add(figures, "load.cpu_us_per_event", sum.campusd_s * 1e6 / sum.messages);
    figures_add(figures, "load.bare_cpu_us_per_event", sum.bare_s * 1e6 / sum.messages);
    figures_add(figures, "load.events_per_cpu_s", sum.messages / sum.campusd_s);
}

static enum status run(struct bare *bare, const char *json, struct status_detail *detail)
{
    struct slice slices[SLICES_MAX] = {{0, 0, 0}};
    if (bare->pid == 0 && bare->drain <= 0) {
        return open_session(bare, detail);
    }
    enum status status = parts_new("/proc", &bare->parts, detail);
    if (status == STATUS_OK) {
        status = start_subscriber(bare, detail);
    }
    if (status == STATUS_OK && bare->drain > 0) {
        return drain(bare, detail);
    }
    if (status == STATUS_OK) {
        status = wait_flow(bare, detail);
    }
    if (status == STATUS_OK) {
        status = measure(bare, slices, detail);
    }
    if (status == STATUS_OK) {
        struct figures figures = {0};
        report(bare, slices, &figures);
        status = json != NULL ? figures_write(&figures, json, detail) : STATUS_OK;
    }
    return status;
}

/* ---- options ---- */

struct number {
    const char *name;
    double low, high, *value;
    const char *text;
};

static int read_options(struct bare *bare, const char **json, int argc, char **argv)
{
    const char *broker = NULL, *session = NULL;
    bool quick = false;
    struct number numbers[] = {{"--pid", 1, 1e9, &bare->pid, NULL},
                               {"--rate", 1, 1e6, &bare->rate, NULL},
                               {"--seconds", 0.5, 1e5, &bare->seconds, NULL},
                               {"--slices", 1, SLICES_MAX, &bare->slices, NULL},
                               {"--drain", 1, 1e9, &bare->drain, NULL}};
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    struct cli_option options[NUMBERS + 5] = {{"--broker", &broker, NULL},
                                              {"--json", json, NULL},
                                              {"--session", &session, NULL},
                                              {"--quick", NULL, &quick}};
    for (uint32_t i = 0; i < NUMBERS; i++) {
        options[4 + i] = (struct cli_option){numbers[i].name, &numbers[i].text, NULL};
    }
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    bare->seconds = quick ? 12 : bare->seconds;
    for (uint32_t i = 0; outcome == CLI_OK && i < NUMBERS; i++) {
        const struct number *n = &numbers[i];
        if (n->text != NULL && (text_to_double(text_of(n->text), n->value) != STATUS_OK ||
                                *n->value < n->low || *n->value > n->high)) {
            outcome = cli_usage(usage, "%s %s: a number from %g to %g", n->name, n->text, n->low,
                                n->high);
        }
    }
    broker = broker != NULL ? broker : cli_setting("broker");
    if (outcome == CLI_OK &&
        (words > 1 || (bare->pid == 0) != (session != NULL) || broker == NULL)) {
        outcome = cli_usage(usage, "%s",
                            words > 1        ? "there are only options"
                            : broker == NULL ? "--broker is missing"
                                             : "either --pid or --session");
    }
    (void)snprintf(bare->id, sizeof bare->id, "campus-bare-%ld", (long)getpid());
    if (session != NULL) {
        (void)snprintf(bare->id, sizeof bare->id, "campus-bare-%.40s", session);
    }
    struct status_detail detail;
    if (outcome == CLI_OK && mqtt_url_parse(broker, &bare->url, &detail) != STATUS_OK) {
        outcome = cli_usage(usage, "--broker %s: %s", broker, detail.text);
    }
    return outcome;
}

int main(int argc, char **argv)
{
    struct bare bare = {.rate = 10000, .seconds = 50, .slices = 5};
    const char *json = NULL;
    int outcome = read_options(&bare, &json, argc, argv);
    if (outcome != CLI_OK) {
        return outcome;
    }
    bare.password = getenv("CAMPUS_BROKER_PASSWORD");
    (void)mosquitto_lib_init();
    struct status_detail detail;
    enum status status = run(&bare, json, &detail);
    stop(&bare);
    (void)mosquitto_lib_cleanup();
    return status == STATUS_OK ? CLI_OK : cli_fail("%s", detail.text);
}
