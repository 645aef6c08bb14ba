/* campusd_report: everything an operator counts, as key=value lines. */
#include "base/clock.h"
#include "daemon/wiring_internal.h"

static void line(struct buffer *out, const char *key, uint64_t value)
{
    buffer_printf(out, "%s=%llu\n", key, (unsigned long long)value);
}

/* An operator who meets a clock of a benchmark has to see it. */
static void report_clock(const struct campusd *campusd, struct buffer *out)
{
    if (campusd->config->paced) {
        char now[CLOCK_TEXT_MAX];
        clock_format_rfc3339(clock_wall_ms(), now);
        line(out, "clock.speed", campusd->config->pace.speed);
        buffer_printf(out, "clock.now=%s\n", now);
    }
}

static void report_registry(const struct campusd *campusd, struct buffer *out)
{
    struct registry_watch_stats watch;
    registry_watch_stats(campusd->watch, &watch);
    line(out, "registry.connected", watch.connected);
    line(out, "registry.revision", watch.revision);
    line(out, "registry.loads", watch.loads);
    line(out, "registry.failures", watch.failures);
    if (campusd->fences != NULL) {
        line(out, "registry.fences", campusd->fences->count);
    }
}

static void report_ingest(const struct campusd *campusd, struct buffer *out)
{
    struct ingest_stats ingest;
    ingest_stats(campusd->ingest, &ingest);
    line(out, "messages", ingest.messages);
    line(out, "reports", ingest.reports);
    line(out, "events", ingest.events);
    line(out, "repeats", ingest.repeats);
    line(out, "gaps", ingest.gaps);
    line(out, "dead_letters", ingest.dead_letters);
    for (unsigned i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++) {
        buffer_printf(out, "refused.%s=%llu\n", refusal_word((enum refusal)i),
                      (unsigned long long)ingest.refused[i]);
    }
    line(out, "receipts.dropped", receipts_dropped(campusd->receipts));
}

static void report_engine(const struct campusd *campusd, struct buffer *out)
{
    struct engine_stats engine;
    engine_stats(campusd->engine, &engine);
    line(out, "engine.events", engine.events);
    line(out, "engine.fixes", engine.fixes);
    line(out, "engine.passes", engine.passes);
    line(out, "engine.signals", engine.signals);
    line(out, "engine.calls", engine.calls);
    line(out, "engine.no_position", engine.no_position);
    line(out, "engine.too_vague", engine.too_vague);
    line(out, "engine.out_of_order", engine.out_of_order);
    line(out, "engine.late_fixes", engine.late_fixes);
    line(out, "engine.waited", engine.waited);
    line(out, "engine.waited_in_vain", engine.waited_in_vain);
    line(out, "engine.repeats", engine.repeats);
    line(out, "engine.stale", engine.stale);
    line(out, "engine.presences", engine.presences);
    line(out, "engine.presences_evicted", engine.presences_evicted);
    line(out, "engine.cards_silent", engine.cards_silent);
    line(out, "engine.cards_off", engine.cards_off);
    line(out, "engine.cards_low", engine.cards_low);
    line(out, "engine.bytes", engine_bytes(campusd->engine));
    for (unsigned i = ALERT_NONE + 1; i < ALERT_TYPE_COUNT; i++) {
        buffer_printf(out, "engine.alerts.%s=%llu\n", alert_word((enum alert_type)i),
                      (unsigned long long)engine.alerts[i]);
    }
}

static void report_journal(const struct campusd *campusd, struct buffer *out)
{
    struct journal_stats journal;
    journal_stats(campusd->journal, &journal);
    buffer_printf(out, "journal.id=%s\n", journal_id(campusd->journal));
    line(out, "journal.first", journal_first_pos(campusd->journal));
    line(out, "journal.durable", campusd->durable);
    line(out, "journal.appended", campusd->appended);
    line(out, "journal.records", journal.records);
    line(out, "journal.syncs", journal.syncs);
    line(out, "journal.sync_us_total", journal.sync_us_total);
    line(out, "journal.sync_us_max", journal.sync_us_max);
    line(out, "journal.segments", journal.segments);
    line(out, "journal.troubles", journal.troubles);
    line(out, "journal.in_trouble", campusd->trouble.text[0] != '\0');
    if (campusd->trouble.text[0] != '\0') {
        buffer_printf(out, "journal.trouble=\"%s\"\n", campusd->trouble.text);
    }
    line(out, "journal.replayed_records", campusd->replayed_records);
    line(out, "journal.replay_ms", campusd->replay_ms);
    line(out, "journal.unknown_records", campusd->unknown_records);
}

static void report_recovery(const struct campusd *campusd, struct buffer *out)
{
    const struct recovery *recovery = &campusd->recovery;
    line(out, "snapshot.began_at", recovery->began_at);
    line(out, "snapshot.load_ms", recovery->load_ms);
    line(out, "snapshot.position", recovery->pos);
    line(out, "snapshot.made", recovery->made);
    line(out, "snapshot.failures", recovery->failures);
    line(out, "snapshot.bytes", recovery->bytes);
    line(out, "snapshot.pause_us", recovery->pause_us);
    line(out, "snapshot.pause_us_max", recovery->pause_us_max);
}

static void report_edges(const struct campusd *campusd, struct buffer *out)
{
    struct alert_flow_stats alerts;
    struct archive_stats archive;
    struct bridge_stats bridge;
    alert_flow_stats(campusd->alerts, &alerts);
    line(out, "alerts.raised", alerts.raised);
    line(out, "alerts.replayed", alerts.replayed);
    line(out, "alerts.waiting", alerts.waiting);
    line(out, "alerts.early", campusd->early_alerts);
    line(out, "alerts.early_dropped", campusd->early_dropped);
    if (campusd->archive != NULL) {
        archive_stats(campusd->archive, &archive);
        line(out, "archive.connected", archive.connected);
        line(out, "archive.position", archive.position);
        line(out, "archive.durable", archive.durable);
        line(out, "archive.rows", archive.rows);
        line(out, "archive.batches", archive.batches);
        line(out, "archive.reconnects", archive.reconnects);
        line(out, "archive.conflicts", archive.conflicts);
        line(out, "archive.sealed", archive.sealed);
        line(out, "archive.dropped", archive.dropped);
        line(out, "archive.upkeep_failures", archive.upkeep_failures);
    }
    if (campusd->bridge != NULL) {
        bridge_stats(campusd->bridge, &bridge);
        line(out, "brokers", bridge.links);
        line(out, "brokers.up", bridge.links_up);
        line(out, "brokers.losses", bridge.losses);
        line(out, "brokers.sessions_lost", bridge.sessions_lost);
        line(out, "brokers.received", bridge.received);
        line(out, "brokers.received_bytes", bridge.received_bytes);
        line(out, "brokers.bursts", bridge.bursts);
        line(out, "alerts.added", bridge.alerts_added);
        line(out, "alerts.confirmed", bridge.alerts_confirmed);
        line(out, "alerts.repeated", bridge.alerts_repeated);
        line(out, "alerts.unconfirmed", bridge.alerts_waiting);
        line(out, "receipts", bridge.receipts);
    }
}

void campusd_report(const struct campusd *campusd, struct buffer *out)
{
    buffer_printf(out, "state=%s\n",
                  campusd->stopping ? "stopping"
                  : campusd->ready  ? "ready"
                                    : "starting");
    line(out, "uptime_ms", (uint64_t)(clock_real_ms() - campusd->started_ms));
    report_clock(campusd, out);
    report_registry(campusd, out);
    if (campusd->journal != NULL && campusd->ready) {
        report_ingest(campusd, out);
        report_engine(campusd, out);
        report_journal(campusd, out);
        report_recovery(campusd, out);
        report_edges(campusd, out);
    }
}
