/*
 * record.h - what the journal holds: reports, dead letters, alerts, marks, ticks, rules; flat
 * bytes.
 * Know: little-endian; the layout is a contract with the journals that exist. Decoding checks every
 * length: a record from a disk is outside data.
 * Memory: decoded pointers point into the record.
 * Threads: any.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "core/alert.h"
#include "core/event.h"
#include "core/policy.h"
#include "core/refusal.h"

enum record_type {
    RECORD_REPORT = 1,
    RECORD_REFUSED = 2,
    RECORD_MARK = 3,
    RECORD_ALERT = 4,
    RECORD_TICK = 5,
    RECORD_RULES = 6
};

/* A dead letter: what came, where, and why it was not taken. payload is cut at REFUSED_BYTES_MAX.
 */
#define REFUSED_BYTES_MAX 4096u
struct refused {
    int64_t arrival_ms;
    enum refusal reason;
    struct text topic, detail, payload;
    uint32_t payload_bytes; /* before the cut */
};

/* An alert that was raised by the report or tick whose record ends at cause_end. The archive takes alerts
 * from here; a restart knows by them what was raised already. */
struct alert_record {
    uint64_t cause_end;
    struct alert alert;
    struct text id, json; /* proto/cloudevent.h */
};

/* Written about once a second while something changes. */
struct mark {
    uint64_t settled; /* alerts of all records before this position have their own records */
    uint64_t
        confirmed; /* alert records before this position were confirmed by every alert broker */
};

/* The clock went on, about once a second: timers replay as they ran. */
struct tick {
    int64_t now_ms;
};

/* What the engine goes by from here on: a registry, kept as a file of that checksum and size
 * (storage/registry.h), and how sure to be. */
struct rules {
    int64_t now_ms;
    uint64_t revision, registry_bytes;
    uint32_t registry_crc, reserved; /* 0 */
    struct presence_policy policy;
    uint32_t reserved2; /* 0 */
};
_Static_assert(sizeof(struct rules) == 56, "rules lie on disk");

/* Append the record's bytes to out (8-byte aligned size). */
void record_put_report(struct buffer *out, const struct report *report);
void record_put_refused(struct buffer *out, const struct refused *refused);
void record_put_alert(struct buffer *out, const struct alert_record *alert);
void record_put_mark(struct buffer *out, const struct mark *mark);
void record_put_tick(struct buffer *out, const struct tick *tick);
void record_put_rules(struct buffer *out, const struct rules *rules);

/* STATUS_CORRUPT: sizes do not agree. data is 8-byte aligned. */
enum status record_get_report(const void *data, size_t size, struct report *ret) MUST_CHECK;
enum status record_get_refused(const void *data, size_t size, struct refused *ret) MUST_CHECK;
enum status record_get_alert(const void *data, size_t size, struct alert_record *ret) MUST_CHECK;
enum status record_get_mark(const void *data, size_t size, struct mark *ret) MUST_CHECK;
enum status record_get_tick(const void *data, size_t size, struct tick *ret) MUST_CHECK;
enum status record_get_rules(const void *data, size_t size, struct rules *ret) MUST_CHECK;

#endif
