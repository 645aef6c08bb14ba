#include "storage/registry_internal.h"
#include "storage/schema.h"

/* Any constant: whoever holds it is migrating. */
#define MIGRATE_LOCK "7245813021948"

static enum status apply(PGconn *conn, const struct schema_file *file, struct status_detail *detail)
{
    const char *params[] = {file->name, NULL};
    PGresult *result = NULL;
    enum status status = registry_ask(conn, "SELECT 1 FROM campus.migration WHERE name = $1",
                                      params, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    bool seen = PQntuples(result) > 0;
    PQclear(result);
    if (seen) {
        return STATUS_OK;
    }
    status = registry_begin(conn, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = registry_run(conn, file->sql, detail);
    if (status == STATUS_OK) {
        status = registry_ask(conn, "INSERT INTO campus.migration (name) VALUES ($1) RETURNING 1",
                              params, &result, detail);
        if (status == STATUS_OK) {
            PQclear(result);
        }
    }
    status = registry_end(conn, status, false, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "schema %s", file->name);
    }
    return STATUS_OK;
}

/* A session lock, since each file is a transaction of its own. */
enum status registry_migrate(PGconn *conn, struct status_detail *detail)
{
    enum status status = registry_run(conn, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")", detail);
    if (status != STATUS_OK) {
        return status;
    }
    /* asked first: one without the right to create may still use a database that is up to date */
    status = registry_run(conn,
                          "DO $$ BEGIN IF to_regclass('campus.migration') IS NULL THEN"
                          " CREATE SCHEMA IF NOT EXISTS campus;"
                          " CREATE TABLE campus.migration (name text PRIMARY KEY,"
                          " applied_at timestamptz NOT NULL DEFAULT now()); END IF; END $$",
                          detail);
    for (const struct schema_file *file = schema_files; status == STATUS_OK && file->name != NULL;
         file++) {
        status = apply(conn, file, detail);
    }
    struct status_detail ignored;
    enum status unlocked =
        registry_run(conn, "SELECT pg_advisory_unlock(" MIGRATE_LOCK ")", &ignored);
    return status != STATUS_OK ? status : unlocked;
}
