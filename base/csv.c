#include "base/csv.h"

#include <string.h>
#include <strings.h>

static char find_separator(const char *at, const char *end)
{
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((line_end != NULL ? line_end : end) - at);
    if (memchr(at, ',', length) == NULL) {
        if (memchr(at, ';', length) != NULL) {
            return ';';
        }
        if (memchr(at, '\t', length) != NULL) {
            return '\t';
        }
    }
    return ',';
}

void csv_init(struct csv *csv, struct text text, struct arena *arena)
{
    if (text.length >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) {
        text.at += 3;
        text.length -= 3;
    }
    const char *at = text.length > 0 ? text.at : "";
    *csv = (struct csv){at, at + text.length, arena, 1, ','};
    csv->separator = find_separator(csv->at, csv->end);
}

/* csv->at stands behind the opening quote. */
static enum status take_quoted(struct csv *csv, struct text *ret, struct status_detail *detail)
{
    const char *start = csv->at;
    uint32_t first_line = csv->line;
    size_t doubled = 0;
    for (;; csv->at++) {
        if (csv->at >= csv->end) {
            return status_detail_set(detail, STATUS_INVALID, "line %u: quote not closed",
                                     first_line);
        }
        csv->line += *csv->at == '\n';
        if (*csv->at != '"') {
            continue;
        }
        if (csv->at + 1 < csv->end && csv->at[1] == '"') {
            doubled++;
            csv->at++;
            continue;
        }
        break;
    }
    size_t length = (size_t)(csv->at++ - start);
    *ret = (struct text){start, length};
    if (doubled > 0) {
        char *copy = arena_alloc(csv->arena, length - doubled + 1);
        if (copy == NULL) {
            return STATUS_NO_MEMORY;
        }
        *ret = (struct text){copy, length - doubled};
        for (size_t i = 0; i < length; i++) {
            *copy++ = start[i];
            i += start[i] == '"';
        }
    }
    return STATUS_OK;
}

static enum status take_field(struct csv *csv, struct text *ret, struct status_detail *detail)
{
    if (csv->at < csv->end && *csv->at == '"') {
        csv->at++;
        return take_quoted(csv, ret, detail);
    }
    const char *start = csv->at;
    while (csv->at < csv->end && *csv->at != csv->separator && *csv->at != '\n') {
        csv->at++;
    }
    const char *stop = csv->at;
    if (stop > start && stop[-1] == '\r' && (stop == csv->end || *stop == '\n')) {
        stop--;
    }
    *ret = (struct text){start, (size_t)(stop - start)};
    return STATUS_OK;
}

static void skip_blank_lines(struct csv *csv)
{
    while (csv->at < csv->end && (*csv->at == '\n' || *csv->at == '\r')) {
        csv->line += *csv->at == '\n';
        csv->at++;
    }
}

enum status csv_next(struct csv *csv, struct csv_row *ret, struct status_detail *detail)
{
    skip_blank_lines(csv);
    if (csv->at >= csv->end) {
        return STATUS_END;
    }
    ret->line = csv->line;
    ret->field_count = 0;
    for (;;) {
        if (ret->field_count == CSV_FIELDS_MAX) {
            return status_detail_set(detail, STATUS_INVALID, "line %u: more than %u fields",
                                     ret->line, CSV_FIELDS_MAX);
        }
        enum status status = take_field(csv, &ret->fields[ret->field_count++], detail);
        if (status != STATUS_OK) {
            return status;
        }
        if (csv->at < csv->end && *csv->at == '\r') { /* behind a quoted last field */
            csv->at++;
        }
        if (csv->at >= csv->end) {
            return STATUS_OK;
        }
        char stop = *csv->at++;
        if (stop == '\n') {
            csv->line++;
            return STATUS_OK;
        }
        if (stop != csv->separator) {
            return status_detail_set(detail, STATUS_INVALID,
                                     "line %u: field %u: text behind the closing quote", ret->line,
                                     ret->field_count);
        }
    }
}

static bool name_equal(struct text field, const char *name)
{
    field = text_trim(field);
    return field.length == strlen(name) && strncasecmp(field.at, name, field.length) == 0;
}

enum status csv_header(struct csv *csv, const char *const *names, int *ret_places,
                       struct status_detail *detail)
{
    struct csv_row row = {.field_count = 0};
    enum status status = csv_next(csv, &row, detail);
    if (status == STATUS_END) {
        return status_detail_set(detail, STATUS_INVALID, "empty: a header line is needed");
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        ret_places[i] = -1;
        for (uint32_t f = 0; f < row.field_count; f++) {
            if (!name_equal(row.fields[f], names[i])) {
                continue;
            }
            if (ret_places[i] >= 0) {
                return status_detail_set(detail, STATUS_INVALID, "line %u: column %s stands twice",
                                         row.line, names[i]);
            }
            ret_places[i] = (int)f;
        }
    }
    return STATUS_OK;
}
