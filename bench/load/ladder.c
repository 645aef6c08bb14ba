#include "bench/load/ladder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* Cores are sampled: what is above this share of one is a full one. */
static const double full = 0.9;
/* The backlog grows: by more than this share of what was sent, and by more than so many seconds. */
static const double backlog_share = 0.05, backlog_s = 0.25;
/* The archive falls behind by more than this share of the time that passes. */
static const double archive_share = 0.1;
static const double archive_floor_ms = 1000; /* batches come and go below it */
enum { FALLS_MAX = 4 };

const char *ladder_broke_word(enum ladder_broke broke)
{
    switch (broke) {
    case LADDER_HELD:
        return "held";
    case LADDER_LOST:
        return "losses";
    case LADDER_BACKLOG:
        return "backlog";
    case LADDER_GENERATOR:
        return "generator";
    case LADDER_ALERTS:
        return "alerts";
    case LADDER_ARCHIVE:
        return "archive";
    }
    return "unknown";
}

/* ---- did it hold ---- */

static bool backlog_grew(const struct ladder_step *step)
{
    double grew = step->unacked_end - step->unacked_begin;
    return grew > step->sent * backlog_share && grew > step->rate * backlog_s;
}

static bool archive_falls_behind(const struct ladder_step *step)
{
    double grew_ms = step->archive_end_ms - step->archive_begin_ms;
    return step->archive_end_ms > archive_floor_ms &&
           grew_ms > archive_share * step->seconds * 1000;
}

/* Losses first, since they void the rest; then along the way of a report. */
static enum ladder_broke find_broken(const struct ladder_options *options,
                                     const struct ladder_step *step, char *what, size_t size)
{
    if (step->lost > 0) {
        (void)snprintf(what, size, "%.0f lost", (double)step->lost);
        return LADDER_LOST;
    }
    if (backlog_grew(step)) {
        (void)snprintf(what, size, "unacknowledged from %.0f to %.0f", step->unacked_begin,
                       step->unacked_end);
        return LADDER_BACKLOG;
    }
    if (step->lag_ms > options->lag_ms) {
        (void)snprintf(what, size, "generators %.0f ms behind the schedule", step->lag_ms);
        return LADDER_GENERATOR;
    }
    if (step->alerts > 0 && step->alert_p99_ms > options->alert_p99_ms) {
        (void)snprintf(what, size, "99 %% of the alerts within %.0f ms", step->alert_p99_ms);
        return LADDER_ALERTS;
    }
    if (step->alert_owed_ms > options->alert_p99_ms * 4) {
        (void)snprintf(what, size, "an SOS without its alert for %.0f ms", step->alert_owed_ms);
        return LADDER_ALERTS;
    }
    if (step->archive_probed && step->archive_p99_ms > options->archive_ms) {
        (void)snprintf(what, size, "99 %% archived within %.0f ms", step->archive_p99_ms);
        return LADDER_ARCHIVE;
    }
    if (step->archive_probed && archive_falls_behind(step)) {
        (void)snprintf(what, size, "archive behind by %.0f, then %.0f ms", step->archive_begin_ms,
                       step->archive_end_ms);
        return LADDER_ARCHIVE;
    }
    return LADDER_HELD;
}

/* ---- by whom ---- */

static void put_shares(const struct ladder_step *step, const struct parts_rates *rates,
                       const char *words, char *ret, size_t size)
{
    size_t length = (size_t)snprintf(ret, size, "%s", words);
    for (uint32_t i = 0; i < step->to.count && length < size; i++) {
        length += (size_t)snprintf(ret + length, size - length, "%s%s %.2f", i > 0 ? ", " : ": ",
                                   step->to.parts[i].name, rates->cores[i]);
    }
    if (length < size) {
        (void)snprintf(ret + length, size - length, ", others %.2f, stolen %.2f of %u cores",
                       rates->others, rates->stolen, step->to.cpus);
    }
}

static void blame(const struct ladder_step *step, struct ladder_verdict *ret)
{
    struct parts_rates rates;
    parts_between(&step->from, &step->to, &rates);
    const char *by = "unknown", *words = "no part is out of CPU: disk, network or a lock";
    double most = full;
    for (uint32_t i = 0; i < step->to.count; i++) {
        if (rates.busiest[i] > most) {
            most = rates.busiest[i];
            by = step->to.parts[i].name;
            words = "one thread of it has no headroom";
        }
        if (step->to.parts[i].ended > step->from.parts[i].ended) {
            most = HUGE_VAL; /* infinite, and a double */
            by = step->to.parts[i].name;
            words = "a process of it ended";
        }
    }
    if (isfinite(most) && rates.machine + rates.stolen > full * step->to.cpus) {
        by = "machine";
        words = "the machine is full";
    }
    if (step->to.count == 0 && strcmp(by, "machine") != 0) {
        words = "no parts were named";
    }
    (void)snprintf(ret->by, sizeof ret->by, "%s", by);
    put_shares(step, &rates, words, ret->why, sizeof ret->why);
}

void ladder_judge(const struct ladder_options *options, const struct ladder_step *step,
                  struct ladder_verdict *ret)
{
    *ret = (struct ladder_verdict){0};
    ret->broke = find_broken(options, step, ret->what, sizeof ret->what);
    if (ret->broke != LADDER_HELD) {
        blame(step, ret);
    }
    struct parts_rates rates;
    parts_between(&step->from, &step->to, &rates);
    if (ret->broke == LADDER_GENERATOR && strcmp(ret->by, "machine") != 0) {
        (void)snprintf(ret->by, sizeof ret->by, "load");
        put_shares(step, &rates, "the generators are the limit", ret->why, sizeof ret->why);
    }
}

/* ---- which rate next ---- */

enum status ladder_init(struct ladder *ladder, const struct ladder_options *options,
                        struct status_detail *detail)
{
    if (!(options->start > 0) || !(options->factor >= 1.05) || options->rate_max < options->start) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "a ladder begins above 0, rises by a factor of at least 1.05, and "
                                 "ends at or above its start");
    }
    *ladder = (struct ladder){.options = *options};
    return STATUS_OK;
}

enum status ladder_next(const struct ladder *ladder, double *ret_rate)
{
    const struct ladder_options *options = &ladder->options;
    double rate = options->start;
    if (ladder->count == LADDER_STEPS_MAX) {
        return STATUS_END;
    }
    if (ladder->good > 0 && ladder->bad > 0) {
        if (ladder->halvings >= options->sharpen) {
            return STATUS_END;
        }
        rate = sqrt(ladder->good * ladder->bad);
    } else if (ladder->bad > 0) {
        if (ladder->count >= FALLS_MAX) {
            return STATUS_END;
        }
        rate = ladder->bad / (options->factor * options->factor);
    } else if (ladder->good > 0) {
        if (ladder->good >= options->rate_max) {
            return STATUS_END;
        }
        rate = fmin(ladder->good * options->factor, options->rate_max);
    }
    *ret_rate = rate >= 10 ? round(rate) : rate;
    return STATUS_OK;
}

void ladder_take(struct ladder *ladder, const struct ladder_step *step, struct ladder_verdict *ret)
{
    ASSERT(ladder->count < LADDER_STEPS_MAX);
    ladder_judge(&ladder->options, step, ret);
    ladder->halvings += ladder->good > 0 && ladder->bad > 0;
    ladder->count++;
    if (ret->broke == LADDER_HELD) {
        ladder->good = fmax(ladder->good, step->rate);
    } else if (ladder->bad == 0 || step->rate <= ladder->bad) {
        ladder->bad = step->rate;
        memcpy(ladder->by, ret->by, sizeof ladder->by);
        memcpy(ladder->what, ret->what, sizeof ladder->what);
        memcpy(ladder->why, ret->why, sizeof ladder->why);
    }
}

double ladder_knee(const struct ladder *ladder, bool *ret_reached)
{
    *ret_reached = ladder->bad > 0;
    return ladder->good;
}
