#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/control_client.h"
#include "geo/geojson.h"
#include "storage/registry.h"

#define USAGE                                                                                                  \
    "campusctl fences import FILE [--datum wgs84|gcj02|bd09] [--replace-school ID]\n"                          \
    "       campusctl fences export [--school ID] [FILE]\n"                                                    \
    "       campusctl fences list [--school ID]\n"                                                             \
    "and --pg CONNINFO with each. --datum is for features that name none. --replace-school retires the live\n" \
    "fences of the school that the file does not hold (\"\": those that concern everyone)."
#define BYTES_MAX ((size_t)4 << 30)

struct fences_job {
    const char *conninfo, *datum, *school, *replace_school;
    bool help;
};

static enum status open_registry(const struct fences_job *job, PGconn **ret,
                                 struct status_detail *detail)
{
    PGconn *conn;
    enum status status = registry_connect(job->conninfo, &conn, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = registry_migrate(conn, detail);
    if (status != STATUS_OK) {
        PQfinish(conn);
        return status;
    }
    *ret = conn;
    return STATUS_OK;
}

static enum status read_features(const struct fences_job *job, const char *path,
                                 struct arena *arena, struct geo_features *ret,
                                 struct status_detail *detail)
{
    struct geo_geojson_options options = {.datum_default = GEO_DATUM_NONE};
    if (job->datum != NULL &&
        geo_datum_parse(text_of(job->datum), &options.datum_default) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID, "--datum %s: use wgs84, gcj02 or bd09",
                                 job->datum);
    }
    struct text json;
    enum status status = cli_read_file(path, arena, &json, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = geo_geojson_read(json, &options, arena, ret, detail);
    return status == STATUS_OK ? status : status_detail_wrap(detail, status, "%s", path);
}

static enum status store(const struct fences_job *job, const char *path,
                         const struct geo_features *features, struct buffer *lines,
                         struct registry_result *ret, struct status_detail *detail)
{
    PGconn *conn;
    enum status status = open_registry(job, &conn, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = registry_import_fences(conn, features, job->replace_school, lines, ret, detail);
    uint64_t revision = 0;
    struct status_detail ignored; /* the import is done, whatever this says */
    bool known = status == STATUS_OK && registry_revision(conn, &revision, &ignored) == STATUS_OK;
    PQfinish(conn);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s", path);
    }
    if (known) {
        control_tell_in_force(job->conninfo, revision);
    }
    return STATUS_OK;
}

static int run_import(const struct fences_job *job, const char *path)
{
    struct status_detail detail = {.text = ""};
    struct geo_features features;
    struct registry_result result = {0};
    struct arena arena;
    struct buffer lines;
    arena_init_growing(&arena, (size_t)1 << 20, BYTES_MAX);
    buffer_init(&lines, 65536);
    enum status status = read_features(job, path, &arena, &features, &detail);
    if (status == STATUS_OK) {
        status = store(job, path, &features, &lines, &result, &detail);
    }
    if (status == STATUS_OK) {
        (void)printf("fences     %u added, %u changed, %u unchanged, %u retired\n", result.added,
                     result.changed, result.unchanged, result.retired);
    } else {
        (void)cli_fail("nothing was imported: %s", detail.text);
        if (memchr(buffer_cstr(&lines), '\n', lines.size) != NULL &&
            strchr(buffer_cstr(&lines), '\n')[1] != '\0') {
            (void)fputs(buffer_cstr(&lines), stderr);
        }
    }
    buffer_release(&lines);
    arena_release(&arena);
    return status == STATUS_OK ? CLI_OK : CLI_FAILED;
}

static enum status write_out(const char *path, const struct buffer *bytes,
                             struct status_detail *detail)
{
    bool to_stdout = path == NULL || strcmp(path, "-") == 0;
    FILE *file = to_stdout ? stdout : fopen(path, "we");
    if (file == NULL) {
        return status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    bool written = fwrite(bytes->data, 1, bytes->size, file) == bytes->size && fflush(file) == 0;
    int error = errno;
    if (!to_stdout && fclose(file) != 0 && written) {
        written = false;
        error = errno;
    }
    return written ? STATUS_OK
                   : status_detail_set(detail, STATUS_IO, "%s: %s",
                                       to_stdout ? "standard output" : path, strerror(error));
}

/* Export and list: what the registry writes goes to the file or to standard output. */
static int run_show(const struct fences_job *job, bool as_table, const char *path)
{
    struct status_detail detail = {.text = ""};
    struct buffer out;
    buffer_init(&out, BYTES_MAX);
    PGconn *conn;
    enum status status = open_registry(job, &conn, &detail);
    if (status == STATUS_OK) {
        status = as_table ? registry_list_fences(conn, job->school, &out, &detail)
                          : registry_export_fences(conn, job->school, &out, &detail);
        PQfinish(conn);
    }
    if (status == STATUS_OK) {
        status = write_out(path, &out, &detail);
    }
    buffer_release(&out);
    return status == STATUS_OK ? CLI_OK : cli_fail("%s", detail.text);
}

int cmd_fences(int argc, char **argv)
{
    struct fences_job job = {.conninfo = NULL};
    const struct cli_option options[] = {
        {"--pg", &job.conninfo, NULL},   {"--datum", &job.datum, NULL},
        {"--school", &job.school, NULL}, {"--replace-school", &job.replace_school, NULL},
        {"--help", NULL, &job.help},     {NULL, NULL, NULL}};
    int words = 0;
    int result = cli_options(argc, argv, options, USAGE, &words);
    if (result != CLI_OK) {
        return result;
    }
    if (job.help) {
        (void)printf("usage: %s\n", USAGE);
        return CLI_OK;
    }
    if (words < 2) {
        return cli_usage(USAGE, "import, export or list?");
    }
    if (job.conninfo == NULL) {
        job.conninfo = cli_setting("pg");
    }
    if (job.conninfo == NULL) {
        return cli_usage(USAGE, "which database? Use --pg CONNINFO, or set CAMPUS_PG");
    }
    bool importing = strcmp(argv[1], "import") == 0, exporting = strcmp(argv[1], "export") == 0;
    if ((importing && job.school != NULL) ||
        (!importing && (job.datum != NULL || job.replace_school != NULL))) {
        return cli_usage(USAGE, "%s does not take these options", argv[1]);
    }
    if (importing && words == 3) {
        return run_import(&job, argv[2]);
    }
    if (exporting && words <= 3) {
        return run_show(&job, false, words == 3 ? argv[2] : NULL);
    }
    if (strcmp(argv[1], "list") == 0 && words == 2) {
        return run_show(&job, true, NULL);
    }
    return cli_usage(USAGE, importing ? "import which file?" : "%s is not understood here",
                     argv[words - 1]);
}
