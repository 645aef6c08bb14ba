/*
 * wiring.h - the whole program in one place: brokers -> ingest -> journal -> engine -> alerts ->
 * brokers, and journal -> archive. Only here do the edges meet.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef DAEMON_WIRING_H
#define DAEMON_WIRING_H

#include <uv.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "daemon/config.h"

struct campusd;

/* Starts with the registry; the rest follows when that is there. on_fatal: it cannot go on (journal
 * corrupt or taken, control socket taken); the caller stops it and exits with an error. */
struct campusd_callbacks {
    void *context;
    void (*on_ready)(void *context);
    void (*on_fatal)(void *context, const struct status_detail *detail);
    /* NULL, or only this: the journal is folded with the registry in force, each alert that the
     * engine raises is told here and goes nowhere, on_ready follows; no broker, no archive, nothing
     * new in the journal. */
    void (*on_raised)(void *context, const char *id, struct text json);
};
enum status campusd_start(uv_loop_t *loop, const struct config *config, const char *broker_password,
                          const struct campusd_callbacks *callbacks, struct campusd **ret,
                          struct status_detail *detail) MUST_CHECK;
/* Drains: no new messages, what was taken becomes durable and is acknowledged, alerts are confirmed
 * or wait in the journal, the archive finishes its batch; then everything is closed. */
void campusd_stop(struct campusd *campusd, void (*on_stopped)(void *context), void *context);
/* The reloadable settings of the config changed. */
void campusd_reload(struct campusd *campusd);
/* key=value lines. */
void campusd_report(const struct campusd *campusd, struct buffer *out);

#endif
