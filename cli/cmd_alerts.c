/* campusctl alerts tail: alerts as the broker hands them out. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "broker-bridge/mqtt_uv.h"
#include "cli/cli.h"

static const char usage[] =
    "campusctl alerts tail [--school ID | --guardian ID] [--raw] [--count N] "
    "[--broker mqtt://HOST:PORT]";

enum { TAIL_MAGIC = 0x7461696c, FILTER_MAX = 160 };

struct tail {
    uint32_t magic;
    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    struct mqtt_link *link;
    bool raw, told_down, ending;
    int64_t left; /* lines to print; -1: no end */
};

static void on_link_closed(void *context)
{
    (void)context;
}

static void end(struct tail *tail)
{
    if (!tail->ending) {
        tail->ending = true;
        mqtt_link_close(tail->link, on_link_closed, NULL);
        uv_close((uv_handle_t *)&tail->interrupt, NULL);
        uv_close((uv_handle_t *)&tail->terminate, NULL);
    }
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "-";
}

/* One line for people; what is no alert of ours is shown as it came. */
static void print_line(struct text payload)
{
    json_t *alert = json_loadb(payload.at, payload.length, 0, NULL);
    const json_t *data = json_object_get(alert, "data");
    if (!json_is_object(data)) {
        (void)printf("%.*s\n", TEXT_FMT(payload));
        json_decref(alert);
        return;
    }
    const char *fence = text_at(data, "fence"), *gate = text_at(data, "gate");
    const char *place = strcmp(fence, "-") != 0 ? fence : gate;
    const char *direction = text_at(data, "direction");
    (void)printf("%-24s %-11s %-9s school %-8s pupil %-10s %s%s%s%s  %s\n", text_at(alert, "time"),
                 text_at(data, "type"), text_at(data, "severity"), text_at(data, "school"),
                 text_at(data, "pupil"), place, strcmp(direction, "-") != 0 ? " " : "",
                 strcmp(direction, "-") != 0 ? direction : "",
                 json_is_true(json_object_get(data, "late")) ? " (late)" : "",
                 text_at(alert, "id"));
    json_decref(alert);
}

static void on_message(void *context, struct mqtt_link *link, struct text topic,
                       struct text payload)
{
    (void)link;
    (void)topic;
    struct tail *tail = context;
    MAGIC_CHECK(tail, TAIL_MAGIC);
    if (tail->left == 0) {
        return;
    }
    if (tail->raw) {
        (void)printf("%.*s\n", TEXT_FMT(payload));
    } else {
        print_line(payload);
    }
    (void)fflush(stdout);
    tail->left -= tail->left > 0;
}

static void on_burst(void *context, struct mqtt_link *link)
{
    struct tail *tail = context;
    MAGIC_CHECK(tail, TAIL_MAGIC);
    mqtt_link_release(link);
    if (tail->left == 0 || ferror(stdout)) {
        end(tail);
    }
}

static void on_published(void *context, struct mqtt_link *link, int mid)
{
    (void)context;
    (void)link;
    (void)mid;
}

static void on_up(void *context, struct mqtt_link *link, bool session_present)
{
    (void)link;
    (void)session_present;
    struct tail *tail = context;
    MAGIC_CHECK(tail, TAIL_MAGIC);
    if (tail->told_down) {
        (void)fputs("campusctl: connected\n", stderr);
        tail->told_down = false;
    }
}

static void on_down(void *context, struct mqtt_link *link, const struct status_detail *detail)
{
    struct tail *tail = context;
    MAGIC_CHECK(tail, TAIL_MAGIC);
    if (!tail->told_down) {
        (void)cli_fail("%s: %s; trying again", mqtt_link_name(link), detail->text);
        tail->told_down = true;
    }
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct tail *tail = handle->data;
    MAGIC_CHECK(tail, TAIL_MAGIC);
    end(tail);
}

static void watch_signal(struct tail *tail, uv_signal_t *handle, int signum)
{
    ASSERT(uv_signal_init(&tail->loop, handle) == 0);
    handle->data = tail;
    ASSERT(uv_signal_start(handle, on_signal, signum) == 0);
}

static int run_tail(const char *broker, const char *filter, bool raw, int64_t count)
{
    static struct tail tail;
    tail = (struct tail){.magic = TAIL_MAGIC, .raw = raw, .left = count};
    char client_id[64];
    (void)snprintf(client_id, sizeof client_id, "campusctl-tail-%ld", (long)getpid());
    const char *const filters[] = {filter, NULL};
    const struct mqtt_link_options options = {.url = broker,
                                              .client_id = client_id,
                                              .subscriptions = filters,
                                              .clean_session = true,
                                              .keepalive_s = 30,
                                              .connect_timeout_ms = 5000,
                                              .backoff_min_ms = 200,
                                              .backoff_max_ms = 2000,
                                              .burst_max = 64,
                                              .inflight_max = 64};
    const struct mqtt_link_callbacks callbacks = {&tail,        on_message, on_burst,
                                                  on_published, on_up,      on_down};
    struct status_detail detail = {""};
    (void)signal(SIGPIPE, SIG_IGN);
    ASSERT(uv_loop_init(&tail.loop) == 0);
    int result = CLI_OK;
    if (mqtt_link_open(&tail.loop, &options, &callbacks, &tail.link, &detail) == STATUS_OK) {
        watch_signal(&tail, &tail.interrupt, SIGINT);
        watch_signal(&tail, &tail.terminate, SIGTERM);
    } else {
        result = cli_fail("%s", detail.text);
    }
    (void)uv_run(&tail.loop, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(&tail.loop) == 0);
    return result;
}

static int make_filter(const char *school, const char *guardian, char ret[FILTER_MAX])
{
    const char *id = school != NULL ? school : guardian;
    if (school != NULL && guardian != NULL) {
        return cli_usage(usage, "either --school or --guardian");
    }
    if (id != NULL && !text_is_id(text_of(id))) {
        return cli_usage(usage, "\"%s\" is no id", id);
    }
    (void)snprintf(ret, FILTER_MAX, "campus/v1/%s%s/alerts", guardian != NULL ? "guardian/" : "",
                   id != NULL ? id : "+");
    return CLI_OK;
}

int cmd_alerts(int argc, char **argv)
{
    const char *school = NULL, *guardian = NULL, *count_text = NULL, *broker = NULL;
    bool raw = false, help = false;
    const struct cli_option options[] = {{"--school", &school, NULL},
                                         {"--guardian", &guardian, NULL},
                                         {"--count", &count_text, NULL},
                                         {"--broker", &broker, NULL},
                                         {"--raw", NULL, &raw},
                                         {"--help", NULL, &help},
                                         {0}};
    int words;
    int result = cli_options(argc, argv, options, usage, &words);
    if (result != CLI_OK) {
        return result;
    }
    if (help) {
        (void)printf("usage: %s\n", usage);
        return CLI_OK;
    }
    if (words != 2 || strcmp(argv[1], "tail") != 0) {
        return cli_usage(usage, "alerts knows: tail");
    }
    int64_t count = -1;
    if (count_text != NULL &&
        (text_to_i64(text_of(count_text), &count) != STATUS_OK || count < 1)) {
        return cli_usage(usage, "--count needs a number from 1");
    }
    broker = broker != NULL ? broker : cli_setting("broker");
    if (broker == NULL) {
        return cli_usage(usage, "which broker? Use --broker, or set CAMPUS_BROKER");
    }
    char filter[FILTER_MAX];
    result = make_filter(school, guardian, filter);
    return result == CLI_OK ? run_tail(broker, filter, raw, count) : result;
}
