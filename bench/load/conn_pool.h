/*
 * conn_pool.h - the MQTT connections of one generator process, one descriptor each, on its loop:
 * they come up at a pace, stay up, and publish.
 * Know: a connection that could not come up at first is an error of the pool, after some tries; one
 * that is lost later is opened again, with back-off, and sends what had no acknowledgement once
 * more. Publishing waits for nothing: it fills the connection's outbox, and conn_pool_flush writes.
 * Memory: own; nothing is allocated for a message.
 * Threads: loop thread.
 */
#ifndef BENCH_LOAD_CONN_POOL_H
#define BENCH_LOAD_CONN_POOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"
#include "base/text.h"

struct conn_target {
    struct sockaddr_storage address;
    socklen_t address_bytes;
    const char *name, *user, *password; /* "host:port"; user and password or NULL */
};

/* Which connection of the whole fleet it is, and where it goes. */
struct conn_place {
    uint32_t number;    /* for its client id */
    uint16_t target;    /* of options.targets */
    uint16_t source_no; /* 0: the kernel chooses; n: from 127.0.0.n */
};

struct conn_pool_options {
    const struct conn_target *targets;
    uint32_t target_count;
    const struct conn_place *places; /* until the pool is closed */
    uint32_t count;
    const char *client_prefix; /* "-<number>" is added */
    uint32_t connects_per_s, connecting_max;
    uint16_t keepalive_s; /* 0: none */
    uint8_t qos;          /* 0 or 1 */
    void *context;
    /* A message of QoS 1 with this note is acknowledged. */
    void (*on_acked)(void *context, uint32_t note);
};

struct conn_pool_counts {
    uint32_t up, waiting; /* waiting: not up, or with bytes that have not left */
    uint64_t losses, pings, messages;
};

struct conn_pool;

/* STATUS_NO_MEMORY. Nothing connects yet. */
enum status conn_pool_open(uv_loop_t *loop, const struct conn_pool_options *options,
                           struct conn_pool **ret, struct status_detail *detail) MUST_CHECK;
/* Says goodbye where it can at once; all handles are closed by the time the loop has nothing more to
 * do, then conn_pool_free. */
void conn_pool_close(struct conn_pool *pool);
void conn_pool_free(struct conn_pool *pool);

/* Begins to connect all. */
void conn_pool_connect(struct conn_pool *pool);
/* STATUS_OK, or why it will never be complete. */
enum status conn_pool_status(const struct conn_pool *pool, struct status_detail *detail) MUST_CHECK;

/* Has that connection all under way that it may? Then try again when the loop has turned. */
bool conn_pool_full(const struct conn_pool *pool, uint32_t conn);
/* note: see outbox.h; not used with QoS 0. STATUS_NO_MEMORY; STATUS_FULL only if it was before. */
enum status conn_pool_publish(struct conn_pool *pool, uint32_t conn, struct text topic,
                              struct text payload, uint32_t note) MUST_CHECK;
/* Writes what was published since the last time, one write a connection. */
void conn_pool_flush(struct conn_pool *pool);

void conn_pool_counts(const struct conn_pool *pool, struct conn_pool_counts *ret);

#endif
