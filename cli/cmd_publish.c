/* campusctl publish: a recorded trace as if a card reported it, receipts and all. */
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "base/clock.h"
#include "broker-bridge/sender.h"
#include "cli/cli.h"
#include "cli/track.h"
#include "core/limits.h"
#include "geo/datum.h"
#include "storage/registry.h"

static const char usage[] =
    "campusctl publish --trace FILE --card ID [--school ID] [--speed N] [--device ID] [--shift]\n"
    "                         [--batch N] [--epoch N] [--give-up SECONDS] [--broker mqtt://HOST:PORT] [--pg CONNINFO]\n"
    "FILE is GPX, or CSV with a header naming time,lat,lon,accuracy_m; .gz is unpacked. --speed N: N times the\n"
    "pace of the recording; without it as fast as receipts come. --shift moves the times so that the last fix is now.";

enum { PUBLISH_MAGIC = 0x7075626c, TICK_MS = 1000, TELL_TICKS = 5, TRACK_BYTES_MAX = 1 << 30 };

struct publish {
    uint32_t magic;
    /* what was asked for */
    const char *trace, *card, *school, *device, *broker, *conninfo;
    double speed; /* 0: as fast as receipts come */
    int64_t batch, give_up_s, epoch;
    bool shift;

    struct arena arena;
    struct track track;
    uv_loop_t loop;
    uv_timer_t due, tick;
    uv_signal_t interrupt, terminate;
    struct sender_hub *hub;
    uint32_t next; /* point to be added */
    int64_t started_us, progress_us;
    uint64_t receipted;
    uint32_t ticks;
    bool down_told, ending;
    int result;
};

static void feed(struct publish *publish);

static void on_hub_closed(void *context)
{
    (void)context;
}

static void end(struct publish *publish, int result)
{
    if (publish->ending) {
        return;
    }
    struct sender_stats stats;
    sender_stats(publish->hub, &stats);
    publish->ending = true;
    publish->result = result;
    (void)printf("published=%llu fixes=%u receipts=%llu resent=%llu\n",
                 (unsigned long long)stats.reports, publish->next,
                 (unsigned long long)stats.receipted, (unsigned long long)stats.resent);
    sender_close(publish->hub, on_hub_closed, NULL);
    uv_close((uv_handle_t *)&publish->due, NULL);
    uv_close((uv_handle_t *)&publish->tick, NULL);
    uv_close((uv_handle_t *)&publish->interrupt, NULL);
    uv_close((uv_handle_t *)&publish->terminate, NULL);
}

/* ---- fixes into reports ---- */

static struct event fix_of(const struct track_point *point)
{
    struct event event = {.time_ms = point->time_ms,
                          .type = EVENT_FIX,
                          .kind = point->source,
                          .datum = GEO_WGS84,
                          .point = point->point,
                          .accuracy_cm = point->accuracy_cm};
    event.flags = point->accuracy_cm > 0 ? EVENT_HAS_ACCURACY : 0;
    return event;
}

/* Milliseconds until the point is due at the wanted pace; 0: now. */
static uint64_t due_in_ms(const struct publish *publish, uint32_t place)
{
    if (publish->speed <= 0) {
        return 0;
    }
    const struct track_point *points = publish->track.points;
    double offset_ms = (double)(points[place].time_ms - points[0].time_ms) / publish->speed;
    double left_ms = offset_ms - (double)(clock_mono_us() - publish->started_us) / 1000;
    return left_ms > 0 ? (uint64_t)left_ms + 1 : 0;
}

static bool add_report(struct publish *publish)
{
    struct event events[REPORT_EVENTS_MAX];
    uint32_t count = 0;
    while (count < (uint32_t)publish->batch && publish->next + count < publish->track.count) {
        events[count] = fix_of(&publish->track.points[publish->next + count]);
        count++;
    }
    if (sender_add(publish->hub, 0, events, NULL, count) != STATUS_OK) {
        return false; /* full: on_progress goes on */
    }
    publish->next += count;
    return true;
}

static uint32_t last_of_next(const struct publish *publish)
{
    uint32_t last = publish->next + (uint32_t)publish->batch - 1;
    return last < publish->track.count ? last : publish->track.count - 1;
}

static void on_due(uv_timer_t *timer)
{
    struct publish *publish = timer->data;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    feed(publish);
}

static void feed(struct publish *publish)
{
    while (!publish->ending && publish->next < publish->track.count &&
           sender_room(publish->hub, 0) > 0) {
        uint64_t wait_ms = due_in_ms(publish, last_of_next(publish));
        if (wait_ms > 0) {
            ASSERT(uv_timer_start(&publish->due, on_due, wait_ms, 0) == 0);
            publish->progress_us = clock_mono_us() + (int64_t)wait_ms * 1000; /* nothing is owed */
            return;
        }
        if (!add_report(publish)) {
            return;
        }
    }
}

/* ---- what the sender tells ---- */

static void on_progress(void *context, uint32_t no)
{
    (void)no;
    struct publish *publish = context;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    int64_t now_us = clock_mono_us();
    publish->progress_us = now_us > publish->progress_us ? now_us : publish->progress_us;
    feed(publish);
}

static void on_settled(void *context)
{
    struct publish *publish = context;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    if (publish->next == publish->track.count) {
        end(publish, CLI_OK);
    }
}

static void on_link(void *context, bool up, const struct status_detail *detail)
{
    struct publish *publish = context;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    if (!up && !publish->down_told) {
        (void)cli_fail("%s: %s; trying again", publish->broker,
                       detail != NULL ? detail->text : "lost");
    } else if (up && publish->down_told) {
        (void)fputs("campusctl: connected\n", stderr);
    }
    publish->down_told = !up;
}

static void on_conflict(void *context, uint32_t no, uint32_t epoch)
{
    (void)no;
    struct publish *publish = context;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    (void)cli_fail("campusd knows card %s by epoch %u already: use --epoch with a higher number",
                   publish->card, epoch);
    end(publish, CLI_FAILED);
}

static void tell_progress(const struct publish *publish)
{
    (void)fprintf(stderr, "campusctl: %u of %u fixes sent, %llu reports receipted\n", publish->next,
                  publish->track.count, (unsigned long long)publish->receipted);
}

static void on_tick(uv_timer_t *timer)
{
    struct publish *publish = timer->data;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    struct sender_stats stats;
    sender_stats(publish->hub, &stats);
    publish->receipted = stats.receipted;
    if (++publish->ticks % TELL_TICKS == 0 || isatty(STDERR_FILENO)) {
        tell_progress(publish);
    }
    int64_t idle_s = (clock_mono_us() - publish->progress_us) / 1000000;
    if (idle_s >= publish->give_up_s) {
        (void)cli_fail(
            "no receipt for %lld s: given up (is campusd up, is the card in its registry?)",
            (long long)idle_s);
        end(publish, CLI_FAILED);
    }
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct publish *publish = handle->data;
    MAGIC_CHECK(publish, PUBLISH_MAGIC);
    (void)cli_fail("interrupted (signal %d); what has no receipt may be lost", signum);
    end(publish, CLI_FAILED);
}

/* ---- start ---- */

static void open_handles(struct publish *publish)
{
    uv_timer_t *timers[] = {&publish->due, &publish->tick};
    uv_signal_t *signals[] = {&publish->interrupt, &publish->terminate};
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        ASSERT(uv_timer_init(&publish->loop, timers[i]) == 0);
        ASSERT(uv_signal_init(&publish->loop, signals[i]) == 0);
        timers[i]->data = publish;
        signals[i]->data = publish;
        ASSERT(uv_signal_start(signals[i], on_signal, numbers[i]) == 0);
    }
    ASSERT(uv_timer_start(&publish->tick, on_tick, TICK_MS, TICK_MS) == 0);
}

static int run(struct publish *publish)
{
    char client_id[64];
    (void)snprintf(client_id, sizeof client_id, "campusctl-publish-%ld", (long)getpid());
    const struct sender_identity identity = {ORIGIN_CARD, publish->school, publish->card,
                                             (uint32_t)publish->epoch};
    const struct sender_options options = {
        .url = publish->broker, .client_id = client_id, .identities = &identity, .count = 1};
    const struct sender_callbacks callbacks = {publish, on_progress, on_settled, on_link,
                                               on_conflict};
    struct status_detail detail = {""};
    (void)signal(SIGPIPE, SIG_IGN);
    ASSERT(uv_loop_init(&publish->loop) == 0);
    if (sender_open(&publish->loop, &options, &callbacks, &publish->hub, &detail) == STATUS_OK) {
        publish->started_us = publish->progress_us = clock_mono_us();
        open_handles(publish);
        feed(publish);
        if (publish->track.count == 0) {
            end(publish, CLI_OK);
        }
    } else {
        publish->result = cli_fail("%s", detail.text);
    }
    (void)uv_run(&publish->loop, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(&publish->loop) == 0);
    return publish->result;
}

/* The card's school, where it was not named. The text lives in the arena. */
static int look_up_school(struct publish *publish)
{
    struct status_detail detail = {""};
    PGconn *conn;
    if (publish->conninfo == NULL) {
        return cli_usage(usage, "which school is the card's? Use --school, or --pg to look it up");
    }
    if (registry_connect(publish->conninfo, &conn, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    const char *const values[] = {publish->card};
    PGresult *result =
        PQexecParams(conn,
                     "SELECT s.id FROM campus.card c JOIN campus.pupil p ON p.no = c.pupil_no "
                     "JOIN campus.school s ON s.no = p.school_no WHERE c.id = $1",
                     1, NULL, values, NULL, NULL, 0);
    int status = CLI_OK;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        status = cli_fail("%s", PQerrorMessage(conn));
    } else if (PQntuples(result) == 0) {
        status = cli_fail("card %s is not in the registry, or issued to nobody", publish->card);
    } else {
        const char *school = PQgetvalue(result, 0, 0);
        publish->school = arena_copy_text(&publish->arena, school, strlen(school));
        status = publish->school != NULL ? CLI_OK : cli_fail("no memory");
    }
    PQclear(result);
    PQfinish(conn);
    return status;
}

static int read_trace(struct publish *publish)
{
    struct status_detail detail = {""};
    const struct track_options options = {publish->device, clock_wall_ms()};
    if (track_read(publish->trace, &options, &publish->arena, &publish->track, &detail) !=
        STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    int64_t old_ms = options.now_ms;
    for (uint32_t i = 0; i < publish->track.count; i++) {
        int64_t time_ms = publish->track.points[i].time_ms;
        old_ms = options.now_ms - time_ms < old_ms ? options.now_ms - time_ms : old_ms;
    }
    for (uint32_t i = 0; publish->shift && i < publish->track.count; i++) {
        publish->track.points[i].time_ms += old_ms;
    }
    if (!publish->shift && publish->track.count > 0 && old_ms > ALERT_WORTH_MS) {
        (void)fprintf(stderr,
                      "campusctl: the last fix is %lld hours old: campusd archives it and "
                      "raises no alert; --shift moves it to now\n",
                      (long long)(old_ms / 3600000));
    }
    return CLI_OK;
}

static int read_number(const char *option, const char *text, int64_t low, int64_t high,
                       int64_t *number)
{
    if (text != NULL &&
        (text_to_i64(text_of(text), number) != STATUS_OK || *number < low || *number > high)) {
        return cli_usage(usage, "%s needs a number from %lld to %lld", option, (long long)low,
                         (long long)high);
    }
    return CLI_OK;
}

static int read_words(struct publish *publish, int argc, char **argv, bool *help)
{
    const char *speed = NULL, *batch = NULL, *epoch = NULL, *give_up = NULL;
    const struct cli_option options[] = {{"--trace", &publish->trace, NULL},
                                         {"--card", &publish->card, NULL},
                                         {"--school", &publish->school, NULL},
                                         {"--device", &publish->device, NULL},
                                         {"--broker", &publish->broker, NULL},
                                         {"--pg", &publish->conninfo, NULL},
                                         {"--speed", &speed, NULL},
                                         {"--batch", &batch, NULL},
                                         {"--epoch", &epoch, NULL},
                                         {"--give-up", &give_up, NULL},
                                         {"--shift", NULL, &publish->shift},
                                         {"--help", NULL, help},
                                         {0}};
    int words;
    int result = cli_options(argc, argv, options, usage, &words);
    if (result == CLI_OK && words > 1) {
        result = cli_usage(usage, "what is %s?", argv[1]);
    }
    if (result == CLI_OK) {
        result = read_number("--batch", batch, 1, REPORT_EVENTS_MAX, &publish->batch);
    }
    if (result == CLI_OK) {
        result = read_number("--epoch", epoch, 1, UINT32_MAX, &publish->epoch);
    }
    if (result == CLI_OK) {
        result = read_number("--give-up", give_up, 1, 1000000, &publish->give_up_s);
    }
    if (result == CLI_OK && speed != NULL &&
        (text_to_double(text_of(speed), &publish->speed) != STATUS_OK || publish->speed < 0)) {
        result = cli_usage(usage, "--speed needs a number from 0");
    }
    return result;
}

static int check_words(struct publish *publish)
{
    publish->broker = publish->broker != NULL ? publish->broker : cli_setting("broker");
    publish->conninfo = publish->conninfo != NULL ? publish->conninfo : cli_setting("pg");
    if (publish->trace == NULL || publish->card == NULL) {
        return cli_usage(usage, "--trace and --card are needed");
    }
    if (publish->broker == NULL) {
        return cli_usage(usage, "which broker? Use --broker, or set CAMPUS_BROKER");
    }
    return CLI_OK;
}

int cmd_publish(int argc, char **argv)
{
    static struct publish publish;
    bool help = false;
    publish = (struct publish){
        .magic = PUBLISH_MAGIC, .batch = 1, .give_up_s = 600, .epoch = clock_wall_ms() / 1000};
    arena_init_growing(&publish.arena, 1 << 20, (size_t)4 * TRACK_BYTES_MAX);
    int result = read_words(&publish, argc, argv, &help);
    if (result == CLI_OK && help) {
        (void)printf("usage: %s\n", usage);
        arena_release(&publish.arena);
        return CLI_OK;
    }
    if (result == CLI_OK) {
        result = check_words(&publish);
    }
    if (result == CLI_OK) {
        result = read_trace(&publish);
    }
    if (result == CLI_OK && publish.school == NULL) {
        result = look_up_school(&publish);
    }
    if (result == CLI_OK) {
        result = run(&publish);
    }
    arena_release(&publish.arena);
    return result;
}
