#include "proto/cloudevent.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"

static void put_string(struct buffer *out, const char *key, const char *text)
{
    if (text != NULL) {
        buffer_printf(out, ",\"%s\":", key);
        buffer_json_string(out, text, strlen(text));
    }
}

static void put_number(struct buffer *out, const char *key, int64_t number)
{
    buffer_printf(out, ",\"%s\":%lld", key, (long long)number);
}

/* The names of numbers; NULL for 0 and for what the registry does not know any more. */
static const char *school_id(const struct directory *directory, uint32_t no)
{
    return no < directory->school_end ? directory->schools[no].id : NULL;
}

static const char *pupil_id(const struct directory *directory, uint32_t no)
{
    return no < directory->pupil_end ? directory->pupils[no].id : NULL;
}

static const char *card_id(const struct directory *directory, uint32_t no)
{
    return no < directory->card_end ? directory->cards[no].id : NULL;
}

static const char *gate_id(const struct directory *directory, uint32_t no)
{
    return no < directory->gate_end ? directory->gates[no].id : NULL;
}

static const char *fence_id(const struct fence_set *fences, uint32_t no)
{
    const struct fence *fence = fences != NULL ? fence_set_by_no(fences, no) : NULL;
    return fence != NULL ? fence->id : NULL;
}

static void put_position(struct buffer *out, const struct alert *alert)
{
    buffer_text(out, ",\"position\":{\"lat\":");
    buffer_degrees_e7(out, alert->point.lat_e7);
    buffer_text(out, ",\"lon\":");
    buffer_degrees_e7(out, alert->point.lon_e7);
    if (alert->accuracy_cm != 0) {
        buffer_printf(out, ",\"accuracy_m\":%u.%02u", alert->accuracy_cm / 100,
                      alert->accuracy_cm % 100);
    }
    buffer_text(out, ",\"datum\":\"wgs84\"}");
}

static void put_pass(struct buffer *out, const struct alert *alert,
                     const struct directory *directory)
{
    static const char *const words[] = {
        [PASS_UNKNOWN] = "unknown", [PASS_IN] = "in", [PASS_OUT] = "out"};
    ASSERT(alert->direction <= PASS_OUT);
    put_string(out, "gate", gate_id(directory, alert->gate_no));
    put_string(out, "direction", words[alert->direction]);
}

void cloudevent_doubts(struct buffer *out, const struct alert *alert)
{
    uint32_t doubts = alert->doubts;
    const char *before = ",\"doubts\":[";
    for (uint32_t doubt = 1; doubt < ALERT_DOUBTS; doubt <<= 1) {
        if ((doubts & doubt) != 0) {
            buffer_printf(out, "%s\"%s\"", before, alert_doubt_word((enum alert_doubt)doubt));
            before = ",";
        }
    }
    if (doubts != 0) {
        buffer_text(out, "]");
    }
}

static void put_cause(struct buffer *out, const struct alert *alert,
                      const struct directory *directory)
{
    static const char *const words[] = {
        [ORIGIN_CARD] = "card", [ORIGIN_GATE] = "gate", [ORIGIN_TICK] = "tick"};
    const struct origin *cause = &alert->cause;
    ASSERT(cause->kind >= ORIGIN_CARD && cause->kind <= ORIGIN_TICK);
    buffer_printf(out, ",\"cause\":{\"kind\":\"%s\"", words[cause->kind]);
    put_string(out, "sender",
               cause->kind == ORIGIN_GATE ? gate_id(directory, cause->no)
                                          : card_id(directory, cause->no));
    buffer_printf(out, ",\"epoch\":%u,\"seq\":%llu,\"index\":%u}", cause->epoch,
                  (unsigned long long)cause->seq, alert->index);
}

/* To four decimals, and never surer than the engine is: doubt is rounded up. */
static void put_sure(struct buffer *out, uint32_t doubt_e6)
{
    uint32_t doubt_e4 = (doubt_e6 + 99) / 100;
    buffer_printf(out, ",\"sure\":%u.%04u", doubt_e4 == 0 ? 1u : 0u,
                  doubt_e4 == 0 || doubt_e4 > 10000 ? 0u : 10000 - doubt_e4);
}

static void put_data(struct buffer *out, const struct alert *alert,
                     const struct directory *directory, const struct fence_set *fences)
{
    buffer_printf(out, ",\"data\":{\"type\":\"%s\"", alert_word((enum alert_type)alert->type));
    put_string(out, "school", school_id(directory, alert->school_no));
    put_string(out, "pupil", pupil_id(directory, alert->pupil_no));
    put_string(out, "card", card_id(directory, alert->card_no));
    if (alert->fence_no != 0) {
        put_string(out, "fence", fence_id(fences, alert->fence_no));
        put_number(out, "fence_version", alert->fence_version);
    }
    if (alert->type == ALERT_GATE_PASS) {
        put_pass(out, alert, directory);
    }
    if (alert->severity != 0) {
        put_string(out, "severity", severity_word((enum severity)alert->severity));
    }
    put_number(out, "time_ms", alert->time_ms);
    if (alert->type <= ALERT_DANGER) {
        put_number(out, "earliest_ms", alert->earliest_ms);
        put_number(out, "latest_ms", alert->latest_ms);
        put_sure(out, alert->doubt_e6);
    }
    put_number(out, "raised_ms", alert->raised_ms);
    buffer_printf(out, ",\"late\":%s", alert->late ? "true" : "false");
    cloudevent_doubts(out, alert);
    if (alert->type == ALERT_LOW_BATTERY && alert->battery_pct <= 100) {
        put_number(out, "battery_pct", alert->battery_pct);
    }
    if (alert->has_position) {
        put_position(out, alert);
    }
    put_cause(out, alert, directory);
    buffer_text(out, "}");
}

void cloudevent_write(struct buffer *out, const struct alert *alert,
                      const struct directory *directory, const struct fence_set *fences)
{
    char id[ALERT_ID_MAX], time[CLOCK_TEXT_MAX];
    alert_id(alert, id);
    clock_format_rfc3339(alert->time_ms, time);
    const char *school = school_id(directory, alert->school_no);
    char source[sizeof "/campus/" + TEXT_ID_MAX];
    (void)snprintf(source, sizeof source, "/campus%s%.*s", school != NULL ? "/" : "", TEXT_ID_MAX,
                   school != NULL ? school : "");
    buffer_text(out, "{\"specversion\":\"1.0\"");
    put_string(out, "id", id);
    put_string(out, "source", source);
    buffer_printf(out, ",\"type\":\"campus.alert.%s.v1\"",
                  alert_word((enum alert_type)alert->type));
    put_string(out, "subject", pupil_id(directory, alert->pupil_no));
    put_string(out, "time", time);
    put_string(out, "datacontenttype", "application/json");
    put_data(out, alert, directory, fences);
    buffer_text(out, "}");
}
