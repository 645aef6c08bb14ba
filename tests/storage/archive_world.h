/*
 * archive_world.h - a journal and an archive on a loop, a database of their own, and events that are a
 * pure function of where they stand, so that every row can be compared.
 * Threads: loop thread.
 */
#ifndef TESTS_ARCHIVE_WORLD_H
#define TESTS_ARCHIVE_WORLD_H

#include "base/buffer.h"
#include "pg_fixture.h"
#include "storage/archive.h"
#include "storage/journal.h"

#define DAY_ONE 1772409600000 /* 2026-03-02T00:00:00Z */
#define DAY_MS  86400000

extern uint64_t seed; /* the test program's main sets it */
uint64_t roll(uint64_t *state);

struct world {
    char folder[64];
    uv_loop_t loop;
    uv_timer_t tick; /* so that a wait for something in the server looks again */
    struct journal *journal;
    struct archive *archive;
    PGconn *conn;
    char conninfo[256];
    uint64_t position, end;
    uint32_t downs, ups;
    uint64_t sequence;
    uint32_t seal_after_hours, keep_days;
    bool journal_closed, archive_closed;
    struct status_detail why;
};

/* rows_max: of a batch; 0: without an archive, till start_archive. */
void build(struct world *world, uint32_t rows_max);
void tear_down(struct world *world);
void observe(struct world *world); /* the test's own connection, again */
/* NULL with world->why: it could not be opened. */
struct archive *open_archive(struct world *world, uint32_t rows_max);
struct archive *start_archive(struct world *world, uint32_t rows_max);
void stop_archive(struct world *world);

void append(struct world *world, uint32_t type, const struct buffer *record);
void append_report(struct world *world, int64_t arrival_ms);
void append_reports(struct world *world, uint32_t count, int64_t arrival_ms);
/* An alert as the daemon journals it; `json` as it is. */
void append_alert(struct world *world, uint64_t number, const char *json);
void append_refused(struct world *world, int64_t arrival_ms);
/* Runs the loop until everything appended is archived. */
void wait_archived(struct world *world);
/* Runs the loop until the database answers so. */
void wait_for(struct world *world, const char *sql, const char *answer);
void expect(struct world *world, const char *sql, const char *answer);
/* Every event of every report exactly once, field by field. */
void expect_all_events(struct world *world);

/* The archive's callbacks; the context is a world. */
void on_position(void *context, uint64_t pos);
void on_state(void *context, bool connected, const struct status_detail *detail);
void set_true(void *context); /* an on_closed whose context is a bool */

#endif
