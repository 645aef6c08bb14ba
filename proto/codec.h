/*
 * codec.h - payload bytes of cards, gates and gateways <-> core structs, within the limits.
 * Know: a decoded report is what the sender said, converted to WGS-84 and checked field by field; whether
 * the sender may say it (topic, registry, sequence) is ingest's business. An event that cannot be taken
 * keeps its place with a refusal, so that the rest of the report is untouched.
 * Memory: everything decoded lives in the caller's arena (fixed; reset it after the burst); texts point
 * into it. Nothing is allocated elsewhere. Threads: one per arena.
 */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "core/event.h"
#include "core/refusal.h"
#include "geo/datum.h"

struct wire_event {
    struct event event;   /* card_no is 0 here: ingest resolves it */
    struct text card;     /* passes: whose card */
    enum refusal refusal; /* REFUSAL_NONE: take it */
};

struct wire_report {
    struct text sender; /* id that the payload claims; empty = none claimed */
    uint32_t epoch;
    uint64_t seq, keep_from;
    bool want_receipt;
    uint32_t event_count;
    struct wire_event *events;
};

struct wire_reports {
    uint32_t count;
    struct wire_report *items;
};

/* Each returns REFUSAL_NONE, or why the whole payload is refused (malformed, too_large, empty, sequence)
 * with words in detail. arrival_ms checks times (limits.h: refused, or marked CLOCK_AHEAD and clamped).
 * datum_default holds for fixes that name none. 0,0 and a missing position become EVENT_NO_POSITION. */
struct decode_context {
    struct arena *arena;
    int64_t arrival_ms;
    enum geo_datum datum_default;
};
enum refusal decode_card_report(const struct decode_context *context, struct text payload,
                                struct wire_report *ret, struct status_detail *detail);
enum refusal decode_gate_report(const struct decode_context *context, struct text payload,
                                struct wire_report *ret, struct status_detail *detail);
enum refusal decode_gateway_report(const struct decode_context *context, struct text payload,
                                   struct wire_reports *ret, struct status_detail *detail);

/* OwnTracks JSON (`_type: location`; https://owntracks.org/booklet/tech/json/): lat, lon, tst (seconds),
 * acc (m), vel (km/h), cog (degrees), batt (%). epoch 0, seq = created_at or tst in ms: a repeat of the
 * same location falls out. Other _types: REFUSAL_EMPTY. Coordinates are WGS-84. */
enum refusal decode_owntracks(const struct decode_context *context, struct text payload,
                              struct wire_report *ret, struct status_detail *detail);

/* For senders (tests, campusctl publish, load and simulators): appends the message's bytes. Events of
 * other types than the message carries are a bug. Coordinates are written as WGS-84. */
void encode_card_report(struct buffer *out, const struct wire_report *report);
void encode_gate_report(struct buffer *out, const struct wire_report *report);
void encode_gateway_report(struct buffer *out, const struct wire_reports *reports);

struct receipt {
    uint32_t epoch;
    uint64_t durable_to;
};
void encode_receipt(struct buffer *out, const struct receipt *receipt);
/* STATUS_INVALID: not a Down message with a receipt. */
enum status decode_receipt(struct text payload, struct receipt *ret) MUST_CHECK;

#endif
