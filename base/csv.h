/*
 * csv.h - rows of a CSV text (RFC 4180), with the line that each began on.
 * Know: the separator is ',' or, where the header line holds ';' or a tab but no ',', that one. A
 * byte order mark is skipped. Blank lines are skipped. Fields are not trimmed; quoted ones are
 * unescaped.
 * Memory: fields point into the text, or into the arena where they were unescaped.
 * Threads: one.
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

#define CSV_FIELDS_MAX 64u

struct csv {
    const char *at, *end;
    struct arena *arena;
    uint32_t line; /* of the next row, from 1 */
    char separator;
};

struct csv_row {
    struct text fields[CSV_FIELDS_MAX];
    uint32_t field_count, line;
};

void csv_init(struct csv *csv, struct text text, struct arena *arena);
/* STATUS_END after the last row; STATUS_INVALID ("line 7: quote not closed", over CSV_FIELDS_MAX
 * fields), STATUS_NO_MEMORY. The arena only grows: unescaped fields live as long as it. */
enum status csv_next(struct csv *csv, struct csv_row *ret, struct status_detail *detail) MUST_CHECK;

/* Reads the header row: ret_places[i] = the field that holds names[i], or -1 where it is absent.
 * Names are compared without case and surrounding blanks. STATUS_INVALID: empty text, a name twice.
 */
enum status csv_header(struct csv *csv, const char *const *names, int *ret_places,
                       struct status_detail *detail) MUST_CHECK;

#endif
