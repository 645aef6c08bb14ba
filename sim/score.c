#include "sim/score.h"

#include <stdlib.h>
#include <string.h>

/* By pupil, then fence. */
static int compare_group(const struct score_mark *a, const struct score_mark *b)
{
    if (a->pupil_no != b->pupil_no) {
        return a->pupil_no < b->pupil_no ? -1 : 1;
    }
    return (a->fence_no > b->fence_no) - (a->fence_no < b->fence_no);
}

static int compare_crossings(const void *x, const void *y)
{
    const struct score_mark *a = x, *b = y;
    int order = compare_group(a, b);
    return order != 0 ? order : (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

static int compare_alerts(const void *x, const void *y)
{
    const struct score_mark *a = x, *b = y;
    int order = compare_group(a, b);
    return order != 0 ? order : (a->raised_ms > b->raised_ms) - (a->raised_ms < b->raised_ms);
}

static void mark_brief(struct score_mark *crossings, uint32_t count, int64_t brief_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        crossings[i].brief = crossings[i].taken = false;
    }
    for (uint32_t i = 0; i + 1 < count; i++) {
        struct score_mark *one = &crossings[i], *next = &crossings[i + 1];
        if (compare_group(one, next) == 0 && next->time_ms - one->time_ms < brief_ms) {
            one->brief = next->brief = true;
            i++; /* what comes after is no longer undone by these two */
        }
    }
}

static bool may_match(const struct score_mark *crossing, const struct score_mark *alert)
{
    return crossing->type == alert->type &&
           crossing->time_ms >= alert->earliest_ms - SCORE_SLACK_MS &&
           crossing->time_ms <= alert->latest_ms + SCORE_SLACK_MS &&
           alert->raised_ms >= crossing->time_ms;
}

/* Which crossing an alert would rather be of: free ones first, then brief ones, then those found. */
static int rank(const struct score_mark *crossing)
{
    return crossing->taken ? 2 : crossing->brief ? 1 : 0;
}

static struct score_mark *best_of(struct score_mark *group, uint32_t count,
                                  const struct score_mark *alert)
{
    struct score_mark *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct score_mark *one = &group[i];
        if (!may_match(one, alert)) {
            continue;
        }
        if (best == NULL || rank(one) < rank(best) ||
            (rank(one) == rank(best) &&
             llabs(one->time_ms - alert->time_ms) < llabs(best->time_ms - alert->time_ms))) {
            best = one;
        }
    }
    return best;
}

static void judge(struct score_mark *crossing, struct score_mark *alert, struct score_kind *kind)
{
    alert->wrong = crossing == NULL;
    if (crossing == NULL) {
        kind->wrong++;
    } else if (crossing->brief) {
        kind->of_brief++;
    } else if (crossing->taken) {
        kind->doubled++;
    } else {
        crossing->taken = true;
        kind->found++;
        histogram_add(&kind->delays_ms, (uint64_t)(alert->raised_ms - crossing->time_ms));
        histogram_add(&kind->errors_ms, (uint64_t)llabs(alert->time_ms - crossing->time_ms));
    }
}

static void sum_up(const struct score_mark *crossings, uint32_t count, struct score *ret)
{
    for (uint32_t i = 0; i < count; i++) {
        struct score_kind *kind = &ret->kinds[crossings[i].type];
        kind->brief += crossings[i].brief;
        kind->crossings += !crossings[i].brief;
        kind->missed += !crossings[i].brief && !crossings[i].taken;
    }
}

void score(struct score_mark *crossings, uint32_t crossing_count, struct score_mark *alerts,
           uint32_t alert_count, int64_t brief_ms, struct score *ret)
{
    memset(ret, 0, sizeof *ret);
    if (crossing_count > 0) {
        qsort(crossings, crossing_count, sizeof *crossings, compare_crossings);
    }
    if (alert_count > 0) {
        qsort(alerts, alert_count, sizeof *alerts, compare_alerts);
    }
    mark_brief(crossings, crossing_count, brief_ms);
    uint32_t from = 0;
    for (uint32_t i = 0; i < alert_count; i++) {
        while (from < crossing_count && compare_group(&crossings[from], &alerts[i]) < 0) {
            from++;
        }
        uint32_t to = from;
        while (to < crossing_count && compare_group(&crossings[to], &alerts[i]) == 0) {
            to++;
        }
        judge(best_of(crossings + from, to - from, &alerts[i]), &alerts[i],
              &ret->kinds[alerts[i].type]);
    }
    sum_up(crossings, crossing_count, ret);
}

void score_head(struct buffer *out)
{
    buffer_printf(out, "%-9s %7s %7s %7s %6s %7s %7s %8s %8s %8s %8s", "kind", "true", "found %",
                  "missed", "brief", "false", "double", "delay 50", "90", "99 % s", "dated s");
}

static void put_seconds(struct buffer *out, const struct histogram *times_ms, double part)
{
    if (times_ms->count == 0) {
        buffer_printf(out, " %8s", "-");
    } else {
        buffer_printf(out, " %8.0f", (double)histogram_percentile(times_ms, part) / 1000);
    }
}

void score_row(const struct score *score, enum score_type type, struct buffer *out)
{
    static const char *const words[SCORE_TYPES] = {"",       "entered",  "left",
                                                   "danger", "place in", "place out"};
    const struct score_kind *kind = &score->kinds[type];
    buffer_printf(out, "%-9s %7llu", words[type], (unsigned long long)kind->crossings);
    if (kind->crossings == 0) {
        buffer_printf(out, " %7s", "-");
    } else {
        buffer_printf(out, " %7.2f", 100.0 * (double)kind->found / (double)kind->crossings);
    }
    buffer_printf(out, " %7llu %6llu %7llu %7llu", (unsigned long long)kind->missed,
                  (unsigned long long)kind->brief, (unsigned long long)kind->wrong,
                  (unsigned long long)kind->doubled);
    put_seconds(out, &kind->delays_ms, 50);
    put_seconds(out, &kind->delays_ms, 90);
    put_seconds(out, &kind->delays_ms, 99);
    put_seconds(out, &kind->errors_ms, 50);
}
