/*
 * recent.h - the last so many (number, sequence) pairs, to know one of them again.
 * Know: when it is full the oldest makes room.
 * Memory: own, all at the start (16 bytes a pair and 4
 * a bucket).
 * Threads: one at a time.
 */
#ifndef BROKER_BRIDGE_RECENT_H
#define BROKER_BRIDGE_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct recent_pair {
    uint64_t seq;
    uint32_t no;   /* 0: never used */
    uint32_t next; /* place + 1 in the same bucket, 0 ends */
};

struct recent {
    struct recent_pair *pairs;
    uint32_t *buckets; /* place + 1, 0: empty */
    uint32_t mask;     /* capacity - 1 */
    uint32_t at;       /* the oldest, next to make room */
};

/* capacity is a power of two. STATUS_NO_MEMORY. */
enum status recent_init(struct recent *recent, uint32_t capacity) MUST_CHECK;
void recent_release(struct recent *recent);
bool recent_has(const struct recent *recent, uint32_t no, uint64_t seq);
/* no is not 0, and the pair is not in it. */
void recent_add(struct recent *recent, uint32_t no, uint64_t seq);

#endif
