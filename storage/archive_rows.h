/*
 * archive_rows.h - journal records as rows of the archive's tables, in binary COPY format.
 * Know: one set of rows is one transaction. A record that cannot be understood becomes a dead
 * letter of reason "archive" with its bytes; nothing is left out.
 * Memory: own buffers, kept over
 * archive_rows_clear.
 * Threads: one at a time.
 */
#ifndef STORAGE_ARCHIVE_ROWS_H
#define STORAGE_ARCHIVE_ROWS_H

#include "base/buffer.h"
#include "base/status.h"
#include "storage/journal.h"

enum archive_table {
    ARCHIVE_FIX,
    ARCHIVE_PASS,
    ARCHIVE_SIGNAL,
    ARCHIVE_CALL,
    ARCHIVE_ALERT,
    ARCHIVE_REFUSED,
    ARCHIVE_TABLES
};

/* Days (of arrival) of one transaction; a writer looks before each record whether there is room for
 * one. */
#define ARCHIVE_DAYS_MAX 8u

struct archive_rows {
    struct buffer tables[ARCHIVE_TABLES];
    uint32_t counts[ARCHIVE_TABLES];
    uint32_t count;
    size_t bytes;
    int32_t days[ARCHIVE_DAYS_MAX]; /* since 1970-01-01 */
    uint32_t day_count;
};

void archive_rows_init(struct archive_rows *rows);
void archive_rows_release(struct archive_rows *rows);
void archive_rows_clear(struct archive_rows *rows);

/* Needs day_count < ARCHIVE_DAYS_MAX. */
void archive_rows_add(struct archive_rows *rows, const struct journal_record *record,
                      int64_t now_ms);
/* The record as a dead letter, with the words of whoever did not want its rows. */
void archive_rows_add_dead(struct archive_rows *rows, const struct journal_record *record,
                           int64_t now_ms, const char *words);
/* Ends the tables. STATUS_TOO_LARGE, STATUS_NO_MEMORY: a row is missing, do not send. */
enum status archive_rows_finish(struct archive_rows *rows) MUST_CHECK;

/* "COPY campus.fix_flat (...) FROM STDIN (FORMAT binary)" */
const char *archive_rows_copy(enum archive_table table);

#endif
