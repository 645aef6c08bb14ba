/*
 * sequence.h - which reports of a sender are here already.
 * Know: everything up to `durable_to` is here; bit i of `ahead` says that durable_to + 1 + i is.
 * The receipt that goes down is durable_to. A sender keeps what has no receipt, re-sends it in
 * order, has at most SEQUENCE_WINDOW reports on the way, and says with
 * keep_from what it still holds: nothing below will come again.
 * Threads: loop thread.
 */
#ifndef CORE_SEQUENCE_H
#define CORE_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

struct sequence {
    uint64_t durable_to;
    uint64_t ahead;
    uint32_t epoch;
    uint32_t gaps; /* numbers given up: never seen, and below what the sender keeps or the window */
};

/* Is this report here already? */
bool sequence_seen(const struct sequence *sequence, uint32_t epoch, uint64_t seq);
/* Takes the report as seen. A higher epoch starts anew, a lower one counts as seen. keep_from 0:
 * the sender keeps nothing, so numbers below seq that are missing stay open only within the window.
 */
void sequence_take(struct sequence *sequence, uint32_t epoch, uint64_t seq, uint64_t keep_from);

#endif
