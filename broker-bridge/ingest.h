/*
 * ingest.h - from an MQTT message to journal records: decode, check against topic and registry, drop
 * repeats, keep what is refused as a dead letter.
 * Know: it holds every sender's sequence window; the windows advance when a record is appended and are
 * rebuilt from the journal by ingest_replay. It never touches the engine.
 * Memory: own; the directory is the caller's and may be swapped. Threads: loop thread.
 */
#ifndef BROKER_BRIDGE_INGEST_H
#define BROKER_BRIDGE_INGEST_H

#include "base/status.h"
#include "base/text.h"
#include "core/directory.h"
#include "core/refusal.h"
#include "core/sequence.h"
#include "geo/datum.h"

struct ingest;

struct ingest_options {
    uint32_t cards_max, gates_max;
    enum geo_datum datum_default; /* for fixes that name none */
    /* Appends a record of core/record.h; STATUS_FULL and others stop the message: ingest_message then
     * returns that status and has taken nothing of it. */
    enum status (*append)(void *context, uint32_t type, struct text record);
    /* The sender wants a receipt for what was just appended, or for a repeat that is durable already. */
    void (*want_receipt)(void *context, const struct origin *origin);
    void *context;
};

enum status ingest_new(const struct ingest_options *options, struct ingest **ret) MUST_CHECK;
void ingest_free(struct ingest *ingest);
void ingest_set_directory(struct ingest *ingest, const struct directory *directory);

/* Takes one message. STATUS_OK: everything in it is appended, a repeat, or refused and kept as a dead
 * letter; it may be acknowledged once what was appended is durable. STATUS_FULL and other failures of
 * append: a part may have been appended (its repeats fall out later); offer the message again. */
enum status ingest_message(struct ingest *ingest, struct text topic, struct text payload,
                           int64_t arrival_ms) MUST_CHECK;
/* A record from the journal at boot: the sender's window takes it. */
void ingest_replay(struct ingest *ingest, const struct report *report);

/* The window of a sender, for its receipt. NULL: unknown number. */
const struct sequence *ingest_sequence(const struct ingest *ingest, uint8_t origin_kind, uint32_t no);

struct ingest_stats {
    uint64_t messages, reports, events, repeats, gaps;
    uint64_t refused[REFUSAL_COUNT]; /* messages, reports or events, by reason */
};
void ingest_stats(const struct ingest *ingest, struct ingest_stats *ret);

#endif
