/*
 * pg_uv.h - one libpq connection mounted on the loop: connects, is asked, fails, comes back by
 * itself.
 * Know: one query at a time. A query whose connection is lost is never answered: on_down
 * comes instead, and whether the server had done it is for the caller to find out. Names are
 * resolved on the loop (uv_getaddrinfo), for every host of a list; a host that stands in a service
 * file would block and is refused. A dead peer shows nothing by itself, so every wait has a
 * deadline.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef STORAGE_PG_UV_H
#define STORAGE_PG_UV_H

#include <libpq-fe.h>
#include <uv.h>

#include "base/status.h"
#include "base/text.h"

struct pg_uv;

struct pg_uv_options {
    const char *conninfo;
    const char *application_name; /* shown in pg_stat_activity */
    uint32_t connect_deadline_ms; /* 0: 10000 */
    uint32_t backoff_ms_max;      /* 0: 10000; the first wait is about 100 ms */
};

struct pg_uv_callbacks {
    void *context;
    /* Connected: pg_uv_query may be called. */
    void (*on_up)(void *context);
    /* Lost, or a connection attempt failed. Next try follows by itself. */
    void (*on_down)(void *context, const struct status_detail *detail);
    void (*on_notify)(void *context, const char *channel, const char *payload); /* may be NULL */
};

/* STATUS_INVALID: conninfo does not parse. Does not call back before it has returned. */
enum status pg_uv_open(uv_loop_t *loop, const struct pg_uv_options *options,
                       const struct pg_uv_callbacks *callbacks, struct pg_uv **ret,
                       struct status_detail *detail) MUST_CHECK;
/* Drops the connection at once; no callback but this one any more, then the memory is gone. */
void pg_uv_close(struct pg_uv *pg, void (*on_closed)(void *context), void *context);

struct pg_uv_query {
    const char *sql; /* one or more statements; not kept */
    const struct text
        *copy;            /* data for its COPY ... FROM STDIN; yours, unchanged until the answer */
    uint32_t deadline_ms; /* without progress of bytes either way; then the connection is dropped */
    /* The first result that is an error, else the last; lives during the call. A new query may be
     * asked from here. */
    void (*on_answer)(void *context, PGresult *result);
};
/* Only while up and with no other query under way: anything else is a bug. */
void pg_uv_query(struct pg_uv *pg, const struct pg_uv_query *query);
/* Drops the connection as if it were lost (detail goes to on_down) and connects anew. */
void pg_uv_drop(struct pg_uv *pg, const struct status_detail *detail);

/* "ERROR: relation "x" does not exist" on one line, without the trailing line end. */
void pg_uv_words(const PGresult *result, struct status_detail *ret);

#endif
