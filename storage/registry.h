/*
 * registry.h - who is who and which fences are in force, kept in PostgreSQL.
 * Know: these functions block (deadlines included): call them from a worker thread or from
 * campusctl, never on the loop. Every import is one transaction: all or nothing; it raises the
 * registry's revision and notifies channel `campus_registry`, which campusd listens to.
 * Memory: what is returned is the caller's.
 * Threads: any, one connection each.
 */
#ifndef STORAGE_REGISTRY_H
#define STORAGE_REGISTRY_H

#include <libpq-fe.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"
#include "core/directory.h"
#include "core/fences.h"
#include "geo/geojson.h"

/* Connects with timeouts set. STATUS_UNAVAILABLE with libpq's words. Close with PQfinish. */
enum status registry_connect(const char *conninfo, PGconn **ret,
                             struct status_detail *detail) MUST_CHECK;

/* Applies storage/schema/NNN_*.sql (compiled in) that the database has not seen, each in a
 * transaction, under an advisory lock. */
enum status registry_migrate(PGconn *conn, struct status_detail *detail) MUST_CHECK;

/* Reads everything in one repeatable-read snapshot. */
enum status registry_load(PGconn *conn, struct directory **ret_directory,
                          struct fence_set **ret_fences, struct status_detail *detail) MUST_CHECK;
enum status registry_revision(PGconn *conn, uint64_t *ret, struct status_detail *detail) MUST_CHECK;

/* A cache file of what was loaded, so that campusd starts while PostgreSQL is away. Checksummed,
 * written aside and renamed. The key tells one content from another. */
struct registry_key {
    uint64_t revision, bytes;
    uint32_t crc;
};
enum status registry_cache_write(const char *path, const struct directory *directory,
                                 const struct fence_set *fences, struct registry_key *ret_key,
                                 struct status_detail *detail) MUST_CHECK;
enum status registry_cache_read(const char *path, struct directory **ret_directory,
                                struct fence_set **ret_fences, struct registry_key *ret_key,
                                struct status_detail *detail) MUST_CHECK;
/* Keeps the file at path under the name of its key too, for a replay of the journal that needs it; the
 * name of one that is kept; deletes those older than that which are not among the keys. */
enum status registry_cache_keep(const char *path, const struct registry_key *key,
                                struct status_detail *detail) MUST_CHECK;
enum status registry_cache_kept(const char *path, const struct registry_key *key, char *ret,
                                size_t size) MUST_CHECK;
void registry_cache_forget(const char *path, int64_t before_ms, const struct registry_key *keys,
                           uint32_t count);

/* ---- imports: rows are upserted by id; numbers are given densely and kept ---- */

enum registry_table {
    REGISTRY_SCHOOLS,   /* id,name,county,lat,lon (lat, lon WGS-84, may be empty) */
    REGISTRY_PUPILS,    /* id,name,school,class */
    REGISTRY_CARDS,     /* id,pupil,owntracks (owntracks = user/device, may be empty) */
    REGISTRY_GUARDIANS, /* id,name,pupil (one line per pupil; a guardian of two stands twice) */
    REGISTRY_GATES,     /* id,name,school */
    REGISTRY_TABLES
};
const char *registry_table_word(enum registry_table table); /* "schools" */
/* NULL-terminated column names in the order of the fields of a row. */
const char *const *registry_columns(enum registry_table table);

struct registry_row {
    struct text fields[8]; /* in the order of registry_columns */
    uint32_t line;         /* for errors */
};
struct registry_import {
    const char *source; /* file name, for errors */
    const struct registry_row *rows;
    uint32_t row_count;
    enum registry_table table;
};
struct registry_result {
    uint32_t added, changed, unchanged;
    uint32_t retired; /* fences: out of force now; guardians: links to pupils taken back */
};
/* All imports of one call in one transaction, in the order of enum registry_table whatever theirs.
 * A row that names something unknown fails the whole: "cards.csv:17: column pupil: no pupil
 * \"p9\"". detail has the first error and how many others there are; error_lines (may be NULL) gets
 * the first 20, a line each. The pupils of a guardian are those of the file: a link that it does
 * not name any more is taken back. The revision rises only where something changed. */
enum status registry_import(PGconn *conn, const struct registry_import *imports, uint32_t count,
                            struct buffer *error_lines, struct registry_result ret[REGISTRY_TABLES],
                            struct status_detail *detail) MUST_CHECK;

/* Fences: a changed one becomes a new version, the old one is kept with its time of retirement; an
 * unchanged one stays. replace_school: other live fences of that school ("" = city-wide) are
 * retired; NULL: none are. */
enum status registry_import_fences(PGconn *conn, const struct geo_features *features,
                                   const char *replace_school, struct buffer *error_lines,
                                   struct registry_result *ret,
                                   struct status_detail *detail) MUST_CHECK;
/* A FeatureCollection of the live fences (school NULL: all; "": those that concern everyone).
 * STATUS_NOT_FOUND: no such school. */
enum status registry_export_fences(PGconn *conn, const char *school, struct buffer *out,
                                   struct status_detail *detail) MUST_CHECK;
/* The same as a table for people: id, version, school, kind, vertices, name. */
enum status registry_list_fences(PGconn *conn, const char *school, struct buffer *out,
                                 struct status_detail *detail) MUST_CHECK;

#endif
