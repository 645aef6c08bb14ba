/*
 * archive_upkeep.h - what the archive needs besides its rows: past hours are sealed, old days
 * dropped, tomorrow's partitions made; storage/schema/003_archive_sealed.sql does it.
 * Know: a connection of its own, one bounded step at a time, each a transaction: a step that dies
 * has not happened. It rests as long as the step took, so that it takes half a core at most.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef STORAGE_ARCHIVE_UPKEEP_H
#define STORAGE_ARCHIVE_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"

struct archive_upkeep;

struct archive_upkeep_options {
    const char *conninfo;
    uint32_t seal_after_hours; /* an hour is sealed when it is over for so long; 0: never */
    uint32_t keep_days;        /* past days beyond these are dropped; 0: none */
    uint32_t step_rows;        /* fixes of one step, about */
    uint32_t idle_ms;          /* between looks when there was nothing to do */
    void *context;
    bool (*may)(void *context); /* asked before each step: is the archive itself at rest? */
};

/* Starts connecting; never blocks. STATUS_INVALID: conninfo does not parse. STATUS_NO_MEMORY. */
enum status archive_upkeep_open(uv_loop_t *loop, const struct archive_upkeep_options *options,
                                struct archive_upkeep **ret,
                                struct status_detail *detail) MUST_CHECK;
/* Drops the connection; a step under way is done whole or not at all by the server. */
void archive_upkeep_close(struct archive_upkeep *upkeep, void (*on_closed)(void *context),
                          void *context);

struct archive_upkeep_stats {
    uint64_t steps, sealed, dropped, failures; /* sealed: fixes; dropped: partitions */
};
void archive_upkeep_stats(const struct archive_upkeep *upkeep, struct archive_upkeep_stats *ret);

#endif
