#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/control_client.h"
#include "cli/fences_draw.h"
#include "geo/geojson.h"
#include "storage/registry.h"

#define USAGE                                                                                                           \
    "campusctl fences import FILE [--datum wgs84|gcj02|bd09] [--repair] [--replace-school ID]\n"                        \
    "       campusctl fences check FILE [--datum wgs84|gcj02|bd09] [--repair]\n"                                        \
    "       campusctl fences draw FILE --at LAT,LON [--around METRES] [--datum ...] > picture.svg\n"                    \
    "       campusctl fences export [--school ID] [FILE]\n"                                                             \
    "       campusctl fences list [--school ID]\n"                                                                      \
    "and --pg CONNINFO with each but check and draw, which need no database. --datum is for features that name none.\n" \
    "--repair makes invalid polygons valid, and says of each what that changed; without it they are refused.\n"         \
    "--replace-school retires the live fences of the school that the file does not hold (\"\": those that\n"            \
    "concern everyone)."
#define BYTES_MAX ((size_t)4 << 30)

struct fences_job {
    const char *conninfo, *datum, *school, *replace_school, *at, *around_m;
    bool repair, help;
};

/* Every line is shown: a change that nobody read of was made in silence. */
static void tell(void *path, const char *words)
{
    (void)cli_fail("%s: %s", (const char *)path, words);
}

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

static enum status read_features(const struct fences_job *job, const char *path, bool go_on,
                                 struct arena *arena, struct geo_features *ret,
                                 struct status_detail *detail)
{
    char name[1024];
    (void)snprintf(name, sizeof name, "%s", path);
    struct geo_geojson_options options = {
        .datum_default = GEO_DATUM_NONE,
        .repair = job->repair,
        .repair_words = job->repair ? NULL : ": mend it there, or let --repair do it",
        .go_on = go_on,
        .warn = tell,
        .context = name};
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
    struct geo_features features = {.count = 0};
    struct registry_result result = {0};
    struct arena arena;
    struct buffer lines;
    arena_init_growing(&arena, (size_t)1 << 20, BYTES_MAX);
    buffer_init(&lines, 65536);
    enum status status = read_features(job, path, false, &arena, &features, &detail);
    if (status == STATUS_OK) {
        status = store(job, path, &features, &lines, &result, &detail);
    }
    if (status == STATUS_OK) {
        (void)printf("fences     %u added, %u changed, %u unchanged, %u retired\n", result.added,
                     result.changed, result.unchanged, result.retired);
        if (job->repair) {
            (void)printf("repaired   %u\n", features.repaired);
        }
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

static int run_check(const struct fences_job *job, const char *path)
{
    struct status_detail detail = {.text = ""};
    struct geo_features features = {.count = 0};
    struct arena arena;
    arena_init_growing(&arena, (size_t)1 << 20, BYTES_MAX);
    enum status status = read_features(job, path, true, &arena, &features, &detail);
    bool good = status == STATUS_OK && features.refused == 0;
    if (status == STATUS_OK) {
        (void)printf("fences     %u good, %u repaired, %u refused\n",
                     features.count - features.repaired, features.repaired, features.refused);
    } else {
        (void)cli_fail("%s", detail.text);
    }
    arena_release(&arena);
    return good ? CLI_OK : CLI_FAILED;
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

/* The options that the command does not take. */
static bool are_wrong(const struct fences_job *job, const char *command)
{
    bool import = strcmp(command, "import") == 0, check = strcmp(command, "check") == 0;
    bool draw = strcmp(command, "draw") == 0;
    return ((import || check || draw) && job->school != NULL) ||
           (!import && job->replace_school != NULL) || (!import && !check && job->repair) ||
           (!import && !check && !draw && job->datum != NULL) ||
           ((check || draw) && job->conninfo != NULL) ||
           (!draw && (job->at != NULL || job->around_m != NULL));
}

static int run(struct fences_job *job, int words, char **argv)
{
    const char *command = argv[1];
    bool importing = strcmp(command, "import") == 0, checking = strcmp(command, "check") == 0;
    if (are_wrong(job, command)) {
        return cli_usage(USAGE, "%s does not take these options", command);
    }
    bool drawing = strcmp(command, "draw") == 0;
    if ((importing || checking || drawing) && words != 3) {
        return words < 3 ? cli_usage(USAGE, "%s which file?", command)
                         : cli_usage(USAGE, "%s is not understood here", argv[words - 1]);
    }
    if (checking) {
        return run_check(job, argv[2]);
    }
    if (drawing) {
        return fences_draw(argv[2], job->at, job->around_m, job->datum);
    }
    if (job->conninfo == NULL) {
        job->conninfo = cli_setting("pg");
    }
    if (job->conninfo == NULL) {
        return cli_usage(USAGE, "which database? Use --pg CONNINFO, or set CAMPUS_PG");
    }
    if (importing) {
        return run_import(job, argv[2]);
    }
    if (strcmp(command, "export") == 0 && words <= 3) {
        return run_show(job, false, words == 3 ? argv[2] : NULL);
    }
    if (strcmp(command, "list") == 0 && words == 2) {
        return run_show(job, true, NULL);
    }
    return cli_usage(USAGE, "%s is not understood here", argv[words - 1]);
}

int cmd_fences(int argc, char **argv)
{
    struct fences_job job = {.conninfo = NULL};
    const struct cli_option options[] = {{"--pg", &job.conninfo, NULL},
                                         {"--datum", &job.datum, NULL},
                                         {"--school", &job.school, NULL},
                                         {"--replace-school", &job.replace_school, NULL},
                                         {"--at", &job.at, NULL},
                                         {"--around", &job.around_m, NULL},
                                         {"--repair", NULL, &job.repair},
                                         {"--help", NULL, &job.help},
                                         {NULL, NULL, NULL}};
    int words = 0;
    int result = cli_options(argc, argv, options, USAGE, &words);
    if (result != CLI_OK) {
        return result;
    }
    if (job.help) {
        (void)printf("usage: %s\n", USAGE);
        return CLI_OK;
    }
    return words >= 2 ? run(&job, words, argv)
                      : cli_usage(USAGE, "import, check, draw, export or list?");
}
