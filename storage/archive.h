/*
 * archive.h - every event and alert in PostgreSQL, exactly once, by binary COPY on a non-blocking
 * connection.
 * Know: the archive reads everything - reports, alerts (RECORD_ALERT), dead letters - from the
 * journal files with its own cursor; rows are made on a worker thread. Rows and the journal
 * position go in one transaction, so a connection lost between COMMIT and its answer is settled by
 * reading the position back. While the database is away the backlog is the journal alone.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef STORAGE_ARCHIVE_H
#define STORAGE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"

struct archive;

struct archive_options {
    const char *conninfo; /* libpq; host names are resolved on the loop */
    const char *journal_directory;
    const char *journal_id;
    uint32_t batch_rows_max;              /* rows of one transaction, e.g. 50000 */
    uint32_t batch_wait_ms;               /* a smaller batch waits this long for more */
    uint32_t seal_after_hours, keep_days; /* as in archive_upkeep.h; 0: never, none */
    uint32_t upkeep_idle_ms; /* between looks for something to seal or drop; 0: 60000 */
};

struct archive_callbacks {
    void *context;
    /* The position in the database is known, at first connect and after each commit: everything
     * below is archived. */
    void (*on_position)(void *context, uint64_t pos);
    /* Up (true) or down with the reason. Called on changes only. */
    void (*on_state)(void *context, bool connected, const struct status_detail *detail);
};

/* Starts connecting; never blocks. registry_migrate makes the schema; until it has, the archive is
 * down and tries again. */
enum status archive_open(uv_loop_t *loop, const struct archive_options *options,
                         const struct archive_callbacks *callbacks, struct archive **ret,
                         struct status_detail *detail) MUST_CHECK;
/* Finishes the batch under way (at most deadline_ms), then calls back; memory gone afterwards. */
void archive_close(struct archive *archive, uint32_t deadline_ms, void (*on_closed)(void *context),
                   void *context);

/* Everything below `durable` may be read from the journal. */
void archive_wake(struct archive *archive, uint64_t durable);
struct archive_stats {
    bool connected;
    uint64_t position, durable; /* journal bytes */
    uint64_t rows, batches, reconnects, conflicts;
    uint64_t batch_us_last, batch_rows_last;
    uint64_t dead_records; /* refused by PostgreSQL: kept in campus.refused with reason "archive" */
    uint64_t sealed, dropped; /* fixes moved into sealed rows; partitions of old days */
    uint64_t upkeep_steps, upkeep_failures;
};
void archive_stats(const struct archive *archive, struct archive_stats *ret);

#endif
