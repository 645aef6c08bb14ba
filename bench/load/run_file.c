#include "bench/load/run_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/cli.h"

/* ---- reading ---- */

static enum status check_figures(const char *name, const json_t *run, struct status_detail *detail)
{
    json_t *figures = json_object_get(run, "figures");
    if (!json_is_object(figures)) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "%s: no \"figures\": is it what --json wrote?", name);
    }
    const char *key;
    json_t *value;
    json_object_foreach(figures, key, value)
    {
        if (!json_is_number(value)) {
            return status_detail_set(detail, STATUS_INVALID,
                                     "%s: the figure \"%.100s\" is no number", name, key);
        }
    }
    return STATUS_OK;
}

enum status run_file_parse(const char *name, const char *text, size_t length, json_t **ret,
                           struct status_detail *detail)
{
    json_error_t error;
    json_t *run = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (run == NULL) {
        return status_detail_set(detail, STATUS_INVALID, "%s: line %d, column %d: no JSON: %s",
                                 name, error.line, error.column, error.text);
    }
    enum status status = check_figures(name, run, detail);
    if (status != STATUS_OK) {
        json_decref(run);
        return status;
    }
    *ret = run;
    return STATUS_OK;
}

enum status run_file_read(const char *path, json_t **ret, struct status_detail *detail)
{
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, CLI_FILE_MAX);
    struct text text;
    enum status status = cli_read_file(path, &arena, &text, detail);
    if (status == STATUS_OK) {
        status = run_file_parse(path, text.at, text.length, ret, detail);
    }
    arena_release(&arena);
    return status;
}

const char *run_file_text(const json_t *run, const char *key)
{
    const char *text = json_string_value(json_object_get(run, key));
    return text != NULL ? text : "";
}

/* ---- writing ---- */

static enum status write_bytes(FILE *file, const char *bytes, size_t size)
{
    bool good = fwrite(bytes, 1, size, file) == size && fflush(file) == 0;
    return fclose(file) == 0 && good ? STATUS_OK : STATUS_IO;
}

enum status run_file_replace(const char *path, const char *bytes, size_t size,
                             struct status_detail *detail)
{
    struct stat known;
    bool in_place = stat(path, &known) == 0 && !S_ISREG(known.st_mode); /* /dev/stdout, a pipe */
    char beside[4096];
    int length = snprintf(beside, sizeof beside, in_place ? "%s" : "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof beside) {
        return status_detail_set(detail, STATUS_IO, "%.100s...: too long a name", path);
    }
    FILE *file = fopen(beside, "we");
    if (file == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", beside, strerror(errno));
    }
    enum status status = write_bytes(file, bytes, size);
    if (status == STATUS_OK && !in_place && rename(beside, path) != 0) {
        status = STATUS_IO;
    }
    if (status != STATUS_OK) {
        (void)status_detail_set(detail, status, "%s: not written: %s", path, strerror(errno));
        if (!in_place) {
            (void)unlink(beside);
        }
    }
    return status;
}

static void append_json(struct buffer *text, const json_t *value, size_t more_flags)
{
    char *dump = json_dumps(value, RUN_FILE_DUMP | more_flags);
    if (dump == NULL) {
        text->failed = STATUS_NO_MEMORY;
        return;
    }
    buffer_text(text, dump);
    free(dump);
}

enum status run_file_write(const json_t *run, const char *path, struct status_detail *detail)
{
    struct buffer text;
    buffer_init(&text, CLI_FILE_MAX);
    const char *key;
    json_t *value;
    const char *before = "{";
    json_object_foreach((json_t *)run, key, value)
    {
        buffer_text(&text, before);
        buffer_json_string(&text, key, strlen(key));
        buffer_text(&text, ": ");
        append_json(&text, value, strcmp(key, "figures") == 0 ? JSON_INDENT(2) : 0);
        before = ",\n ";
    }
    buffer_text(&text, "}\n");
    enum status status = buffer_status(&text);
    if (status != STATUS_OK) {
        (void)status_detail_set(detail, status, "%s: not written: %s", path, status_words(status));
    } else {
        status = run_file_replace(path, text.data, text.size, detail);
    }
    buffer_release(&text);
    return status;
}

/* ---- stamp ---- */

static const char stamp_usage[] =
    "campus-load stamp FILE --machine TEXT --commit TEXT --command TEXT [--more FILE]\n"
    "  puts them and the time before what a program wrote with --json; the rest stays as it is\n"
    "  --more FILE        lines \"key number\": more figures";

static void now_utc(char text[32])
{
    time_t now = time(NULL);
    struct tm utc;
    (void)gmtime_r(&now, &utc);
    (void)strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static enum status read_more(json_t *figures, const char *path, struct status_detail *detail)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    enum status status = STATUS_OK;
    char line[256];
    for (unsigned number = 1; status == STATUS_OK && fgets(line, sizeof line, file) != NULL;
         number++) {
        line[strcspn(line, "\n")] = '\0';
        char *space = strrchr(line, ' ');
        double value;
        if (space == NULL || text_to_double(text_of(space + 1), &value) != STATUS_OK) {
            status = status_detail_set(detail, STATUS_INVALID, "%s:%u: no \"key number\": %s", path,
                                       number, line);
            break;
        }
        *space = '\0';
        if (json_object_set_new(figures, line, json_real(value)) != 0) {
            status =
                status_detail_set(detail, STATUS_INVALID, "%s:%u: no key: %s", path, number, line);
        }
    }
    (void)fclose(file);
    return status;
}

/* What is told here comes first, and wins over what the program told. */
static json_t *stamped(json_t *run, const char *const keys[], const char *const values[],
                       size_t count)
{
    json_t *whole = json_object();
    int bad = whole == NULL;
    for (size_t i = 0; i < count; i++) {
        if (values[i] != NULL) { /* a name with broken letters is no reason to lose the run */
            struct buffer text;
            buffer_init(&text, 65536);
            buffer_json_string(&text, values[i], strlen(values[i]));
            bad |= json_object_set_new(whole, keys[i],
                                       json_loads(buffer_cstr(&text), JSON_DECODE_ANY, NULL));
            buffer_release(&text);
        }
    }
    const char *key;
    json_t *value;
    json_object_foreach(run, key, value)
    {
        if (json_object_get(whole, key) == NULL) {
            bad |= json_object_set(whole, key, value);
        }
    }
    if (bad) {
        json_decref(whole);
        return NULL;
    }
    return whole;
}

int load_stamp(int argc, char **argv)
{
    static const char *const keys[] = {"machine", "commit", "command", "date"};
    const char *values[4] = {0}, *more = NULL;
    const struct cli_option options[] = {{"--machine", &values[0], NULL},
                                         {"--commit", &values[1], NULL},
                                         {"--command", &values[2], NULL},
                                         {"--more", &more, NULL},
                                         {0}};
    int words;
    int outcome = cli_options(argc, argv, options, stamp_usage, &words);
    if (outcome != CLI_OK || words != 2) {
        return outcome != CLI_OK ? outcome : cli_usage(stamp_usage, "stamp needs one FILE");
    }
    struct status_detail detail;
    json_t *run = NULL;
    if (run_file_read(argv[1], &run, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    char now[32];
    now_utc(now);
    values[3] = run_file_text(run, "date")[0] == '\0' ? now : NULL;
    enum status status = STATUS_OK;
    if (more != NULL) {
        status = read_more(json_object_get(run, "figures"), more, &detail);
    }
    if (status == STATUS_OK) {
        json_t *whole = stamped(run, keys, values, 4);
        status = whole != NULL ? run_file_write(whole, argv[1], &detail)
                               : status_detail_set(&detail, STATUS_NO_MEMORY, "%s: not stamped: %s",
                                                   argv[1], status_words(STATUS_NO_MEMORY));
        json_decref(whole);
    }
    json_decref(run);
    return status == STATUS_OK ? CLI_OK : cli_fail("%s", detail.text);
}
