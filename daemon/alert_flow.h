/*
 * alert_flow.h - from a raised alert to its journal record and its publication, also over a
 * restart.
 * Know: an alert is published as soon as it is raised; its record follows in the journal
 * so that the archive finds it and a restart knows it was raised. At boot the engine raises again
 * what the journal causes; what has a record, or lies before the last mark, is not raised anew;
 * what no broker confirmed is published again with the same id.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef DAEMON_ALERT_FLOW_H
#define DAEMON_ALERT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "core/alert.h"
#include "core/directory.h"
#include "core/fences.h"
#include "core/record.h"

struct alert_flow;

struct alert_flow_options {
    uint32_t waiting_max; /* alerts not handed to the publisher yet; see alert_flow_full */
    void *context;
    /* Journal: STATUS_FULL and others leave the alert waiting. */
    enum status (*append)(void *context, uint32_t type, struct text record, uint64_t *ret_end);
    /* Publisher: the same. */
    enum status (*publish)(void *context, uint64_t end, const struct alert *alert,
                           struct text json);
};

enum status alert_flow_new(const struct alert_flow_options *options,
                           struct alert_flow **ret) MUST_CHECK;
void alert_flow_free(struct alert_flow *flow);

/* The engine raised it while stepping the record that ends at cause_end. STATUS_NO_MEMORY. */
enum status alert_flow_raise(struct alert_flow *flow, uint64_t cause_end, const struct alert *alert,
                             const struct directory *directory,
                             const struct fence_set *fences) MUST_CHECK;

/* Boot: records as they are read back, between the raises that they belong to. */
enum status alert_flow_replay_record(struct alert_flow *flow, uint64_t end,
                                     const struct alert_record *record) MUST_CHECK;
void alert_flow_replay_mark(struct alert_flow *flow, const struct mark *mark);
/* The journal is read: from here on alert_flow_pump works. */
void alert_flow_replay_done(struct alert_flow *flow);

/* Appends and publishes what waits, as far as journal and publisher take it. */
void alert_flow_pump(struct alert_flow *flow);
/* waiting_max is reached: take no more events until it is not. */
bool alert_flow_full(const struct alert_flow *flow);

/* Every alert raised so far has its record, or was published: none is known here alone. */
bool alert_flow_recorded(const struct alert_flow *flow);

/* No broker will be asked to take alerts with a record up to `end` again, not even by a restart. */
void alert_flow_confirmed(struct alert_flow *flow, uint64_t end);
/* Every record up to `end` was stepped. */
void alert_flow_stepped(struct alert_flow *flow, uint64_t end);
/* Appends a mark if something changed since the last one. */
void alert_flow_mark(struct alert_flow *flow);

struct alert_flow_stats {
    uint64_t raised, waiting, confirmed, replayed;
};
void alert_flow_stats(const struct alert_flow *flow, struct alert_flow_stats *ret);

#endif
