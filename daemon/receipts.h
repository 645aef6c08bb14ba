/*
 * receipts.h - which senders are owed a receipt, and when it may leave.
 * Know: a receipt tells what was taken when it was asked for, and leaves only when the journal is
 * durable up to there; several for one sender leave as one. A full queue drops the oldest and
 * counts it: the sender asks again with its next report.
 * Threads: loop thread.
 */
#ifndef DAEMON_RECEIPTS_H
#define DAEMON_RECEIPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "core/event.h"

struct receipts;

struct owed_receipt {
    uint8_t origin_kind;
    uint32_t no, epoch, broker;
    uint64_t durable_to;
    uint64_t end; /* journal position that must be durable first */
};

enum status receipts_new(uint32_t capacity, uint32_t numbers_max, struct receipts **ret) MUST_CHECK;
void receipts_free(struct receipts *receipts);
void receipts_add(struct receipts *receipts, const struct owed_receipt *owed);
/* Calls send for the newest owed receipt of each sender whose end is at or below durable. Returns
 * whether any is still owed. */
bool receipts_flush(struct receipts *receipts, uint64_t durable,
                    void (*send)(void *context, const struct owed_receipt *owed), void *context);
uint64_t receipts_dropped(const struct receipts *receipts);

#endif
