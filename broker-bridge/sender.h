/*
 * sender.h - the cards' and gates' side of the protocol: many senders over one MQTT connection,
 * each keeping its reports until campusd's receipt covers them.
 * Know: reports are numbered from 1 in the order of sender_add; at most SEQUENCE_WINDOW of a sender
 * are on the way without a receipt. After a reconnect, and after a time without progress, the oldest
 * is sent again alone; each receipt doubles what may follow it, in order, up to the window again. So a
 * server that is behind gets no more than it can take. A report with an SOS waits for none before it.
 * Nothing here survives the process.
 * Memory: own; callbacks' texts live until they return.
 * Threads: loop thread.
 */
#ifndef BROKER_BRIDGE_SENDER_H
#define BROKER_BRIDGE_SENDER_H

#include <stdbool.h>
#include <uv.h>

#include "base/status.h"
#include "core/event.h"

struct sender_hub;

struct sender_identity {
    uint8_t kind; /* enum origin_kind */
    const char *school, *id;
    uint32_t epoch; /* above every earlier one of this sender; Unix seconds of the start do */
};

struct sender_options {
    const char *url; /* as in mqtt_uv.h */
    const char *password;
    const char *client_id;
    const struct sender_identity *identities; /* sender i is identities[i] */
    uint32_t count;
    bool no_receipts; /* fire at QoS 1 and forget what the broker has acknowledged */
    bool
        fleet; /* subscribe to campus/v1/+/card/+/down and .../gate/+/down, not to each one's own */
    uint32_t queue_max; /* reports that a sender keeps or waits to send; 0: SEQUENCE_WINDOW */
    /* A sender without progress for retry_min_ms sends its oldest again; the time doubles up to
     * retry_max_ms. 0: 5000, 30000. */
    uint32_t retry_min_ms, retry_max_ms;
    uint32_t inflight_max;                   /* publishes without PUBACK; 0: 512 */
    uint32_t keepalive_s;                    /* 0: 30 */
    uint32_t connect_timeout_ms;             /* 0: 5000 */
    uint32_t backoff_min_ms, backoff_max_ms; /* 0: 200, 5000 */
};

struct sender_callbacks {
    void *context;
    /* Reports of sender `no` were receipted (no_receipts: left): there is room again. May be NULL.
     */
    void (*on_progress)(void *context, uint32_t no);
    /* Nothing is kept and nothing on the way any more, of any sender. May be NULL. */
    void (*on_settled)(void *context);
    /* The connection came or went (or could not be made: detail). May be NULL. */
    void (*on_link)(void *context, bool up, const struct status_detail *detail);
    /* A receipt shows that campusd knows this sender by a higher epoch, or knows numbers of this
     * epoch that were never sent: what is sent would be dropped as repeats. May be NULL. */
    void (*on_conflict)(void *context, uint32_t no, uint32_t epoch);
};

/* Starts connecting. STATUS_INVALID (url, an id or school that is no id), STATUS_EXISTS (an
 * identity twice), STATUS_NO_MEMORY. */
enum status sender_open(uv_loop_t *loop, const struct sender_options *options,
                        const struct sender_callbacks *callbacks, struct sender_hub **ret,
                        struct status_detail *detail) MUST_CHECK;
/* What is kept is forgotten. */
void sender_close(struct sender_hub *hub, void (*on_closed)(void *context), void *context);

/* One report of sender `no` with 1..REPORT_EVENTS_MAX events; copies. A card's report carries
 * fixes, signals and calls; a gate's passes, whose cards' ids stand in `cards` (event_count of
 * them; NULL for a card's report). STATUS_FULL: queue_max; go on after on_progress.
 * STATUS_NO_MEMORY. */
enum status sender_add(struct sender_hub *hub, uint32_t no, const struct event *events,
                       const char *const *cards, uint32_t event_count) MUST_CHECK;
/* Room for how many more reports. */
uint32_t sender_room(const struct sender_hub *hub, uint32_t no);

struct sender_stats {
    uint64_t reports; /* added */
    uint64_t sent;    /* first sendings */
    uint64_t resent;
    uint64_t receipted; /* reports covered by a receipt (no_receipts: acknowledged by the broker) */
    uint64_t receipts;  /* receipt messages that brought something new */
    uint64_t connects, losses;
    bool up;
};
void sender_stats(const struct sender_hub *hub, struct sender_stats *ret);

#endif
