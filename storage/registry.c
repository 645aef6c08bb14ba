#include "storage/registry_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* libpq's words on one line, behind what the detail says of the place. */
static enum status failed(PGconn *conn, const PGresult *result, struct status_detail *detail)
{
    const char *words = result != NULL ? PQresultErrorMessage(result) : "";
    if (words[0] == '\0') {
        words = PQerrorMessage(conn);
    }
    enum status status = PQstatus(conn) == CONNECTION_OK ? STATUS_IO : STATUS_UNAVAILABLE;
    (void)status_detail_set(detail, status, "PostgreSQL: %s", words);
    if (detail != NULL) {
        for (char *end = detail->text + strlen(detail->text);
             end > detail->text && end[-1] == '\n';) {
            *--end = '\0';
        }
        for (char *at = detail->text; (at = strpbrk(at, "\n\t")) != NULL;) {
            *at = ' ';
        }
    }
    return status;
}

static void ignore_notice(void *context, const char *words)
{
    (void)context;
    (void)words;
}

enum status registry_connect(const char *conninfo, PGconn **ret, struct status_detail *detail)
{
    /* dbname first: what conninfo says goes over the defaults before it */
    const char *keywords[] = {"connect_timeout",
                              "client_encoding",
                              "keepalives_idle",
                              "tcp_user_timeout",
                              "keepalives_interval",
                              "keepalives_count",
                              "application_name",
                              "dbname",
                              NULL};
    const char *values[] = {"10",     "UTF8", "10", "30000", "5", "3", "campus registry",
                            conninfo, NULL};
    PGconn *conn = PQconnectdbParams(keywords, values, 1);
    if (conn == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a connection");
    }
    enum status status = STATUS_OK;
    if (PQstatus(conn) != CONNECTION_OK) {
        status = failed(conn, NULL, detail);
    } else {
        (void)PQsetNoticeProcessor(conn, ignore_notice, NULL);
        status = registry_run(conn,
                              "SET statement_timeout = '5min'; SET lock_timeout = '1min';"
                              "SET idle_in_transaction_session_timeout = '5min'",
                              detail);
    }
    if (status != STATUS_OK) {
        PQfinish(conn);
        return status;
    }
    *ret = conn;
    return STATUS_OK;
}

enum status registry_run(PGconn *conn, const char *sql, struct status_detail *detail)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType done = PQresultStatus(result);
    enum status status = done == PGRES_COMMAND_OK || done == PGRES_TUPLES_OK
                             ? STATUS_OK
                             : failed(conn, result, detail);
    PQclear(result);
    return status;
}

static enum status ask(PGconn *conn, const char *sql, const char *const *params, int format,
                       PGresult **ret, struct status_detail *detail)
{
    int count = 0;
    while (params != NULL && params[count] != NULL) {
        count++;
    }
    PGresult *result = PQexecParams(conn, sql, count, NULL, params, NULL, NULL, format);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        enum status status = failed(conn, result, detail);
        PQclear(result);
        return status;
    }
    *ret = result;
    return STATUS_OK;
}

enum status registry_ask(PGconn *conn, const char *sql, const char *const *params, PGresult **ret,
                         struct status_detail *detail)
{
    return ask(conn, sql, params, 0, ret, detail);
}

enum status registry_ask_binary(PGconn *conn, const char *sql, PGresult **ret,
                                struct status_detail *detail)
{
    return ask(conn, sql, NULL, 1, ret, detail);
}

enum status registry_count(PGconn *conn, const char *sql, uint32_t *ret,
                           struct status_detail *detail)
{
    PGresult *result = PQexec(conn, sql);
    enum status status = STATUS_OK;
    int64_t count = 0;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        status = failed(conn, result, detail);
    } else if (text_to_i64(text_of(PQcmdTuples(result)), &count) == STATUS_OK) {
        *ret = (uint32_t)count;
    } else {
        *ret = 0;
    }
    PQclear(result);
    return status;
}

enum status registry_copy(PGconn *conn, const char *sql, const struct buffer *rows,
                          struct status_detail *detail)
{
    enum { CHUNK_BYTES = 1 << 20 };
    if (buffer_status(rows) != STATUS_OK) {
        return status_detail_set(detail, buffer_status(rows), "too much for one import");
    }
    PGresult *result = PQexec(conn, sql);
    bool ready = PQresultStatus(result) == PGRES_COPY_IN;
    enum status status = ready ? STATUS_OK : failed(conn, result, detail);
    PQclear(result);
    for (size_t at = 0; status == STATUS_OK && at < rows->size; at += CHUNK_BYTES) {
        size_t bytes = rows->size - at < CHUNK_BYTES ? rows->size - at : CHUNK_BYTES;
        if (PQputCopyData(conn, rows->data + at, (int)bytes) != 1) {
            status = failed(conn, NULL, detail);
        }
    }
    if (status == STATUS_OK && PQputCopyEnd(conn, NULL) != 1) {
        status = failed(conn, NULL, detail);
    }
    if (!ready) {
        return status;
    }
    while ((result = PQgetResult(conn)) != NULL) {
        ExecStatusType done = PQresultStatus(result);
        if (status == STATUS_OK && done != PGRES_COMMAND_OK) {
            status = failed(conn, result, detail);
        }
        PQclear(result);
        if (done == PGRES_COPY_IN) {
            break; /* a connection that died in COPY says this for ever */
        }
    }
    return status;
}

enum status registry_begin(PGconn *conn, struct status_detail *detail)
{
    return registry_run(conn, "BEGIN", detail);
}

enum status registry_lock(PGconn *conn, struct status_detail *detail)
{
    return registry_run(conn, "SELECT revision FROM campus.registry_state FOR UPDATE", detail);
}

enum status registry_end(PGconn *conn, enum status status, bool changed,
                         struct status_detail *detail)
{
    if (status == STATUS_OK && changed) {
        status =
            registry_run(conn,
                         "WITH raised AS (UPDATE campus.registry_state SET revision = revision + 1"
                         " RETURNING revision)"
                         " SELECT pg_notify('campus_registry', revision::text) FROM raised",
                         detail);
    }
    if (status == STATUS_OK) {
        return registry_run(conn, "COMMIT", detail);
    }
    struct status_detail ignored; /* the first failure is the one to tell */
    if (registry_run(conn, "ROLLBACK", &ignored) != STATUS_OK) {
        PQreset(conn);
    }
    return status;
}

enum status registry_revision(PGconn *conn, uint64_t *ret, struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status =
        registry_ask_binary(conn, "SELECT revision FROM campus.registry_state", &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) == 1) {
        *ret = registry_u64(result, 0, 0);
    } else {
        status = status_detail_set(detail, STATUS_CORRUPT, "campus.registry_state has no row");
    }
    PQclear(result);
    return status;
}

uint64_t registry_u64(const PGresult *result, int row, int column)
{
    ASSERT(PQgetlength(result, row, column) == 8);
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result, row, column);
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

uint32_t registry_u32(const PGresult *result, int row, int column)
{
    ASSERT(PQgetlength(result, row, column) == 4);
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result, row, column);
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void registry_error(struct registry_errors *errors, const char *fmt, ...)
{
    struct status_detail words;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words.text, sizeof words.text, fmt, args);
    va_end(args);
    if (errors->count++ == 0) {
        errors->first = words;
    }
    if (errors->lines != NULL && errors->count <= REGISTRY_ERRORS_MAX) {
        buffer_text(errors->lines, words.text);
        buffer_text(errors->lines, "\n");
    }
}

enum status registry_errors_status(const struct registry_errors *errors,
                                   struct status_detail *detail)
{
    if (errors->count == 0) {
        return STATUS_OK;
    }
    if (errors->count == 1) {
        return status_detail_set(detail, STATUS_INVALID, "%s", errors->first.text);
    }
    return status_detail_set(detail, STATUS_INVALID, "%.400s (and %u more)", errors->first.text,
                             errors->count - 1);
}
