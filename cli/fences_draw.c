#include "cli/fences_draw.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "geo/geojson.h"
#include "geo/index_draw.h"

#define MEMORY_MAX  ((size_t)4 << 30)
#define PICTURE_MAX ((size_t)64 << 20)
#define AROUND_M    300.0
#define STEP_M      0.0111 /* of latitude */

static enum status read_number(const char **at, char end, double *ret)
{
    char *rest = NULL;
    double value = strtod(*at, &rest);
    if (rest == *at || *rest != end || !isfinite(value)) {
        return STATUS_INVALID;
    }
    *at = rest + (end != '\0');
    *ret = value;
    return STATUS_OK;
}

static int32_t clamp(double value, int32_t limit)
{
    return (int32_t)fmax(-limit, fmin(limit, value));
}

/* The window around the place. */
static enum status read_view(const char *at, const char *around_m, struct geo_index_view *ret,
                             struct status_detail *detail)
{
    double lat, lon, around = AROUND_M;
    const char *text = at;
    if (text == NULL || read_number(&text, ',', &lat) != STATUS_OK ||
        read_number(&text, '\0', &lon) != STATUS_OK ||
        geo_point_from_degrees(lat, lon, &ret->mark) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "--at %s: give the middle of the picture as LAT,LON in WGS-84 "
                                 "degrees, such as --at 36.4012,113.0312",
                                 at != NULL ? at : "is missing");
    }
    if (around_m != NULL &&
        (read_number(&around_m, '\0', &around) != STATUS_OK || around < 1 || around > 20000)) {
        return status_detail_set(detail, STATUS_INVALID, "--around: give metres from 1 to 20000");
    }
    double lat_e7 = around / STEP_M, lon_e7 = lat_e7 / fmax(cos(lat * 0.017453292519943295), 1e-3);
    ret->low = (struct geo_point){clamp(ret->mark.lat_e7 - lat_e7, GEO_LAT_E7_MAX),
                                  clamp(ret->mark.lon_e7 - lon_e7, GEO_LON_E7_MAX)};
    ret->high = (struct geo_point){clamp(ret->mark.lat_e7 + lat_e7, GEO_LAT_E7_MAX),
                                   clamp(ret->mark.lon_e7 + lon_e7, GEO_LON_E7_MAX)};
    ret->has_mark = true;
    return STATUS_OK;
}

static enum status read_features(const char *path, const char *datum, struct arena *arena,
                                 struct geo_features *ret, struct status_detail *detail)
{
    struct cli_warnings warnings = {.path = path};
    struct geo_geojson_options options = {.lenient = true, .warn = cli_warn, .context = &warnings};
    if (datum != NULL && geo_datum_parse(text_of(datum), &options.datum_default) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID, "--datum %s: use wgs84, gcj02 or bd09",
                                 datum);
    }
    struct text json;
    enum status status = cli_read_file(path, arena, &json, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = geo_geojson_read(json, &options, arena, ret, detail);
    cli_warn_end(&warnings);
    return status == STATUS_OK ? status : status_detail_wrap(detail, status, "%s", path);
}

/* A broken index is drawn too: that is when one wants to see it. */
static enum status draw(const struct geo_index *index, const struct geo_index_view *view,
                        struct status_detail *detail)
{
    struct buffer picture;
    buffer_init(&picture, PICTURE_MAX);
    geo_index_draw(index, view, &picture);
    enum status status = buffer_status(&picture);
    if (status != STATUS_OK) {
        (void)status_detail_set(detail, status,
                                "the picture is larger than %zu MiB: take a smaller --around",
                                PICTURE_MAX >> 20);
    } else if (fwrite(picture.data, 1, picture.size, stdout) != picture.size ||
               fflush(stdout) != 0) {
        status = status_detail_set(detail, STATUS_IO, "standard output: %s", strerror(errno));
    } else {
        status = geo_index_check(index, detail);
    }
    buffer_release(&picture);
    return status;
}

static enum status build(const struct geo_features *features, struct arena *arena,
                         struct geo_index **ret, const char ***ret_names,
                         struct status_detail *detail)
{
    struct geo_shape *shapes = arena_array(arena, features->count + (size_t)1, sizeof *shapes);
    const char **names = arena_array(arena, features->count + (size_t)1, sizeof *names);
    if (shapes == NULL || names == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the fences");
    }
    for (uint32_t i = 0; i < features->count; i++) {
        shapes[i] = features->items[i].shape;
        names[i] = features->items[i].id;
    }
    *ret_names = names;
    return geo_index_new(shapes, features->count, ret, detail);
}

int fences_draw(const char *path, const char *at, const char *around_m, const char *datum)
{
    struct status_detail detail = {.text = ""};
    struct geo_index_view view = {.names = NULL};
    struct geo_features features = {0};
    struct geo_index *index = NULL;
    const char **names = NULL;
    struct arena arena;
    arena_init_growing(&arena, (size_t)1 << 20, MEMORY_MAX);
    enum status status = read_view(at, around_m, &view, &detail);
    if (status == STATUS_OK) {
        status = read_features(path, datum, &arena, &features, &detail);
    }
    if (status == STATUS_OK) {
        status = build(&features, &arena, &index, &names, &detail);
    }
    if (status == STATUS_OK) {
        view.names = names;
        status = draw(index, &view, &detail);
    }
    geo_index_free(index);
    arena_release(&arena);
    return status == STATUS_OK ? CLI_OK : cli_fail("%s", detail.text);
}
