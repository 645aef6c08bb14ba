#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/csv.h"
#include "cli/cli.h"
#include "cli/control_client.h"
#include "storage/registry.h"

#define USAGE                                                                                                     \
    "campusctl import [--pg CONNINFO] DIR\n"                                                                      \
    "       campusctl import [--pg CONNINFO] [--schools FILE] [--pupils FILE] [--cards FILE] "                    \
    "[--guardians FILE] [--gates FILE]\n"                                                                         \
    "DIR holds schools.csv, pupils.csv, cards.csv, guardians.csv, gates.csv; what is missing is left as it is.\n" \
    "All of it is taken, or nothing."
#define FILE_BYTES_MAX ((size_t)4 << 30)

struct source {
    const char *path; /* NULL: not given */
    struct registry_row *rows;
    uint32_t count, capacity;
};

struct import_job {
    const char *conninfo;
    struct source sources[REGISTRY_TABLES];
    struct arena arena;
    bool help;
    char *made_paths[REGISTRY_TABLES]; /* of DIR */
};

/* "id, name, school, class" */
static void list_columns(enum registry_table table, struct buffer *out)
{
    const char *const *columns = registry_columns(table);
    for (size_t i = 0; columns[i] != NULL; i++) {
        buffer_printf(out, "%s%s", i > 0 ? ", " : "", columns[i]);
    }
}

static bool is_column(enum registry_table table, struct text name)
{
    const char *const *columns = registry_columns(table);
    for (size_t i = 0; columns[i] != NULL; i++) {
        if (name.length == strlen(columns[i]) &&
            strncasecmp(name.at, columns[i], name.length) == 0) {
            return true;
        }
    }
    return false;
}

/* Every column there, and no other: a name that is spelt wrong must not pass as "not given". */
static enum status check_header(struct text text, enum registry_table table, const int *places,
                                struct arena *arena, struct status_detail *detail)
{
    struct buffer wanted;
    buffer_init(&wanted, 1024);
    list_columns(table, &wanted);
    const char *const *columns = registry_columns(table);
    enum status status = STATUS_OK;
    for (size_t i = 0; columns[i] != NULL && status == STATUS_OK; i++) {
        if (places[i] < 0) {
            status = status_detail_set(
                detail, STATUS_INVALID,
                "1: no column %s: the first line must name %s (columns may be empty)", columns[i],
                buffer_cstr(&wanted));
        }
    }
    struct csv csv;
    struct csv_row header;
    csv_init(&csv, text, arena);
    if (status == STATUS_OK) {
        status = csv_next(&csv, &header, detail);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < header.field_count; i++) {
        struct text name = text_trim(header.fields[i]);
        if (!is_column(table, name)) {
            status = status_detail_set(detail, STATUS_INVALID,
                                       "%u: unknown column %.*s: remove it; the columns are %s",
                                       header.line, (int)(name.length < 64 ? name.length : 64),
                                       name.at, buffer_cstr(&wanted));
        }
    }
    buffer_release(&wanted);
    return status;
}

static struct registry_row *next_row(struct source *source)
{
    if (source->count == source->capacity) {
        uint32_t capacity = source->capacity == 0 ? 4096 : source->capacity * 2;
        struct registry_row *rows = realloc(source->rows, capacity * sizeof *rows);
        if (rows == NULL) {
            return NULL;
        }
        source->rows = rows;
        source->capacity = capacity;
    }
    return &source->rows[source->count++];
}

static enum status read_rows(struct csv *csv, enum registry_table table, const int *places,
                             uint32_t fields, struct source *source, struct status_detail *detail)
{
    const char *const *columns = registry_columns(table);
    for (;;) {
        struct csv_row read;
        enum status status = csv_next(csv, &read, detail);
        if (status != STATUS_OK) {
            return status == STATUS_END ? STATUS_OK : status;
        }
        if (read.field_count != fields) {
            return status_detail_set(
                detail, STATUS_INVALID,
                "%u: %u fields, but the first line has %u (is a comma in a text? quote it)",
                read.line, read.field_count, fields);
        }
        struct registry_row *row = next_row(source);
        if (row == NULL) {
            return status_detail_set(detail, STATUS_NO_MEMORY, "%u: out of memory", read.line);
        }
        *row = (struct registry_row){.line = read.line};
        for (size_t i = 0; columns[i] != NULL; i++) {
            row->fields[i] = text_trim(read.fields[places[i]]);
        }
    }
}

static enum status read_source(struct import_job *job, enum registry_table table,
                               struct status_detail *detail)
{
    struct source *source = &job->sources[table];
    struct text text;
    enum status status = cli_read_file(source->path, &job->arena, &text, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct csv csv;
    struct csv_row header;
    int places[CSV_FIELDS_MAX];
    csv_init(&csv, text, &job->arena);
    status = csv_next(&csv, &header, detail); /* only its number of fields */
    if (status == STATUS_END) {
        status = status_detail_set(detail, STATUS_INVALID, "1: the file is empty");
    }
    csv_init(&csv, text, &job->arena);
    if (status == STATUS_OK) {
        status = csv_header(&csv, registry_columns(table), places, detail);
    }
    if (status == STATUS_OK) {
        status = check_header(text, table, places, &job->arena, detail);
    }
    if (status == STATUS_OK) {
        status = read_rows(&csv, table, places, header.field_count, source, detail);
    }
    if (status != STATUS_OK && strncmp(detail->text, "line ", 5) == 0) {
        memmove(detail->text, detail->text + 5, strlen(detail->text + 5) + 1);
    }
    if (status != STATUS_OK) {
        struct status_detail inner = *detail;
        (void)status_detail_set(detail, status, "%s:%.400s", source->path, inner.text);
    }
    return status;
}

static int use_directory(struct import_job *job, const char *directory)
{
    struct stat about;
    if (stat(directory, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return cli_usage(USAGE, "%s is no directory", directory);
    }
    bool any = false;
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        struct buffer path;
        buffer_init(&path, 8192);
        buffer_printf(&path, "%s/%s.csv", directory,
                      registry_table_word((enum registry_table)table));
        if (stat(buffer_cstr(&path), &about) == 0) {
            job->made_paths[table] = strdup(buffer_cstr(&path));
            job->sources[table].path = job->made_paths[table];
            any = true;
        }
        buffer_release(&path);
    }
    return any ? CLI_OK
               : cli_fail(
                     "%s holds none of schools.csv, pupils.csv, cards.csv, guardians.csv, gates.csv",
                     directory);
}

static int parse_words(struct import_job *job, int argc, char **argv)
{
    const struct cli_option options[] = {
        {"--pg", &job->conninfo, NULL},
        {"--schools", &job->sources[REGISTRY_SCHOOLS].path, NULL},
        {"--pupils", &job->sources[REGISTRY_PUPILS].path, NULL},
        {"--cards", &job->sources[REGISTRY_CARDS].path, NULL},
        {"--guardians", &job->sources[REGISTRY_GUARDIANS].path, NULL},
        {"--gates", &job->sources[REGISTRY_GATES].path, NULL},
        {"--help", NULL, &job->help},
        {NULL, NULL, NULL}};
    int words = 0;
    int result = cli_options(argc, argv, options, USAGE, &words);
    if (result != CLI_OK) {
        return result;
    }
    if (job->help) {
        (void)printf("usage: %s\n", USAGE);
        return CLI_OK;
    }
    bool any = false;
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        any = any || job->sources[table].path != NULL;
    }
    if (words > 2 || (words == 2) == any) {
        return cli_usage(USAGE, "name a directory, or files");
    }
    if (job->conninfo == NULL) {
        job->conninfo = cli_setting("pg");
    }
    if (job->conninfo == NULL) {
        return cli_usage(USAGE, "which database? Use --pg CONNINFO, or set CAMPUS_PG");
    }
    return words == 2 ? use_directory(job, argv[1]) : CLI_OK;
}

static void print_results(const struct import_job *job, const struct registry_result *results)
{
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        if (job->sources[table].path != NULL) {
            (void)printf("%-9s  %u added, %u changed, %u unchanged",
                         registry_table_word((enum registry_table)table), results[table].added,
                         results[table].changed, results[table].unchanged);
            if (results[table].retired > 0) {
                (void)printf(", %u links to pupils taken back", results[table].retired);
            }
            (void)printf("\n");
        }
    }
}

static enum status store(struct import_job *job, struct buffer *lines, struct status_detail *detail)
{
    struct registry_import imports[REGISTRY_TABLES];
    struct registry_result results[REGISTRY_TABLES] = {{0}};
    uint32_t count = 0;
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        const struct source *source = &job->sources[table];
        if (source->path != NULL) {
            imports[count++] = (struct registry_import){.table = (enum registry_table)table,
                                                        .source = source->path,
                                                        .rows = source->rows,
                                                        .row_count = source->count};
        }
    }
    PGconn *conn;
    enum status status = registry_connect(job->conninfo, &conn, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = registry_migrate(conn, detail);
    if (status == STATUS_OK) {
        status = registry_import(conn, imports, count, lines, results, detail);
    }
    uint64_t revision = 0;
    struct status_detail ignored; /* the import is done, whatever this says */
    bool known = status == STATUS_OK && registry_revision(conn, &revision, &ignored) == STATUS_OK;
    PQfinish(conn);
    if (status == STATUS_OK) {
        print_results(job, results);
        (void)fflush(stdout);
    }
    if (known) {
        control_tell_in_force(job->conninfo, revision);
    }
    return status;
}

static int run_import(struct import_job *job)
{
    struct status_detail detail = {.text = ""};
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        if (job->sources[table].path != NULL &&
            read_source(job, (enum registry_table)table, &detail) != STATUS_OK) {
            return cli_fail("%s", detail.text);
        }
    }
    struct buffer lines;
    buffer_init(&lines, 65536);
    enum status status = store(job, &lines, &detail);
    if (status != STATUS_OK) {
        (void)cli_fail("nothing was imported: %s", detail.text);
        if (lines.size > strlen(detail.text) + 1) {
            (void)fputs(buffer_cstr(&lines), stderr);
        }
    }
    buffer_release(&lines);
    return status == STATUS_OK ? CLI_OK : CLI_FAILED;
}

int cmd_import(int argc, char **argv)
{
    struct import_job job = {.conninfo = NULL};
    arena_init_growing(&job.arena, (size_t)1 << 20, FILE_BYTES_MAX);
    int result = parse_words(&job, argc, argv);
    if (result == CLI_OK && !job.help) {
        result = run_import(&job);
    }
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        free(job.sources[table].rows);
        free(job.made_paths[table]);
    }
    arena_release(&job.arena);
    return result;
}
