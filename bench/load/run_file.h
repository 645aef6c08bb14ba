/*
 * run_file.h - the JSON of a run: read, checked, written again with machine, commit and command
 * before it.
 * Know: an object with "figures": {"key": number}; every other part may be missing. Numbers keep
 * 12 digits.
 * Memory: the caller's; json_t are jansson's, json_decref.
 * Threads: one.
 */
#ifndef BENCH_LOAD_RUN_FILE_H
#define BENCH_LOAD_RUN_FILE_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"

enum { RUN_FILE_DUMP = JSON_ENCODE_ANY | JSON_REAL_PRECISION(12) };

/* "-" is standard input; gzip is unpacked. STATUS_NOT_FOUND, STATUS_IO, STATUS_TOO_LARGE;
 * STATUS_INVALID: no JSON, with the line; no figures; a figure that is no number. */
enum status run_file_read(const char *path, json_t **ret, struct status_detail *detail) MUST_CHECK;
/* The same from memory; name is told in errors. */
enum status run_file_parse(const char *name, const char *text, size_t length, json_t **ret,
                           struct status_detail *detail) MUST_CHECK;
/* The text of a member, "" where it is missing or no text. */
const char *run_file_text(const json_t *run, const char *key);
/* Each member on a line, each figure on its own. Replaces the file at once or not at all.
 * STATUS_IO, STATUS_NO_MEMORY. */
enum status run_file_write(const json_t *run, const char *path,
                           struct status_detail *detail) MUST_CHECK;
/* Replaces path by the bytes, at once or not at all; what is no regular file is written through.
 * STATUS_IO. */
enum status run_file_replace(const char *path, const char *bytes, size_t size,
                             struct status_detail *detail) MUST_CHECK;

/* campus-load stamp FILE --machine TEXT ...: the file as a program left it becomes what is
 * published. argv[0] is the command's name; returns the exit status. */
int load_stamp(int argc, char **argv);

#endif
