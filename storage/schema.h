/*
 * schema.h - the files of storage/schema, compiled in (storage/embed_schema.cmake writes the
 * array).
 * Know: in the order of their names, ended by an entry without a name.
 * Memory: static.
 * Threads: any.
 */
#ifndef STORAGE_SCHEMA_H
#define STORAGE_SCHEMA_H

struct schema_file {
    const char *name; /* "001_registry" */
    const char *sql;
};

extern const struct schema_file schema_files[];

#endif
