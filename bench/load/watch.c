#include "bench/load/watch.h"

#include <mosquitto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { VERSION_WAIT_MS = 1000, KEEPALIVE_S = 10 };
static const uint32_t epochs_back = 2; /* epoch - 1 has the first SOS: load_fleet_probe */

/* ---- lifecycle ---- */

static enum status open_parts(struct load_watch *watch, const struct load_watch_options *options,
                              struct status_detail *detail)
{
    enum status status =
        options->part_count > 0 ? parts_new("/proc", &watch->parts, detail) : STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < options->part_count; i++) {
        status = parts_add_words(watch->parts, options->parts[i], detail);
    }
    /* this process and its children, the generators, unless they were named */
    return status == STATUS_OK && watch->parts != NULL
               ? parts_add(watch->parts, "load", (int64_t)getpid(), detail)
               : status;
}

static enum status open_probe(struct load_watch *watch, const struct load_watch_options *options,
                              struct status_detail *detail)
{
    struct load_cards file;
    struct load_probe_options probe = {.broker = options->broker,
                                       .conninfo = options->pg,
                                       .epoch = options->epoch - epochs_back,
                                       .per_s = options->probes_per_s};
    enum status status =
        load_probe_card(options->cards_path, options->cards, &file, &probe, detail);
    if (status == STATUS_NOT_FOUND) {
        (void)fprintf(stderr, "campus-load: %s: the archive is not probed\n", detail->text);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = load_probe_open(&probe, &watch->probe, detail);
        load_cards_release(&file);
    }
    return status;
}

enum status load_watch_open(struct load_watch *watch, const struct load_watch_options *options,
                            struct status_detail *detail)
{
    *watch = (struct load_watch){0};
    enum status status = open_parts(watch, options, detail);
    if (status == STATUS_OK && options->pg != NULL && options->pg[0] != '\0' &&
        options->probes_per_s > 0) {
        status = open_probe(watch, options, detail);
    }
    if (status == STATUS_OK && watch->parts != NULL) {
        parts_look(watch->parts, clock_mono_us(), &watch->second);
        watch->step = watch->second;
    }
    return status;
}

void load_watch_close(struct load_watch *watch)
{
    if (watch->probe != NULL) {
        load_probe_close(watch->probe);
    }
    parts_free(watch->parts);
    *watch = (struct load_watch){0};
}

/* ---- looking ---- */

static void tell_ended(struct load_watch *watch, const struct parts_use *use)
{
    for (uint32_t i = 0; i < use->count; i++) {
        if (use->parts[i].ended > watch->ended[i]) {
            (void)fprintf(stderr, "campus-load: a process of the part %s ended\n",
                          use->parts[i].name);
            watch->ended[i] = use->parts[i].ended;
        }
    }
}

double load_watch_archive_ms(struct load_watch *watch)
{
    struct load_probe_state state = {0};
    if (watch->probe != NULL) {
        load_probe_look(watch->probe, &state);
    }
    return state.behind_ms;
}

void load_watch_second(struct load_watch *watch, int64_t now_us, struct load_watch_second *ret)
{
    *ret = (struct load_watch_second){.archive_ms =
                                          watch->probe != NULL ? load_watch_archive_ms(watch) : -1};
    if (watch->parts != NULL) {
        struct parts_use use;
        parts_look(watch->parts, now_us, &use);
        parts_between(&watch->second, &use, &ret->rates);
        tell_ended(watch, &use);
        watch->second = use;
    }
}

void load_watch_step_begin(struct load_watch *watch, int64_t now_us)
{
    if (watch->parts != NULL) {
        parts_look(watch->parts, now_us, &watch->step);
    }
    if (watch->probe != NULL) {
        struct histogram before;
        load_probe_take(watch->probe, &before);
    }
    watch->step_archive_ms = load_watch_archive_ms(watch);
}

void load_watch_begin(struct load_watch *watch, int64_t now_us)
{
    if (watch->probe != NULL) {
        load_probe_begin(watch->probe);
    }
    load_watch_step_begin(watch, now_us);
    watch->second = watch->step;
}

void load_watch_step_end(struct load_watch *watch, int64_t now_us, struct load_watch_step *ret)
{
    *ret = (struct load_watch_step){.from = watch->step, .probed = watch->probe != NULL};
    if (watch->parts != NULL) {
        parts_look(watch->parts, now_us, &ret->to);
        parts_between(&ret->from, &ret->to, &ret->rates);
    }
    if (ret->probed) {
        struct histogram took;
        load_probe_take(watch->probe, &took);
        ret->archive_p50_ms = (double)histogram_percentile(&took, 50) / 1000;
        ret->archive_p99_ms = (double)histogram_percentile(&took, 99) / 1000;
        ret->archive_begin_ms = watch->step_archive_ms;
        ret->archive_end_ms = load_watch_archive_ms(watch);
    }
}

/* ---- versions ---- */

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    (void)context;
    if (reason == 0) {
        (void)mosquitto_subscribe(client, NULL, "$SYS/broker/version", 0);
    }
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    if (message->payload != NULL) {
        (void)snprintf(context, LOAD_VERSION_MAX, "%.*s", message->payloadlen,
                       (const char *)message->payload);
    }
}

void load_watch_broker_version(const struct load_broker *broker, char ret[LOAD_VERSION_MAX])
{
    ret[0] = '\0';
    struct mosquitto *client = mosquitto_new(NULL, true, ret);
    if (client == NULL) {
        return;
    }
    if (broker->url.user[0] != '\0') {
        (void)mosquitto_username_pw_set(client, broker->url.user, broker->password);
    }
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_message_callback_set(client, on_message);
    if (mosquitto_connect(client, broker->url.host, broker->url.port, KEEPALIVE_S) ==
        MOSQ_ERR_SUCCESS) {
        int64_t end_us = clock_mono_us() + (int64_t)VERSION_WAIT_MS * 1000;
        while (ret[0] == '\0' && clock_mono_us() < end_us &&
               mosquitto_loop(client, 50, 1) == MOSQ_ERR_SUCCESS) {
        }
        (void)mosquitto_disconnect(client);
    }
    mosquitto_destroy(client);
}
