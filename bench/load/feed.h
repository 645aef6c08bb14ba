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
#include "sim/city.h"

struct load_feed_item {
    int64_t due_us; /* never before the item before it */
    uint32_t sender;
    uint8_t kind; /* enum load_kind */
    uint16_t event_count;
    /* 0; or the network delivers a report of this sender once more: that number, counted from 1 over
     * its items of this feed. It is sent under the same number and is nothing new in the ledger. */
    uint64_t again_seq;
    struct wire_event *events; /* times are of the wall clock that campusd goes by */
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

/* Which part of the senders is this feed's: sender % parts == part, unless part_of tells the part of
 * each. */
struct load_share {
    uint32_t part, parts;
    const uint8_t *part_of; /* or NULL */
};

static inline bool load_share_has(const struct load_share *share, uint32_t sender)
{
    return (share->part_of != NULL ? share->part_of[sender] : sender % share->parts) == share->part;
}

/* Makes a feed in a generator process. context is of before fork(); wall_ms: the wall clock at 0. */
struct load_feed_source {
    enum status (*make)(const void *context, struct load_share share, int64_t wall_ms,
                        struct load_feed **ret, struct status_detail *detail);
    const void *context;
};

/* Every card in turn, `fixes` of them a report, evenly: a step ends when the next begins. wall_ms:
 * the wall clock at 0. sos_per_s: SOS signals besides. */
struct load_steady {
    const struct load_cards *cards;
    const struct load_step *steps;
    uint32_t step_count;
    double sos_per_s;
    int64_t wall_ms;
    uint16_t fixes; /* 1 to LOAD_EVENTS_MAX; 0 is 1 */
};
enum status load_feed_steady(const struct load_steady *options, struct load_share share,
                             struct load_feed **ret, struct status_detail *detail) MUST_CHECK;
/* What load_feed_steady tells of the whole city, for the ledger. */
uint64_t load_steady_reports(const struct load_steady *options);

/* Each card that crosses tells the last minutes in one report, so that a short run sees alerts: the
 * engine knows the state in which the run finds it. */
struct load_warm_up {
    const struct load_cards *cards;
    double rate;
    int64_t wall_ms;
};
enum status load_feed_warm_up(const struct load_warm_up *options, struct load_share share,
                              struct load_feed **ret, struct status_detail *detail) MUST_CHECK;

/* ---- feed_profile.c: other arrivals of the same ---- */

enum load_profile {
    LOAD_BELL, /* an hour: within ten minutes about its middle up to five times as many, and down again */
    LOAD_LUNCH, /* two lower peaks: out of the schools, and in again */
};
/* Tells what `inner` tells in its first `seconds`, in its order, as many as ever, at the moments of the
 * profile, which is scaled to the whole. Times of events go with their report. Takes inner over, even
 * when it fails. */
enum status load_feed_profile(struct load_feed *inner, enum load_profile profile, double seconds,
                              struct load_feed **ret, struct status_detail *detail) MUST_CHECK;

/* A share of the cards was out of reach for away_s. They come back at 0: within burst_s each sends what it has
 * kept, a fix every interval_ms, the oldest first, in reports of up to LOAD_BACKLOG_EVENTS; only then, as
 * the others from 0 on, what `inner` tells of it. Takes inner over, even when it fails. */
#define LOAD_BACKLOG_EVENTS 64u
struct load_backlog {
    const struct load_cards *cards;
    double away_share, away_s, burst_s;
    uint32_t interval_ms;
    int64_t wall_ms; /* at 0 */
};
enum status load_feed_backlog(const struct load_backlog *options, struct load_share share,
                              struct load_feed *inner, struct load_feed **ret,
                              struct status_detail *detail) MUST_CHECK;
bool load_backlog_is_away(const struct load_backlog *options, uint32_t card);

/* ---- feed_day.c: a school day of sim/day.h ---- */

/* The midnight in Shanghai before day 1 of the bench: day n of the lives is n - 1 days later. */
#define LOAD_DAY_1_MS 1772380800000
struct load_day {
    const struct load_cards *cards; /* of the city; pupils without one stay out of it */
    const struct sim_city *city;
    uint64_t seed;           /* of the pupils' lives */
    uint32_t day;            /* from 1 */
    uint32_t interval_ms;    /* between the fixes of a card */
    uint32_t from_ms, to_ms; /* since midnight */
    double speed;            /* simulated seconds a second */
    int64_t wall_ms;         /* the wall clock at 0 of the run; what was before is due at once */
};
/* Passes come from gates, all else from cards; times lie between from and to of the day, arrivals up to
 * an hour later. */
enum status load_feed_day(const struct load_day *options, struct load_share share,
                          struct load_feed **ret, struct status_detail *detail) MUST_CHECK;
int64_t load_day_midnight_ms(const struct load_day *options);
/* Makes the city's gates senders after the cards, those of the first school first; in the cards' arena. */
enum status load_day_add_gates(const struct sim_city *city, struct load_cards *cards,
                               struct status_detail *detail) MUST_CHECK;

#endif
