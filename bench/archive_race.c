#include "bench/archive_race.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "bench/archive_city.h"
#include "bench/folder.h"
#include "core/record.h"
#include "storage/archive.h"
#include "storage/archive_rows.h"
#include "storage/journal.h"

enum { TURNS_MAX = 16, CHUNK_ROWS = 50000, COPY_HEAD = 19, COPY_TAIL = 2, DEADLINE_MS = 5000 };

struct race {
    const struct archive_race_options *options;
    PGconn *conn;
    struct status_detail *detail;
    char folder[BENCH_FOLDER_BYTES];
    uv_loop_t loop;
    struct journal *journal;
    uint64_t appended, end; /* records; bytes */
    struct buffer record;
    struct archive *archive;
    int64_t begun_us, done_us;
    bool closing;
};

static enum status failed(PGconn *conn, const char *what, struct status_detail *detail)
{
    char words[300];
    (void)snprintf(words, sizeof words, "%s", PQerrorMessage(conn));
    words[strcspn(words, "\r\n")] = '\0';
    return status_detail_set(detail, STATUS_UNAVAILABLE, "%.120s: %s", what, words);
}

enum status archive_race_run(PGconn *conn, const char *sql, struct status_detail *detail)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? STATUS_OK
                                                                   : failed(conn, sql, detail);
}

/* ---- bare ---- */

static void add_report(struct buffer *record, struct archive_rows *rows, uint64_t n, uint32_t cards)
{
    struct event event;
    struct report report = archive_city_report(n, cards, &event);
    buffer_clear(record);
    record_put_report(record, &report);
    const struct journal_record as_read = {
        .type = RECORD_REPORT, .data = record->data, .size = record->size};
    archive_rows_add(rows, &as_read, 0);
}

/* A piece of a COPY: without the head unless it is the first, without the tail unless the last. */
static enum status send_piece(PGconn *conn, const struct buffer *rows, bool first, bool last,
                              struct status_detail *detail)
{
    size_t head = first ? 0 : COPY_HEAD, tail = last ? 0 : COPY_TAIL;
    if (PQputCopyData(conn, rows->data + head, (int)(rows->size - head - tail)) != 1 ||
        (last && PQputCopyEnd(conn, NULL) != 1)) {
        return failed(conn, "COPY", detail);
    }
    return STATUS_OK;
}

static enum status begin_copy(PGconn *conn, struct status_detail *detail)
{
    PGresult *result = PQexec(conn, archive_rows_copy(ARCHIVE_FIX));
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COPY_IN ? STATUS_OK : failed(conn, "COPY", detail);
}

static enum status end_copy(PGconn *conn, struct status_detail *detail)
{
    enum status status = STATUS_OK;
    for (PGresult *result; (result = PQgetResult(conn)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            status = failed(conn, "COPY", detail);
        }
    }
    return status;
}

enum status archive_race_copy(PGconn *conn, uint64_t first, uint64_t end, uint32_t cards,
                              struct status_detail *detail)
{
    struct archive_rows rows;
    struct buffer record;
    archive_rows_init(&rows);
    buffer_init(&record, 65536);
    enum status status = begin_copy(conn, detail);
    for (uint64_t n = first; status == STATUS_OK && n < end;) {
        bool begins = n == first;
        archive_rows_clear(&rows);
        for (uint32_t i = 0; i < CHUNK_ROWS && n < end; i++) {
            add_report(&record, &rows, n++, cards);
        }
        status = archive_rows_finish(&rows);
        if (status == STATUS_OK) {
            status = send_piece(conn, &rows.tables[ARCHIVE_FIX], begins, n == end, detail);
        }
    }
    if (status == STATUS_OK) {
        status = end_copy(conn, detail);
    }
    archive_rows_release(&rows);
    buffer_release(&record);
    return status;
}

/* Rows made beforehand, so that the clock sees the server and the sending alone. */
static enum status bare_turn(struct race *race, const struct archive_rows *chunks, uint32_t count,
                             double *ret)
{
    int64_t before_us = clock_mono_us();
    enum status status = begin_copy(race->conn, race->detail);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = send_piece(race->conn, &chunks[i].tables[ARCHIVE_FIX], i == 0, i + 1 == count,
                            race->detail);
    }
    if (status == STATUS_OK) {
        status = end_copy(race->conn, race->detail);
    }
    *ret = race->options->rows * 1e6 / (double)(clock_mono_us() - before_us);
    return status;
}

/* ---- ours ---- */

static void on_record(void *context, const struct journal_record *record)
{
    (void)context;
    (void)record;
}

static void fill_journal(struct race *race)
{
    struct event event;
    uint32_t cards = race->options->rows / ARCHIVE_CITY_MINUTES + 1;
    while (race->appended < race->options->rows) {
        struct report report = archive_city_report(race->appended, cards, &event);
        buffer_clear(&race->record);
        record_put_report(&race->record, &report);
        if (journal_append(race->journal, RECORD_REPORT, race->record.data, race->record.size,
                           &race->end) != STATUS_OK) {
            return; /* full: the next on_durable goes on */
        }
        race->appended++;
    }
    if (!race->closing) {
        race->closing = true;
        journal_close(race->journal, NULL, NULL);
    }
}

static void on_durable(void *context, uint64_t pos)
{
    struct race *race = context;
    (void)pos;
    if (!race->closing) {
        fill_journal(race);
    }
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct race *race = context;
    (void)status;
    *race->detail = *detail;
}

static enum status make_journal(struct race *race)
{
    const struct journal_options options = {.directory = race->folder,
                                            .pending_bytes_max = 32u << 20};
    const struct journal_callbacks callbacks = {race, on_record, on_durable, on_trouble};
    enum status status =
        journal_open(&race->loop, &options, &callbacks, &race->journal, race->detail);
    if (status == STATUS_OK) {
        fill_journal(race);
        (void)uv_run(&race->loop, UV_RUN_DEFAULT);
    }
    return status;
}

static void on_archive_closed(void *context)
{
    struct race *race = context;
    race->archive = NULL;
}

static void on_position(void *context, uint64_t pos)
{
    struct race *race = context;
    if (pos == 0) {
        race->begun_us = clock_mono_us();
    } else if (pos >= race->end) {
        race->done_us = clock_mono_us();
    }
}

static enum status our_turn(struct race *race, uint32_t turn, double *ret)
{
    char id[32];
    (void)snprintf(id, sizeof id, "turn%u", turn);
    const struct archive_options options = {.conninfo = race->options->conninfo,
                                            .journal_directory = race->folder,
                                            .journal_id = id,
                                            .batch_rows_max = race->options->batch_rows,
                                            .batch_wait_ms = 200};
    const struct archive_callbacks callbacks = {race, on_position, NULL};
    race->done_us = 0;
    enum status status =
        archive_open(&race->loop, &options, &callbacks, &race->archive, race->detail);
    if (status != STATUS_OK) {
        return status;
    }
    archive_wake(race->archive, race->end);
    while (race->done_us == 0) {
        (void)uv_run(&race->loop, UV_RUN_ONCE);
    }
    archive_close(race->archive, DEADLINE_MS, on_archive_closed, race);
    (void)uv_run(&race->loop, UV_RUN_DEFAULT);
    *ret = race->options->rows * 1e6 / (double)(race->done_us - race->begun_us);
    return STATUS_OK;
}

/* ---- both ---- */

static enum status empty_table(struct race *race)
{
    enum status status = archive_race_run(race->conn, "TRUNCATE campus.fix_flat", race->detail);
    return status == STATUS_OK ? archive_race_run(race->conn, "CHECKPOINT", race->detail) : status;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void sum_up(struct archive_race_result *result, double *ours, double *bare, uint32_t turns)
{
    qsort(ours, turns, sizeof *ours, by_size);
    qsort(bare, turns, sizeof *bare, by_size);
    *result = (struct archive_race_result){ours[turns - 1], bare[turns - 1], ours[turns / 2],
                                           bare[turns / 2]};
}

static enum status take_turns(struct race *race, const struct archive_rows *chunks, uint32_t count,
                              struct archive_race_result *ret)
{
    double ours[TURNS_MAX], bare[TURNS_MAX];
    uint32_t turns = race->options->turns < TURNS_MAX ? race->options->turns : TURNS_MAX;
    enum status status = STATUS_OK;
    for (uint32_t turn = 0; status == STATUS_OK && turn < turns; turn++) {
        status = empty_table(race);
        if (status == STATUS_OK) {
            status = our_turn(race, turn, &ours[turn]);
        }
        if (status == STATUS_OK) {
            status = empty_table(race);
        }
        if (status == STATUS_OK) {
            status = bare_turn(race, chunks, count, &bare[turn]);
        }
        if (status == STATUS_OK) {
            (void)printf("%-8u %14.0f %14.0f %8.3f\n", turn + 1, ours[turn], bare[turn],
                         ours[turn] / bare[turn]);
            (void)fflush(stdout);
        }
    }
    if (status == STATUS_OK) {
        sum_up(ret, ours, bare, turns);
    }
    return status;
}

static enum status make_chunks(struct race *race, struct archive_rows **ret, uint32_t *ret_count)
{
    uint32_t rows = race->options->rows, count = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    struct archive_rows *chunks = calloc(count, sizeof *chunks);
    if (chunks == NULL) {
        return STATUS_NO_MEMORY;
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        archive_rows_init(&chunks[i]);
        for (uint32_t n = i * CHUNK_ROWS; n < rows && n < (i + 1) * CHUNK_ROWS; n++) {
            add_report(&race->record, &chunks[i], n, rows / ARCHIVE_CITY_MINUTES + 1);
        }
        enum status finished = archive_rows_finish(&chunks[i]);
        status = status == STATUS_OK ? finished : status;
    }
    *ret = chunks;
    *ret_count = count;
    return status;
}

enum status archive_race(PGconn *conn, const struct archive_race_options *options,
                         struct archive_race_result *ret, struct status_detail *detail)
{
    struct race race = {.options = options, .conn = conn, .detail = detail};
    struct archive_rows *chunks = NULL;
    uint32_t count = 0;
    enum status made = bench_folder_make(options->directory, "bench-archive", race.folder, detail);
    if (made != STATUS_OK) {
        return made;
    }
    buffer_init(&race.record, 65536);
    enum status status = uv_loop_init(&race.loop) == 0 ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        status = make_journal(&race);
        if (status == STATUS_OK) {
            status = make_chunks(&race, &chunks, &count);
        }
        if (status == STATUS_OK) {
            status = take_turns(&race, chunks, count, ret);
        }
        (void)uv_loop_close(&race.loop);
    }
    for (uint32_t i = 0; i < count; i++) {
        archive_rows_release(&chunks[i]);
    }
    free(chunks);
    buffer_release(&race.record);
    bench_folder_remove(race.folder);
    return status;
}
