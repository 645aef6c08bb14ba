/*
 * registry_watch.h - keeps the registry and fences of a running campusd those of the database.
 * Know: everything that may block happens in a worker: connecting, looking up the revision,
 * loading, building the index, writing the cache. While PostgreSQL is away at boot, the cache file
 * serves.
 * Memory: what on_loaded gets is the receiver's.
 * Threads: loop thread.
 */
#ifndef DAEMON_REGISTRY_WATCH_H
#define DAEMON_REGISTRY_WATCH_H

#include <stdbool.h>
#include <uv.h>

#include "base/status.h"
#include "core/directory.h"
#include "core/fences.h"
#include "storage/registry.h"

struct registry_watch;

struct registry_watch_options {
    const char *conninfo, *cache;
    uint64_t poll_ms;
    void *context;
    /* The key's file is kept by then (registry_cache_keep), or the log says why not. */
    void (*on_loaded)(void *context, struct directory *directory, struct fence_set *fences,
                      const struct registry_key *key, bool from_cache);
};

struct registry_watch_stats {
    uint64_t revision, loads, failures;
    bool connected;
};

enum status registry_watch_open(uv_loop_t *loop, const struct registry_watch_options *options,
                                struct registry_watch **ret) MUST_CHECK;
void registry_watch_close(struct registry_watch *watch, void (*on_closed)(void *context),
                          void *context);
/* Looks at once. */
void registry_watch_poke(struct registry_watch *watch);
void registry_watch_set_poll(struct registry_watch *watch, uint64_t poll_ms);
void registry_watch_stats(const struct registry_watch *watch, struct registry_watch_stats *ret);

#endif
