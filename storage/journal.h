/*
 * journal.h - the truth: an append-only log of records in segment files, synced in groups off the
 * loop.
 * Know: journal_append only copies to memory; a record counts when on_durable has passed its
 * end. Records come to on_record in order, exactly once per process: first those found on disk at
 * open (replay), then the live ones as they become durable. Positions are bytes over all segments,
 * strictly rising, never reused; a torn tail is cut at open, a corrupt record elsewhere stops the
 * open.
 * Units: positions and sizes in bytes.
 * Memory: the record handed to on_record lives during
 * the call.
 * Threads: loop thread, except journal_reader_* (any one thread per reader).
 */
#ifndef STORAGE_JOURNAL_H
#define STORAGE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/status.h"

struct journal;

struct journal_options {
    const char *directory;
    uint64_t segment_bytes;   /* a new file from here on; 0: 64 MiB */
    size_t pending_bytes_max; /* appended, not yet durable; beyond: STATUS_FULL; 0: 16 MiB. At least
                                 a record of JOURNAL_RECORD_MAX and 16 bytes, below 4 GiB */
    uint64_t replay_from;     /* segments that lie wholly below are not read, but for their heads */
    uint64_t bytes_max; /* of all segments; beyond: trouble (STATUS_FULL) until a trim made room, as
                           with a full disk; at least four segments; 0: no limit */
};

struct journal_record {
    uint64_t pos, end; /* end = pos of the next record */
    uint32_t type;     /* enum record_type of core/record.h; the journal does not look into it */
    const void *data;  /* 8-byte aligned */
    size_t size;
};

struct journal_callbacks {
    void *context;
    void (*on_record)(void *context, const struct journal_record *record);
    /* Everything below `pos` is on disk; called after the on_record calls of that group. */
    void (*on_durable)(void *context, uint64_t pos);
    /* A write or sync failed: nothing after the last on_durable counts as durable. The journal
     * keeps the pending bytes, tries again by itself (back-off) and calls on_durable when healed.
     */
    void (*on_trouble)(void *context, enum status status, const struct status_detail *detail);
};

/* Opens or creates; calls on_record for everything on disk (synchronously: boot). Locks the
 * directory: STATUS_CONFLICT when another process has it. STATUS_IO, STATUS_CORRUPT with the place
 * in detail, STATUS_UNSUPPORTED (a newer version's segments), STATUS_INVALID (options),
 * STATUS_NO_MEMORY. */
enum status journal_open(uv_loop_t *loop, const struct journal_options *options,
                         const struct journal_callbacks *callbacks, struct journal **ret,
                         struct status_detail *detail) MUST_CHECK;
/* Flushes what is pending, then calls back; the memory is gone by then. In trouble it tries once
 * more and gives up: what on_durable did not reach was never acknowledged. Records that on_record
 * appends during the flush are flushed too. */
void journal_close(struct journal *journal, void (*on_closed)(void *context), void *context);

/* Copies one record. STATUS_FULL: pending_bytes_max; nothing was appended: pause the source until
 * the next on_durable. STATUS_TOO_LARGE: beyond JOURNAL_RECORD_MAX. *ret_end: durable when
 * on_durable reaches it. The group commit starts by itself: on the next loop turn when idle, else
 * right after the sync that is under way. */
#define JOURNAL_RECORD_MAX (1u << 20)
enum status journal_append(struct journal *journal, uint32_t type, const void *data, size_t size,
                           uint64_t *ret_end) MUST_CHECK;

/* The id of the journal in a directory, without opening it. STATUS_NOT_FOUND: there is none, or its first
 * segment has no whole head: journal_open tells. */
enum status journal_id_in(const char *directory, char ret[33]) MUST_CHECK;

/* Calls on_record for what was appended and is not durable yet, in order. It must not append. */
void journal_pending(const struct journal *journal,
                     void (*on_record)(void *context, const struct journal_record *record),
                     void *context);
uint64_t journal_durable_pos(const struct journal *journal);
uint64_t journal_first_pos(const struct journal *journal);
/* A random id made with the journal, 32 hex digits: an archive knows its journal by it. */
const char *journal_id(const struct journal *journal);
/* Deletes whole segments that lie below pos, on a worker; journal_first_pos moves when it is done.
 * Returns how many it took on: 0 while an earlier trim runs; at most 64 at once. */
uint32_t journal_trim(struct journal *journal, uint64_t pos);

struct journal_stats {
    uint64_t records, bytes; /* made durable by this process */
    uint64_t replayed;       /* records found at open */
    uint64_t cut_bytes;      /* torn tail that was cut at open, room made in advance included */
    uint64_t syncs, sync_us_total, sync_us_max, sync_us_last;
    uint64_t segments, troubles;
    size_t pending_bytes;
};
void journal_stats(const struct journal *journal, struct journal_stats *ret);

/* A reader over what is durable, with its own descriptors; used by the archive on a worker thread.
 */
struct journal_reader;
enum status journal_reader_new(const char *directory, uint64_t pos, struct journal_reader **ret,
                               struct status_detail *detail) MUST_CHECK;
void journal_reader_free(struct journal_reader *reader);
/* Next record that ends at or below `limit`, the end of a record that is durable (what on_durable
 * told). The record lives until the next call. STATUS_END: none; STATUS_CORRUPT, STATUS_IO;
 * STATUS_NOT_FOUND: pos was trimmed away. */
enum status journal_reader_next(struct journal_reader *reader, uint64_t limit,
                                struct journal_record *ret,
                                struct status_detail *detail) MUST_CHECK;

#endif
