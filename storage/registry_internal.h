/*
 * registry_internal.h - asking PostgreSQL and waiting for the answer, for storage/registry*.c and
 * migrate.c.
 * Threads: one connection each.
 */
#ifndef STORAGE_REGISTRY_INTERNAL_H
#define STORAGE_REGISTRY_INTERNAL_H

#include "storage/registry.h"

/* Runs statements whose rows nobody wants. Every failure here and below: STATUS_UNAVAILABLE when
 * the connection is gone, else STATUS_IO, with PostgreSQL's words. */
enum status registry_run(PGconn *conn, const char *sql, struct status_detail *detail) MUST_CHECK;
/* One query with text parameters (ends with NULL; none: NULL), rows as text, or binary. PQclear
 * *ret. */
enum status registry_ask(PGconn *conn, const char *sql, const char *const *params, PGresult **ret,
                         struct status_detail *detail) MUST_CHECK;
enum status registry_ask_binary(PGconn *conn, const char *sql, PGresult **ret,
                                struct status_detail *detail) MUST_CHECK;
/* How many rows the statement touched. */
enum status registry_count(PGconn *conn, const char *sql, uint32_t *ret,
                           struct status_detail *detail) MUST_CHECK;
/* `sql` is COPY ... FROM STDIN (FORMAT binary); rows as archive_copy.h makes them. */
enum status registry_copy(PGconn *conn, const char *sql, const struct buffer *rows,
                          struct status_detail *detail) MUST_CHECK;

enum status registry_begin(PGconn *conn, struct status_detail *detail) MUST_CHECK;
/* Takes the registry for this transaction: nobody else imports until it ends. */
enum status registry_lock(PGconn *conn, struct status_detail *detail) MUST_CHECK;
/* Commits; where something changed, raises the revision and notifies first. status != STATUS_OK:
 * rolls back and returns that. */
enum status registry_end(PGconn *conn, enum status status, bool changed,
                         struct status_detail *detail) MUST_CHECK;

/* What an import finds wrong, up to REGISTRY_ERRORS_MAX lines. */
#define REGISTRY_ERRORS_MAX 20u
struct registry_errors {
    struct buffer *lines; /* may be NULL */
    struct status_detail first;
    uint32_t count;
};
void registry_error(struct registry_errors *errors, const char *fmt, ...) PRINTF(2, 3);
/* STATUS_INVALID with the first and the number of the others in detail; STATUS_OK when there are
 * none. */
enum status registry_errors_status(const struct registry_errors *errors,
                                   struct status_detail *detail) MUST_CHECK;

/* Fields of a binary result. */
uint32_t registry_u32(const PGresult *result, int row, int column);
uint64_t registry_u64(const PGresult *result, int row, int column);

/* The live fences as a set, of the given revision. */
enum status registry_load_fences(PGconn *conn, uint64_t revision, struct fence_set **ret,
                                 struct status_detail *detail) MUST_CHECK;

#endif
