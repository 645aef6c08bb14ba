/* The checks on fields that every way in shares. */
#include "base/assert.h"
#include "proto/codec_internal.h"

void wire_flaw(struct wire_event *out, enum refusal flaw, const char *field)
{
    ASSERT(flaw != REFUSAL_NONE);
    if (out->flaw == REFUSAL_NONE) {
        out->flaw = out->refusal = flaw;
        out->field = field;
    }
}

void wire_take_time(const struct decode_context *context, int64_t time_ms, struct wire_event *out)
{
    if (!event_take_time(&out->event, time_ms, context->arrival_ms)) {
        wire_flaw(out, REFUSAL_TIME, "time_ms");
    }
}

/* Of another datum to the nearest lattice point of WGS-84. */
static bool convert(enum geo_datum datum, int32_t lat_e7, int32_t lon_e7, struct geo_point *ret)
{
    double lat = lat_e7 / 1e7, lon = lon_e7 / 1e7;
    geo_to_wgs84(datum, &lat, &lon);
    return geo_point_from_degrees(lat, lon, ret) == STATUS_OK;
}

void wire_take_place(const struct decode_context *context, const struct wire_place *place,
                     struct wire_event *out)
{
    struct event *event = &out->event;
    event->flags |= EVENT_NO_POSITION; /* until it is found good */
    if (place->datum < GEO_DATUM_NONE || place->datum > GEO_BD09) {
        wire_flaw(out, REFUSAL_POSITION, "datum");
        return;
    }
    enum geo_datum datum =
        place->datum != GEO_DATUM_NONE ? (enum geo_datum)place->datum : context->datum_default;
    if (place->has_lat != place->has_lon) {
        wire_flaw(out, REFUSAL_POSITION, place->has_lat ? "lon" : "lat");
        return;
    }
    if (!place->has_lat || (place->lat_e7 == 0 && place->lon_e7 == 0)) {
        return; /* receivers say 0,0 when they know nothing */
    }
    if (datum == GEO_DATUM_NONE) {
        wire_flaw(out, REFUSAL_POSITION, "datum");
        return;
    }
    struct geo_point point = {place->lat_e7, place->lon_e7};
    if (point.lat_e7 < -GEO_LAT_E7_MAX || point.lat_e7 > GEO_LAT_E7_MAX) {
        wire_flaw(out, REFUSAL_POSITION, "lat");
    } else if (point.lon_e7 < -GEO_LON_E7_MAX || point.lon_e7 > GEO_LON_E7_MAX ||
               (datum != GEO_WGS84 && !convert(datum, point.lat_e7, point.lon_e7, &point))) {
        wire_flaw(out, REFUSAL_POSITION, "lon");
    } else {
        event->flags &= (uint8_t)~EVENT_NO_POSITION;
        event->datum = (uint8_t)datum;
        event->point = point;
    }
}

void wire_take_accuracy(uint32_t accuracy_cm, struct wire_event *out)
{
    if (accuracy_cm > ACCURACY_CM_MAX) {
        wire_flaw(out, REFUSAL_VALUE, "accuracy");
    } else if (accuracy_cm > 0) { /* no receiver is exact: 0 is "not told" */
        out->event.accuracy_cm = accuracy_cm;
        out->event.flags |= EVENT_HAS_ACCURACY;
    }
}

void wire_take_battery(uint32_t battery_pct, struct wire_event *out)
{
    if (battery_pct > 100) {
        wire_flaw(out, REFUSAL_VALUE, "battery");
        return;
    }
    out->event.battery_pct = (uint8_t)battery_pct;
    out->event.flags |= EVENT_HAS_BATTERY;
}

void wire_take_speed(uint32_t speed_cms, struct wire_event *out)
{
    if (speed_cms > UINT16_MAX) {
        wire_flaw(out, REFUSAL_VALUE, "speed");
        return;
    }
    out->event.speed_cms = (uint16_t)speed_cms;
    out->event.flags |= EVENT_HAS_SPEED;
}

void wire_take_heading(uint32_t heading_cdeg, struct wire_event *out)
{
    if (heading_cdeg >= 36000) {
        wire_flaw(out, REFUSAL_VALUE, "heading");
        return;
    }
    out->event.heading_cdeg = (uint16_t)heading_cdeg;
    out->event.flags |= EVENT_HAS_HEADING;
}
