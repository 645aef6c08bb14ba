/*
 * archive_race.h - our way into the archive beside a bare COPY, in turns.
 * Know: ours reads journal files, makes rows on a worker and commits batches with the position; the
 * bare one sends the same rows, made beforehand, in one COPY of one transaction into the same table.
 * Memory: none is kept. Threads: one.
 */
#ifndef BENCH_ARCHIVE_RACE_H
#define BENCH_ARCHIVE_RACE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/status.h"

struct archive_race_options {
    const char *conninfo;
    const char *directory; /* a folder for the journal is made in it, and removed */
    uint32_t rows, turns, batch_rows;
};
struct archive_race_result {
    double ours_best, bare_best, ours_median, bare_median; /* rows/s */
};

/* Runs on a migrated database whose flat fixes may be thrown away. */
enum status archive_race(PGconn *conn, const struct archive_race_options *options,
                         struct archive_race_result *ret, struct status_detail *detail) MUST_CHECK;

/* One statement that must work. STATUS_UNAVAILABLE with the server's words. */
enum status archive_race_run(PGconn *conn, const char *sql,
                             struct status_detail *detail) MUST_CHECK;
/* Sends fixes first..end of the city in one COPY into campus.fix_flat. */
enum status archive_race_copy(PGconn *conn, uint64_t first, uint64_t end, uint32_t cards,
                              struct status_detail *detail) MUST_CHECK;

#endif
