#include "bench/intake.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "bench/folder.h"
#include "broker-bridge/bridge.h"
#include "core/record.h"
#include "daemon/config.h"
#include "daemon/fold.h"
#include "daemon/wiring_internal.h"

enum { INTAKE_MAGIC = 0x696e746b, PRESENCES_A_CARD = 4, SECOND_MS = 1000 };

struct intake {
    uint32_t magic;
    struct campusd campusd; /* the parts of it that an event passes */
    struct config config;
    uv_loop_t loop;
    uv_idle_t feed;
    char path[BENCH_FOLDER_BYTES];
    const struct broker_message *messages;
    uint32_t next, end;
    int64_t upkeep_ms; /* when the next is due, by the messages' clock */
    bool has_loop, has_feed, feeding, failed;
    uint64_t bursts, outbox, checksum;
    struct status_detail detail;
};

static struct intake *intake_of(void *context)
{
    struct intake *intake = context;
    MAGIC_CHECK(intake, INTAKE_MAGIC);
    return intake;
}

/* ---- what campusd's wiring does ---- */

static enum status append_record(void *context, uint32_t type, struct text record)
{
    struct campusd *campusd = &intake_of(context)->campusd;
    return journal_append(campusd->journal, type, record.at, record.length, &campusd->appended);
}

static enum status append_alert_record(void *context, uint32_t type, struct text record,
                                       uint64_t *ret_end)
{
    struct campusd *campusd = &intake_of(context)->campusd;
    enum status status = journal_append(campusd->journal, type, record.at, record.length, ret_end);
    campusd->appended = status == STATUS_OK ? *ret_end : campusd->appended;
    return status;
}

static void want_receipt(void *context, const struct origin *origin)
{
    (void)intake_of(context);
    (void)origin; /* no broker to send it to */
}

/* The outbox: no broker behind it. */
static enum status publish_alert(void *context, uint64_t end, const struct alert *alert,
                                 struct text json)
{
    struct intake *intake = intake_of(context);
    intake->checksum = (intake->checksum ^ text_hash(json)) * 31 + alert->type;
    intake->outbox++;
    intake->campusd.published_end = end; /* confirmed with the next mark */
    return STATUS_OK;
}

static void feed_start(struct intake *intake);

/* Everything live is decided as it becomes durable. */
__attribute__((hot)) static void on_durable(void *context, uint64_t pos)
{
    struct intake *intake = intake_of(context);
    intake->campusd.durable = pos;
    fold_flush(&intake->campusd);
    alert_flow_pump(intake->campusd.alerts);
    feed_start(intake);
}

__attribute__((hot)) static void on_record(void *context, const struct journal_record *record)
{
    fold_record(&intake_of(context)->campusd, record);
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct intake *intake = intake_of(context);
    (void)status;
    intake->detail = *detail;
    intake->failed = true;
    uv_stop(&intake->loop);
}

/* Once a second by the messages' clock, as campusd's upkeep: the tick, the mark, room in the journal. */
static void upkeep(struct intake *intake, int64_t now_ms)
{
    struct campusd *campusd = &intake->campusd;
    const struct tick tick = {now_ms};
    buffer_clear(&campusd->record);
    record_put_tick(&campusd->record, &tick);
    if (append_record(intake, RECORD_TICK,
                      (struct text){campusd->record.data, campusd->record.size}) == STATUS_OK) {
        campusd->tick_ms = now_ms;
    }
    alert_flow_confirmed(campusd->alerts, campusd->published_end);
    alert_flow_mark(campusd->alerts);
    (void)journal_trim(campusd->journal, campusd->durable);
    intake->upkeep_ms = now_ms + SECOND_MS;
}

/* ---- messages ---- */

static bool on_the_way(const struct intake *intake)
{
    const struct campusd *campusd = &intake->campusd;
    struct ingest_stats ingest;
    struct engine_stats engine;
    ingest_stats(campusd->ingest, &ingest);
    engine_stats(campusd->engine, &engine);
    return ingest.events - engine.events >= INTAKE_ON_THE_WAY || alert_flow_full(campusd->alerts);
}

/* As the bridge does: some messages at a time, those of a second at the most. */
static enum status feed_some(struct intake *intake, uint32_t end)
{
    const struct broker_message *messages = &intake->messages[intake->next];
    uint32_t count = 1, taken;
    if (messages[0].arrival_ms >= intake->upkeep_ms) {
        upkeep(intake, messages[0].arrival_ms);
    }
    while (count < BRIDGE_TRAY_MESSAGES && intake->next + count < end &&
           messages[count].arrival_ms < intake->upkeep_ms) {
        count++;
    }
    enum status status = ingest_messages(intake->campusd.ingest, messages, count, &taken);
    intake->next += taken;
    return status;
}

__attribute__((hot)) static void feed_burst(uv_idle_t *feed)
{
    struct intake *intake = intake_of(feed->data);
    enum status status = STATUS_OK;
    const uint32_t left = intake->end - intake->next;
    const uint32_t end = intake->next + (left < INTAKE_BURST ? left : INTAKE_BURST);
    while (intake->next < end && status == STATUS_OK) {
        status = feed_some(intake, end);
    }
    intake->bursts++;
    if (status != STATUS_OK || intake->next == intake->end || on_the_way(intake)) {
        intake->feeding = false; /* until on_durable */
        (void)uv_idle_stop(feed);
    }
}

static void feed_start(struct intake *intake)
{
    if (!intake->feeding && intake->next < intake->end && !intake->failed) {
        intake->feeding = true;
        int failed = uv_idle_start(&intake->feed, feed_burst);
        ASSERT(failed == 0);
    }
}

enum status intake_take(struct intake *intake, const struct broker_message *messages,
                        uint32_t count, struct status_detail *detail)
{
    MAGIC_CHECK(intake, INTAKE_MAGIC);
    intake->messages = messages;
    intake->next = 0;
    intake->end = count;
    feed_start(intake);
    (void)uv_run(&intake->loop, UV_RUN_DEFAULT); /* nothing left to do: all is durable */
    if (intake->failed || intake->next < count) {
        return status_detail_set(detail, STATUS_IO, "%s", intake->detail.text);
    }
    return STATUS_OK;
}

/* ---- lifecycle ---- */

static enum status make_rules(struct intake *intake, const struct intake_city *city,
                              struct status_detail *detail)
{
    struct campusd *campusd = &intake->campusd;
    enum status status = intake_city_directory(city, &campusd->directory, detail);
    if (status == STATUS_OK) {
        status = intake_city_fences(city, &campusd->fences, detail);
    }
    return status;
}

static enum status make_state(struct intake *intake, const struct intake_city *city)
{
    struct campusd *campusd = &intake->campusd;
    const uint32_t cards = city->cards + 1;
    const struct engine_limits limits = {.cards_max = cards,
                                         .presences_max = city->cards * PRESENCES_A_CARD};
    const struct ingest_options ingest = {.cards_max = cards,
                                          .gates_max = city->schools + 1,
                                          .datum_default = GEO_WGS84,
                                          .append = append_record,
                                          .want_receipt = want_receipt,
                                          .context = intake};
    const struct alert_flow_options alerts = {.waiting_max =
                                                  (uint32_t)intake->config.alerts_waiting_max,
                                              .context = intake,
                                              .append = append_alert_record,
                                              .publish = publish_alert};
    enum status status = engine_new(&limits, &campusd->engine);
    if (status == STATUS_OK) {
        status = ingest_new(&ingest, &campusd->ingest);
    }
    if (status == STATUS_OK) {
        status = alert_flow_new(&alerts, &campusd->alerts);
    }
    return status;
}

static void put_rules(struct campusd *campusd)
{
    struct outbox outbox = {campusd->outbox, 0, STEP_ALERTS_MAX};
    engine_step(campusd->engine,
                &(struct engine_input){.type = INPUT_DIRECTORY, .u.directory = campusd->directory},
                &outbox);
    engine_step(campusd->engine,
                &(struct engine_input){.type = INPUT_FENCES, .u.fences = campusd->fences}, &outbox);
    ingest_set_directory(campusd->ingest, campusd->directory);
}

static enum status open_journal(struct intake *intake, const char *directory,
                                struct status_detail *detail)
{
    const struct journal_options options = {
        .directory = intake->path,
        .segment_bytes = intake->config.journal_segment_mib << 20,
        .pending_bytes_max = (size_t)intake->config.journal_pending_mib << 20};
    const struct journal_callbacks callbacks = {intake, on_record, on_durable, on_trouble};
    enum status status = bench_folder_make(directory, "campus-intake", intake->path, detail);
    if (status != STATUS_OK) {
        return status;
    }
    return journal_open(&intake->loop, &options, &callbacks, &intake->campusd.journal, detail);
}

enum status intake_new(const struct intake_city *city, const char *directory, struct intake **ret,
                       struct status_detail *detail)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    intake->magic = INTAKE_MAGIC;
    intake->campusd.magic = CAMPUSD_MAGIC;
    intake->campusd.config = &intake->config;
    buffer_init(&intake->campusd.record, 4096);
    enum status status = config_read(NULL, &intake->config, detail);
    intake->config.limit_cards = (uint64_t)city->cards + 1;
    intake->has_loop = uv_loop_init(&intake->loop) == 0;
    intake->has_feed = intake->has_loop && uv_idle_init(&intake->loop, &intake->feed) == 0;
    intake->feed.data = intake;
    if (status == STATUS_OK && !intake->has_feed) {
        status = status_detail_set(detail, STATUS_IO, "no event loop");
    }
    if (status == STATUS_OK) {
        status = make_rules(intake, city, detail);
    }
    if (status == STATUS_OK && make_state(intake, city) != STATUS_OK) {
        status = status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %u cards", city->cards);
    }
    if (status == STATUS_OK) {
        status = open_journal(intake, directory, detail);
    }
    if (status != STATUS_OK) {
        intake_free(intake);
        return status;
    }
    put_rules(&intake->campusd);
    alert_flow_replay_done(intake->campusd.alerts);
    *ret = intake;
    return STATUS_OK;
}

void intake_free(struct intake *intake)
{
    if (intake == NULL) {
        return;
    }
    struct campusd *campusd = &intake->campusd;
    intake->failed = true; /* takes no more */
    if (campusd->journal != NULL) {
        journal_close(campusd->journal, NULL, NULL);
    }
    if (intake->has_feed) {
        uv_close((uv_handle_t *)&intake->feed, NULL);
    }
    if (intake->has_loop) {
        (void)uv_run(&intake->loop, UV_RUN_DEFAULT);
        int failed = uv_loop_close(&intake->loop);
        ASSERT(failed == 0);
    }
    bench_folder_remove(intake->path);
    engine_free(campusd->engine);
    ingest_free(campusd->ingest);
    alert_flow_free(campusd->alerts);
    directory_free(campusd->directory);
    fence_set_free(campusd->fences);
    buffer_release(&campusd->record);
    config_release(&intake->config);
    free(intake);
}

/* ---- what came of it ---- */

void intake_stats(const struct intake *intake, struct intake_stats *ret)
{
    const struct campusd *campusd = &intake->campusd;
    *ret = (struct intake_stats){.appended = campusd->appended,
                                 .durable = campusd->durable,
                                 .bursts = intake->bursts,
                                 .alerts = intake->outbox,
                                 .unknown_records = campusd->unknown_records,
                                 .state_bytes = engine_bytes(campusd->engine),
                                 .registry_bytes = campusd->directory->arena.bytes,
                                 .fence_bytes = campusd->fences->arena.bytes +
                                                geo_index_bytes(campusd->fences->index),
                                 .window_bytes = ingest_image_bytes(campusd->ingest)};
    ingest_stats(campusd->ingest, &ret->ingest);
    engine_stats(campusd->engine, &ret->engine);
    journal_stats(campusd->journal, &ret->journal);
    ret->decided = ret->engine.events;
    ret->checksum =
        text_hash((struct text){(const char *)&ret->engine, sizeof ret->engine}) ^ intake->checksum;
}

static uint64_t refused(const struct ingest_stats *stats)
{
    uint64_t sum = stats->repeats + stats->dead_letters;
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        sum += stats->refused[i];
    }
    return sum;
}

enum status intake_check(const struct intake *intake, uint64_t events, struct status_detail *detail)
{
    struct intake_stats stats;
    intake_stats(intake, &stats);
    if (stats.ingest.events != events || stats.decided != events || refused(&stats.ingest) != 0 ||
        stats.unknown_records != 0 || stats.durable != stats.appended ||
        stats.durable != journal_durable_pos(intake->campusd.journal)) {
        return status_detail_set(detail, STATUS_CORRUPT,
                                 "of %" PRIu64 " events %" PRIu64 " were taken, %" PRIu64
                                 " decided, %" PRIu64 " refused; durable to %" PRIu64 " of %" PRIu64
                                 ", %" PRIu64 " unknown records",
                                 events, stats.ingest.events, stats.decided, refused(&stats.ingest),
                                 stats.durable, stats.appended, stats.unknown_records);
    }
    return STATUS_OK;
}
