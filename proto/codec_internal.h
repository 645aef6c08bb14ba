/*
 * codec_internal.h - the checks that protobuf and JSON share. Each takes one field into the event
 * or notes the flaw and leaves the field out; the first flaw stands.
 */
#ifndef PROTO_CODEC_INTERNAL_H
#define PROTO_CODEC_INTERNAL_H

#include "proto/codec.h"

void wire_flaw(struct wire_event *out, enum refusal flaw, const char *field);
void wire_take_time(const struct decode_context *context, int64_t time_ms, struct wire_event *out);
/* lat and lon are within their ranges or not, in `datum` (a number from outside; NONE: the default
 * of the context). */
struct wire_place {
    bool has_lat, has_lon;
    int32_t lat_e7, lon_e7;
    int datum;
};
void wire_take_place(const struct decode_context *context, const struct wire_place *place,
                     struct wire_event *out);
void wire_take_accuracy(uint32_t accuracy_cm, struct wire_event *out);
void wire_take_battery(uint32_t battery_pct, struct wire_event *out);
void wire_take_speed(uint32_t speed_cms, struct wire_event *out);
void wire_take_heading(uint32_t heading_cdeg, struct wire_event *out);

/* As decode_card_report, without its short way (quick.h). */
enum refusal decode_any_card_report(const struct decode_context *context, struct text payload,
                                    struct wire_report *ret, struct status_detail *detail);

/* The refusal, with words about it in detail (may be NULL). */
#define wire_refuse(detail, refusal, ...)                                                          \
    ((void)status_detail_set((detail), STATUS_INVALID, __VA_ARGS__), (refusal))

/* As decode_gateway_report, without its short way. */
enum refusal decode_any_gateway_report(const struct decode_context *context, struct text payload,
                                       struct wire_reports *ret, struct status_detail *detail);

#endif
