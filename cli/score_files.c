#include "cli/score_files.h"

#include <jansson.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/csv.h"
#include "cli/cli.h"
#include "core/alert.h"
#include "core/fences.h"
#include "core/limits.h"

#define TIME_MS_LAST 253402300799999 /* the end of 9999 */
enum { SHOWN_MAX = 60 };

/* ---- what is scored as what ---- */

static uint8_t type_of_word(enum alert_type word)
{
    return word == ALERT_ENTERED ? SCORE_ENTERED : word == ALERT_LEFT ? SCORE_LEFT : SCORE_DANGER;
}

static uint8_t type_at_place(uint8_t type)
{
    return type == SCORE_ENTERED ? SCORE_PLACE_ENTERED
           : type == SCORE_LEFT  ? SCORE_PLACE_LEFT
                                 : type;
}

/* Once all rows have told the kinds of their fences. */
static void settle_crossings(struct score_files *files)
{
    for (uint32_t i = 0; i < files->crossing_count; i++) {
        struct score_mark *mark = &files->crossings[i];
        uint8_t kind = files->kinds[mark->fence_no];
        if (kind == FENCE_PLACE) {
            mark->type = type_at_place(mark->type);
        } else if (kind == FENCE_DANGER) {
            mark->type = mark->type == SCORE_LEFT ? SCORE_NONE : SCORE_DANGER;
        }
    }
}

/* ---- the truth ---- */

enum column { PUPIL, CARD, FENCE, TIME, EVENT, KIND, COLUMN_COUNT };
static const char *const column_names[COLUMN_COUNT + 1] = {"pupil", "card", "fence", "time",
                                                           "event", "kind", NULL};

struct truth_row {
    const struct csv_row *csv;
    const int *places;
};

static struct text field_of(const struct truth_row *row, enum column column)
{
    int place = row->places[column];
    if (place < 0 || (uint32_t)place >= row->csv->field_count) {
        return (struct text){"", 0};
    }
    return text_trim(row->csv->fields[place]);
}

/* "truth.csv: line 7: column time: ..." */
static enum status bad_field(const struct score_files *files, const struct truth_row *row,
                             enum column column, const char *wanted, struct status_detail *detail)
{
    struct text field = field_of(row, column);
    int shown = field.length < SHOWN_MAX ? (int)field.length : SHOWN_MAX;
    return status_detail_set(detail, STATUS_INVALID, "%s: line %u: column %s: \"%.*s\" is %s",
                             files->truth_path, row->csv->line, column_names[column], shown,
                             field.at, wanted);
}

static enum status no_memory(const char *path, struct status_detail *detail)
{
    return status_detail_set(detail, STATUS_NO_MEMORY, "%s: no memory for its ids", path);
}

static enum status read_who_and_where(struct score_files *files, const struct truth_row *row,
                                      struct score_mark *mark, struct status_detail *detail)
{
    enum column who = row->places[CARD] >= 0 ? CARD : PUPIL;
    if (field_of(row, who).length == 0) {
        return bad_field(files, row, who, "empty: who crossed?", detail);
    }
    if (field_of(row, FENCE).length == 0) {
        return bad_field(files, row, FENCE, "empty: what was crossed?", detail);
    }
    mark->pupil_no = names_number(&files->who, field_of(row, who));
    mark->fence_no = names_number(&files->fences, field_of(row, FENCE));
    return mark->pupil_no != 0 && mark->fence_no != 0 ? STATUS_OK
                                                      : no_memory(files->truth_path, detail);
}

static enum status read_event(const struct score_files *files, const struct truth_row *row,
                              struct score_mark *mark, struct status_detail *detail)
{
    struct text time = field_of(row, TIME), word = field_of(row, EVENT);
    if (clock_parse(time.at, time.length, &mark->time_ms) != STATUS_OK) {
        return bad_field(files, row, TIME, "no time: Unix seconds or RFC 3339", detail);
    }
    if (mark->time_ms < TIME_MS_MIN || mark->time_ms > TIME_MS_LAST) {
        return bad_field(files, row, TIME, "before 2000 or after 9999: times are in seconds",
                         detail);
    }
    for (int type = ALERT_ENTERED; type <= ALERT_DANGER; type++) {
        if (text_is(word, alert_word((enum alert_type)type))) {
            mark->type = type_of_word((enum alert_type)type);
            return STATUS_OK;
        }
    }
    return bad_field(files, row, EVENT, "none of entered, left, danger", detail);
}

static enum status read_kind(struct score_files *files, const struct truth_row *row,
                             const struct score_mark *mark, struct status_detail *detail)
{
    struct text word = field_of(row, KIND);
    uint8_t kind = 0;
    for (int i = FENCE_PLACE; i <= FENCE_DANGER; i++) {
        kind = text_is(word, fence_kind_word((enum fence_kind)i)) ? (uint8_t)i : kind;
    }
    if (kind == 0 && word.length > 0) {
        return bad_field(files, row, KIND, "none of school, place, danger, nor empty", detail);
    }
    if (mark->type == SCORE_DANGER) {
        if (kind != 0 && kind != FENCE_DANGER) {
            return bad_field(files, row, KIND, "no fence whose event is danger", detail);
        }
        kind = FENCE_DANGER;
    }
    uint8_t *known = &files->kinds[mark->fence_no];
    if (kind != 0 && *known != 0 && *known != kind) {
        return bad_field(files, row, KIND, "not what a line above says of this fence", detail);
    }
    *known = kind != 0 ? kind : *known;
    return STATUS_OK;
}

static enum status read_crossing(struct score_files *files, const struct truth_row *row,
                                 struct status_detail *detail)
{
    struct score_mark *mark = &files->crossings[files->crossing_count];
    enum status status = read_who_and_where(files, row, mark, detail);
    if (status == STATUS_OK) {
        status = read_event(files, row, mark, detail);
    }
    if (status == STATUS_OK) {
        status = read_kind(files, row, mark, detail);
    }
    files->crossing_count += status == STATUS_OK;
    return status;
}

static enum status read_header(struct score_files *files, struct csv *csv, int *places,
                               struct status_detail *detail)
{
    enum status status = csv_header(csv, column_names, places, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s", files->truth_path);
    }
    enum column missing = places[PUPIL] < 0 && places[CARD] < 0 ? CARD
                          : places[FENCE] < 0                   ? FENCE
                          : places[TIME] < 0                    ? TIME
                          : places[EVENT] < 0                   ? EVENT
                                                                : COLUMN_COUNT;
    if (missing != COLUMN_COUNT) {
        return status_detail_set(
            detail, STATUS_INVALID,
            "%s: line 1: no column %s: the header needs card (or pupil), fence, time, event",
            files->truth_path, column_names[missing]);
    }
    files->who_key = places[CARD] >= 0 ? "card" : "pupil";
    return STATUS_OK;
}

static enum status read_truth(struct score_files *files, struct text text,
                              struct status_detail *detail)
{
    struct csv csv;
    csv_init(&csv, text, &files->arena);
    int places[COLUMN_COUNT];
    enum status status = read_header(files, &csv, places, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct csv_row csv_row;
    const struct truth_row row = {&csv_row, places};
    while ((status = csv_next(&csv, &csv_row, detail)) == STATUS_OK) {
        status = read_crossing(files, &row, detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    settle_crossings(files);
    return status == STATUS_END ? STATUS_OK
                                : status_detail_wrap(detail, status, "%s", files->truth_path);
}

/* ---- the alerts ---- */

struct alert_line {
    const json_t *data;
    uint32_t no;
};

static enum status bad_key(const struct score_files *files, const struct alert_line *line,
                           const char *key, const char *wanted, struct status_detail *detail)
{
    return status_detail_set(detail, STATUS_INVALID, "%s: line %u: key \"%s\": %s",
                             files->alerts_path, line->no, key, wanted);
}

static enum status number_at(const struct score_files *files, const struct alert_line *line,
                             const char *key, struct names *names, uint32_t *ret,
                             struct status_detail *detail)
{
    const json_t *id = json_object_get(line->data, key);
    if (json_string_length(id) == 0) {
        return bad_key(
            files, line, key,
            strcmp(key, files->who_key) == 0
                ? "missing or no id: the truth has the column, so each alert needs the key"
                : "missing or no id: which fence was crossed?",
            detail);
    }
    uint32_t no = names_number(names, (struct text){json_string_value(id), json_string_length(id)});
    if (no == 0) {
        return no_memory(files->alerts_path, detail);
    }
    *ret = no;
    return STATUS_OK;
}

/* Without the key *ret stays, where it holds a time. */
static enum status time_at(const struct score_files *files, const struct alert_line *line,
                           const char *key, int64_t *ret, struct status_detail *detail)
{
    const json_t *time = json_object_get(line->data, key);
    if (time == NULL && *ret != 0) {
        return STATUS_OK;
    }
    if (!json_is_integer(time)) {
        return bad_key(files, line, key, "missing or no whole number: Unix milliseconds", detail);
    }
    int64_t time_ms = json_integer_value(time);
    if (time_ms < TIME_MS_MIN || time_ms > TIME_MS_LAST) {
        return bad_key(files, line, key, "before 2000 or after 9999: times are in milliseconds",
                       detail);
    }
    *ret = time_ms;
    return STATUS_OK;
}

static enum status read_times(const struct score_files *files, const struct alert_line *line,
                              struct score_mark *mark, struct status_detail *detail)
{
    enum status status = time_at(files, line, "time_ms", &mark->time_ms, detail);
    if (status == STATUS_OK) {
        status = time_at(files, line, "raised_ms", &mark->raised_ms, detail);
    }
    mark->earliest_ms = mark->latest_ms = mark->time_ms;
    if (status == STATUS_OK) {
        status = time_at(files, line, "earliest_ms", &mark->earliest_ms, detail);
    }
    if (status == STATUS_OK) {
        status = time_at(files, line, "latest_ms", &mark->latest_ms, detail);
    }
    if (status == STATUS_OK && mark->earliest_ms > mark->latest_ms) {
        status = bad_key(files, line, "earliest_ms", "after latest_ms", detail);
    }
    return status;
}

static enum status read_type(const struct score_files *files, const struct alert_line *line,
                             enum alert_type *ret, struct status_detail *detail)
{
    const char *word = json_string_value(json_object_get(line->data, "type"));
    for (int type = ALERT_ENTERED; word != NULL && type < ALERT_TYPE_COUNT; type++) {
        if (strcmp(word, alert_word((enum alert_type)type)) == 0) {
            *ret = (enum alert_type)type;
            return STATUS_OK;
        }
    }
    if (word == NULL) {
        return bad_key(files, line, "type", "missing or no word: entered, left, danger, ...",
                       detail);
    }
    return status_detail_set(detail, STATUS_INVALID,
                             "%s: line %u: key \"type\": \"%.*s\" is no alert: entered, left, "
                             "danger are scored, the others of campusd skipped",
                             files->alerts_path, line->no, SHOWN_MAX, word);
}

static enum status read_alert(struct score_files *files, const struct alert_line *line,
                              uint32_t true_fences, struct status_detail *detail)
{
    enum alert_type type = ALERT_NONE;
    enum status status = read_type(files, line, &type, detail);
    if (status != STATUS_OK || type > ALERT_DANGER) {
        files->skipped += status == STATUS_OK;
        return status;
    }
    struct score_mark *mark = &files->alerts[files->alert_count];
    mark->type = type_of_word(type);
    status = number_at(files, line, files->who_key, &files->who, &mark->pupil_no, detail);
    if (status == STATUS_OK) {
        status = number_at(files, line, "fence", &files->fences, &mark->fence_no, detail);
    }
    if (status == STATUS_OK) {
        status = read_times(files, line, mark, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint8_t kind = files->kinds[mark->fence_no];
    if (kind == FENCE_PLACE) {
        mark->type = type_at_place(mark->type);
    }
    files->unforeseen +=
        type == ALERT_DANGER && mark->fence_no <= true_fences && kind != FENCE_DANGER;
    files->alert_count++;
    return STATUS_OK;
}

static enum status read_line(struct score_files *files, struct text text, uint32_t no,
                             uint32_t true_fences, struct status_detail *detail)
{
    static const char wanted[] =
        "one alert a line, as campusctl replay prints it or campusd sends it";
    json_error_t error;
    json_t *object = json_loadb(text.at, text.length, 0, &error);
    if (!json_is_object(object)) {
        enum status status =
            object == NULL
                ? status_detail_set(detail, STATUS_INVALID, "%s: line %u: no JSON: %s: %s",
                                    files->alerts_path, no, error.text, wanted)
                : status_detail_set(detail, STATUS_INVALID, "%s: line %u: no object: %s",
                                    files->alerts_path, no, wanted);
        json_decref(object);
        return status;
    }
    const json_t *data = json_object_get(object, "data"); /* of a CloudEvent */
    const struct alert_line line = {json_is_object(data) ? data : object, no};
    enum status status = read_alert(files, &line, true_fences, detail);
    json_decref(object);
    return status;
}

static enum status read_alerts(struct score_files *files, struct text text,
                               struct status_detail *detail)
{
    uint32_t true_fences = files->fences.count, no = 0;
    const char *at = text.at, *end = text.at + text.length;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        struct text line = text_trim((struct text){at, (size_t)(stop - at)});
        no++;
        if (line.length > 0) {
            enum status status = read_line(files, line, no, true_fences, detail);
            if (status != STATUS_OK) {
                return status;
            }
        }
        at = stop + (stop < end);
    }
    return STATUS_OK;
}

/* ---- both ---- */

static uint64_t count_lines(struct text text)
{
    uint64_t lines = 1;
    for (size_t i = 0; i < text.length; i++) {
        lines += text.at[i] == '\n' || text.at[i] == '\r';
    }
    return lines;
}

static enum status make_room(struct score_files *files, struct text truth, struct text alerts,
                             struct status_detail *detail)
{
    uint64_t crossings = count_lines(truth), raised = count_lines(alerts);
    uint64_t names_most = crossings + raised;
    if (names_most > 1u << 29) {
        return status_detail_set(detail, STATUS_TOO_LARGE,
                                 "%s, %s: too many lines: cut the files by cards",
                                 files->truth_path, files->alerts_path);
    }
    enum status status = names_init(&files->who, &files->arena, (uint32_t)names_most);
    if (status == STATUS_OK) {
        status = names_init(&files->fences, &files->arena, (uint32_t)names_most);
    }
    files->kinds = arena_array(&files->arena, names_most + 1, sizeof *files->kinds);
    files->crossings = arena_array(&files->arena, crossings, sizeof *files->crossings);
    files->alerts = arena_array(&files->arena, raised, sizeof *files->alerts);
    if (status != STATUS_OK || files->kinds == NULL || files->crossings == NULL ||
        files->alerts == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY,
                                 "%s, %s: no memory for them: cut the files by cards",
                                 files->truth_path, files->alerts_path);
    }
    return STATUS_OK;
}

enum status score_files_read(struct score_files *files, const char *truth_path,
                             const char *alerts_path, struct status_detail *detail)
{
    *files = (struct score_files){.truth_path = truth_path, .alerts_path = alerts_path};
    arena_init_growing(&files->arena, 1u << 20, SIZE_MAX / 2);
    struct text truth, alerts;
    enum status status = cli_read_file(truth_path, &files->arena, &truth, detail);
    if (status == STATUS_OK) {
        status = cli_read_file(alerts_path, &files->arena, &alerts, detail);
    }
    if (status == STATUS_OK) {
        status = make_room(files, truth, alerts, detail);
    }
    if (status == STATUS_OK) {
        status = read_truth(files, truth, detail);
    }
    if (status == STATUS_OK) {
        status = read_alerts(files, alerts, detail);
    }
    return status;
}

void score_files_release(struct score_files *files)
{
    arena_release(&files->arena);
    *files = (struct score_files){0};
}
