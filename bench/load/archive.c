#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/load.h"

/* Counting takes a part of the time: the archive works beside it. */
enum { POLL_MS = 250, POLL_PARTS = 4 };

/* Registry number -> sender, LOAD_NONE: not ours. */
struct numbers {
    uint32_t *sender_of;
    uint32_t end;
};

struct load_archive {
    PGconn *conn;
    struct numbers cards, gates;
};

static enum status failed(const struct load_archive *archive, struct status_detail *detail)
{
    char words[400];
    (void)snprintf(words, sizeof words, "%s", PQerrorMessage(archive->conn));
    words[strcspn(words, "\r\n")] = '\0';
    return status_detail_set(detail, STATUS_UNAVAILABLE, "PostgreSQL: %s", words);
}

static uint64_t number_at(const PGresult *result, int row, int column)
{
    return strtoull(PQgetvalue(result, row, column), NULL, 10);
}

static enum status take_numbers(const struct load_cards *cards, const PGresult *result,
                                struct numbers *ret, uint32_t *ret_known,
                                struct status_detail *detail)
{
    int rows = PQntuples(result);
    uint32_t end = rows > 0 ? (uint32_t)number_at(result, rows - 1, 1) + 1 : 1;
    ret->sender_of = malloc((size_t)end * sizeof *ret->sender_of);
    if (ret->sender_of == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %u senders", end);
    }
    ret->end = end;
    memset(ret->sender_of, 0xff, (size_t)end * sizeof *ret->sender_of); /* LOAD_NONE */
    uint32_t known = 0;
    for (int i = 0; i < rows; i++) {
        uint32_t sender = load_sender_find(cards, text_of(PQgetvalue(result, i, 0)));
        ret->sender_of[number_at(result, i, 1)] = sender;
        known += sender != LOAD_NONE;
    }
    *ret_known = known;
    return STATUS_OK;
}

static enum status read_numbers(struct load_archive *archive, const char *query,
                                const struct load_cards *cards, struct numbers *ret,
                                uint32_t wanted, struct status_detail *detail)
{
    uint32_t known = 0;
    PGresult *result = PQexec(archive->conn, query);
    enum status status = PQresultStatus(result) == PGRES_TUPLES_OK
                             ? take_numbers(cards, result, ret, &known, detail)
                             : failed(archive, detail);
    PQclear(result);
    if (status == STATUS_OK && known < wanted) {
        return status_detail_set(detail, STATUS_NOT_FOUND,
                                 "the registry knows %u of the %u cards or gates; import the city "
                                 "first (campusctl import)",
                                 known, wanted);
    }
    return status;
}

enum status load_archive_open(const char *conninfo, const struct load_cards *cards,
                              struct load_archive **ret, struct status_detail *detail)
{
    struct load_archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    enum status status = STATUS_OK;
    archive->conn = PQconnectdb(conninfo);
    if (PQstatus(archive->conn) != CONNECTION_OK) {
        status = failed(archive, detail);
    } else {
        status = read_numbers(archive, "SELECT id, no FROM campus.card WHERE valid ORDER BY no",
                              cards, &archive->cards, cards->count, detail);
    }
    if (status == STATUS_OK) {
        status = read_numbers(archive, "SELECT id, no FROM campus.gate ORDER BY no", cards,
                              &archive->gates, cards->gate_count, detail);
    }
    if (status != STATUS_OK) {
        load_archive_close(archive);
        return status;
    }
    *ret = archive;
    return STATUS_OK;
}

void load_archive_close(struct load_archive *archive)
{
    PQfinish(archive->conn);
    free(archive->cards.sender_of);
    free(archive->gates.sender_of);
    free(archive);
}

const char *load_archive_version(const struct load_archive *archive)
{
    const char *version = PQparameterStatus(archive->conn, "server_version");
    return version != NULL ? version : "";
}

/* The rows of the run: of its epoch, and of its days, so that old partitions are left alone. */
#define RUN_WHERE                                                                                  \
    " WHERE epoch = $1::bigint AND arrived > to_timestamp($1::bigint) - interval '1 day'"
#define RUN_ROWS                                                                                   \
    "(SELECT 0 AS gate, card_no AS no, seq FROM campus.fix" RUN_WHERE                              \
    " UNION ALL SELECT 0, card_no, seq FROM campus.signal" RUN_WHERE                               \
    " UNION ALL SELECT 1, gate_no, seq FROM campus.pass" RUN_WHERE ") AS run"

static enum status count_rows(struct load_archive *archive, const char *const *epoch, uint64_t *ret,
                              struct status_detail *detail)
{
    PGresult *result = PQexecParams(archive->conn, "SELECT count(*) FROM " RUN_ROWS, 1, NULL, epoch,
                                    NULL, NULL, 0);
    enum status status = STATUS_OK;
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        *ret = number_at(result, 0, 0);
    } else {
        status = failed(archive, detail);
    }
    PQclear(result);
    return status;
}

static enum status wait_rows(struct load_archive *archive, struct load_ledger *ledger,
                             const char *const *epoch, double patience_s,
                             struct status_detail *detail)
{
    uint64_t rows = 0, before = UINT64_MAX;
    int64_t grew_us = clock_mono_us();
    for (;;) {
        const int64_t begun_us = clock_mono_us();
        enum status status = count_rows(archive, epoch, &rows, detail);
        if (status != STATUS_OK || rows >= load_ledger_counts(ledger).acked_events) {
            return status;
        }
        int64_t now_us = clock_mono_us();
        if (rows != before) {
            before = rows;
            grew_us = now_us;
        } else if ((double)(now_us - grew_us) > patience_s * 1e6) {
            return STATUS_OK; /* what is missing now is lost: the comparison tells */
        }
        const int64_t nap_us = POLL_MS * INT64_C(1000) + (now_us - begun_us) * POLL_PARTS;
        const struct timespec nap = {nap_us / 1000000, nap_us % 1000000 * 1000};
        (void)nanosleep(&nap, NULL);
    }
}

static void take_row(const struct load_archive *archive, struct load_ledger *ledger,
                     const PGresult *row, struct load_archive_result *ret)
{
    const struct numbers *numbers = number_at(row, 0, 0) != 0 ? &archive->gates : &archive->cards;
    uint64_t number = number_at(row, 0, 1), seq = number_at(row, 0, 2), rows = number_at(row, 0, 3);
    uint32_t sender = number < numbers->end ? numbers->sender_of[number] : LOAD_NONE;
    uint32_t report = sender != LOAD_NONE ? load_ledger_find(ledger, sender, seq) : LOAD_NONE;
    ret->rows += rows;
    if (report == LOAD_NONE) {
        ret->unknown += rows;
    } else {
        ledger->reports[report].rows = (uint16_t)(rows < UINT16_MAX ? rows : UINT16_MAX);
    }
}

static enum status compare(struct load_archive *archive, struct load_ledger *ledger,
                           const char *const *epoch, struct load_archive_result *ret,
                           struct status_detail *detail)
{
    if (PQsendQueryParams(archive->conn,
                          "SELECT gate, no, seq, count(*) FROM " RUN_ROWS " GROUP BY 1, 2, 3", 1,
                          NULL, epoch, NULL, NULL, 0) != 1 ||
        PQsetSingleRowMode(archive->conn) != 1) {
        return failed(archive, detail);
    }
    enum status status = STATUS_OK;
    for (PGresult *row; (row = PQgetResult(archive->conn)) != NULL; PQclear(row)) {
        if (PQresultStatus(row) == PGRES_SINGLE_TUPLE) {
            take_row(archive, ledger, row, ret);
        } else if (PQresultStatus(row) != PGRES_TUPLES_OK) {
            status = failed(archive, detail);
        }
    }
    for (uint32_t i = 0; i < ledger->count; i++) {
        const struct load_report *report = &ledger->reports[i];
        if (report->rows > report->events) {
            ret->doubled += (uint64_t)report->rows - report->events;
        } else if (report->acked) {
            ret->lost += (uint64_t)report->events - report->rows;
        }
    }
    return status;
}

static const char *epoch_text(const struct load_ledger *ledger, char text[static 16])
{
    (void)snprintf(text, 16, "%" PRIu32, ledger->epoch);
    return text;
}

enum status load_archive_await(struct load_archive *archive, struct load_ledger *ledger,
                               double patience_s, struct status_detail *detail)
{
    char text[16];
    const char *const epoch[] = {epoch_text(ledger, text)};
    return wait_rows(archive, ledger, epoch, patience_s, detail);
}

enum status load_archive_check(struct load_archive *archive, struct load_ledger *ledger,
                               double patience_s, struct load_archive_result *ret,
                               struct status_detail *detail)
{
    char text[16];
    const char *const epoch[] = {epoch_text(ledger, text)};
    struct load_archive_result result = {0};
    int64_t before_us = clock_mono_us();
    PQreset(archive->conn); /* the server may have died meanwhile */
    enum status status = wait_rows(archive, ledger, epoch, patience_s, detail);
    result.settle_ms = (uint64_t)(clock_mono_us() - before_us) / 1000;
    if (status == STATUS_OK) {
        status = compare(archive, ledger, epoch, &result, detail);
    }
    if (status == STATUS_OK) {
        *ret = result;
    }
    return status;
}
