/*
 * snapshot.h - the state at a position of the journal, in a file of its own: a restart begins there.
 * Know: the file stands beside the journal's segments, its name tells the position; it is written aside,
 * synced and only then gets its name. The two newest stay, so that one that is damaged costs time only.
 * What it holds is bytes to this module: the engine's and the bridge's image, and what the daemon adds.
 * Units: positions and sizes in bytes.
 * Threads: any one at a time.
 */
#ifndef STORAGE_SNAPSHOT_H
#define STORAGE_SNAPSHOT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "core/record.h"

#define SNAPSHOT_ID_BYTES 32u
#define SNAPSHOTS_KEPT    2u

struct snapshot {
    char journal_id[SNAPSHOT_ID_BYTES + 1];
    uint64_t pos;         /* what lies before has moved the engine */
    uint64_t replay_from; /* at or before pos: alerts recorded from here on may be unconfirmed */
    uint64_t confirmed;   /* as in a mark */
    int64_t made_ms, tick_ms;
    struct rules rules; /* in force at pos */
    struct text engine, ingest, extra;
};

/* Where the kept ones begin, oldest first: the journal is needed from there. */
struct snapshots_kept {
    uint32_t count;
    struct {
        uint64_t replay_from;
        int64_t made_ms;
        struct rules rules;
    } items[SNAPSHOTS_KEPT];
};

/* Writes and syncs it without its name. STATUS_IO, STATUS_FULL (no space). */
enum status snapshot_write_aside(const char *directory, const struct snapshot *snapshot,
                                 struct status_detail *detail) MUST_CHECK;
/* Gives the one that was written aside its name and deletes all but the newest. */
enum status snapshot_publish(const char *directory, uint64_t pos, struct snapshots_kept *ret,
                             struct status_detail *detail) MUST_CHECK;
/* Deletes all: the journal alone counts. */
void snapshot_remove_all(const char *directory);
/* The newest whole one of that journal; `bytes` holds what it points to. STATUS_NOT_FOUND: none. Damaged
 * ones and those of another journal are passed over: `detail` tells the last of them, "" if none. */
enum status snapshot_read_newest(const char *directory, const char *journal_id,
                                 struct buffer *bytes, struct snapshot *ret,
                                 struct snapshots_kept *ret_kept,
                                 struct status_detail *detail) MUST_CHECK;

#endif
