/*
 * journal_internal.h - what the files of the journal share: the form on disk, the calls that tests
 * can make fail, the job that writes a group.
 * Know: a segment is a head of 64 bytes and records
 * without gaps. A record tells how far it is from the start of its group. Groups are written one at
 * a time, so whatever lies before a group was durable when the group was made: that tells a torn
 * tail (cut) from a damaged middle (refused), and which bytes a dead process may have left in the
 * page cache only (written again at open).
 * Units: bytes.
 * Threads: journal_write and the segment
 * functions: any, one per segment.
 */
#ifndef STORAGE_JOURNAL_INTERNAL_H
#define STORAGE_JOURNAL_INTERNAL_H

#include <sys/types.h>

#include "storage/journal.h"

#define JOURNAL_ID_BYTES 32u
#define JOURNAL_VERSION  1u

/* Little-endian on disk, as everything in core/record.h. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the journal is little-endian");

struct journal_segment_head {
    char magic[8]; /* "CAMPUSJ\n" */
    uint32_t version;
    uint32_t crc; /* of the head with crc = 0 */
    uint64_t base;
    char id[JOURNAL_ID_BYTES];
    uint64_t reserved;
};
_Static_assert(sizeof(struct journal_segment_head) == 64, "heads lie on disk");
#define JOURNAL_HEAD_BYTES sizeof(struct journal_segment_head)

struct journal_entry {
    uint32_t size; /* of the data behind, without the padding to 8 bytes */
    uint32_t type; /* never 0: an entry of zeros is the end */
    uint32_t crc;  /* seeded with the journal's id; over size, type, group, pos, data and padding */
    uint32_t group; /* bytes from the start of the group to here */
};
_Static_assert(sizeof(struct journal_entry) == 16, "entries lie on disk");
#define JOURNAL_ENTRY_BYTES_MAX (sizeof(struct journal_entry) + JOURNAL_RECORD_MAX)

/* The calls through which the journal changes the disk. Tests put failing ones here before the
 * open. */
struct journal_io {
    int (*openat)(int dir_fd, const char *name, int flags, mode_t mode);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*renameat)(int from_fd, const char *from, int to_fd, const char *to);
    uint32_t retry_min_ms, retry_max_ms;
};
extern struct journal_io journal_io;

/* ---- journal_segment.c ---- */

struct journal_bases { /* base positions of the segments, ascending */
    uint64_t *items;
    size_t count, capacity;
};

#define JOURNAL_NAME_BYTES 24u
void journal_segment_name(uint64_t base, char ret[JOURNAL_NAME_BYTES]);
/* Lists the segments of the directory. STATUS_IO, STATUS_NO_MEMORY. Release with
 * journal_bases_release. */
enum status journal_bases_list(const char *directory, struct journal_bases *ret,
                               struct status_detail *detail) MUST_CHECK;
/* Room for one more: the next add cannot fail. STATUS_NO_MEMORY. */
enum status journal_bases_reserve(struct journal_bases *bases) MUST_CHECK;
enum status journal_bases_add(struct journal_bases *bases, uint64_t base) MUST_CHECK;
void journal_bases_release(struct journal_bases *bases);

/* Reads `size` bytes unless the file ends before; *ret_got tells. Returns 0 or errno. */
int journal_read_at(int fd, void *data, size_t size, uint64_t offset, size_t *ret_got);
/* Writes all. Returns 0 or errno. */
int journal_write_at(int fd, const void *data, size_t size, uint64_t offset);

void journal_head_make(struct journal_segment_head *head, uint64_t base, const char *id);
/* STATUS_CORRUPT, STATUS_UNSUPPORTED: what is wrong, in detail. */
enum status journal_head_check(const struct journal_segment_head *head, uint64_t base,
                               struct status_detail *detail) MUST_CHECK;
uint32_t journal_seed(const char *id);

/* Size of a record with its entry and padding. */
size_t journal_entry_bytes(size_t data_size);
/* Fills the entry in front of data that is in place; zeroes the padding. */
void journal_entry_seal(struct journal_entry *entry, uint32_t seed, uint64_t pos);
/* Is there a whole, undamaged record of that position in `available` bytes (8-byte aligned)? */
bool journal_entry_valid(const struct journal_entry *entry, size_t available, uint32_t seed,
                         uint64_t pos);
void journal_entry_record(const struct journal_entry *entry, uint64_t pos,
                          struct journal_record *ret);

/* ---- journal_write.c ---- */

/* The name under which a segment is made: it gets its own when all that is in it is on disk. */
#define JOURNAL_UNFINISHED "unfinished.new"

struct journal_job {
    uint32_t magic;
    uv_work_t work;
    /* for good */
    int dir_fd;
    char id[JOURNAL_ID_BYTES + 1];
    uint64_t segment_bytes;
    /* the group */
    const void *data;
    size_t size;
    uint64_t pos;
    bool fresh; /* into a new segment */
    /* the segment that is written; changed by a job that succeeded with `fresh` */
    int fd;
    uint64_t base;
    /* the outcome */
    enum status status;
    struct status_detail detail;
    uint64_t sync_us;
};

/* Writes and syncs the group. On failure nothing of it counts: try again with `fresh`. */
void journal_write(struct journal_job *job);
/* Gives the file its full size in advance, so that a sync need not write the size too. May fail
 * silently: then the file grows as it is written. */
void journal_preallocate(int fd, uint64_t bytes);

/* ---- journal_open.c ---- */

struct journal_recovered {
    int dir_fd, lock_fd;
    int fd; /* the last segment, open for writing */
    char id[JOURNAL_ID_BYTES + 1];
    uint32_t seed;
    struct journal_bases bases;
    uint64_t end; /* where the next record goes; all before is durable */
    uint64_t records, cut_bytes;
};

/* Locks, checks, hands every record to on_record, cuts a torn tail, makes what it found durable. */
enum status journal_recover(const struct journal_options *options,
                            const struct journal_callbacks *callbacks,
                            struct journal_recovered *ret, struct status_detail *detail) MUST_CHECK;
void journal_recovered_release(struct journal_recovered *recovered);

#endif
