/*
 * feed.h - what senders tell next, each with the moment when it has to leave: the arrival models of
 * campus-load.
 * Know: a feed is a share of the city, that of one generator process, and knows nothing of brokers,
 * connections or answers; the same options give the same feed. Senders are numbered as in the
 * ledger: the cards of load_cards, then, for a day, the gates.
 * Units: microseconds since the start of the run, of the monotonic clock.
 * Memory: own; items live until the next call.
 * Threads: one per feed.
 */
#ifndef BENCH_LOAD_FEED_H
#define BENCH_LOAD_FEED_H

#include "base/status.h"
#include "bench/load/load.h"
#include "proto/codec.h"

struct load_feed_item {
    int64_t due_us; /* never before the item before it */
    uint32_t sender;
    uint8_t kind; /* enum load_kind */
    uint16_t event_count;
    const struct wire_event *events; /* times are of the wall clock that campusd goes by */
};

struct load_feed {
    /* STATUS_END after the last item. */
    enum status (*next)(struct load_feed *feed, struct load_feed_item *ret);
    void (*close)(struct load_feed *feed);
};

/* A step of a run: so many seconds at so many reports a second, of the whole city. */
struct load_step {
    double rate, seconds;
};

/* Which part of the senders is this feed's: sender % parts == part; a day goes by schools. */
struct load_share {
    uint32_t part, parts;
};

/* Every card in turn, a fix a report, evenly: a step ends when the next begins. wall_ms: the wall
 * clock at 0. sos_per_s: SOS signals besides. */
struct load_steady {
    const struct load_cards *cards;
    const struct load_step *steps;
    uint32_t step_count;
    double sos_per_s;
    int64_t wall_ms;
};
enum status load_feed_steady(const struct load_steady *options, struct load_share share,
                             struct load_feed **ret, struct status_detail *detail) MUST_CHECK;

#endif
