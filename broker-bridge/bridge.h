/*
 * bridge.h - all brokers at once: messages in, acknowledgements after the journal, receipts and
 * alerts out.
 * Know: the bridge does not know the journal. It hands messages to on_messages, those of a burst
 * together; the owner appends and tells with bridge_durable how far the disk is. A link's burst is released
 * (acknowledged, read on) when everything it delivered is durable. Each broker has two connections:
 * "<client_id>-<n>" reads and may be held or paused, "<client_id>-<n>-out" publishes and never is,
 * so that alerts leave while the disk is slow and are confirmed while the sources are paused.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef BROKER_BRIDGE_BRIDGE_H
#define BROKER_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <uv.h>

#include "base/status.h"
#include "base/text.h"
#include "broker-bridge/message.h"
#include "core/event.h"

struct bridge;

/* So many messages of a link's burst are collected, and handed on together: more are no faster. */
#define BRIDGE_TRAY_MESSAGES 64u

/* And so many at the most wait for the disk: at a link while it drains a backlog, at all of them together. */
#define BRIDGE_BURST_MAX   4096u
#define BRIDGE_WAITING_MAX 65536u

struct bridge_broker {
    const char *url;      /* this and the password: until the bridge is closed */
    const char *password; /* or NULL */
    bool alerts;          /* alerts are published here */
};

struct bridge_options {
    const struct bridge_broker *brokers;
    uint32_t broker_count;
    const char *client_id; /* "-<n>" is added for each broker */
    uint32_t keepalive_s, connect_timeout_ms, backoff_min_ms, backoff_max_ms;
    uint32_t burst_max;  /* messages read in a turn of the loop, within those bounds */
    uint32_t alerts_max; /* alerts waiting for confirmation, all topics of an alert as one; as many
                            confirmed ones are kept for repeats, the oldest forgotten first */
    /* Alerts added with an end up to here are of an earlier process, which may have published them:
     * they leave after newer ones; if not 0, the first connection is as one that was lost, and the
     * brokers should know our sessions. */
    uint64_t alerts_before;
    uint32_t
        repeat_window_ms; /* after a lost connection alerts of this long before are sent again */
    /* When, after the connection is back: twice, since subscribers need a while to be back as well;
     * the second time with what was published meanwhile. 0: 3000, 15000, 10000. */
    uint32_t repeat_first_ms, repeat_second_ms, repeat_meanwhile_ms;
};

struct bridge_callbacks {
    void *context;
    /* Take the messages that came over brokers[broker], in their order; *ret_taken: how many, and
     * *ret_end = journal position that must be durable before these are acknowledged (0: at once).
     * Where not all are taken, the others are offered again after bridge_resume; the link stops
     * reading. At most BRIDGE_TRAY_MESSAGES at a time. */
    void (*on_messages)(void *context, uint32_t broker, const struct broker_message *messages,
                        uint32_t count, uint32_t *ret_taken, uint64_t *ret_end);
    /* Every alert added with journal end <= `end` was confirmed by all alert brokers. */
    void (*on_alerts_confirmed)(void *context, uint64_t end);
    /* And none of them will be sent again: repeat_window_ms passed without a loss. Until then a
     * broker that dies together with this process may have forgotten them. May be NULL. */
    void (*on_alerts_settled)(void *context, uint64_t end);
    /* A message while bridge_watch is on; it comes to on_messages in its own time. May be NULL if
     * bridge_watch is never called. */
    void (*on_watched)(void *context, struct text topic, struct text payload);
};

enum status bridge_open(uv_loop_t *loop, const struct bridge_options *options,
                        const struct bridge_callbacks *callbacks, struct bridge **ret,
                        struct status_detail *detail) MUST_CHECK;
void bridge_close(struct bridge *bridge, void (*on_closed)(void *context), void *context);

/* The disk holds everything below pos. */
void bridge_durable(struct bridge *bridge, uint64_t pos);
/* While it is on, a third connection to each broker, "<client_id>-<n>-watch", hears what comes in by a
 * session of its own and hands it to on_watched; what the first connection holds stays held. For
 * what cannot wait until the disk is well again. */
void bridge_watch(struct bridge *bridge, bool on);
/* Sources may go on after not all was taken. */
void bridge_resume(struct bridge *bridge);

/* Publishes to the topics (QoS 1) on every alert broker; kept until confirmed, sent after
 * reconnects, repeated with the same payload when a broker may have forgotten it. In order of
 * `end`. Copies. STATUS_FULL: alerts_max waiting; call again after on_alerts_confirmed. */
struct bridge_alert {
    uint64_t end;
    const char *const *topics;
    uint32_t topic_count;
    struct text payload;
};
enum status bridge_add_alert(struct bridge *bridge, const struct bridge_alert *alert) MUST_CHECK;
/* Room for how many more alerts. */
uint32_t bridge_alert_room(const struct bridge *bridge);

/* Publishes a receipt (QoS 0) on the topic at brokers[broker]; nothing happens while that link is
 * down: the sender's next report asks again. */
void bridge_send_receipt(struct bridge *bridge, uint32_t broker, const char *topic,
                         struct text payload);

struct bridge_stats {
    uint32_t links, links_up; /* brokers; up: both connections */
    uint64_t received, received_bytes, bursts, losses;
    uint64_t sessions_lost; /* the broker did not know us any more */
    uint64_t alerts_added, alerts_confirmed, alerts_repeated, alerts_waiting;
    uint64_t alerts_kept;      /* waiting, or kept for repeats */
    uint64_t alerts_forgotten; /* dropped from the repeats before repeat_window_ms had passed */
    uint64_t receipts;
};
void bridge_stats(const struct bridge *bridge, struct bridge_stats *ret);

#endif
