/* campusctl locate: which fences contain these points? Offline, from files alone. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "cli/cli.h"
#include "geo/geojson.h"
#include "geo/index.h"

static const char usage[] =
    "campusctl locate --fences FILE.geojson[.gz] --points FILE.csv[.gz] --datum wgs84|gcj02|bd09\n"
    "       [--repair]";
static const char help[] =
    "\nThe points' file has a header line with the columns lat and lon, in degrees; others are not read.\n"
    "For each point, in order, one line: the ids of the fences that contain it, sorted, with | between\n"
    "them; an empty line where there is none. A point on a boundary is inside.\n"
    "--datum is what the points are in, and the fences that do not say so themselves (property datum).\n"
    "Features without an area are left out, invalid polygons taken by the even-odd rule, or\n"
    "with --repair made valid as `fences import --repair` does it; stderr tells.\n";

#define MEMORY_MAX ((size_t)8 << 30)
enum { BATCH = 4096 };

struct line {
    const char *text; /* NULL: not made yet */
    size_t length;
};

struct locate {
    const char *fences_path, *points_path;
    enum geo_datum datum;
    bool repair;
    struct arena arena;
    struct geo_features features;
    struct geo_index *index;
    struct geo_point *points;
    size_t point_count, point_capacity;
    struct line *lines; /* by set */
    struct status_detail detail;
};

/* ---- fences ---- */

static enum status check_id(struct locate *locate, const char *id)
{
    return strpbrk(id, "|\r\n") == NULL
               ? STATUS_OK
               : status_detail_set(
                     &locate->detail, STATUS_INVALID,
                     "%s: the id \"%.80s\" holds | or a line end, which stand between "
                     "the ids that come out: rename it",
                     locate->fences_path, id);
}

static enum status read_fences(struct locate *locate)
{
    struct text json;
    enum status status = cli_read_file(locate->fences_path, &locate->arena, &json, &locate->detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct cli_warnings warnings = {.path = locate->fences_path};
    const struct geo_geojson_options options = {.datum_default = locate->datum,
                                                .lenient = true,
                                                .repair = locate->repair,
                                                .warn = cli_warn,
                                                .context = &warnings};
    struct geo_features *features = &locate->features;
    status = geo_geojson_read(json, &options, &locate->arena, features, &locate->detail);
    cli_warn_end(&warnings);
    if (status != STATUS_OK) {
        return status_detail_wrap(&locate->detail, status, "%s", locate->fences_path);
    }
    if (features->count == 0) {
        cli_warn(&warnings, "no fence in it");
    }
    struct geo_shape *shapes = arena_array(&locate->arena, features->count, sizeof *shapes);
    if (shapes == NULL) {
        return status_detail_set(&locate->detail, STATUS_NO_MEMORY, "no memory for the fences");
    }
    for (uint32_t i = 0; i < features->count && status == STATUS_OK; i++) {
        shapes[i] = features->items[i].shape;
        status = check_id(locate, features->items[i].id);
    }
    if (status == STATUS_OK) {
        status = geo_index_new(shapes, features->count, &locate->index, &locate->detail);
        if (status != STATUS_OK) {
            (void)status_detail_wrap(&locate->detail, status, "%s", locate->fences_path);
        }
    }
    return status;
}

/* ---- points ---- */

/* Up to 15 digits with a point among them give the same double by one division as by strtod, at a
 * tenth of the time (Clinger 1990). False: read it in the long way. */
static bool read_short(struct text text, double *ret)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t i = text.length > 0 && text.at[0] == '-';
    bool negative = i == 1;
    int64_t digits = 0;
    size_t digit_count = 0, decimals = 0;
    bool behind_point = false;
    for (; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (c < '0' || c > '9' || digit_count == 15) {
            return false;
        }
        digits = digits * 10 + (c - '0');
        digit_count++;
        decimals += behind_point;
    }
    if (digit_count == decimals) { /* ".5", "-", "" */
        return false;
    }
    double value = (double)digits / tens[decimals];
    *ret = negative ? -value : value;
    return true;
}

static enum status read_degrees(struct locate *locate, const struct csv_row *row, int place,
                                const char *name, double limit, double *ret)
{
    if ((uint32_t)place >= row->field_count) {
        return status_detail_set(&locate->detail, STATUS_INVALID,
                                 "%s: line %u: ends before column %d (%s)", locate->points_path,
                                 row->line, place + 1, name);
    }
    struct text field = text_trim(row->fields[place]);
    if (!read_short(field, ret) && text_to_double(field, ret) != STATUS_OK) {
        return status_detail_set(&locate->detail, STATUS_INVALID,
                                 "%s: line %u: column %d (%s): \"%.*s\" is no number",
                                 locate->points_path, row->line, place + 1, name,
                                 field.length > 60 ? 60 : (int)field.length, field.at);
    }
    if (!(fabs(*ret) <= limit)) {
        return status_detail_set(&locate->detail, STATUS_INVALID,
                                 "%s: line %u: column %d (%s): %.*s is beyond %g degrees",
                                 locate->points_path, row->line, place + 1, name,
                                 field.length > 60 ? 60 : (int)field.length, field.at, limit);
    }
    return STATUS_OK;
}

static enum status push_point(struct locate *locate, double lat, double lon)
{
    if (locate->point_count == locate->point_capacity) {
        size_t capacity = locate->point_capacity * 2 + BATCH;
        struct geo_point *points = realloc(locate->points, capacity * sizeof *points);
        if (points == NULL) {
            return status_detail_set(&locate->detail, STATUS_NO_MEMORY, "no memory for the points");
        }
        locate->points = points;
        locate->point_capacity = capacity;
    }
    geo_to_wgs84(locate->datum, &lat, &lon);
    enum status status = geo_point_from_degrees(lat, lon, &locate->points[locate->point_count]);
    locate->point_count += status == STATUS_OK;
    return status;
}

static enum status read_rows(struct locate *locate, struct csv *csv, const int places[2])
{
    struct csv_row row;
    for (;;) {
        enum status status = csv_next(csv, &row, &locate->detail);
        if (status == STATUS_END) {
            return STATUS_OK;
        }
        if (status != STATUS_OK) {
            return status_detail_wrap(&locate->detail, status, "%s", locate->points_path);
        }
        double lat = 0, lon = 0;
        status = read_degrees(locate, &row, places[0], "lat", 90, &lat);
        if (status == STATUS_OK) {
            status = read_degrees(locate, &row, places[1], "lon", 180, &lon);
        }
        if (status != STATUS_OK) {
            return status;
        }
        status = push_point(locate, lat, lon);
        if (status == STATUS_INVALID) {
            (void)status_detail_set(
                &locate->detail, status,
                "%s: line %u: columns %d and %d: off the globe once it is WGS-84",
                locate->points_path, row.line, places[0] + 1, places[1] + 1);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
}

static enum status read_points(struct locate *locate)
{
    struct text text;
    enum status status = cli_read_file(locate->points_path, &locate->arena, &text, &locate->detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct csv csv;
    static const char *const names[] = {"lat", "lon", NULL};
    int places[2];
    csv_init(&csv, text, &locate->arena);
    status = csv_header(&csv, names, places, &locate->detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(&locate->detail, status, "%s", locate->points_path);
    }
    for (int i = 0; i < 2; i++) {
        if (places[i] < 0) {
            return status_detail_set(&locate->detail, STATUS_INVALID,
                                     "%s: line 1: no column %s: the first line names the columns, "
                                     "lat and lon among them",
                                     locate->points_path, names[i]);
        }
    }
    return read_rows(locate, &csv, places);
}

/* ---- answers ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The line that a set prints, made when it is first met. */
static const struct line *line_of(struct locate *locate, uint32_t set)
{
    struct line *line = &locate->lines[set];
    if (line->text != NULL) {
        return line;
    }
    const char *ids[GEO_FOUND_MAX] = {NULL};
    uint32_t count;
    size_t length = 1;
    const uint32_t *shapes = geo_index_set(locate->index, set, &count);
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = locate->features.items[shapes[i]].id;
        length += strlen(ids[i]) + (i > 0);
    }
    qsort(ids, count, sizeof ids[0], compare_ids);
    char *text = arena_alloc(&locate->arena, length);
    if (text == NULL) {
        return NULL;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            text[at++] = '|';
        }
        size_t id_length = strlen(ids[i]);
        memcpy(text + at, ids[i], id_length);
        at += id_length;
    }
    text[at] = '\n';
    *line = (struct line){text, length};
    return line;
}

static enum status print_batch(struct locate *locate, const struct geo_point *points,
                               uint32_t count)
{
    uint32_t sets[BATCH];
    geo_index_find_batch(locate->index, points, count, sets);
    for (uint32_t i = 0; i < count; i++) {
        const struct line *line = line_of(locate, sets[i]);
        if (line == NULL) {
            return status_detail_set(&locate->detail, STATUS_NO_MEMORY, "no memory for a line");
        }
        if (fwrite(line->text, 1, line->length, stdout) != line->length) {
            return status_detail_set(&locate->detail, STATUS_IO, "standard output: %s",
                                     strerror(errno));
        }
    }
    return STATUS_OK;
}

static enum status print_all(struct locate *locate)
{
    locate->lines =
        arena_array(&locate->arena, geo_index_set_count(locate->index), sizeof *locate->lines);
    if (locate->lines == NULL) {
        return status_detail_set(&locate->detail, STATUS_NO_MEMORY, "no memory for the lines");
    }
    enum status status = STATUS_OK;
    for (size_t at = 0; at < locate->point_count && status == STATUS_OK; at += BATCH) {
        size_t left = locate->point_count - at;
        status = print_batch(locate, locate->points + at, left < BATCH ? (uint32_t)left : BATCH);
    }
    if (status == STATUS_OK && fflush(stdout) != 0) {
        status =
            status_detail_set(&locate->detail, STATUS_IO, "standard output: %s", strerror(errno));
    }
    return status;
}

static int run(struct locate *locate)
{
    arena_init_growing(&locate->arena, 1u << 20, MEMORY_MAX);
    enum status status = read_fences(locate);
    if (status == STATUS_OK) {
        status = read_points(locate);
    }
    if (status == STATUS_OK) {
        status = print_all(locate);
    }
    geo_index_free(locate->index);
    free(locate->points);
    arena_release(&locate->arena);
    return status == STATUS_OK ? CLI_OK : cli_fail("%s", locate->detail.text);
}

int cmd_locate(int argc, char **argv)
{
    struct locate locate = {0};
    const char *datum = NULL;
    bool wants_help = false;
    const struct cli_option options[] = {{"--fences", &locate.fences_path, NULL},
                                         {"--points", &locate.points_path, NULL},
                                         {"--datum", &datum, NULL},
                                         {"--repair", NULL, &locate.repair},
                                         {"--help", NULL, &wants_help},
                                         {0}};
    int words;
    int result = cli_options(argc, argv, options, usage, &words);
    if (result != CLI_OK) {
        return result;
    }
    if (wants_help) {
        (void)printf("usage: %s\n%s", usage, help);
        return CLI_OK;
    }
    if (words > 1) {
        return cli_usage(usage, "what is %s?", argv[1]);
    }
    if (locate.fences_path == NULL || locate.points_path == NULL) {
        return cli_usage(usage, "--fences and --points are needed");
    }
    if (datum == NULL) {
        return cli_usage(usage, "--datum is needed: GCJ-02 lies hundreds of metres beside WGS-84");
    }
    if (geo_datum_parse(text_of(datum), &locate.datum) != STATUS_OK) {
        return cli_usage(usage, "datum %s is unknown: use wgs84, gcj02 or bd09", datum);
    }
    return run(&locate);
}
