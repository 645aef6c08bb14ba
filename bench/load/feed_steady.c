#include <stdlib.h>

#include "base/assert.h"
#include "bench/load/feed.h"
#include "core/event.h"

enum { STEADY_MAGIC = 0x4c535459, WARM_UP_MAGIC = 0x4c57524d, WARM_UP_STEP_MS = 5000 };
static const uint64_t sos_step = 7919; /* so that neighbours in the file do not cry together */

/* ---- what a card tells ---- */

static void fill_event(const struct load_cards *cards, const struct load_card *card,
                       enum load_kind kind, int64_t time_ms, struct wire_event *ret)
{
    *ret = (struct wire_event){.event = {.time_ms = time_ms,
                                         .type = kind == LOAD_SOS ? EVENT_SIGNAL : EVENT_FIX,
                                         .kind = kind == LOAD_SOS ? SIGNAL_SOS : FIX_GNSS,
                                         .flags = EVENT_HAS_ACCURACY,
                                         .datum = GEO_WGS84,
                                         .point = load_card_place(cards, card, time_ms),
                                         .accuracy_cm = 500}};
}

/* Where it was during the last two periods. */
static uint16_t fill_warm_up(const struct load_cards *cards, const struct load_card *card,
                             int64_t now_ms, struct wire_event *events)
{
    int64_t step_ms = cards->period_ms * 2 / LOAD_EVENTS_MAX;
    step_ms = step_ms > WARM_UP_STEP_MS ? step_ms : WARM_UP_STEP_MS;
    uint16_t count = 0;
    for (int64_t ago_ms = cards->period_ms * 2 - step_ms; ago_ms >= 0; ago_ms -= step_ms) {
        ASSERT(count < LOAD_EVENTS_MAX);
        fill_event(cards, card, LOAD_WARM_UP, now_ms - ago_ms, &events[count++]);
    }
    return count;
}

uint16_t load_fill(const struct load_cards *cards, uint32_t card, enum load_kind kind,
                   int64_t now_ms, struct wire_event *events)
{
    if (kind == LOAD_WARM_UP) {
        return fill_warm_up(cards, &cards->items[card], now_ms, events);
    }
    fill_event(cards, &cards->items[card], kind, now_ms, &events[0]);
    return 1;
}

/* ---- steady ---- */

/* A stream of evenly spaced moments, of which this share sees its own. */
struct stream {
    uint64_t at;    /* reports of the whole city so far */
    int64_t due_us; /* INT64_MAX: ended */
    uint32_t card;
};

struct steady {
    struct load_feed feed;
    uint32_t magic;
    struct load_steady options;
    struct load_share share;
    struct stream fixes, sos;
    uint32_t step;      /* of fixes */
    uint64_t step_from; /* fixes.at when it began */
    double step_from_s, total_s;
    struct wire_event events[LOAD_EVENTS_MAX];
};

static struct steady *steady_of(struct load_feed *feed)
{
    struct steady *steady = (struct steady *)(void *)feed; /* its first member */
    ASSERT(steady != NULL && steady->magic == STEADY_MAGIC);
    return steady;
}

static double report_rate(const struct load_steady *options, uint32_t step)
{
    return options->steps[step].rate / (options->fixes > 0 ? options->fixes : 1);
}

static uint64_t step_reports(const struct load_steady *options, uint32_t step)
{
    return (uint64_t)(report_rate(options, step) * options->steps[step].seconds);
}

uint64_t load_steady_reports(const struct load_steady *options)
{
    double seconds = 0;
    uint64_t reports = 0;
    for (uint32_t i = 0; i < options->step_count; i++) {
        seconds += options->steps[i].seconds;
        reports += step_reports(options, i);
    }
    return reports + (uint64_t)(options->sos_per_s * seconds);
}

/* The next one of this share, from fixes.at on. */
static void next_fix(struct steady *steady)
{
    const struct load_steady *options = &steady->options;
    while (steady->step < options->step_count) {
        uint64_t end = steady->step_from + step_reports(options, steady->step);
        for (; steady->fixes.at < end; steady->fixes.at++) {
            uint32_t card = (uint32_t)(steady->fixes.at % options->cards->count);
            if (load_share_has(&steady->share, card)) {
                double since_s = (double)(steady->fixes.at - steady->step_from) /
                                 report_rate(options, steady->step);
                steady->fixes.card = card;
                steady->fixes.due_us = (int64_t)((steady->step_from_s + since_s) * 1e6);
                return;
            }
        }
        steady->step_from = end;
        steady->step_from_s += options->steps[steady->step++].seconds;
    }
    steady->fixes.due_us = INT64_MAX;
}

static void next_sos(struct steady *steady)
{
    const struct load_steady *options = &steady->options;
    uint64_t end = (uint64_t)(options->sos_per_s * steady->total_s);
    for (; steady->sos.at < end; steady->sos.at++) {
        uint32_t card = (uint32_t)(steady->sos.at * sos_step % options->cards->count);
        if (load_share_has(&steady->share, card)) {
            steady->sos.card = card;
            steady->sos.due_us =
                (int64_t)(((double)steady->sos.at + 0.5) * 1e6 / options->sos_per_s);
            return;
        }
    }
    steady->sos.due_us = INT64_MAX;
}

/* The last of them now, the others since the card's last report. */
static uint16_t fill_fixes(struct steady *steady, uint32_t card, int64_t now_ms)
{
    const struct load_steady *options = &steady->options;
    uint16_t fixes = options->fixes > 0 ? options->fixes : 1;
    uint32_t step = steady->step < options->step_count ? steady->step : options->step_count - 1;
    int64_t apart_ms = (int64_t)(options->cards->count * 1000.0 / options->steps[step].rate);
    apart_ms = apart_ms > 0 ? apart_ms : 1;
    for (uint16_t i = 0; i < fixes; i++) {
        fill_event(options->cards, &options->cards->items[card], LOAD_FIX,
                   now_ms - (fixes - 1 - i) * apart_ms, &steady->events[i]);
    }
    return fixes;
}

static enum status steady_next(struct load_feed *feed, struct load_feed_item *ret)
{
    struct steady *steady = steady_of(feed);
    bool is_sos = steady->sos.due_us < steady->fixes.due_us;
    const struct stream *stream = is_sos ? &steady->sos : &steady->fixes;
    if (stream->due_us == INT64_MAX) {
        return STATUS_END;
    }
    int64_t now_ms = steady->options.wall_ms + stream->due_us / 1000;
    *ret = (struct load_feed_item){.due_us = stream->due_us,
                                   .sender = stream->card,
                                   .kind = is_sos ? LOAD_SOS : LOAD_FIX,
                                   .events = steady->events};
    if (is_sos) {
        ret->event_count =
            load_fill(steady->options.cards, stream->card, LOAD_SOS, now_ms, steady->events);
        steady->sos.at++;
        next_sos(steady);
    } else {
        ret->event_count = fill_fixes(steady, stream->card, now_ms);
        steady->fixes.at++;
        next_fix(steady);
    }
    return STATUS_OK;
}

static void steady_close(struct load_feed *feed)
{
    free(steady_of(feed));
}

enum status load_feed_steady(const struct load_steady *options, struct load_share share,
                             struct load_feed **ret, struct status_detail *detail)
{
    ASSERT(options->fixes <= LOAD_EVENTS_MAX && options->cards->count > 0);
    struct steady *steady = calloc(1, sizeof *steady);
    if (steady == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    steady->feed = (struct load_feed){steady_next, steady_close};
    steady->magic = STEADY_MAGIC;
    steady->options = *options;
    steady->share = share;
    for (uint32_t i = 0; i < options->step_count; i++) {
        steady->total_s += options->steps[i].seconds;
    }
    next_fix(steady);
    next_sos(steady);
    *ret = &steady->feed;
    return STATUS_OK;
}

/* ---- before the run ---- */

struct warm_up {
    struct load_feed feed;
    uint32_t magic;
    struct load_warm_up options;
    struct load_share share;
    uint32_t card, crossing;
    struct wire_event events[LOAD_EVENTS_MAX];
};

static struct warm_up *warm_up_of(struct load_feed *feed)
{
    struct warm_up *warm_up = (struct warm_up *)(void *)feed;
    ASSERT(warm_up != NULL && warm_up->magic == WARM_UP_MAGIC);
    return warm_up;
}

static enum status warm_up_next(struct load_feed *feed, struct load_feed_item *ret)
{
    struct warm_up *warm_up = warm_up_of(feed);
    const struct load_cards *cards = warm_up->options.cards;
    while (warm_up->card < cards->count) {
        uint32_t card = warm_up->card++;
        if (!cards->items[card].crosses) {
            continue;
        }
        int64_t due_us = (int64_t)(warm_up->crossing++ * 1e6 / warm_up->options.rate);
        if (load_share_has(&warm_up->share, card)) {
            *ret = (struct load_feed_item){
                .due_us = due_us, .sender = card, .kind = LOAD_WARM_UP, .events = warm_up->events};
            ret->event_count = load_fill(cards, card, LOAD_WARM_UP,
                                         warm_up->options.wall_ms + due_us / 1000, warm_up->events);
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

static void warm_up_close(struct load_feed *feed)
{
    free(warm_up_of(feed));
}

enum status load_feed_warm_up(const struct load_warm_up *options, struct load_share share,
                              struct load_feed **ret, struct status_detail *detail)
{
    struct warm_up *warm_up = calloc(1, sizeof *warm_up);
    if (warm_up == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    warm_up->feed = (struct load_feed){warm_up_next, warm_up_close};
    warm_up->magic = WARM_UP_MAGIC;
    warm_up->options = *options;
    warm_up->share = share;
    *ret = &warm_up->feed;
    return STATUS_OK;
}
