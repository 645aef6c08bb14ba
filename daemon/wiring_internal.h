/*
 * wiring_internal.h - the parts of struct campusd, for wiring.c and report.c alone.
 */
#ifndef DAEMON_WIRING_INTERNAL_H
#define DAEMON_WIRING_INTERNAL_H

#include "broker-bridge/bridge.h"
#include "broker-bridge/ingest.h"
#include "core/engine.h"
#include "daemon/alert_flow.h"
#include "daemon/control.h"
#include "daemon/receipts.h"
#include "daemon/recovery.h"
#include "daemon/registry_watch.h"
#include "daemon/wiring.h"
#include "storage/archive.h"
#include "storage/journal.h"

enum { CAMPUSD_MAGIC = 0x63616d70 };

/* How far the journal had come at a time, for its retention. */
struct age_sample {
    int64_t time_ms;
    uint64_t pos;
};
enum { AGE_SAMPLES = 256 };

/* Reports of one event that wait to be stepped together (fold.h). */
struct fold {
    struct report reports[ENGINE_EXPECT_MAX];
    struct event events[ENGINE_EXPECT_MAX];
    uint64_t ends[ENGINE_EXPECT_MAX];
    uint32_t count;
};

struct campusd {
    uint32_t magic;
    uv_loop_t *loop;
    const struct config *config;
    const char *broker_password;
    struct campusd_callbacks callbacks;
    int64_t started_ms; /* of the real clock */

    struct registry_watch *watch;
    struct directory *directory;
    struct fence_set *fences;
    struct engine *engine;
    struct ingest *ingest;
    struct journal *journal;
    struct alert_flow *alerts;
    struct receipts *receipts;
    struct bridge *bridge;
    struct archive *archive;
    struct control *control;
    uv_timer_t upkeep, tick, receipt_timer, drain;

    struct recovery recovery;
    struct fold fold;
    struct alert outbox[STEP_ALERTS_MAX];
    struct buffer record;
    uint64_t appended, durable; /* journal positions */
    int64_t tick_ms;            /* of the newest tick in the journal */
    uint32_t message_broker;    /* of the message under ingest */
    bool booting, replaying, ready, paused, stopping, journal_closing, fatal;
    unsigned handles_open;
    uint64_t unknown_records, replayed_records, replay_ms;
    struct age_sample ages[AGE_SAMPLES];
    uint32_t age_count;
    uint64_t drain_deadline_ms;
    struct status_detail trouble;         /* of the journal, "" when well */
    uint64_t booted;                      /* journal position at boot: what is beyond is ours */
    uint64_t published_end;               /* of the last alert that the bridge took */
    uint64_t early_alerts, early_dropped; /* early.c */

    void (*on_stopped)(void *context);
    void *stopped_context;
};

/* One of handles_open is gone; with the last one campusd is, too. */
void campusd_part_closed(struct campusd *campusd);
/* Alerts with records below have reached whom they concern. */
uint64_t campusd_alerts_done(const struct campusd *campusd);

enum status campusd_publish(struct campusd *campusd, uint64_t end, const struct alert *alert,
                            struct text json) MUST_CHECK;

/* ---- early.c: while the journal is in trouble an SOS leaves before it is durable ---- */

void early_begin(struct campusd *campusd);
void early_end(struct campusd *campusd);
/* A report record that was appended meanwhile. */
void early_record(struct campusd *campusd, struct text record);
/* A message that was heard beside the connection that is held. */
void early_message(void *context, struct text topic, struct text payload);

#endif
