/*
 * mqtt_uv.h - one connection to one MQTT broker, libmosquitto mounted on the loop.
 * Know: acknowledgements are held: after each burst of messages the link stops reading until its
 * owner says with mqtt_link_release that all of them are durable; only then do the PUBACKs leave.
 * The link reconnects by itself for ever, with back-off; states and their next states are in
 * mqtt_uv.c.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef BROKER_BRIDGE_MQTT_UV_H
#define BROKER_BRIDGE_MQTT_UV_H

#include <stdbool.h>
#include <uv.h>

#include "base/status.h"
#include "base/text.h"

struct mqtt_link;

struct mqtt_link_options {
    const char *url;                  /* mqtt://[user@]host[:port] */
    const char *client_id;            /* stable: the broker keeps our session under it */
    const char *password;             /* or NULL */
    const char *const *subscriptions; /* topic filters, NULL-terminated; QoS 1 */
    bool clean_session;               /* daemon: false */
    uint32_t keepalive_s;
    uint32_t connect_timeout_ms;
    uint32_t backoff_min_ms, backoff_max_ms;
    uint32_t burst_max; /* messages read in one turn of the loop; 64..4096 */
    /* While more waits at the socket a burst goes on in the next turns, up to so many messages: a backlog
     * then waits less often for the disk. Up to burst_max: it does not. */
    uint32_t backlog_max;
    uint32_t
        inflight_max; /* our own publishes without PUBACK; mqtt_link_publish says FULL beyond */
};

struct mqtt_link_callbacks {
    void *context;
    void (*on_message)(void *context, struct mqtt_link *link, struct text topic,
                       struct text payload);
    /* The burst is over and held messages wait for mqtt_link_release. */
    void (*on_burst)(void *context, struct mqtt_link *link);
    /* Our QoS 1 publish with this mid was acknowledged by the broker; once per publish. */
    void (*on_published)(void *context, struct mqtt_link *link, int mid);
    /* Connected and subscribed. session_present: the broker kept our session. */
    void (*on_up)(void *context, struct mqtt_link *link, bool session_present);
    /* A connection ended (after on_up), or an attempt failed (without one); the next attempt
     * follows by itself. A burst that was not released is void: the broker sends it again. */
    void (*on_down)(void *context, struct mqtt_link *link, const struct status_detail *detail);
};

/* Starts connecting. STATUS_INVALID (url), STATUS_NO_MEMORY. */
enum status mqtt_link_open(uv_loop_t *loop, const struct mqtt_link_options *options,
                           const struct mqtt_link_callbacks *callbacks, struct mqtt_link **ret,
                           struct status_detail *detail) MUST_CHECK;
/* Sends DISCONNECT when connected (not over an unreleased burst: that would acknowledge it). No
 * callback but on_closed comes any more; the memory is gone after it. */
void mqtt_link_close(struct mqtt_link *link, void (*on_closed)(void *context), void *context);

/* All messages delivered so far are durable (or refused): acknowledge them and read on. */
void mqtt_link_release(struct mqtt_link *link);
/* Stops reading, PUBACKs of our own publishes included (publish on another link what a pause may
 * depend on), and starts again. Counted: pause twice, resume twice. A broker may end a connection
 * that is paused for longer than its keepalive; it is made again after the resume. */
void mqtt_link_pause(struct mqtt_link *link);
void mqtt_link_resume(struct mqtt_link *link);

/* Ends the connection without acknowledging what was not released, and makes it again. */
void mqtt_link_drop(struct mqtt_link *link, const char *reason);

/* QoS 0 or 1. STATUS_UNAVAILABLE: not connected; STATUS_FULL: inflight_max, or too many of QoS 0
 * that the socket does not take; STATUS_INVALID: no topic to publish on. Nothing was sent then.
 * Publishes made in the wake-up of a burst that is not released yet leave with the release. A QoS 1
 * publish that was taken survives reconnects of this link and is confirmed in on_published once. */
enum status mqtt_link_publish(struct mqtt_link *link, const char *topic, struct text payload,
                              int qos, int *ret_mid) MUST_CHECK;

bool mqtt_link_is_up(const struct mqtt_link *link);
const char *mqtt_link_name(const struct mqtt_link *link); /* "127.0.0.1:1883" */

struct mqtt_link_stats {
    uint64_t received, received_bytes, published, confirmed, connects, losses, bursts;
};
void mqtt_link_stats(const struct mqtt_link *link, struct mqtt_link_stats *ret);

#endif
