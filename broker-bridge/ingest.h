/*
 * ingest.h - from an MQTT message to journal records: decode, check against topic and registry,
 * drop repeats, keep what is refused as a dead letter.
 * Know: it holds every sender's sequence
 * window; the windows advance when a record is appended and are rebuilt from the journal by
 * ingest_replay. It never touches the engine.
 *
 * A report becomes one record, without the events that are refused; where all are, or where the
 * report as a whole is but its number can be read, the record has no events: the number is taken
 * all the same, so that the sender gets its receipt and goes on. Everything that is refused in a
 * message is told in one dead letter, written before the message's records. A number of an epoch
 * that the sender left behind is refused too: it may be a repeat, but nobody knows.
 *
 * OwnTracks numbers nothing and tells places in any order: a location is a repeat when the same
 * card's same location (proto/codec.h) is among the last OWNTRACKS_REMEMBERED that were taken. That
 * is as many as can wait for acknowledgement at all brokers at once (BRIDGE_WAITING_MAX), so that
 * nothing that a broker delivers again is taken twice, and nothing late is lost.
 *
 * Memory: own; the directory is the caller's and may be swapped.
 * Threads: loop thread.
 */
#ifndef BROKER_BRIDGE_INGEST_H
#define BROKER_BRIDGE_INGEST_H

#include "base/status.h"
#include "base/text.h"
#include "broker-bridge/message.h"
#include "core/directory.h"
#include "core/event.h"
#include "core/refusal.h"
#include "core/sequence.h"
#include "geo/datum.h"

struct ingest;

#define OWNTRACKS_REMEMBERED 65536u

struct ingest_options {
    uint32_t cards_max, gates_max; /* numbers below: a card beyond is refused as unknown */
    enum geo_datum datum_default;  /* for fixes that name none */
    /* Appends a record of core/record.h; STATUS_FULL and others stop the message: ingest_messages
     * then returns that status. */
    enum status (*append)(void *context, uint32_t type, struct text record);
    /* The sender wants a receipt for what was just appended, or for a repeat that is durable
     * already. */
    void (*want_receipt)(void *context, const struct origin *origin);
    void *context;
};

enum status ingest_new(const struct ingest_options *options, struct ingest **ret) MUST_CHECK;
void ingest_free(struct ingest *ingest);
void ingest_set_directory(struct ingest *ingest, const struct directory *directory);

/* Takes messages in their order, asking memory for what all of them need before any of them waits for
 * it; *ret_taken: how many. STATUS_OK: all of them, and everything in them is appended, a repeat, or
 * refused and kept as a dead letter; they may be acknowledged once what was appended is durable.
 * STATUS_FULL and other failures of append: those before it are taken, of the one that follows a part
 * may have been appended; offer it again, with the same bytes: what was appended is not appended twice,
 * its dead letter included. STATUS_UNAVAILABLE: no directory yet. */
enum status ingest_messages(struct ingest *ingest, const struct broker_message *messages,
                            uint32_t count, uint32_t *ret_taken) MUST_CHECK;
/* The same with one. */
enum status ingest_message(struct ingest *ingest, struct text topic, struct text payload,
                           int64_t arrival_ms) MUST_CHECK;
/* Reads a message and takes nothing: tells each report in it that ingest_message would append now.
 * The report lives during the call. */
void ingest_look(struct ingest *ingest, struct text topic, struct text payload, int64_t arrival_ms,
                 void (*on_report)(void *context, const struct report *report), void *context);
/* A record from the journal at boot: the sender's window takes it. Numbers beyond the maxima are
 * passed over. */
void ingest_replay(struct ingest *ingest, const struct report *report);

/* The windows as bytes, for a snapshot. STATUS_UNSUPPORTED: of other maxima; nothing was taken. */
size_t ingest_image_bytes(const struct ingest *ingest);
void ingest_image_put(const struct ingest *ingest, void *out);
enum status ingest_image_get(struct ingest *ingest, const void *image, size_t size) MUST_CHECK;

/* The window of a sender, for its receipt. NULL: a number beyond the maxima. */
const struct sequence *ingest_sequence(const struct ingest *ingest, uint8_t origin_kind,
                                       uint32_t no);

struct ingest_stats {
    uint64_t messages;               /* taken, whatever was in them */
    uint64_t reports, events;        /* appended */
    uint64_t repeats, gaps;          /* reports */
    uint64_t refused[REFUSAL_COUNT]; /* messages, reports, events, fields of an SOS, by reason */
    uint64_t dead_letters;
};
void ingest_stats(const struct ingest *ingest, struct ingest_stats *ret);

#endif
