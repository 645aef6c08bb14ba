#include "cli/track.h"

#include <expat.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/csv.h"
#include "cli/cli.h"
#include "core/event.h"

#define NO_TIME INT64_MIN
/* User equivalent range error of an ordinary receiver, metres a unit of HDOP. */
static const double metres_per_hdop = 5.0;
static const double accuracy_m_max = 1e6, hdop_max = 100.0;
enum { TEXT_MAX = 64, POINTS_MAX = 50000000 };

struct list {
    struct track_point *points;
    uint32_t count, capacity;
};

static struct track_point *list_add(struct list *list)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity < 512 ? 1024 : list->capacity * 2;
        struct track_point *points =
            capacity <= POINTS_MAX ? realloc(list->points, capacity * sizeof *points) : NULL;
        if (points == NULL) {
            return NULL;
        }
        list->points = points;
        list->capacity = capacity;
    }
    struct track_point *point = &list->points[list->count++];
    *point = (struct track_point){.time_ms = NO_TIME, .source = FIX_GNSS};
    return point;
}

/* ---- GPX ---- */

enum gpx_value { GPX_NOTHING, GPX_TIME, GPX_HDOP };

struct gpx {
    XML_Parser parser;
    const char *name;
    struct list list;
    struct track_point *point; /* the open <trkpt> */
    enum gpx_value value;
    unsigned depth, point_depth;
    char text[TEXT_MAX];
    size_t text_size;
    enum status status;
    struct status_detail *detail;
};

static uint32_t gpx_line(const struct gpx *gpx)
{
    return (uint32_t)XML_GetCurrentLineNumber(gpx->parser);
}

static void gpx_fail(struct gpx *gpx, const char *what, const char *text)
{
    gpx->status = status_detail_set(gpx->detail, STATUS_INVALID, "%s:%u: %s: \"%.40s\"", gpx->name,
                                    gpx_line(gpx), what, text);
    (void)XML_StopParser(gpx->parser, XML_FALSE);
}

/* "ns:trkpt" and "trkpt" are the same to us. */
static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon != NULL ? colon + 1 : name;
}

static void open_point(struct gpx *gpx, const char **attributes)
{
    const char *lat = "", *lon = "";
    for (; attributes[0] != NULL; attributes += 2) {
        if (strcmp(attributes[0], "lat") == 0) {
            lat = attributes[1];
        } else if (strcmp(attributes[0], "lon") == 0) {
            lon = attributes[1];
        }
    }
    double degrees_lat, degrees_lon;
    struct geo_point place;
    if (text_to_double(text_trim(text_of(lat)), &degrees_lat) != STATUS_OK ||
        text_to_double(text_trim(text_of(lon)), &degrees_lon) != STATUS_OK ||
        geo_point_from_degrees(degrees_lat, degrees_lon, &place) != STATUS_OK) {
        gpx_fail(gpx, "trkpt: lat and lon are no position", lat);
        return;
    }
    gpx->point = list_add(&gpx->list);
    if (gpx->point == NULL) {
        gpx->status = STATUS_NO_MEMORY;
        (void)XML_StopParser(gpx->parser, XML_FALSE);
        return;
    }
    gpx->point->point = place;
    gpx->point->line = gpx_line(gpx);
    gpx->point_depth = gpx->depth;
}

static void XMLCALL on_start(void *context, const char *element, const char **attributes)
{
    struct gpx *gpx = context;
    const char *name = local_name(element);
    gpx->depth++;
    gpx->value = GPX_NOTHING;
    gpx->text_size = 0;
    if (strcmp(name, "trkpt") == 0 && gpx->point == NULL) {
        open_point(gpx, attributes);
    } else if (gpx->point != NULL && gpx->depth == gpx->point_depth + 1) {
        gpx->value = strcmp(name, "time") == 0   ? GPX_TIME
                     : strcmp(name, "hdop") == 0 ? GPX_HDOP
                                                 : GPX_NOTHING;
    }
}

static void XMLCALL on_text(void *context, const char *text, int length)
{
    struct gpx *gpx = context;
    size_t size = (size_t)length;
    if (gpx->value != GPX_NOTHING && size < TEXT_MAX - gpx->text_size) {
        memcpy(gpx->text + gpx->text_size, text, size);
        gpx->text_size += size;
    }
}

static void take_value(struct gpx *gpx)
{
    struct text text = text_trim((struct text){gpx->text, gpx->text_size});
    double hdop;
    gpx->text[gpx->text_size] = '\0';
    if (gpx->value == GPX_TIME && text.length > 0 &&
        clock_parse(text.at, text.length, &gpx->point->time_ms) != STATUS_OK) {
        gpx_fail(gpx, "time: neither RFC 3339 nor Unix seconds", gpx->text);
    } else if (gpx->value == GPX_HDOP && text_to_double(text, &hdop) == STATUS_OK && hdop > 0 &&
               hdop <= hdop_max) {
        gpx->point->accuracy_cm = (uint32_t)(hdop * metres_per_hdop * 100);
    }
}

static void XMLCALL on_end(void *context, const char *element)
{
    (void)element;
    struct gpx *gpx = context;
    if (gpx->value != GPX_NOTHING) {
        take_value(gpx);
        gpx->value = GPX_NOTHING;
    }
    if (gpx->point != NULL && gpx->depth == gpx->point_depth) {
        gpx->point = NULL;
    }
    gpx->depth--;
}

/* Times for points that have none: between their neighbours', or 1 s a step up to now. */
static void fill_times(struct list *list, int64_t now_ms)
{
    uint32_t last = UINT32_MAX; /* place of the last point with a time */
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->points[i].time_ms == NO_TIME) {
            continue;
        }
        int64_t to = list->points[i].time_ms;
        int64_t from = last == UINT32_MAX ? to : list->points[last].time_ms;
        uint32_t first = last == UINT32_MAX ? 0 : last + 1;
        for (uint32_t k = first; k < i; k++) {
            list->points[k].time_ms =
                from + (to - from) * (int64_t)(k - first + 1) / (i - first + 1);
        }
        last = i;
    }
    uint32_t first = last == UINT32_MAX ? 0 : last + 1;
    for (uint32_t k = first; k < list->count; k++) {
        list->points[k].time_ms = last == UINT32_MAX
                                      ? now_ms - (int64_t)(list->count - 1 - k) * 1000
                                      : list->points[last].time_ms;
    }
}

static enum status parse_gpx(const char *name, struct text text,
                             const struct track_options *options, struct list *ret,
                             struct status_detail *detail)
{
    struct gpx gpx = {.name = name, .detail = detail, .parser = XML_ParserCreate(NULL)};
    if (gpx.parser == NULL) {
        return STATUS_NO_MEMORY;
    }
    XML_SetUserData(gpx.parser, &gpx);
    XML_SetElementHandler(gpx.parser, on_start, on_end);
    XML_SetCharacterDataHandler(gpx.parser, on_text);
    enum { PIECE = 1 << 20 };
    bool more = true;
    while (more && gpx.status == STATUS_OK) {
        size_t size = text.length < PIECE ? text.length : PIECE;
        more = size < text.length;
        if (XML_Parse(gpx.parser, text.at, (int)size, !more) == XML_STATUS_ERROR &&
            gpx.status == STATUS_OK) {
            gpx.status =
                status_detail_set(detail, STATUS_INVALID, "%s:%u: %s", name, gpx_line(&gpx),
                                  XML_ErrorString(XML_GetErrorCode(gpx.parser)));
        }
        text.at += size;
        text.length -= size;
    }
    XML_ParserFree(gpx.parser);
    fill_times(&gpx.list, options->now_ms);
    *ret = gpx.list;
    return gpx.status;
}

/* ---- CSV ---- */

enum column {
    COLUMN_TIME,
    COLUMN_LAT,
    COLUMN_LON,
    COLUMN_ACCURACY,
    COLUMN_SOURCE,
    COLUMN_DEVICE,
    COLUMN_COUNT
};

/* What the columns are called in the wild, each with its meaning. */
static const struct {
    const char *name;
    enum column column;
} synonyms[] = {{"time", COLUMN_TIME},         {"fix_ts", COLUMN_TIME},
                {"tracked_at", COLUMN_TIME},   {"timestamp", COLUMN_TIME},
                {"lat", COLUMN_LAT},           {"latitude", COLUMN_LAT},
                {"lon", COLUMN_LON},           {"lng", COLUMN_LON},
                {"longitude", COLUMN_LON},     {"accuracy_m", COLUMN_ACCURACY},
                {"accuracy", COLUMN_ACCURACY}, {"source", COLUMN_SOURCE},
                {"provider", COLUMN_SOURCE},   {"dev", COLUMN_DEVICE},
                {"user_id", COLUMN_DEVICE},    {"device", COLUMN_DEVICE},
                {"card", COLUMN_DEVICE}};
enum { SYNONYM_COUNT = sizeof synonyms / sizeof synonyms[0] };

struct rows {
    const char *name, *device;
    int places[COLUMN_COUNT];
    struct status_detail *detail;
    struct list list;
};

static enum status read_header(struct rows *rows, struct csv *csv)
{
    const char *names[SYNONYM_COUNT + 1] = {NULL};
    int found[SYNONYM_COUNT];
    for (size_t i = 0; i < SYNONYM_COUNT; i++) {
        names[i] = synonyms[i].name;
    }
    enum status status = csv_header(csv, names, found, rows->detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(rows->detail, status, "%s", rows->name);
    }
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        rows->places[i] = -1;
    }
    for (size_t i = 0; i < SYNONYM_COUNT; i++) {
        int *place = &rows->places[synonyms[i].column];
        *place = *place < 0 ? found[i] : *place;
    }
    if (rows->places[COLUMN_TIME] < 0 || rows->places[COLUMN_LAT] < 0 ||
        rows->places[COLUMN_LON] < 0) {
        return status_detail_set(rows->detail, STATUS_INVALID,
                                 "%s:1: the header must name time, lat, lon (and may accuracy_m)",
                                 rows->name);
    }
    if (rows->device != NULL && rows->places[COLUMN_DEVICE] < 0) {
        return status_detail_set(rows->detail, STATUS_INVALID,
                                 "%s:1: no column dev, user_id, device or card to choose by",
                                 rows->name);
    }
    return STATUS_OK;
}

static struct text field_of(const struct rows *rows, const struct csv_row *row, enum column column)
{
    int place = rows->places[column];
    if (place < 0 || (uint32_t)place >= row->field_count) {
        return (struct text){"", 0};
    }
    return text_trim(row->fields[place]);
}

static enum status bad_field(const struct rows *rows, const struct csv_row *row, const char *column,
                             struct text text)
{
    int shown = text.length < 40 ? (int)text.length : 40;
    return status_detail_set(rows->detail, STATUS_INVALID, "%s:%u: %s: cannot be \"%.*s\"",
                             rows->name, row->line, column, shown, text.at);
}

static uint8_t source_of(struct text word)
{
    static const struct {
        const char *word;
        uint8_t source;
    } words[] = {{"gnss", FIX_GNSS}, {"gps", FIX_GNSS},       {"fused", FIX_UNKNOWN},
                 {"wifi", FIX_WIFI}, {"wi-fi", FIX_WIFI},     {"network", FIX_WIFI},
                 {"cell", FIX_CELL}, {"unknown", FIX_UNKNOWN}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (word.length == strlen(words[i].word) &&
            strncasecmp(word.at, words[i].word, word.length) == 0) {
            return words[i].source;
        }
    }
    return FIX_GNSS;
}

static enum status take_row(struct rows *rows, const struct csv_row *row)
{
    struct text time = field_of(rows, row, COLUMN_TIME), lat = field_of(rows, row, COLUMN_LAT);
    struct text lon = field_of(rows, row, COLUMN_LON);
    struct text accuracy = field_of(rows, row, COLUMN_ACCURACY);
    double degrees_lat, degrees_lon, metres = 0;
    struct track_point point = {.line = row->line,
                                .source = source_of(field_of(rows, row, COLUMN_SOURCE))};
    if (clock_parse(time.at, time.length, &point.time_ms) != STATUS_OK) {
        return bad_field(rows, row, "time", time);
    }
    if (text_to_double(lat, &degrees_lat) != STATUS_OK) {
        return bad_field(rows, row, "lat", lat);
    }
    if (text_to_double(lon, &degrees_lon) != STATUS_OK ||
        geo_point_from_degrees(degrees_lat, degrees_lon, &point.point) != STATUS_OK) {
        return bad_field(rows, row, "lat, lon", lon);
    }
    if (accuracy.length > 0 &&
        (text_to_double(accuracy, &metres) != STATUS_OK || metres < 0 || metres > accuracy_m_max)) {
        return bad_field(rows, row, "accuracy_m", accuracy);
    }
    point.accuracy_cm = (uint32_t)(metres * 100 + 0.5);
    struct track_point *added = list_add(&rows->list);
    if (added == NULL) {
        return STATUS_NO_MEMORY;
    }
    *added = point;
    return STATUS_OK;
}

static enum status read_rows(struct rows *rows, struct csv *csv)
{
    enum status status = read_header(rows, csv);
    while (status == STATUS_OK) {
        struct csv_row row;
        status = csv_next(csv, &row, rows->detail);
        if (status == STATUS_INVALID) {
            return status_detail_wrap(rows->detail, status, "%s", rows->name);
        }
        if (status == STATUS_OK &&
            (rows->device == NULL || text_is(field_of(rows, &row, COLUMN_DEVICE), rows->device))) {
            status = take_row(rows, &row);
        }
    }
    if (status != STATUS_END) {
        return status;
    }
    if (rows->device != NULL && rows->list.count == 0) {
        return status_detail_set(rows->detail, STATUS_NOT_FOUND, "%s: no row of device \"%s\"",
                                 rows->name, rows->device);
    }
    return STATUS_OK;
}

static enum status parse_csv(const char *name, struct text text,
                             const struct track_options *options, struct arena *arena,
                             struct list *ret, struct status_detail *detail)
{
    struct rows rows = {.name = name, .device = options->device, .detail = detail};
    struct csv csv;
    csv_init(&csv, text, arena);
    enum status status = read_rows(&rows, &csv);
    *ret = rows.list;
    return status;
}

/* ---- both ---- */

static bool looks_like_xml(struct text text)
{
    if (text.length >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) {
        text.at += 3;
        text.length -= 3;
    }
    text = text_trim(text);
    return text.length > 0 && text.at[0] == '<';
}

enum status track_parse(const char *name, struct text text, const struct track_options *options,
                        struct arena *arena, struct track *ret, struct status_detail *detail)
{
    struct list list = {0};
    enum status status = looks_like_xml(text)
                             ? parse_gpx(name, text, options, &list, detail)
                             : parse_csv(name, text, options, arena, &list, detail);
    struct track_point *points = NULL;
    if (status == STATUS_OK) {
        points = arena_array(arena, list.count, sizeof *points);
        status = points != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        if (list.count > 0) {
            memcpy(points, list.points, list.count * sizeof *points);
        }
        *ret = (struct track){points, list.count};
    } else if (status == STATUS_NO_MEMORY) {
        (void)status_detail_set(detail, status, "%s: no memory for its points", name);
    }
    free(list.points);
    return status;
}

enum status track_read(const char *path, const struct track_options *options, struct arena *arena,
                       struct track *ret, struct status_detail *detail)
{
    struct text text;
    enum status status = cli_read_file(path, arena, &text, detail);
    return status == STATUS_OK ? track_parse(path, text, options, arena, ret, detail) : status;
}
