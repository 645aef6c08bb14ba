/* decode_*: protobuf payloads, unpacked into the caller's arena and checked. */
#include "proto/codec.h"

#include <string.h>

#include "base/assert.h"
#include "campus.pb-c.h"
#include "proto/codec_internal.h"
#include "proto/quick.h"

_Static_assert((int)CAMPUS__V1__DATUM__DATUM_BD09 == (int)GEO_BD09 &&
                   (int)CAMPUS__V1__DATUM__DATUM_GCJ02 == (int)GEO_GCJ02 &&
                   (int)CAMPUS__V1__DATUM__DATUM_WGS84 == (int)GEO_WGS84,
               "the numbers of datums are those of the wire");
_Static_assert((int)CAMPUS__V1__SOURCE__SOURCE_CELL == (int)FIX_CELL &&
                   (int)CAMPUS__V1__DIRECTION__DIRECTION_OUT == (int)PASS_OUT &&
                   (int)CAMPUS__V1__SIGNAL_KIND__SIGNAL_POWERED_OFF == (int)SIGNAL_POWERED_OFF &&
                   (int)CAMPUS__V1__CALL_DIRECTION__CALL_OUTGOING == (int)CALL_OUTGOING &&
                   (int)CAMPUS__V1__CALL_OUTCOME__CALL_REFUSED == (int)CALL_REFUSED,
               "the numbers of kinds are those of the wire");

/* ---- unpacking without malloc ---- */

struct bounded {
    uint32_t magic;
    struct arena *arena;
    bool exhausted;
};
#define BOUNDED_MAGIC 0x626f756eu

static void *bounded_alloc(void *data, size_t size)
{
    struct bounded *bounded = data;
    MAGIC_CHECK(bounded, BOUNDED_MAGIC);
    void *place = arena_alloc(bounded->arena, size);
    bounded->exhausted |= place == NULL;
    return place;
}

static void bounded_free(void *data, void *place)
{
    (void)data;
    (void)place; /* the arena is reset as a whole */
}

static enum refusal unpack(const struct decode_context *context, struct text payload,
                           const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **ret,
                           struct status_detail *detail)
{
    if (payload.length > PAYLOAD_BYTES_MAX) {
        return wire_refuse(detail, REFUSAL_TOO_LARGE,
                           "%zu bytes, at most %u are taken: split the message", payload.length,
                           PAYLOAD_BYTES_MAX);
    }
    struct bounded bounded = {BOUNDED_MAGIC, context->arena, false};
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &bounded};
    *ret = protobuf_c_message_unpack(descriptor, &allocator, payload.length,
                                     (const uint8_t *)payload.at);
    if (bounded.exhausted) {
        return wire_refuse(detail, REFUSAL_TOO_LARGE,
                           "%zu bytes unpack to more than any message within the limits",
                           payload.length);
    }
    if (*ret == NULL) {
        return wire_refuse(detail, REFUSAL_MALFORMED, "%zu bytes are not a %s", payload.length,
                           descriptor->name);
    }
    return REFUSAL_NONE;
}

/* ---- events ---- */

static void take_kind(int value, int min, int max, const char *field, struct wire_event *out)
{
    if (value < min || value > max) {
        wire_flaw(out, REFUSAL_VALUE, field);
        return;
    }
    out->event.kind = (uint8_t)value;
}

static void take_fix(const struct decode_context *context, const Campus__V1__Fix *fix,
                     struct wire_event *out)
{
    const struct wire_place place = {fix->has_lat_e7 != 0, fix->has_lon_e7 != 0, fix->lat_e7,
                                     fix->lon_e7, (int)fix->datum};
    out->event.type = EVENT_FIX;
    wire_take_time(context, fix->time_ms, out);
    wire_take_place(context, &place, out);
    take_kind((int)fix->source, FIX_UNKNOWN, FIX_CELL, "source", out);
    wire_take_accuracy(fix->has_accuracy_cm ? fix->accuracy_cm : 0, out);
    if (fix->has_speed_cms) {
        wire_take_speed(fix->speed_cms, out);
    }
    if (fix->has_heading_cdeg) {
        wire_take_heading(fix->heading_cdeg, out);
    }
    if (fix->has_battery_pct) {
        wire_take_battery(fix->battery_pct, out);
    }
}

static void take_signal(const struct decode_context *context, const Campus__V1__Signal *signal,
                        struct wire_event *out)
{
    const struct wire_place place = {signal->has_lat_e7 != 0, signal->has_lon_e7 != 0,
                                     signal->lat_e7, signal->lon_e7, (int)signal->datum};
    out->event.type = EVENT_SIGNAL;
    take_kind((int)signal->kind, SIGNAL_SOS, SIGNAL_POWERED_OFF, "kind", out);
    wire_take_time(context, signal->time_ms, out);
    wire_take_place(context, &place, out);
    wire_take_accuracy(signal->has_accuracy_cm ? signal->accuracy_cm : 0, out);
    if (signal->has_battery_pct) {
        wire_take_battery(signal->battery_pct, out);
    }
    if (out->event.kind == SIGNAL_SOS) { /* a child calls for help: never for a field's sake */
        out->refusal = REFUSAL_NONE;
        if (out->event.time_ms == 0) {
            out->event.time_ms = context->arrival_ms;
            out->event.flags |= EVENT_CLOCK_AHEAD;
        }
    }
}

static void take_call(const struct decode_context *context, const Campus__V1__Call *call,
                      struct wire_event *out)
{
    out->event.type = EVENT_CALL;
    wire_take_time(context, call->time_ms, out);
    take_kind((int)call->direction, CALL_INCOMING, CALL_OUTGOING, "direction", out);
    if ((int)call->outcome < CALL_ANSWERED || (int)call->outcome > CALL_REFUSED) {
        wire_flaw(out, REFUSAL_VALUE, "outcome");
    } else if (call->contact > UINT8_MAX) {
        wire_flaw(out, REFUSAL_VALUE, "contact");
    } else if (call->duration_s > CALL_S_MAX) {
        wire_flaw(out, REFUSAL_VALUE, "duration");
    } else {
        out->event.outcome = (uint8_t)call->outcome;
        out->event.contact = (uint8_t)call->contact;
        out->event.duration_s = call->duration_s;
    }
}

static struct text text_or_empty(const char *cstr)
{
    return cstr != NULL ? text_of(cstr) : TEXT("");
}

static void take_pass(const struct decode_context *context, const Campus__V1__Pass *pass,
                      struct wire_event *out)
{
    out->event.type = EVENT_PASS;
    out->event.flags = EVENT_NO_POSITION;
    out->card = text_or_empty(pass->card);
    wire_take_time(context, pass->time_ms, out);
    take_kind((int)pass->direction, PASS_UNKNOWN, PASS_OUT, "direction", out);
    if (!text_is_id(out->card)) {
        wire_flaw(out, REFUSAL_VALUE, "card");
    } else if (pass->reader > UINT8_MAX) {
        wire_flaw(out, REFUSAL_VALUE, "reader");
    } else {
        out->event.reader = (uint8_t)pass->reader;
    }
}

/* ---- reports ---- */

bool seq_is_owntracks(uint32_t epoch, uint64_t seq)
{
    return epoch == 0 && seq >= TIME_MS_MIN;
}

/* Numbers and size of a report, before its events; room for them in the arena. */
static enum refusal open_report(const struct decode_context *context, size_t events,
                                struct wire_report *out, struct status_detail *detail)
{
    if (out->seq == 0 || out->seq > INT64_MAX || seq_is_owntracks(out->epoch, out->seq)) {
        uint64_t seq = out->seq;
        out->seq = 0; /* nothing can be receipted by such a number */
        return out->refusal =
                   wire_refuse(detail, REFUSAL_SEQUENCE,
                               "seq %llu: reports are numbered 1, 2, 3, ... within an epoch",
                               (unsigned long long)seq);
    }
    if (events == 0) {
        return out->refusal = wire_refuse(detail, REFUSAL_EMPTY, "seq %llu reports no event",
                                          (unsigned long long)out->seq);
    }
    if (events > REPORT_EVENTS_MAX) {
        return out->refusal = wire_refuse(detail, REFUSAL_TOO_LARGE,
                                          "seq %llu has %zu events, at most %u are taken: send "
                                          "several reports",
                                          (unsigned long long)out->seq, events, REPORT_EVENTS_MAX);
    }
    out->events = arena_array(context->arena, events, sizeof *out->events);
    if (out->events == NULL) {
        return out->refusal = wire_refuse(detail, REFUSAL_TOO_LARGE,
                                          "seq %llu: no room for %zu events: send fewer in a "
                                          "message",
                                          (unsigned long long)out->seq, events);
    }
    return out->refusal = REFUSAL_NONE;
}

static enum refusal take_card_report(const struct decode_context *context,
                                     const Campus__V1__CardReport *report, struct text sender,
                                     struct wire_report *out, struct status_detail *detail)
{
    *out = (struct wire_report){.sender = sender,
                                .epoch = report->epoch,
                                .seq = report->seq,
                                .keep_from = report->keep_from,
                                .want_receipt = report->want_receipt != 0};
    size_t events = report->n_fixes + report->n_signals + report->n_calls;
    enum refusal refusal = open_report(context, events, out, detail);
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    struct wire_event *next = out->events;
    for (size_t i = 0; i < report->n_fixes; i++) {
        take_fix(context, report->fixes[i], next++);
    }
    for (size_t i = 0; i < report->n_signals; i++) {
        take_signal(context, report->signals[i], next++);
    }
    for (size_t i = 0; i < report->n_calls; i++) {
        take_call(context, report->calls[i], next++);
    }
    out->event_count = (uint32_t)events;
    return REFUSAL_NONE;
}

enum refusal decode_any_card_report(const struct decode_context *context, struct text payload,
                                    struct wire_report *ret, struct status_detail *detail)
{
    ProtobufCMessage *message;
    *ret = (struct wire_report){0};
    ret->refusal = unpack(context, payload, &campus__v1__card_report__descriptor, &message, detail);
    if (ret->refusal != REFUSAL_NONE) {
        return ret->refusal;
    }
    const Campus__V1__CardReport *report = (const Campus__V1__CardReport *)message;
    return take_card_report(context, report, text_or_empty(report->card), ret, detail);
}

enum refusal decode_card_report(const struct decode_context *context, struct text payload,
                                struct wire_report *ret, struct status_detail *detail)
{
    struct quick_report quick;
    Campus__V1__Fix *fixes[1] = {&quick.fix};
    if (payload.length > PAYLOAD_BYTES_MAX || !quick_card_report(payload, &quick)) {
        return decode_any_card_report(context, payload, ret, detail);
    }
    quick.report.fixes = fixes;
    return take_card_report(context, &quick.report, quick.card, ret, detail);
}

enum refusal decode_gate_report(const struct decode_context *context, struct text payload,
                                struct wire_report *ret, struct status_detail *detail)
{
    ProtobufCMessage *message;
    *ret = (struct wire_report){0};
    ret->refusal = unpack(context, payload, &campus__v1__gate_report__descriptor, &message, detail);
    if (ret->refusal != REFUSAL_NONE) {
        return ret->refusal;
    }
    const Campus__V1__GateReport *report = (const Campus__V1__GateReport *)message;
    *ret = (struct wire_report){.sender = text_or_empty(report->gate),
                                .epoch = report->epoch,
                                .seq = report->seq,
                                .keep_from = report->keep_from,
                                .want_receipt = report->want_receipt != 0};
    enum refusal refusal = open_report(context, report->n_passes, ret, detail);
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    for (size_t i = 0; i < report->n_passes; i++) {
        take_pass(context, report->passes[i], &ret->events[i]);
    }
    ret->event_count = (uint32_t)report->n_passes;
    return REFUSAL_NONE;
}

enum refusal decode_any_gateway_report(const struct decode_context *context, struct text payload,
                                       struct wire_reports *ret, struct status_detail *detail)
{
    ProtobufCMessage *message;
    *ret = (struct wire_reports){0};
    enum refusal refusal =
        unpack(context, payload, &campus__v1__gateway_report__descriptor, &message, detail);
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    const Campus__V1__GatewayReport *gateway = (const Campus__V1__GatewayReport *)message;
    if (gateway->n_reports == 0) {
        return wire_refuse(detail, REFUSAL_EMPTY, "a gateway's message without a report");
    }
    if (gateway->n_reports > GATEWAY_REPORTS_MAX) {
        return wire_refuse(detail, REFUSAL_TOO_LARGE,
                           "%zu reports, at most %u are taken: send several messages",
                           gateway->n_reports, GATEWAY_REPORTS_MAX);
    }
    struct wire_report *items = arena_array(context->arena, gateway->n_reports, sizeof *ret->items);
    if (items == NULL) {
        return wire_refuse(detail, REFUSAL_TOO_LARGE, "no room for %zu reports",
                           gateway->n_reports);
    }
    for (size_t i = 0; i < gateway->n_reports; i++) {
        const Campus__V1__CardReport *report = gateway->reports[i];
        (void)take_card_report(context, report, text_or_empty(report->card), &items[i], NULL);
    }
    *ret = (struct wire_reports){(uint32_t)gateway->n_reports, items};
    return REFUSAL_NONE;
}

/* False: ask the library. */
static bool decode_quick_gateway(const struct decode_context *context, struct text payload,
                                 struct wire_reports *ret)
{
    struct text rest = payload, report;
    uint32_t count = 0;
    while (count <= GATEWAY_REPORTS_MAX && quick_next_report(&rest, &report)) {
        count++;
    }
    if (rest.length > 0 || count == 0 || count > GATEWAY_REPORTS_MAX) {
        return false;
    }
    struct wire_report *items = arena_array(context->arena, count, sizeof *items);
    rest = payload;
    for (uint32_t i = 0; items != NULL && i < count; i++) {
        struct quick_report quick;
        Campus__V1__Fix *fixes[1] = {&quick.fix};
        if (!quick_next_report(&rest, &report) || !quick_card_report(report, &quick)) {
            return false;
        }
        ASSERT(quick.report.n_fixes == 1);
        quick.report.fixes = fixes;
        (void)take_card_report(context, &quick.report, quick.card, &items[i], NULL);
    }
    *ret = (struct wire_reports){count, items};
    return items != NULL;
}

enum refusal decode_gateway_report(const struct decode_context *context, struct text payload,
                                   struct wire_reports *ret, struct status_detail *detail)
{
    if (payload.length <= PAYLOAD_BYTES_MAX && decode_quick_gateway(context, payload, ret)) {
        return REFUSAL_NONE;
    }
    return decode_any_gateway_report(context, payload, ret, detail);
}

/* ---- receipts ---- */

/* A receipt needs 100 bytes; whatever needs more than this is none. */
#define RECEIPT_ROOM 1024u
struct receipt_room {
    uint32_t magic;
    size_t used;
    _Alignas(max_align_t) unsigned char bytes[RECEIPT_ROOM];
};
#define RECEIPT_ROOM_MAGIC 0x7265636fu

static void *room_alloc(void *data, size_t size)
{
    struct receipt_room *room = data;
    MAGIC_CHECK(room, RECEIPT_ROOM_MAGIC);
    if (size > RECEIPT_ROOM) {
        return NULL;
    }
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (size > RECEIPT_ROOM - room->used) {
        return NULL;
    }
    void *place = room->bytes + room->used;
    room->used += size;
    return place;
}

enum status decode_receipt(struct text payload, struct receipt *ret)
{
    struct receipt_room room = {.magic = RECEIPT_ROOM_MAGIC};
    ProtobufCAllocator allocator = {room_alloc, bounded_free, &room};
    const Campus__V1__Down *down =
        campus__v1__down__unpack(&allocator, payload.length, (const uint8_t *)payload.at);
    if (down == NULL || down->body_case != CAMPUS__V1__DOWN__BODY_RECEIPT) {
        return STATUS_INVALID;
    }
    *ret = (struct receipt){down->receipt->epoch, down->receipt->durable_to};
    return STATUS_OK;
}
