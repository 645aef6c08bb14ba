/*
 * outbox.h - what one connection has published and is not done with: the bytes from the first
 * packet that is not acknowledged to the last that is not sent, and which message id is whose.
 * Know: no socket, no clock. Ids go around in order, so the messages under way are a window; after
 * a lost connection they are sent once more, as MQTT's clients do. An outbox is of QoS 0 or of QoS 1.
 * Memory: own; grows to what was under way at once, and allocates nothing while that is enough.
 * Threads: one.
 */
#ifndef BENCH_LOAD_OUTBOX_H
#define BENCH_LOAD_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

#define OUTBOX_MESSAGES_MAX 60000u /* of the 65,535 ids */
#define OUTBOX_BYTES_MAX    (16u << 20)
#define OUTBOX_MESSAGE_MAX  (128u << 10)

struct outbox {
    uint8_t *bytes;
    uint32_t front, sent, end, capacity; /* places in bytes: front <= sent <= end */
    uint32_t *notes;                     /* ring, of a power of two */
    uint32_t ring, head, count;          /* its size, first and number of messages */
    uint16_t oldest_id;                  /* of notes[head]; 0: none was given yet */
};

#define OUTBOX_NOTE_MAX (UINT32_MAX - 2) /* and UINT32_MAX */

/* Zeroed is empty. */
void outbox_release(struct outbox *outbox);
/* Is there no room for one more message of up to OUTBOX_MESSAGE_MAX bytes? */
bool outbox_full(const struct outbox *outbox);
/* Adds a message of QoS 1 with a note of the caller's, which comes back with its acknowledgement.
 * STATUS_FULL: so much is under way already; STATUS_TOO_LARGE; STATUS_NO_MEMORY. */
enum status outbox_publish(struct outbox *outbox, struct text topic, struct text payload,
                           uint32_t note) MUST_CHECK;
/* The same of QoS 0. */
enum status outbox_tell(struct outbox *outbox, struct text topic, struct text payload) MUST_CHECK;
/* What to send next; .length 0: nothing. Valid until the outbox changes. */
struct text outbox_unsent(const struct outbox *outbox);
void outbox_sent(struct outbox *outbox, size_t bytes);
/* STATUS_NOT_FOUND: no such message is under way; STATUS_EXISTS: acknowledged before, and sent again
 * since, with those before it. */
enum status outbox_acked(struct outbox *outbox, uint16_t id, uint32_t *ret_note) MUST_CHECK;
/* The connection is gone: what is not acknowledged is unsent again, of QoS 0 what did not leave
 * whole. */
void outbox_rewind(struct outbox *outbox);

#endif
