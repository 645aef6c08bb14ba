/* decode_owntracks: the JSON of an ordinary phone as the report of a card. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "proto/codec_internal.h"

/* 9999-12-31T23:59:59Z: beyond, seconds are no seconds. */
#define TST_S_MAX 253402300799.0

/* The number of a member; false where it is absent or null. Another type is a flaw. */
static bool number_of(const json_t *object, const char *name, enum refusal flaw, double *ret,
                      struct wire_event *out)
{
    const json_t *member = json_object_get(object, name);
    if (member == NULL || json_is_null(member)) {
        return false;
    }
    if (!json_is_number(member)) {
        wire_flaw(out, flaw, name);
        return false;
    }
    *ret = json_number_value(member);
    return true;
}

static void take_place(const struct decode_context *context, const json_t *object,
                       struct wire_event *out)
{
    struct wire_place place = {.datum = GEO_WGS84};
    double lat = 0, lon = 0;
    struct geo_point point = {0, 0};
    place.has_lat = number_of(object, "lat", REFUSAL_POSITION, &lat, out);
    place.has_lon = number_of(object, "lon", REFUSAL_POSITION, &lon, out);
    if (place.has_lat && place.has_lon && geo_point_from_degrees(lat, lon, &point) != STATUS_OK) {
        wire_flaw(out, REFUSAL_POSITION, fabs(lat) <= 90 ? "lon" : "lat");
    }
    place.lat_e7 = point.lat_e7;
    place.lon_e7 = point.lon_e7;
    wire_take_place(context, &place, out);
}

/* `value` in steps; what does not fit comes out as UINT32_MAX, which no check takes. */
static uint32_t steps(double value, double per_unit)
{
    double scaled = round(value * per_unit);
    return scaled >= 0 && scaled < UINT32_MAX ? (uint32_t)scaled : UINT32_MAX;
}

static void take_values(const json_t *object, struct wire_event *out)
{
    double value;
    if (number_of(object, "acc", REFUSAL_VALUE, &value, out)) {
        wire_take_accuracy(steps(value, 100), out);
    }
    /* Telephones say -1 for what they do not know. */
    if (number_of(object, "vel", REFUSAL_VALUE, &value, out) && value >= 0) {
        wire_take_speed(steps(value, 100 / 3.6), out);
    }
    if (number_of(object, "cog", REFUSAL_VALUE, &value, out) && value >= 0) {
        uint32_t heading_cdeg = steps(value, 100);
        wire_take_heading(heading_cdeg == 36000 ? 0 : heading_cdeg, out);
    }
    if (number_of(object, "batt", REFUSAL_VALUE, &value, out) && value >= 0) {
        wire_take_battery(steps(value, 1), out);
    }
}

static uint64_t location_seq(int64_t tst_s, struct geo_point point)
{
    char bytes[sizeof point];
    memcpy(bytes, &point, sizeof point);
    return (uint64_t)tst_s * 1000 + text_hash((struct text){bytes, sizeof bytes}) % 1000;
}

static enum refusal take_location(const struct decode_context *context, const json_t *object,
                                  struct wire_report *ret, struct status_detail *detail)
{
    struct wire_event *event = arena_array(context->arena, 1, sizeof *event);
    if (event == NULL) {
        return wire_refuse(detail, REFUSAL_TOO_LARGE, "no room for a location");
    }
    double tst_s = 0;
    event->event.type = EVENT_FIX;
    if (!number_of(object, "tst", REFUSAL_TIME, &tst_s, event) || tst_s < 0 || tst_s > TST_S_MAX) {
        return wire_refuse(detail, REFUSAL_TIME, "tst: Unix seconds are needed");
    }
    wire_take_time(context, (int64_t)tst_s * 1000, event);
    if (event->flaw != REFUSAL_NONE) {
        return wire_refuse(detail, REFUSAL_TIME,
                           "tst %.0f: before 2000 or more than a day ahead of the arrival", tst_s);
    }
    take_place(context, object, event);
    take_values(object, event);
    *ret = (struct wire_report){
        .seq = location_seq((int64_t)tst_s, event->event.point), .event_count = 1, .events = event};
    return REFUSAL_NONE;
}

static enum refusal take_json(const struct decode_context *context, const json_t *json,
                              struct wire_report *ret, struct status_detail *detail)
{
    const char *type = json_string_value(json_object_get(json, "_type"));
    if (type == NULL) {
        return wire_refuse(detail, REFUSAL_MALFORMED, "no object with a \"_type\"");
    }
    if (strcmp(type, "location") != 0) {
        return wire_refuse(detail, REFUSAL_EMPTY, "_type \"%.40s\" tells no location", type);
    }
    return take_location(context, json, ret, detail);
}

enum refusal decode_owntracks(const struct decode_context *context, struct text payload,
                              struct wire_report *ret, struct status_detail *detail)
{
    *ret = (struct wire_report){0};
    if (payload.length > PAYLOAD_BYTES_MAX) {
        return ret->refusal =
                   wire_refuse(detail, REFUSAL_TOO_LARGE, "%zu bytes, at most %u are taken",
                               payload.length, PAYLOAD_BYTES_MAX);
    }
    json_error_t error;
    json_t *json = json_loadb(payload.at, payload.length, 0, &error);
    if (json == NULL) {
        return ret->refusal = wire_refuse(detail, REFUSAL_MALFORMED, "line %d, column %d: %s",
                                          error.line, error.column, error.text);
    }
    ret->refusal = take_json(context, json, ret, detail);
    json_decref(json);
    return ret->refusal;
}
