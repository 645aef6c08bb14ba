/*
 * codec.h - payload bytes of cards, gates and gateways <-> core structs, within the limits.
 * Know: a decoded report is what the sender said, converted to WGS-84 and checked field by field;
 * whether the sender may say it (topic, registry, sequence) is ingest's business. An event that
 * cannot be taken keeps its place with a refusal, so that the rest of the report is untouched.
 * Memory: everything decoded lives in the caller's arena (fixed, of DECODE_ARENA_BYTES; reset it
 * after the burst); texts point into it or into the payload. Nothing is allocated elsewhere, but
 * for OwnTracks, whose JSON jansson reads into memory of its own for the time of the call.
 * Threads: one per arena.
 */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "core/event.h"
#include "core/limits.h"
#include "core/refusal.h"
#include "geo/datum.h"

/* Holds whatever PAYLOAD_BYTES_MAX can say within the limits on lists; what wants more is refused
 * as too large (proto/README.md has the sum). */
#define DECODE_ARENA_BYTES (4u << 20)
/* Half the way around the Earth: no radius is larger. */
#define ACCURACY_CM_MAX 2003750800u
/* A call longer than a day is a counter that ran over. */
#define CALL_S_MAX 86400u

struct wire_event {
    struct event event;   /* card_no is 0 here: ingest resolves it */
    struct text card;     /* passes: whose card */
    enum refusal refusal; /* REFUSAL_NONE: take it */
    /* What was wrong, and the first field that was: the same as refusal, but for an SOS, which is
     * taken whatever else it says, without the field (a time that cannot be becomes the arrival,
     * marked CLOCK_AHEAD). */
    enum refusal flaw;
    const char *field;
};

struct wire_report {
    struct text sender; /* id that the payload claims; empty = none claimed */
    uint64_t seq, keep_from;
    struct wire_event *events; /* fixes, then signals, then calls, in the order of the lists */
    uint32_t epoch, event_count;
    enum refusal refusal; /* of this report as a whole; it has no events then */
    bool want_receipt;
};

struct wire_reports {
    uint32_t count;
    struct wire_report *items;
};

struct decode_context {
    struct arena *arena;
    int64_t arrival_ms;           /* checks times (limits.h: refused, or clamped, CLOCK_AHEAD) */
    enum geo_datum datum_default; /* for fixes that name none; NONE: those are refused */
};

/* Each returns REFUSAL_NONE, or why the whole payload is refused (malformed, too_large, empty,
 * sequence) with words in detail; detail may be NULL. A payload that decodes but is refused for its
 * lists or numbers still tells who sent it: *ret holds sender, epoch, seq, keep_from and
 * want_receipt then, and else seq 0. 0,0 and a missing position become EVENT_NO_POSITION. */
enum refusal decode_card_report(const struct decode_context *context, struct text payload,
                                struct wire_report *ret, struct status_detail *detail);
enum refusal decode_gate_report(const struct decode_context *context, struct text payload,
                                struct wire_report *ret, struct status_detail *detail);
/* A report in it that is refused stands there with its refusal: the others are untouched. */
enum refusal decode_gateway_report(const struct decode_context *context, struct text payload,
                                   struct wire_reports *ret, struct status_detail *detail);

/* OwnTracks JSON (`_type: location`; https://owntracks.org/booklet/tech/json/): lat, lon, tst
 * (seconds), acc (m), vel (km/h), cog (degrees), batt (%). Other _types: REFUSAL_EMPTY. Coordinates
 * are WGS-84. OwnTracks numbers nothing: epoch is 0 and seq is tst in milliseconds, the last three
 * digits a hash of the place, so that the same location has the same number however often it is
 * told, and two places of one second have not. */
enum refusal decode_owntracks(const struct decode_context *context, struct text payload,
                              struct wire_report *ret, struct status_detail *detail);
/* Is this the number of an OwnTracks location? No card counts so far: decode_card_report refuses
 * such a number. */
bool seq_is_owntracks(uint32_t epoch, uint64_t seq);

/* For senders (tests, campusctl publish, load and simulators): appends the message's bytes. Events
 * of other types than the message carries are a bug. Coordinates are written as WGS-84. */
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
