#include "cli/replay_why.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct steps {
    uint32_t taken; /* the next one goes to taken % WHY_STEPS_MAX */
    struct engine_reason items[WHY_STEPS_MAX];
};

struct why {
    struct steps **pupils;
    uint32_t pupil_end;
    bool lost;
};

enum status why_new(uint32_t pupil_end, struct why **ret)
{
    struct why *why = calloc(1, sizeof *why);
    if (why == NULL) {
        return STATUS_NO_MEMORY;
    }
    why->pupil_end = pupil_end;
    why->pupils = calloc(pupil_end, sizeof(struct steps *));
    if (why->pupils == NULL) {
        free(why);
        return STATUS_NO_MEMORY;
    }
    *ret = why;
    return STATUS_OK;
}

void why_free(struct why *why)
{
    if (why == NULL) {
        return;
    }
    for (uint32_t i = 0; i < why->pupil_end; i++) {
        free(why->pupils[i]);
    }
    free(why->pupils);
    free(why);
}

void why_take(void *context, const struct engine_reason *reason)
{
    struct why *why = context;
    struct steps **steps = &why->pupils[reason->pupil_no];
    if (*steps == NULL) {
        *steps = calloc(1, sizeof **steps);
    }
    if (*steps == NULL) {
        why->lost = true;
        return;
    }
    (*steps)->items[(*steps)->taken++ % WHY_STEPS_MAX] = *reason;
}

bool why_is_whole(const struct why *why)
{
    return !why->lost;
}

static const char *what_of(const struct engine_reason *reason)
{
    static const char *const sources[] = {
        [FIX_UNKNOWN] = "unknown", [FIX_GNSS] = "gnss", [FIX_WIFI] = "wifi", [FIX_CELL] = "cell"};
    if (reason->type == EVENT_PASS) {
        return reason->kind == PASS_IN ? "pass in" : "pass out";
    }
    return reason->kind <= FIX_CELL ? sources[reason->kind] : "unknown";
}

static const char *state_word(uint8_t state)
{
    return state == PRESENCE_INSIDE ? "inside" : state == PRESENCE_OUTSIDE ? "outside" : "unknown";
}

static double nats(int32_t mn)
{
    return mn / 1000.0;
}

/* What lies between two fixes is told at once. */
static void write_way(struct buffer *out, const struct engine_reason *reason)
{
    buffer_printf(out,
                  "{\"time_ms\":%" PRId64 ",\"by\":\"way\",\"way_s\":%u,\"distance_m\":%d,"
                  "\"sum\":%.3f,\"needed\":%.3f,\"state\":\"%s\"}",
                  reason->time_ms, reason->lasts_s, reason->distance_m, nats(reason->sum_mn),
                  nats(reason->sum_needed_mn), state_word(reason->after));
}

static void write_step(struct buffer *out, const struct engine_reason *reason)
{
    if (reason->between) {
        write_way(out, reason);
        return;
    }
    buffer_printf(out, "{\"time_ms\":%" PRId64 ",\"by\":\"%s\"", reason->time_ms, what_of(reason));
    if (reason->type == EVENT_FIX) {
        if (reason->accuracy_cm > 0) {
            buffer_printf(out, ",\"accuracy_m\":%.2f", reason->accuracy_cm / 100.0);
        }
        buffer_printf(out, ",\"distance_m\":%d,\"firm\":%s", reason->distance_m,
                      reason->firm ? "true" : "false");
    }
    buffer_printf(out, ",\"word\":%.3f,\"sum\":%.3f,\"needed\":%.3f", nats(reason->word_mn),
                  nats(reason->sum_mn), nats(reason->sum_needed_mn));
    if (!reason->passed) {
        buffer_printf(out, ",\"lasts_s\":%u,\"streak\":%.3f,\"streak_needed\":%.3f",
                      reason->lasts_s, nats(reason->streak_mn), nats(reason->streak_needed_mn));
    }
    buffer_printf(out, ",\"state\":\"%s\"}", state_word(reason->after));
}

/* As RFC 4180 has it. */
static void put_field(struct buffer *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        buffer_text(out, text);
        return;
    }
    buffer_text(out, "\"");
    for (; *text != '\0'; text++) {
        buffer_append(out, "\"\"", *text == '"' ? 1 : 0);
        buffer_append(out, text, 1);
    }
    buffer_text(out, "\"");
}

/* With a pass the streak is not asked. */
void why_row(struct buffer *out, const char *card, const char *fence,
             const struct engine_reason *reason)
{
    put_field(out, card);
    buffer_text(out, ",");
    put_field(out, fence);
    buffer_printf(out, ",%" PRId64 ",%s,", reason->time_ms,
                  reason->between ? "way" : what_of(reason));
    if (reason->accuracy_cm > 0) {
        buffer_printf(out, "%.2f", reason->accuracy_cm / 100.0);
    }
    if (reason->type == EVENT_FIX) {
        buffer_printf(out, ",%d,%d", reason->distance_m, reason->firm ? 1 : 0);
    } else {
        buffer_text(out, ",,");
    }
    buffer_printf(out, ",%.3f,%.3f,%.3f,%u,%.3f,%.3f,%s\n", nats(reason->word_mn),
                  nats(reason->sum_mn), nats(reason->sum_needed_mn), reason->lasts_s,
                  nats(reason->streak_mn), nats(reason->passed ? 0 : reason->streak_needed_mn),
                  state_word(reason->after));
}

void why_write(struct buffer *out, const struct why *why, const struct alert *alert)
{
    const struct steps *steps = why->pupils[alert->pupil_no];
    uint32_t taken = steps != NULL ? steps->taken : 0;
    uint32_t first = taken > WHY_STEPS_MAX ? taken - WHY_STEPS_MAX : 0, count = 0;
    buffer_printf(out, ",\"fence_version\":%u,\"why\":[", alert->fence_version);
    for (uint32_t i = first; i < taken; i++) {
        const struct engine_reason *reason = &steps->items[i % WHY_STEPS_MAX];
        if (reason->fence_no == alert->fence_no && reason->time_ms >= alert->earliest_ms) {
            buffer_text(out, count++ > 0 ? "," : "");
            write_step(out, reason);
        }
    }
    buffer_text(out, "]");
}
