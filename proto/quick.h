/*
 * quick.h - the report that nearly every message is or carries, one fix of a card, unpacked without the
 * library's detours: a tenth of the time (`./campus bench engine`).
 * Know: it takes what it is sure of and leaves the rest to protobuf-c; what it takes it unpacks as
 * protobuf-c does (tests/proto/test_quick.c compares them on random and damaged payloads).
 * Memory: texts point into the payload.
 * Threads: any.
 */
#ifndef PROTO_QUICK_H
#define PROTO_QUICK_H

#include <stdbool.h>

#include "base/text.h"
#include "campus.pb-c.h"

/* A card report: its fields but card and the list of fixes, which is the one fix. */
struct quick_report {
    struct text card;
    Campus__V1__CardReport report;
    Campus__V1__Fix fix;
};

/* False: ask the library. */
bool quick_card_report(struct text payload, struct quick_report *ret);
/* The first report of what is left of a gateway's message, which is what is left behind it. False: none,
 * or ask the library: something is left then. */
bool quick_next_report(struct text *rest, struct text *ret);

#endif
