#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/load/feed.h"
#include "core/event.h"
#include "geo/datum.h"

enum { WARPED_MAGIC = 0x4c575250, BACKLOG_MAGIC = 0x4c424b4c };

/* ---- profiles: the same reports at other moments ---- */

/* How many at that part of the run, by those at its quiet times; straight between the knots. */
struct knot {
    double at, rate;
};
enum { KNOTS_MAX = 8 };
static const struct profile {
    uint32_t count;
    struct knot knots[KNOTS_MAX];
} profiles[] = {
    [LOAD_BELL] = {5, {{0, 1}, {5. / 12, 1}, {6. / 12, 5}, {7. / 12, 1}, {1, 1}}},
    [LOAD_LUNCH] = {8,
                    {{0, 1},
                     {2. / 12, 1},
                     {3. / 12, 3},
                     {4. / 12, 1},
                     {8. / 12, 1},
                     {9. / 12, 3},
                     {10. / 12, 1},
                     {1, 1}}},
};

struct warped {
    struct load_feed feed; /* first: what callers hold */
    uint32_t magic;
    struct load_feed *inner;
    const struct profile *profile;
    double whole; /* the area below the knots */
    double run_us;
    int64_t last_us;
    struct wire_event events[LOAD_EVENTS_MAX];
};

static double area(const struct knot *from, const struct knot *to)
{
    return (to->at - from->at) * (from->rate + to->rate) / 2;
}

/* Where in the run that part of all its reports is out. */
static double place_of(const struct warped *warped, double part)
{
    const struct knot *knot = warped->profile->knots;
    const struct knot *last = knot + warped->profile->count - 1;
    double rest = part * warped->whole;
    while (knot + 1 < last && rest > area(knot, knot + 1)) {
        rest -= area(knot, knot + 1);
        knot++;
    }
    double slope = (knot[1].rate - knot->rate) / (knot[1].at - knot->at);
    double square = knot->rate * knot->rate + 2 * slope * rest;
    return fmin(1, knot->at + 2 * rest / (knot->rate + sqrt(fmax(0, square))));
}

static struct warped *warped_of(struct load_feed *feed)
{
    struct warped *warped = (struct warped *)(void *)feed; /* its first member */
    ASSERT(warped->magic == WARPED_MAGIC);
    return warped;
}

static enum status next_warped(struct load_feed *feed, struct load_feed_item *ret)
{
    struct warped *warped = warped_of(feed);
    struct load_feed_item item;
    enum status status = warped->inner->next(warped->inner, &item);
    if (status != STATUS_OK) {
        return status;
    }
    int64_t due_us = item.due_us;
    if ((double)due_us < warped->run_us) {
        due_us = llround(place_of(warped, (double)due_us / warped->run_us) * warped->run_us);
    }
    due_us = due_us > warped->last_us ? due_us : warped->last_us;
    ASSERT(item.event_count <= LOAD_EVENTS_MAX);
    memcpy(warped->events, item.events, item.event_count * sizeof *item.events);
    for (uint32_t i = 0; i < item.event_count; i++) {
        warped->events[i].event.time_ms += (due_us - item.due_us) / 1000;
    }
    warped->last_us = item.due_us = due_us;
    item.events = warped->events;
    *ret = item;
    return STATUS_OK;
}

static void close_warped(struct load_feed *feed)
{
    struct warped *warped = warped_of(feed);
    warped->inner->close(warped->inner);
    free(warped);
}

enum status load_feed_profile(struct load_feed *inner, enum load_profile profile, double seconds,
                              struct load_feed **ret, struct status_detail *detail)
{
    ASSERT(profile <= LOAD_LUNCH && seconds > 0);
    struct warped *warped = calloc(1, sizeof *warped);
    if (warped == NULL) {
        inner->close(inner);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a profile");
    }
    warped->feed = (struct load_feed){next_warped, close_warped};
    warped->magic = WARPED_MAGIC;
    warped->inner = inner;
    warped->profile = &profiles[profile];
    warped->run_us = seconds * 1e6;
    for (uint32_t i = 0; i + 1 < warped->profile->count; i++) {
        warped->whole += area(&warped->profile->knots[i], &warped->profile->knots[i + 1]);
    }
    *ret = &warped->feed;
    return STATUS_OK;
}

/* ---- backlog: cards that come back ---- */

struct backlog {
    struct load_feed feed; /* first: what callers hold */
    uint32_t magic;
    struct load_backlog options;
    struct load_feed *inner;
    uint32_t *away; /* the share's cards that come back */
    uint64_t away_count;
    uint32_t kept, reports; /* of each: fixes, and reports for them */
    uint64_t told;          /* reports so far: the first of each card, then the second ... */
    bool has_pending, inner_ended;
    struct load_feed_item pending; /* of inner */
    uint8_t *out;                  /* by card: has something kept */
    struct wire_event events[LOAD_BACKLOG_EVENTS];
};

static struct backlog *backlog_of(struct load_feed *feed)
{
    struct backlog *backlog = (struct backlog *)(void *)feed; /* its first member */
    ASSERT(backlog->magic == BACKLOG_MAGIC);
    return backlog;
}

bool load_backlog_is_away(const struct load_backlog *options, uint32_t card)
{
    return (double)(card * 2654435761u) < options->away_share * 0x1p32; /* Knuth's multiplier */
}

static void fill_kept(struct backlog *backlog, uint32_t no, uint32_t first, uint16_t count)
{
    const struct load_backlog *options = &backlog->options;
    const struct load_card *card = &options->cards->items[no];
    int64_t start_ms = options->wall_ms - (int64_t)backlog->kept * options->interval_ms +
                       (int64_t)(no * (uint64_t)7919 % options->interval_ms);
    for (uint32_t i = 0; i < count; i++) {
        int64_t time_ms = start_ms + (int64_t)(first + i) * options->interval_ms;
        backlog->events[i] =
            (struct wire_event){.event = {.time_ms = time_ms,
                                          .type = EVENT_FIX,
                                          .kind = FIX_GNSS,
                                          .flags = EVENT_HAS_ACCURACY,
                                          .datum = GEO_WGS84,
                                          .point = load_card_place(options->cards, card, time_ms),
                                          .accuracy_cm = 500}};
    }
}

static int64_t kept_due_us(const struct backlog *backlog)
{
    double all = (double)backlog->away_count * backlog->reports;
    return all == 0 ? 0 : (int64_t)((double)backlog->told / all * backlog->options.burst_s * 1e6);
}

static void tell_kept(struct backlog *backlog, struct load_feed_item *ret)
{
    uint32_t no = backlog->away[backlog->told % backlog->away_count];
    uint32_t report = (uint32_t)(backlog->told / backlog->away_count);
    uint32_t first = report * LOAD_BACKLOG_EVENTS;
    uint32_t count = backlog->kept - first;
    count = count < LOAD_BACKLOG_EVENTS ? count : LOAD_BACKLOG_EVENTS;
    fill_kept(backlog, no, first, (uint16_t)count);
    *ret = (struct load_feed_item){.due_us = kept_due_us(backlog),
                                   .sender = no,
                                   .kind = LOAD_FIX,
                                   .event_count = (uint16_t)count,
                                   .events = backlog->events};
    backlog->out[no] = report + 1 < backlog->reports;
    backlog->told++;
}

static enum status next_backlog(struct load_feed *feed, struct load_feed_item *ret)
{
    struct backlog *backlog = backlog_of(feed);
    for (;;) {
        if (!backlog->has_pending && !backlog->inner_ended) {
            enum status status = backlog->inner->next(backlog->inner, &backlog->pending);
            if (status != STATUS_OK && status != STATUS_END) {
                return status;
            }
            backlog->inner_ended = status == STATUS_END;
            backlog->has_pending = status == STATUS_OK;
        }
        bool all_told = backlog->told == backlog->away_count * backlog->reports;
        if (!all_told &&
            (backlog->inner_ended || kept_due_us(backlog) <= backlog->pending.due_us)) {
            tell_kept(backlog, ret);
            return STATUS_OK;
        }
        if (!backlog->has_pending) {
            return STATUS_END;
        }
        backlog->has_pending = false;
        if (!backlog->out[backlog->pending.sender]) {
            *ret = backlog->pending;
            return STATUS_OK;
        }
    }
}

static void close_backlog(struct load_feed *feed)
{
    struct backlog *backlog = backlog_of(feed);
    backlog->inner->close(backlog->inner);
    free(backlog->away);
    free(backlog->out);
    free(backlog);
}

enum status load_feed_backlog(const struct load_backlog *options, struct load_share share,
                              struct load_feed *inner, struct load_feed **ret,
                              struct status_detail *detail)
{
    struct backlog *backlog = calloc(1, sizeof *backlog);
    uint32_t *away = calloc(options->cards->count, sizeof *away);
    uint8_t *out = calloc(options->cards->count, sizeof *out);
    if (backlog == NULL || away == NULL || out == NULL) {
        free(backlog);
        free(away);
        free(out);
        inner->close(inner);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %u cards",
                                 options->cards->count);
    }
    *backlog = (struct backlog){.feed = {next_backlog, close_backlog},
                                .magic = BACKLOG_MAGIC,
                                .options = *options,
                                .inner = inner,
                                .away = away,
                                .out = out};
    backlog->kept = (uint32_t)fmax(1, options->away_s * 1000 / options->interval_ms);
    backlog->reports = (backlog->kept + LOAD_BACKLOG_EVENTS - 1) / LOAD_BACKLOG_EVENTS;
    for (uint32_t card = 0; card < options->cards->count; card++) {
        if (load_share_has(&share, card) && load_backlog_is_away(options, card)) {
            backlog->away[backlog->away_count++] = card;
            backlog->out[card] = true;
        }
    }
    *ret = &backlog->feed;
    return STATUS_OK;
}
