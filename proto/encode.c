/* encode_*: core structs to protobuf payloads, for senders. */
#include <string.h>

#include "base/assert.h"
#include "campus.pb-c.h"
#include "proto/codec.h"

/* Field numbers with wire type 2 (length-delimited), as campus.proto gives them. */
enum {
    TAG_FIX = 6 << 3 | 2,
    TAG_SIGNAL = 7 << 3 | 2,
    TAG_CALL = 8 << 3 | 2,
    TAG_PASS = 6 << 3 | 2,
    TAG_REPORT = 1 << 3 | 2
};

struct id_text {
    char at[TEXT_ID_MAX + 1];
};

/* NULL for an empty one: the field is left out. */
static char *id_cstr(struct id_text *room, struct text id)
{
    ASSERT(id.length <= TEXT_ID_MAX);
    if (id.length == 0) {
        return NULL;
    }
    memcpy(room->at, id.at, id.length);
    room->at[id.length] = '\0';
    return room->at;
}

static size_t varint_size(size_t value)
{
    size_t size = 1;
    while (value > 127) {
        value >>= 7;
        size++;
    }
    return size;
}

static void put_head(struct buffer *out, uint8_t tag, size_t size)
{
    uint8_t head[1 + 10] = {tag};
    size_t length = 1;
    while (size > 127) {
        head[length++] = (uint8_t)(size & 127) | 128;
        size >>= 7;
    }
    head[length++] = (uint8_t)size;
    buffer_append(out, head, length);
}

static void put_message(struct buffer *out, const ProtobufCMessage *message)
{
    uint8_t *place = buffer_extend(out, protobuf_c_message_get_packed_size(message));
    if (place != NULL) {
        (void)protobuf_c_message_pack(message, place);
    }
}

/* ---- events ---- */

struct event_message {
    union {
        ProtobufCMessage base;
        Campus__V1__Fix fix;
        Campus__V1__Signal signal;
        Campus__V1__Call call;
        Campus__V1__Pass pass;
    } u;
    struct id_text card;
    uint8_t tag;
};

static void fill_fix(const struct event *event, Campus__V1__Fix *fix)
{
    bool placed = (event->flags & EVENT_NO_POSITION) == 0;
    campus__v1__fix__init(fix);
    fix->has_time_ms = 1;
    fix->time_ms = event->time_ms;
    fix->has_lat_e7 = fix->has_lon_e7 = fix->has_datum = placed;
    fix->lat_e7 = event->point.lat_e7;
    fix->lon_e7 = event->point.lon_e7;
    fix->datum = CAMPUS__V1__DATUM__DATUM_WGS84;
    fix->has_accuracy_cm = (event->flags & EVENT_HAS_ACCURACY) != 0;
    fix->accuracy_cm = event->accuracy_cm;
    fix->has_source = event->kind != FIX_UNKNOWN;
    fix->source = (Campus__V1__Source)event->kind;
    fix->has_speed_cms = (event->flags & EVENT_HAS_SPEED) != 0;
    fix->speed_cms = event->speed_cms;
    fix->has_heading_cdeg = (event->flags & EVENT_HAS_HEADING) != 0;
    fix->heading_cdeg = event->heading_cdeg;
    fix->has_battery_pct = (event->flags & EVENT_HAS_BATTERY) != 0;
    fix->battery_pct = event->battery_pct;
}

static void fill_signal(const struct event *event, Campus__V1__Signal *signal)
{
    bool placed = (event->flags & EVENT_NO_POSITION) == 0;
    campus__v1__signal__init(signal);
    signal->has_time_ms = signal->has_kind = 1;
    signal->time_ms = event->time_ms;
    signal->kind = (Campus__V1__SignalKind)event->kind;
    signal->has_lat_e7 = signal->has_lon_e7 = signal->has_datum = placed;
    signal->lat_e7 = event->point.lat_e7;
    signal->lon_e7 = event->point.lon_e7;
    signal->datum = CAMPUS__V1__DATUM__DATUM_WGS84;
    signal->has_accuracy_cm = (event->flags & EVENT_HAS_ACCURACY) != 0;
    signal->accuracy_cm = event->accuracy_cm;
    signal->has_battery_pct = (event->flags & EVENT_HAS_BATTERY) != 0;
    signal->battery_pct = event->battery_pct;
}

static void fill_call(const struct event *event, Campus__V1__Call *call)
{
    campus__v1__call__init(call);
    call->has_time_ms = call->has_direction = call->has_outcome = 1;
    call->time_ms = event->time_ms;
    call->direction = (Campus__V1__CallDirection)event->kind;
    call->outcome = (Campus__V1__CallOutcome)event->outcome;
    call->has_contact = event->contact != 0;
    call->contact = event->contact;
    call->has_duration_s = event->duration_s != 0;
    call->duration_s = event->duration_s;
}

static void fill_pass(const struct wire_event *event, Campus__V1__Pass *pass, struct id_text *card)
{
    campus__v1__pass__init(pass);
    pass->has_time_ms = 1;
    pass->time_ms = event->event.time_ms;
    pass->card = id_cstr(card, event->card);
    pass->has_direction = event->event.kind != PASS_UNKNOWN;
    pass->direction = (Campus__V1__Direction)event->event.kind;
    pass->has_reader = event->event.reader != 0;
    pass->reader = event->event.reader;
}

static void fill_event(const struct wire_event *event, struct event_message *message)
{
    switch ((enum event_type)event->event.type) {
    case EVENT_FIX:
        message->tag = TAG_FIX;
        fill_fix(&event->event, &message->u.fix);
        break;
    case EVENT_SIGNAL:
        message->tag = TAG_SIGNAL;
        fill_signal(&event->event, &message->u.signal);
        break;
    case EVENT_CALL:
        message->tag = TAG_CALL;
        fill_call(&event->event, &message->u.call);
        break;
    case EVENT_PASS:
        message->tag = TAG_PASS;
        fill_pass(event, &message->u.pass, &message->card);
        break;
    }
}

/* ---- reports: the numbers first, then the events, as a stream of fields ---- */

static void fill_card_report(const struct wire_report *report, Campus__V1__CardReport *message,
                             struct id_text *card)
{
    campus__v1__card_report__init(message);
    message->card = id_cstr(card, report->sender);
    message->has_epoch = report->epoch != 0;
    message->epoch = report->epoch;
    message->has_seq = report->seq != 0;
    message->seq = report->seq;
    message->has_keep_from = report->keep_from != 0;
    message->keep_from = report->keep_from;
    message->has_want_receipt = message->want_receipt = report->want_receipt;
}

static void put_events(struct buffer *out, const struct wire_report *report)
{
    ASSERT(report->event_count <= REPORT_EVENTS_MAX);
    for (uint32_t i = 0; i < report->event_count; i++) {
        struct event_message message;
        fill_event(&report->events[i], &message);
        put_head(out, message.tag, protobuf_c_message_get_packed_size(&message.u.base));
        put_message(out, &message.u.base);
    }
}

static void check_types(const struct wire_report *report, bool gate)
{
    for (uint32_t i = 0; i < report->event_count; i++) {
        uint8_t type = report->events[i].event.type;
        ASSERT(type >= EVENT_FIX && type <= EVENT_CALL && (type == EVENT_PASS) == gate);
    }
}

void encode_card_report(struct buffer *out, const struct wire_report *report)
{
    Campus__V1__CardReport message;
    struct id_text card;
    check_types(report, false);
    fill_card_report(report, &message, &card);
    put_message(out, &message.base);
    put_events(out, report);
}

void encode_gate_report(struct buffer *out, const struct wire_report *report)
{
    Campus__V1__GateReport message = CAMPUS__V1__GATE_REPORT__INIT;
    struct id_text gate;
    check_types(report, true);
    message.gate = id_cstr(&gate, report->sender);
    message.has_epoch = report->epoch != 0;
    message.epoch = report->epoch;
    message.has_seq = report->seq != 0;
    message.seq = report->seq;
    message.has_keep_from = report->keep_from != 0;
    message.keep_from = report->keep_from;
    message.has_want_receipt = message.want_receipt = report->want_receipt;
    put_message(out, &message.base);
    put_events(out, report);
}

static size_t card_report_size(const struct wire_report *report)
{
    Campus__V1__CardReport message;
    struct id_text card;
    fill_card_report(report, &message, &card);
    size_t size = protobuf_c_message_get_packed_size(&message.base);
    for (uint32_t i = 0; i < report->event_count; i++) {
        struct event_message event;
        fill_event(&report->events[i], &event);
        size_t bytes = protobuf_c_message_get_packed_size(&event.u.base);
        size += 1 + varint_size(bytes) + bytes;
    }
    return size;
}

void encode_gateway_report(struct buffer *out, const struct wire_reports *reports)
{
    ASSERT(reports->count <= GATEWAY_REPORTS_MAX);
    for (uint32_t i = 0; i < reports->count; i++) {
        check_types(&reports->items[i], false);
        put_head(out, TAG_REPORT, card_report_size(&reports->items[i]));
        encode_card_report(out, &reports->items[i]);
    }
}

void encode_receipt(struct buffer *out, const struct receipt *receipt)
{
    Campus__V1__Receipt body = CAMPUS__V1__RECEIPT__INIT;
    body.has_epoch = body.has_durable_to = 1;
    body.epoch = receipt->epoch;
    body.durable_to = receipt->durable_to;
    Campus__V1__Down down = CAMPUS__V1__DOWN__INIT;
    down.body_case = CAMPUS__V1__DOWN__BODY_RECEIPT;
    down.receipt = &body;
    put_message(out, &down.base);
}
