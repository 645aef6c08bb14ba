/*
 * intake.h - campusd without brokers and database, in this process: from a message to the outbox, by the
 * parts that campusd runs by.
 * Know: each message goes through ingest into the journal; when it is durable, daemon/fold steps the
 * engine and what is raised goes through daemon/alert_flow to an outbox that counts. Messages come in
 * bursts, so many on the way as brokers would have; the clock is the messages' own, with a tick and a
 * mark each second of it.
 * Units: journal positions in bytes.
 * Memory: own.
 * Threads: one; the journal syncs on a worker.
 */
#ifndef BENCH_INTAKE_H
#define BENCH_INTAKE_H

#include "bench/intake_city.h"
#include "broker-bridge/ingest.h"
#include "core/engine.h"
#include "storage/journal.h"

struct intake;

enum {
    INTAKE_BURST = 512,       /* messages of one wake-up: broker.burst */
    INTAKE_ON_THE_WAY = 8192, /* events that are not durable yet */
};

/* The journal lies in a folder of its own in `directory`, and goes with intake_free. STATUS_IO,
 * STATUS_NO_MEMORY, STATUS_INVALID: what, in detail. */
enum status intake_new(const struct intake_city *city, const char *directory, struct intake **ret,
                       struct status_detail *detail) MUST_CHECK;
/* Takes the messages; comes back when all of it is durable and decided. STATUS_IO: the journal's words in
 * detail. */
enum status intake_take(struct intake *intake, const struct broker_message *messages,
                        uint32_t count, struct status_detail *detail) MUST_CHECK;
void intake_free(struct intake *intake);

struct intake_stats {
    struct ingest_stats ingest;
    struct engine_stats engine;
    struct journal_stats journal;
    uint64_t appended, durable; /* positions */
    uint64_t decided;           /* events that the engine stepped out of the journal */
    uint64_t bursts, alerts, unknown_records;
    uint64_t checksum; /* over all that was raised, and the engine's counts */
    size_t state_bytes, registry_bytes, fence_bytes, window_bytes; /* by the modules' own account */
};
void intake_stats(const struct intake *intake, struct intake_stats *ret);
/* Is every event in the journal, durable and decided, and none refused? Else what is amiss. */
enum status intake_check(const struct intake *intake, uint64_t events,
                         struct status_detail *detail) MUST_CHECK;

#endif
