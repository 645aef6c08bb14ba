/* While the journal cannot write, nothing is durable, so nothing reaches the engine. An SOS does not
 * wait for that: it is looked for in what waits for the disk and in what the brokers deliver
 * meanwhile, and its alert leaves with the id that it will have. It is not acknowledged, and when
 * the disk is well again it is taken as ever: the same id once more. */
#include "base/assert.h"
#include "base/clock.h"
#include "core/record.h"
#include "daemon/wiring_internal.h"
#include "proto/cloudevent.h"

static void send_early(struct campusd *campusd, const struct alert *alert)
{
    buffer_clear(&campusd->record);
    cloudevent_write(&campusd->record, alert, campusd->directory, campusd->fences);
    enum status status = buffer_status(&campusd->record);
    if (status == STATUS_OK) {
        /* no record of its own: confirmed with the last that has one */
        status = campusd_publish(campusd, campusd->published_end, alert,
                                 (struct text){campusd->record.data, campusd->record.size});
    }
    campusd->early_alerts += status == STATUS_OK;
    campusd->early_dropped += status != STATUS_OK; /* brokers confirm nothing either */
}

static void tell_report(void *context, const struct report *report)
{
    struct campusd *campusd = context;
    MAGIC_CHECK(campusd, CAMPUSD_MAGIC);
    for (uint16_t i = 0; i < report->event_count; i++) {
        const struct event *event = &report->events[i];
        if (event->type != EVENT_SIGNAL || event->kind != SIGNAL_SOS) {
            continue;
        }
        struct alert alerts[STEP_ALERTS_MAX];
        struct outbox outbox = {alerts, 0, STEP_ALERTS_MAX};
        struct engine_input input = {.type = INPUT_EVENT, .now_ms = report->arrival_ms};
        input.u.event.origin = &report->origin;
        input.u.event.event = event;
        input.u.event.index = i;
        engine_tell_sos(campusd->engine, &input, &outbox);
        send_early(campusd, &alerts[0]);
    }
}

void early_record(struct campusd *campusd, struct text record)
{
    struct report report;
    if (record_get_report(record.at, record.length, &report) == STATUS_OK) {
        tell_report(campusd, &report);
    }
}

void early_message(void *context, struct text topic, struct text payload)
{
    struct campusd *campusd = context;
    MAGIC_CHECK(campusd, CAMPUSD_MAGIC);
    ingest_look(campusd->ingest, topic, payload, clock_wall_ms(), tell_report, campusd);
}

static void on_pending(void *context, const struct journal_record *record)
{
    if (record->type == RECORD_REPORT) {
        early_record(context, (struct text){record->data, record->size});
    }
}

void early_begin(struct campusd *campusd)
{
    journal_pending(campusd->journal, on_pending, campusd);
    if (campusd->bridge != NULL) {
        bridge_watch(campusd->bridge, true);
    }
}

void early_end(struct campusd *campusd)
{
    if (campusd->bridge != NULL) {
        bridge_watch(campusd->bridge, false);
    }
}
