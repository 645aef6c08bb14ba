#include "daemon/wiring.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker-bridge/topic.h"
#include "core/rates.h"
#include "core/record.h"
#include "daemon/fold.h"
#include "daemon/wiring_internal.h"
#include "proto/codec.h"

enum {
    UPKEEP_MS = 1000,
    TICK_MS = 1000, /* of the wall clock, where it does not run too fast for that: */
    TICK_REAL_MS_MIN = 20,
    DRAIN_STEP_MS = 10,
    DRAIN_DEADLINE_MS = 5000,
    ARCHIVE_DEADLINE_MS = 3000,
    RECEIPTS_MAX = 262144
};

static struct campusd *campusd_of(void *context)
{
    struct campusd *campusd = context;
    MAGIC_CHECK(campusd, CAMPUSD_MAGIC);
    return campusd;
}

static void fatal(struct campusd *campusd, const struct status_detail *detail)
{
    if (!campusd->fatal && !campusd->stopping) {
        campusd->fatal = true;
        campusd->callbacks.on_fatal(campusd->callbacks.context, detail);
    }
}

/* ---- the journal ---- */

static void resume_sources(struct campusd *campusd)
{
    if (campusd->paused && !campusd->stopping && !alert_flow_full(campusd->alerts)) {
        campusd->paused = false;
        bridge_resume(campusd->bridge);
    }
}

static void on_durable(void *context, uint64_t pos)
{
    struct campusd *campusd = campusd_of(context);
    campusd->durable = pos;
    fold_flush(campusd);
    if (campusd->trouble.text[0] != '\0') {
        campusd->trouble.text[0] = '\0';
        log_event(LOG_INFO, "journal.healed");
        early_end(campusd);
    }
    alert_flow_pump(campusd->alerts);
    recovery_durable(campusd);
    if (campusd->bridge != NULL) {
        bridge_durable(campusd->bridge, pos);
        resume_sources(campusd);
    }
    if (campusd->archive != NULL) {
        archive_wake(campusd->archive, pos);
    }
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct campusd *campusd = campusd_of(context);
    bool begins = campusd->trouble.text[0] == '\0';
    campusd->trouble = *detail;
    if (begins && !campusd->stopping) {
        early_begin(campusd);
    }
    log_event(LOG_ERROR, "journal.trouble", LOG_STR("status", status_words(status)),
              LOG_STR("reason", detail->text));
}

/* ---- messages in ---- */

static enum status append_record(void *context, uint32_t type, struct text record)
{
    struct campusd *campusd = campusd_of(context);
    enum status status =
        journal_append(campusd->journal, type, record.at, record.length, &campusd->appended);
    if (status == STATUS_OK && type == RECORD_REPORT && campusd->trouble.text[0] != '\0') {
        early_record(campusd, record);
    }
    return status;
}

/* A clock that was set back makes none until it has caught up; one that finds no room is left out. */
static void append_tick(struct campusd *campusd)
{
    const struct tick tick = {clock_wall_ms()};
    if (campusd->stopping || tick.now_ms <= campusd->tick_ms || alert_flow_full(campusd->alerts)) {
        return;
    }
    buffer_clear(&campusd->record);
    record_put_tick(&campusd->record, &tick);
    if (buffer_status(&campusd->record) == STATUS_OK &&
        append_record(campusd, RECORD_TICK,
                      (struct text){campusd->record.data, campusd->record.size}) == STATUS_OK) {
        campusd->tick_ms = tick.now_ms;
    }
}

static void want_receipt(void *context, const struct origin *origin)
{
    struct campusd *campusd = campusd_of(context);
    const struct sequence *sequence = ingest_sequence(campusd->ingest, origin->kind, origin->no);
    ASSERT(sequence != NULL);
    const struct owed_receipt owed = {.origin_kind = origin->kind,
                                      .no = origin->no,
                                      .epoch = sequence->epoch,
                                      .broker = campusd->message_broker,
                                      .durable_to = sequence->durable_to,
                                      .end = campusd->appended};
    receipts_add(campusd->receipts, &owed);
    if (!uv_is_active((uv_handle_t *)&campusd->receipt_timer)) {
        uv_timer_set_repeat(&campusd->receipt_timer, campusd->config->card_receipt_ms);
        (void)uv_timer_again(&campusd->receipt_timer);
    }
}

static void send_receipt(void *context, const struct owed_receipt *owed)
{
    struct campusd *campusd = campusd_of(context);
    const struct directory *directory = campusd->directory;
    char topic[TOPIC_BYTES_MAX];
    if (owed->origin_kind == ORIGIN_CARD) {
        if (owed->no >= directory->card_end || directory->cards[owed->no].id == NULL) {
            return; /* taken out of the registry meanwhile */
        }
        const struct dir_card *card = &directory->cards[owed->no];
        const char *school = card->school_no != 0 ? directory->schools[card->school_no].id : "-";
        topic_card_down(topic, school, card->id);
    } else {
        if (owed->no >= directory->gate_end || directory->gates[owed->no].id == NULL) {
            return;
        }
        const struct dir_gate *gate = &directory->gates[owed->no];
        topic_gate_down(topic, directory->schools[gate->school_no].id, gate->id);
    }
    const struct receipt receipt = {owed->epoch, owed->durable_to};
    buffer_clear(&campusd->record);
    encode_receipt(&campusd->record, &receipt);
    if (buffer_status(&campusd->record) == STATUS_OK) {
        bridge_send_receipt(campusd->bridge, owed->broker, topic,
                            (struct text){campusd->record.data, campusd->record.size});
    }
}

static void on_receipt_timer(uv_timer_t *timer)
{
    struct campusd *campusd = campusd_of(timer->data);
    if (!receipts_flush(campusd->receipts, campusd->durable, send_receipt, campusd)) {
        (void)uv_timer_stop(timer);
    }
}

_Static_assert(OWNTRACKS_REMEMBERED >= BRIDGE_WAITING_MAX, "what a broker delivers again is known");

static void on_messages(void *context, uint32_t broker, const struct broker_message *messages,
                        uint32_t count, uint32_t *ret_taken, uint64_t *ret_end)
{
    struct campusd *campusd = campusd_of(context);
    enum status status = STATUS_FULL;
    if (!campusd->stopping && !alert_flow_full(campusd->alerts)) {
        campusd->message_broker = broker;
        status = ingest_messages(campusd->ingest, messages, count, ret_taken);
    }
    campusd->paused |= status != STATUS_OK;
    *ret_end = campusd->appended > campusd->durable ? campusd->appended : 0;
}

/* ---- alerts out ---- */

static enum status append_alert_record(void *context, uint32_t type, struct text record,
                                       uint64_t *ret_end)
{
    struct campusd *campusd = campusd_of(context);
    uint64_t end;
    if (campusd->journal_closing) {
        return STATUS_UNAVAILABLE; /* raised again by the next start */
    }
    enum status status = journal_append(campusd->journal, type, record.at, record.length, &end);
    if (status == STATUS_OK) {
        campusd->appended = *ret_end = end;
    }
    return status;
}

enum status campusd_publish(struct campusd *campusd, uint64_t end, const struct alert *alert,
                            struct text json)
{
    const struct directory *directory = campusd->directory;
    char names[PUPIL_GUARDIANS_MAX + 1][TOPIC_BYTES_MAX];
    const char *topics[PUPIL_GUARDIANS_MAX + 1];
    uint32_t count = 0;
    if (campusd->bridge == NULL) {
        return STATUS_UNAVAILABLE;
    }
    if (alert->school_no != 0 && alert->school_no < directory->school_end &&
        directory->schools[alert->school_no].id != NULL) {
        topic_school_alerts(names[count++], directory->schools[alert->school_no].id);
    }
    if (alert_is_for_guardians((enum alert_type)alert->type) && alert->pupil_no != 0 &&
        alert->pupil_no < directory->pupil_end && directory->pupils[alert->pupil_no].id != NULL) {
        const struct dir_pupil *pupil = &directory->pupils[alert->pupil_no];
        for (uint32_t i = 0; i < pupil->guardian_count && i < PUPIL_GUARDIANS_MAX; i++) {
            uint32_t guardian = directory->guardian_links[pupil->guardian_first + i];
            topic_guardian_alerts(names[count++], directory->guardians[guardian].id);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        topics[i] = names[i];
    }
    const struct bridge_alert out = {end, topics, count, json};
    enum status status = bridge_add_alert(campusd->bridge, &out);
    if (status == STATUS_OK) {
        campusd->published_end = end;
    }
    return status;
}

static enum status publish_alert(void *context, uint64_t end, const struct alert *alert,
                                 struct text json)
{
    return campusd_publish(campusd_of(context), end, alert, json);
}

static void on_alerts_confirmed(void *context, uint64_t end)
{
    struct campusd *campusd = campusd_of(context);
    (void)end;
    alert_flow_pump(campusd->alerts);
    resume_sources(campusd);
}

/* Only now do marks call them confirmed: a broker that dies with us may have forgotten the last. */
static void on_alerts_settled(void *context, uint64_t end)
{
    struct campusd *campusd = campusd_of(context);
    alert_flow_confirmed(campusd->alerts, end);
}

/* ---- archive ---- */

static void on_archive_position(void *context, uint64_t pos)
{
    (void)campusd_of(context);
    (void)pos; /* read from archive_stats when the journal is trimmed */
}

static void on_archive_state(void *context, bool connected, const struct status_detail *detail)
{
    (void)campusd_of(context);
    if (connected) {
        log_event(LOG_INFO, "archive.connected");
    } else {
        log_event(LOG_WARN, "archive.away", LOG_STR("reason", detail->text));
    }
}

/* ---- upkeep ---- */

uint64_t campusd_alerts_done(const struct campusd *campusd)
{
    struct alert_flow_stats alerts;
    struct bridge_stats bridge;
    alert_flow_stats(campusd->alerts, &alerts);
    bridge_stats(campusd->bridge, &bridge);
    return alerts.waiting == 0 && bridge.alerts_kept == 0 ? campusd->durable : alerts.confirmed;
}

/* Two segments below journal.max_mib its age does not matter any more. */
static bool journal_pressed(const struct campusd *campusd)
{
    const uint64_t max_mib = campusd->config->journal_max_mib;
    const uint64_t bytes = campusd->durable - journal_first_pos(campusd->journal);
    return max_mib != 0 && (bytes >> 20) + 2 * campusd->config->journal_segment_mib >= max_mib;
}

static void trim_journal(struct campusd *campusd)
{
    struct archive_stats archive;
    archive_stats(campusd->archive, &archive);
    int64_t horizon = clock_wall_ms() - (int64_t)campusd->config->journal_keep_hours * 3600000;
    uint64_t pos = journal_pressed(campusd) ? UINT64_MAX : 0;
    for (uint32_t i = 0;
         i < campusd->age_count && campusd->ages[i].time_ms < horizon && pos < UINT64_MAX; i++) {
        pos = campusd->ages[i].pos;
    }
    const uint64_t done = campusd_alerts_done(campusd);
    pos = pos < archive.position ? pos : archive.position;
    pos = pos < done ? pos : done;
    const uint64_t needed = recovery_keeps_from(campusd);
    recovery_in_the_way(campusd, journal_pressed(campusd) && needed < pos);
    pos = pos < needed ? pos : needed;
    uint32_t removed = pos > 0 ? journal_trim(campusd->journal, pos) : 0;
    if (removed > 0) {
        log_event(LOG_INFO, "journal.trimmed", LOG_INT("segments", removed));
    }
}

static void on_tick(uv_timer_t *timer)
{
    append_tick(campusd_of(timer->data));
}

static void on_upkeep(uv_timer_t *timer)
{
    struct campusd *campusd = campusd_of(timer->data);
    alert_flow_pump(campusd->alerts);
    alert_flow_mark(campusd->alerts);
    recovery_upkeep(campusd);
    resume_sources(campusd);
    trim_journal(campusd);
}

static void on_control(void *context, struct text request, struct buffer *out)
{
    struct campusd *campusd = campusd_of(context);
    if (text_is(request, "status")) {
        campusd_report(campusd, out);
    } else if (text_is(request, "reload")) {
        registry_watch_poke(campusd->watch);
        buffer_text(out, "ok\n");
    } else {
        buffer_text(out, "error=\"requests: status, reload\"\n");
    }
}

/* ---- registry: the first one boots the rest ---- */

static enum status boot_state(struct campusd *campusd)
{
    const struct config *config = campusd->config;
    uint32_t cards = (uint32_t)config->limit_cards;
    const struct presence_rates rates = {.left_e6 = (uint32_t)config->presence_false_left,
                                         .entered_e6 = (uint32_t)config->presence_false_entered,
                                         .danger_e6 = (uint32_t)config->presence_false_danger,
                                         .miss_e6 = (uint32_t)config->presence_miss};
    campusd->recovery.policy = policy_of_rates(&rates);
    bool valid = policy_fill(&campusd->recovery.policy);
    ASSERT(valid); /* the table of settings bounds the rates */
    const struct engine_limits limits = {.cards_max = cards,
                                         .presences_max = (uint32_t)config->limit_presences,
                                         .policy = campusd->recovery.policy};
    const struct ingest_options ingest = {.cards_max = cards,
                                          .gates_max = cards,
                                          .datum_default = (enum geo_datum)(config->card_datum + 1),
                                          .append = append_record,
                                          .want_receipt = want_receipt,
                                          .context = campusd};
    const struct alert_flow_options alerts = {.waiting_max = (uint32_t)config->alerts_waiting_max,
                                              .context = campusd,
                                              .append = append_alert_record,
                                              .publish = publish_alert};
    enum status status = engine_new(&limits, &campusd->engine);
    if (status == STATUS_OK) {
        status = ingest_new(&ingest, &campusd->ingest);
    }
    if (status == STATUS_OK) {
        status = receipts_new(RECEIPTS_MAX, cards, &campusd->receipts);
    }
    if (status == STATUS_OK) {
        status = alert_flow_new(&alerts, &campusd->alerts);
    }
    return status;
}

static enum status boot_journal(struct campusd *campusd, struct status_detail *detail)
{
    const struct journal_options options = {
        .directory = campusd->config->journal_directory,
        .segment_bytes = campusd->config->journal_segment_mib << 20,
        .pending_bytes_max = (size_t)campusd->config->journal_pending_mib << 20,
        .replay_from = campusd->recovery.replay_from,
        .bytes_max = campusd->config->journal_max_mib << 20};
    const struct journal_callbacks callbacks = {campusd, fold_record, on_durable, on_trouble};
    int64_t start_us = clock_mono_us();
    enum status status =
        journal_open(campusd->loop, &options, &callbacks, &campusd->journal, detail);
    fold_flush(campusd);
    campusd->replaying = false;
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "journal");
    }
    campusd->appended = campusd->durable = journal_durable_pos(campusd->journal);
    status = recovery_end(campusd, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "journal");
    }
    campusd->booted = campusd->durable;
    alert_flow_replay_done(campusd->alerts);
    campusd->replay_ms = (uint64_t)(clock_mono_us() - start_us) / 1000;
    log_event(LOG_INFO, "journal.replayed", LOG_INT("records", campusd->replayed_records),
              LOG_INT("took_ms", campusd->replay_ms), LOG_INT("unknown", campusd->unknown_records));
    struct journal_stats stats;
    journal_stats(campusd->journal, &stats);
    if (stats.cut_bytes > 0) {
        log_event(LOG_WARN, "journal.torn_tail_cut", LOG_INT("bytes", stats.cut_bytes));
    }
    return STATUS_OK;
}

static enum status boot_archive(struct campusd *campusd, struct status_detail *detail)
{
    /* PostgreSQL asks its own clock what is over: an hour that is still written to, days that are not old. */
    const bool upkeeps = !campusd->config->paced;
    const struct archive_options options = {
        .conninfo = campusd->config->archive_conninfo,
        .journal_directory = campusd->config->journal_directory,
        .journal_id = journal_id(campusd->journal),
        .batch_rows_max = (uint32_t)campusd->config->archive_batch_rows,
        .batch_wait_ms = (uint32_t)campusd->config->archive_batch_wait_ms,
        .seal_after_hours = upkeeps ? (uint32_t)campusd->config->archive_seal_after_hours : 0,
        .keep_days = upkeeps ? (uint32_t)campusd->config->archive_keep_days : 0};
    const struct archive_callbacks callbacks = {campusd, on_archive_position, on_archive_state};
    enum status status =
        archive_open(campusd->loop, &options, &callbacks, &campusd->archive, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "archive");
    }
    archive_wake(campusd->archive, campusd->durable);
    return STATUS_OK;
}

static bool publishes_alerts(const struct config *config, const char *url)
{
    bool found = config->alert_brokers.count == 0;
    for (uint32_t i = 0; i < config->alert_brokers.count; i++) {
        found = found || strcmp(config->alert_brokers.items[i], url) == 0;
    }
    return found;
}

static enum status boot_bridge(struct campusd *campusd, struct status_detail *detail)
{
    const struct config *config = campusd->config;
    struct bridge_broker brokers[CONFIG_LIST_MAX];
    for (uint32_t i = 0; i < config->brokers.count; i++) {
        const char *url = config->brokers.items[i];
        brokers[i] =
            (struct bridge_broker){url, campusd->broker_password, publishes_alerts(config, url)};
    }
    const struct bridge_options options = {
        .brokers = brokers,
        .broker_count = config->brokers.count,
        .client_id = config->broker_client_id,
        .keepalive_s = (uint32_t)config->broker_keepalive_s,
        .connect_timeout_ms = (uint32_t)config->broker_connect_timeout_ms,
        .backoff_min_ms = (uint32_t)config->broker_backoff_min_ms,
        .backoff_max_ms = (uint32_t)config->broker_backoff_max_ms,
        .burst_max = (uint32_t)config->broker_burst,
        .alerts_max = (uint32_t)config->alerts_waiting_max,
        .alerts_before = campusd->booted,
        .repeat_window_ms = (uint32_t)config->alerts_repeat_s * 1000};
    const struct bridge_callbacks callbacks = {campusd, on_messages, on_alerts_confirmed,
                                               on_alerts_settled, early_message};
    enum status status = bridge_open(campusd->loop, &options, &callbacks, &campusd->bridge, detail);
    return status == STATUS_OK ? status : status_detail_wrap(detail, status, "brokers");
}

static void start_upkeep(struct campusd *campusd)
{
    uint64_t tick_ms = TICK_MS / campusd->config->pace.speed;
    tick_ms = tick_ms > TICK_REAL_MS_MIN ? tick_ms : TICK_REAL_MS_MIN;
    int failed = uv_timer_start(&campusd->upkeep, on_upkeep, UPKEEP_MS, UPKEEP_MS);
    ASSERT(failed == 0);
    failed = uv_timer_start(&campusd->tick, on_tick, tick_ms, tick_ms);
    ASSERT(failed == 0);
}

static enum status boot(struct campusd *campusd, const struct registry_version *loaded,
                        struct status_detail *detail)
{
    enum status status = boot_state(campusd);
    if (status != STATUS_OK) {
        directory_free(loaded->directory);
        fence_set_free(loaded->fences);
        return status_detail_set(detail, status, "no memory for %llu cards (limit.cards)",
                                 (unsigned long long)campusd->config->limit_cards);
    }
    recovery_begin(campusd, loaded);
    status = boot_journal(campusd, detail);
    if (status == STATUS_OK && campusd->callbacks.on_raised != NULL) {
        campusd->callbacks.on_ready(campusd->callbacks.context);
        return status;
    }
    if (status == STATUS_OK) {
        status = boot_archive(campusd, detail);
    }
    if (status == STATUS_OK) {
        status = boot_bridge(campusd, detail);
    }
    if (status == STATUS_OK) {
        alert_flow_pump(campusd->alerts);
        start_upkeep(campusd);
        campusd->ready = true;
        campusd->callbacks.on_ready(campusd->callbacks.context);
    }
    return status;
}

static bool fits(const struct campusd *campusd, const struct directory *directory)
{
    uint64_t limit = campusd->config->limit_cards;
    return directory->card_end <= limit && directory->pupil_end <= limit &&
           directory->gate_end <= limit;
}

static void on_registry(void *context, struct directory *directory, struct fence_set *fences,
                        const struct registry_key *key, bool from_cache)
{
    struct campusd *campusd = campusd_of(context);
    if (!fits(campusd, directory)) {
        log_event(
            LOG_ERROR, "registry.too_large",
            LOG_STR("reason", "more cards, pupils or gates than limit.cards: raise it, restart"));
        directory_free(directory);
        fence_set_free(fences);
        return;
    }
    log_event(LOG_INFO, "registry.loaded", LOG_INT("revision", directory->revision),
              LOG_INT("cards", directory->card_end > 0 ? directory->card_end - 1 : 0),
              LOG_INT("fences", fences->count), LOG_STR("from", from_cache ? "cache" : "database"));
    const struct registry_version version = {directory, fences, *key};
    struct status_detail detail = {""};
    if (campusd->ready) {
        recovery_new_registry(campusd, &version);
    } else if (!campusd->booting) {
        campusd->booting = true;
        if (boot(campusd, &version, &detail) != STATUS_OK) {
            fatal(campusd, &detail);
        }
    } else { /* on the way out */
        directory_free(directory);
        fence_set_free(fences);
    }
}

enum status campusd_start(uv_loop_t *loop, const struct config *config, const char *broker_password,
                          const struct campusd_callbacks *callbacks, struct campusd **ret,
                          struct status_detail *detail)
{
    struct campusd *campusd = calloc(1, sizeof *campusd);
    if (campusd == NULL) {
        return STATUS_NO_MEMORY;
    }
    campusd->magic = CAMPUSD_MAGIC;
    campusd->loop = loop;
    campusd->config = config;
    campusd->broker_password = broker_password;
    campusd->callbacks = *callbacks;
    campusd->started_ms = clock_real_ms();
    buffer_init(&campusd->record, 4096);
    const struct control_options control = {config->control_socket, on_control, campusd};
    enum status status = control_open(loop, &control, &campusd->control, detail);
    if (status != STATUS_OK) {
        free(campusd);
        return status_detail_wrap(detail, status, "control");
    }
    uv_timer_t *timers[] = {&campusd->upkeep, &campusd->tick, &campusd->receipt_timer,
                            &campusd->drain};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        int failed = uv_timer_init(loop, timers[i]);
        ASSERT(failed == 0);
        timers[i]->data = campusd;
        campusd->handles_open++;
    }
    int failed = uv_timer_start(&campusd->receipt_timer, on_receipt_timer, config->card_receipt_ms,
                                config->card_receipt_ms);
    ASSERT(failed == 0);
    (void)uv_timer_stop(&campusd->receipt_timer); /* want_receipt starts it again */
    const struct registry_watch_options watch = {config->archive_conninfo, config->registry_cache,
                                                 config->registry_poll_ms, campusd, on_registry};
    status = registry_watch_open(loop, &watch, &campusd->watch);
    ASSERT(status == STATUS_OK); /* a few hundred bytes at boot */
    *ret = campusd;
    return STATUS_OK;
}

void campusd_reload(struct campusd *campusd)
{
    registry_watch_set_poll(campusd->watch, campusd->config->registry_poll_ms);
    registry_watch_poke(campusd->watch);
}

/* ---- stop: one part after the other ---- */

static void free_state(struct campusd *campusd)
{
    engine_free(campusd->engine);
    ingest_free(campusd->ingest);
    alert_flow_free(campusd->alerts);
    receipts_free(campusd->receipts);
    recovery_free(campusd);
    directory_free(campusd->directory);
    fence_set_free(campusd->fences);
    buffer_release(&campusd->record);
    void (*on_stopped)(void *) = campusd->on_stopped;
    void *context = campusd->stopped_context;
    free(campusd);
    on_stopped(context);
}

void campusd_part_closed(struct campusd *campusd)
{
    if (--campusd->handles_open == 0) {
        free_state(campusd);
    }
}

static void handle_closed(uv_handle_t *handle)
{
    campusd_part_closed(campusd_of(handle->data));
}

static void after_control(void *context)
{
    struct campusd *campusd = campusd_of(context);
    uv_close((uv_handle_t *)&campusd->upkeep, handle_closed);
    uv_close((uv_handle_t *)&campusd->tick, handle_closed);
    uv_close((uv_handle_t *)&campusd->receipt_timer, handle_closed);
    uv_close((uv_handle_t *)&campusd->drain, handle_closed);
}

static void after_watch(void *context)
{
    struct campusd *campusd = campusd_of(context);
    control_close(campusd->control, after_control, campusd);
}

static void after_archive(void *context)
{
    struct campusd *campusd = campusd_of(context);
    campusd->archive = NULL;
    registry_watch_close(campusd->watch, after_watch, campusd);
}

static void after_journal(void *context)
{
    struct campusd *campusd = campusd_of(context);
    campusd->journal = NULL;
    if (campusd->archive != NULL) {
        archive_close(campusd->archive, ARCHIVE_DEADLINE_MS, after_archive, campusd);
    } else {
        after_archive(campusd);
    }
}

static void after_bridge(void *context)
{
    struct campusd *campusd = campusd_of(context);
    campusd->bridge = NULL;
    if (campusd->journal == NULL) {
        after_journal(campusd);
        return;
    }
    if (campusd->callbacks.on_raised == NULL) {
        alert_flow_mark(campusd->alerts);
    }
    campusd->journal_closing = true;
    journal_close(campusd->journal, after_journal, campusd);
}

static void on_drain(uv_timer_t *timer)
{
    struct campusd *campusd = campusd_of(timer->data);
    bool drained = campusd->journal == NULL || campusd->appended == campusd->durable;
    if (!drained && uv_now(campusd->loop) < campusd->drain_deadline_ms) {
        return;
    }
    (void)uv_timer_stop(timer);
    (void)uv_timer_stop(&campusd->upkeep);
    (void)uv_timer_stop(&campusd->tick);
    (void)uv_timer_stop(&campusd->receipt_timer);
    if (campusd->bridge != NULL) {
        bridge_close(campusd->bridge, after_bridge, campusd);
    } else {
        after_bridge(campusd);
    }
}

void campusd_stop(struct campusd *campusd, void (*on_stopped)(void *context), void *context)
{
    if (campusd->stopping) {
        return;
    }
    campusd->stopping = true;
    campusd->ready = false;
    campusd->on_stopped = on_stopped;
    campusd->stopped_context = context;
    campusd->drain_deadline_ms = uv_now(campusd->loop) + DRAIN_DEADLINE_MS;
    int failed = uv_timer_start(&campusd->drain, on_drain, 0, DRAIN_STEP_MS);
    ASSERT(failed == 0);
}
