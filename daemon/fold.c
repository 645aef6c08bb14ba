#include "daemon/fold.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "core/record.h"
#include "daemon/recovery.h"
#include "daemon/wiring_internal.h"
#include "proto/cloudevent.h"

enum { AGE_STEP_MS = 600000 };

static void tell_raised(struct campusd *campusd, const struct alert *alert)
{
    char id[ALERT_ID_MAX];
    alert_id(alert, id);
    buffer_clear(&campusd->record);
    cloudevent_write(&campusd->record, alert, campusd->directory, campusd->fences);
    campusd->callbacks.on_raised(campusd->callbacks.context, id,
                                 (struct text){campusd->record.data, campusd->record.size});
}

static void raise_alerts(struct campusd *campusd, uint64_t end, const struct outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        if (campusd->callbacks.on_raised != NULL) {
            tell_raised(campusd, &outbox->alerts[i]);
            continue;
        }
        enum status status = alert_flow_raise(campusd->alerts, end, &outbox->alerts[i],
                                              campusd->directory, campusd->fences);
        ASSERT(status == STATUS_OK); /* out of memory: a restart raises it again from the journal */
    }
}

static void step(struct campusd *campusd, const struct engine_input *input, uint64_t end)
{
    struct outbox outbox = {campusd->outbox, 0, STEP_ALERTS_MAX};
    engine_step(campusd->engine, input, &outbox);
    raise_alerts(campusd, end, &outbox);
}

/* In the order in which they happened; an event's index stays its place in the report. */
static void step_report(struct campusd *campusd, const struct report *report, uint64_t end)
{
    uint16_t order[REPORT_EVENTS_MAX];
    report_order(report, order);
    for (uint32_t i = 0; i < report->event_count; i++) {
        struct engine_input input = {.type = INPUT_EVENT, .now_ms = report->arrival_ms};
        input.u.event.origin = &report->origin;
        input.u.event.event = &report->events[order[i]];
        input.u.event.index = order[i];
        input.u.event.more = i + 1 < report->event_count;
        input.u.event.keep_from = report->keep_from;
        step(campusd, &input, end);
    }
    alert_flow_stepped(campusd->alerts, end);
}

void fold_flush(struct campusd *campusd)
{
    struct fold *fold = &campusd->fold;
    const struct event *events[ENGINE_EXPECT_MAX];
    if (fold->count == 0) {
        return;
    }
    for (uint32_t i = 0; i < fold->count; i++) {
        events[i] = &fold->events[i];
    }
    engine_expect(campusd->engine, events, fold->count);
    for (uint32_t i = 0; i < fold->count; i++) {
        fold->reports[i].events = &fold->events[i];
        step_report(campusd, &fold->reports[i], fold->ends[i]);
    }
    fold->count = 0;
}

/* The record lives no longer than the call. */
static void keep_for_later(struct campusd *campusd, const struct report *report, uint64_t end)
{
    struct fold *fold = &campusd->fold;
    fold->reports[fold->count] = *report;
    fold->events[fold->count] = report->events[0];
    fold->ends[fold->count++] = end;
    if (fold->count == ENGINE_EXPECT_MAX) {
        fold_flush(campusd);
    }
}

static void note_age(struct campusd *campusd, int64_t time_ms, uint64_t pos)
{
    uint32_t count = campusd->age_count;
    if (count > 0 && time_ms < campusd->ages[count - 1].time_ms + AGE_STEP_MS) {
        return;
    }
    if (count == AGE_SAMPLES) { /* halve the resolution */
        for (uint32_t i = 0; i < AGE_SAMPLES / 2; i++) {
            campusd->ages[i] = campusd->ages[(size_t)2 * i];
        }
        count = AGE_SAMPLES / 2;
    }
    campusd->ages[count] = (struct age_sample){time_ms, pos};
    campusd->age_count = count + 1;
}

static bool known_numbers(const struct campusd *campusd, const struct report *report)
{
    bool known = report->origin.no < campusd->config->limit_cards &&
                 report->event_count <= REPORT_EVENTS_MAX;
    for (uint32_t i = 0; known && i < report->event_count; i++) {
        known = report->events[i].card_no < campusd->config->limit_cards;
    }
    return known;
}

static enum status take_report(struct campusd *campusd, const struct journal_record *record)
{
    struct report report;
    enum status status = record_get_report(record->data, record->size, &report);
    if (status == STATUS_OK && !known_numbers(campusd, &report)) {
        status = STATUS_TOO_LARGE;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (campusd->replaying) {
        ingest_replay(campusd->ingest, &report);
    }
    note_age(campusd, report.arrival_ms, record->pos);
    if (report.event_count == 1) {
        keep_for_later(campusd, &report, record->end);
    } else {
        fold_flush(campusd);
        step_report(campusd, &report, record->end);
    }
    return STATUS_OK;
}

static enum status take_tick(struct campusd *campusd, const struct journal_record *record)
{
    struct tick tick;
    enum status status = record_get_tick(record->data, record->size, &tick);
    if (status == STATUS_OK) {
        const struct engine_input input = {.type = INPUT_TICK, .now_ms = tick.now_ms};
        campusd->tick_ms = tick.now_ms > campusd->tick_ms ? tick.now_ms : campusd->tick_ms;
        note_age(campusd, tick.now_ms, record->pos);
        step(campusd, &input, record->end);
        alert_flow_stepped(campusd->alerts, record->end);
    }
    return status;
}

static enum status take_alert(struct campusd *campusd, const struct journal_record *record)
{
    struct alert_record alert;
    enum status status = record_get_alert(record->data, record->size, &alert);
    return status == STATUS_OK ? alert_flow_replay_record(campusd->alerts, record->end, &alert)
                               : status;
}

static enum status take_mark(struct campusd *campusd, const struct journal_record *record)
{
    struct mark mark;
    enum status status = record_get_mark(record->data, record->size, &mark);
    if (status == STATUS_OK) {
        alert_flow_replay_mark(campusd->alerts, &mark);
    }
    return status;
}

static enum status take_rules(struct campusd *campusd, const struct journal_record *record)
{
    struct rules rules;
    enum status status = record_get_rules(record->data, record->size, &rules);
    if (status == STATUS_OK) {
        recovery_take_rules(campusd, &rules);
    }
    return status;
}

static enum status take_record(struct campusd *campusd, const struct journal_record *record)
{
    bool before_snapshot = record->pos < campusd->recovery.began_at;
    if (record->type != RECORD_REPORT) {
        fold_flush(campusd);
    }
    switch ((enum record_type)record->type) {
    case RECORD_REPORT:
        return before_snapshot ? STATUS_OK : take_report(campusd, record);
    case RECORD_ALERT:
        return campusd->replaying ? take_alert(campusd, record) : STATUS_OK;
    case RECORD_MARK:
        return campusd->replaying ? take_mark(campusd, record) : STATUS_OK;
    case RECORD_TICK:
        return before_snapshot ? STATUS_OK : take_tick(campusd, record);
    case RECORD_RULES:
        return before_snapshot ? STATUS_OK : take_rules(campusd, record);
    case RECORD_REFUSED:
        return STATUS_OK;
    }
    return STATUS_UNSUPPORTED;
}

void fold_record(void *context, const struct journal_record *record)
{
    struct campusd *campusd = context;
    MAGIC_CHECK(campusd, CAMPUSD_MAGIC);
    if (take_record(campusd, record) != STATUS_OK) {
        campusd->unknown_records++;
    }
    if (campusd->replaying) {
        campusd->replayed_records++;
        campusd->appended = campusd->durable = record->end;
    }
}
