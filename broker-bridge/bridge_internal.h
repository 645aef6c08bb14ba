/*
 * bridge_internal.h - what bridge.c (links, messages in) and bridge_alerts.c (alerts out) share.
 */
#ifndef BROKER_BRIDGE_BRIDGE_INTERNAL_H
#define BROKER_BRIDGE_BRIDGE_INTERNAL_H

#include "broker-bridge/bridge.h"
#include "broker-bridge/mqtt_uv.h"

#define BRIDGE_MAGIC      0x42524447u /* "BRDG" */
#define BRIDGE_LINK_MAGIC 0x42524c4bu /* "BRLK" */

/* Alerts of one broker on their way without PUBACK. */
#define FLIGHTS_MAX 1024u

/* Messages of a burst until they are handed on: libmosquitto keeps one for the time of a callback. */
#define TRAY_BYTES ((size_t)BRIDGE_TRAY_MESSAGES * 512)
struct tray {
    struct broker_message messages[BRIDGE_TRAY_MESSAGES]; /* in bytes */
    uint32_t count, used;
    char bytes[TRAY_BYTES];
};

/* A message that the owner could not take yet. */
struct kept_message {
    struct kept_message *next;
    struct broker_message message; /* in bytes */
    char bytes[];
};

/* An alert publish without PUBACK. */
struct flight {
    uint64_t no;
    int mid; /* 0: confirmed out of order */
    bool repeat;
};

#define CLIENT_ID_MAX 96

/* A place in the ring of alerts: alert number and topic. */
struct alert_cursor {
    uint64_t no;
    uint32_t topic;
};

struct bridge_link {
    uint32_t magic, index;
    struct bridge *bridge;
    char id[CLIENT_ID_MAX];
    const char *url, *password; /* of the owner */
    struct mqtt_link *in, *out;
    struct mqtt_link *watch; /* NULL: not watching */
    bool alerts, in_up, out_up, up;
    bool had_session;          /* at this broker, by this process or one before */
    bool burst_open;           /* `in` waits for its release */
    struct status_detail told; /* last reason that was logged; "" after a success */
    uint64_t burst_end;        /* durable up to here, and it may go */
    struct tray tray;          /* empty but while a burst is read */
    struct kept_message *kept_first, *kept_last;

    struct flight flights[FLIGHTS_MAX]; /* queue: flight_count from flight_first */
    uint32_t flight_first, flight_count;
    struct alert_cursor next; /* to send */
    struct alert_cursor old;  /* to send when there is nothing newer: up to bridge->old_end */

    /* Repeats. since_ms: alerts touched after it are meant, from the loss until both runs are done.
     */
    bool lost_since_up, meanwhile_known, repeating;
    uint32_t runs_left; /* 2 after a reconnect */
    uint64_t since_ms, up_ms, meanwhile_no;
    struct alert_cursor repeat;
    uint64_t repeat_end;
};

struct ring_alert {
    uint64_t end, touched_ms; /* last sent or confirmed anywhere */
    char *bytes;              /* payload, then the topics, each with its NUL */
    size_t payload_length;
    uint32_t topic_count;
    uint32_t outstanding; /* confirmations: topics times brokers */
};

struct bridge {
    uint32_t magic;
    uv_loop_t *loop;
    struct bridge_callbacks callbacks;
    struct bridge_link *links;
    uint32_t link_count, alert_links;
    struct mqtt_link_options link_options; /* of `in`, of any broker */
    uint64_t durable;

    struct ring_alert *ring; /* no % ring_size; first_no <= confirmed_no <= next_no */
    uint64_t ring_size;
    uint64_t first_no, confirmed_no, next_no;
    uint64_t old_end;       /* no of the first that is not of an earlier process */
    uint64_t alerts_before; /* see bridge_options */
    uint64_t last_end, confirmed_end, settled_end, settled_told;
    bool anything_confirmed;
    uint32_t alerts_max, repeat_window_ms;
    uint32_t repeat_first_ms, repeat_second_ms, repeat_meanwhile_ms;

    uv_timer_t tell;  /* coalesces on_alerts_confirmed */
    uv_timer_t tick;  /* repeats, forgetting */
    uint32_t handles; /* links and timers that are open */
    bool closing;
    void (*on_closed)(void *context);
    void *closed_context;
    struct bridge_stats stats;
};

enum status alerts_open(struct bridge *bridge) MUST_CHECK;
void alerts_release(struct bridge *bridge);
/* The out connection of an alert link came, went, or had a publish confirmed. */
void alerts_up(struct bridge_link *link);
void alerts_down(struct bridge_link *link);
void alerts_published(struct bridge_link *link, int mid);

#endif
