/* Reading fences: the file, its features and their properties. */
#include "geo/geojson.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geojson_internal.h"

#define TEXT_BYTES_MAX ((size_t)1 << 30)
#define FEATURES_MAX   1000000u

/* ---- telling ---- */

static void append(char *text, size_t size, const char *fmt, ...) PRINTF(3, 4);

static void append(char *text, size_t size, const char *fmt, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text + used, size - used, fmt, args);
    va_end(args);
}

/* "feature 3 (id "s001"): part 2: ring 1: position 4: " */
static void place_of(const struct geojson_reader *reader, char *ret, size_t size)
{
    ret[0] = '\0';
    if (reader->feature > 0) {
        append(ret, size, "feature %u", reader->feature);
        if (reader->id != NULL) {
            append(ret, size, " (id \"%.80s\")", reader->id);
        }
        append(ret, size, ": ");
    }
    if (reader->part > 0) {
        append(ret, size, "part %u: ", reader->part);
    }
    if (reader->ring > 0) {
        append(ret, size, "ring %u: ", reader->ring);
    }
    if (reader->position > 0) {
        append(ret, size, "position %u: ", reader->position);
    }
}

enum status geojson_refuse(const struct geojson_reader *reader, const char *fmt, ...)
{
    char place[256], words[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    place_of(reader, place, sizeof place);
    return status_detail_set(reader->detail, STATUS_INVALID, "%s%s", place, words);
}

void geojson_warn(const struct geojson_reader *reader, const char *fmt, ...)
{
    char place[256], words[512], both[768];
    if (reader->options->warn == NULL) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    place_of(reader, place, sizeof place);
    (void)snprintf(both, sizeof both, "%s%s", place, words);
    reader->options->warn(reader->options->context, both);
}

const char *geojson_offer(const struct geojson_reader *reader)
{
    return reader->options->repair_words != NULL ? reader->options->repair_words : "";
}

enum status geojson_no_memory(const struct geojson_reader *reader)
{
    return status_detail_set(reader->detail, STATUS_NO_MEMORY, "no memory for feature %u",
                             reader->feature);
}

enum status geojson_no_area(const struct geojson_reader *reader, const char *words)
{
    if (!reader->options->lenient) {
        return geojson_refuse(reader, "%s", words);
    }
    geojson_warn(reader, "%s: left out", words);
    return STATUS_END;
}

/* ---- properties ---- */

/* A text property into the arena, "" where it is absent. */
static enum status read_text(struct geojson_reader *reader, const json_t *properties,
                             const char *name, const char **ret)
{
    const json_t *json = json_object_get(properties, name);
    *ret = "";
    if (json == NULL || json_is_null(json)) {
        return STATUS_OK;
    }
    if (!json_is_string(json)) {
        if (!reader->options->lenient) {
            return geojson_refuse(reader, "property %s must be text", name);
        }
        geojson_warn(reader, "property %s is no text: not used", name);
        return STATUS_OK;
    }
    char *copy = arena_copy_text(reader->arena, json_string_value(json), json_string_length(json));
    if (copy == NULL) {
        return geojson_no_memory(reader);
    }
    *ret = copy;
    return STATUS_OK;
}

/* Text or a number; STATUS_END: neither is there. */
static enum status read_id_of(struct geojson_reader *reader, const json_t *json, const char **ret)
{
    char number[32];
    const char *text = number;
    if (json == NULL || json_is_null(json)) {
        return STATUS_END;
    }
    if (json_is_string(json)) {
        text = json_string_value(json);
    } else if (json_is_integer(json)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(json));
    } else if (json_is_real(json)) {
        (void)snprintf(number, sizeof number, "%.15g", json_real_value(json));
    } else {
        return geojson_refuse(reader, "the id must be text or a number");
    }
    if (text[0] == '\0') {
        return STATUS_END;
    }
    char *copy = arena_copy_text(reader->arena, text, strlen(text));
    if (copy == NULL) {
        return geojson_no_memory(reader);
    }
    *ret = copy;
    return STATUS_OK;
}

static enum status read_id(struct geojson_reader *reader, const json_t *json,
                           const json_t *properties, const char **ret)
{
    enum status status = read_id_of(reader, json_object_get(properties, "id"), ret);
    if (status == STATUS_END) {
        status = read_id_of(reader, json_object_get(json, "id"), ret);
    }
    if (status == STATUS_END) {
        status = read_id_of(reader, json_object_get(properties, "@id"), ret);
    }
    if (status != STATUS_END) {
        return status;
    }
    if (!reader->options->lenient) {
        return geojson_refuse(reader, "no id: give it the property id");
    }
    char name[16];
    int length = snprintf(name, sizeof name, "#%u", reader->feature);
    char *copy = arena_copy_text(reader->arena, name, (size_t)length);
    if (copy == NULL) {
        return geojson_no_memory(reader);
    }
    *ret = copy;
    return STATUS_OK;
}

static enum status read_datum(struct geojson_reader *reader, const json_t *properties,
                              enum geo_datum *ret)
{
    const json_t *json = json_object_get(properties, "datum");
    if (json == NULL || json_is_null(json)) {
        if (reader->options->datum_default == GEO_DATUM_NONE) {
            return geojson_refuse(reader, "no datum: give it the property datum (wgs84, gcj02 or "
                                          "bd09), or name one for the whole file");
        }
        *ret = reader->options->datum_default;
        return STATUS_OK;
    }
    if (!json_is_string(json)) {
        return geojson_refuse(reader, "property datum must be text: wgs84, gcj02 or bd09");
    }
    struct text name = {json_string_value(json), json_string_length(json)};
    if (geo_datum_parse(name, ret) != STATUS_OK) {
        return geojson_refuse(reader, "datum \"%.40s\" is unknown: use wgs84, gcj02 or bd09",
                              name.at);
    }
    return STATUS_OK;
}

/* ---- features ---- */

static enum status read_parts_of_feature(struct geojson_reader *reader, const json_t *json,
                                         const json_t *geometry, const json_t *properties,
                                         struct geo_feature *ret)
{
    if (properties != NULL && !json_is_object(properties) && !json_is_null(properties)) {
        return geojson_refuse(reader, "properties must be an object");
    }
    struct geo_feature feature = {0};
    enum status status = read_id(reader, json, properties, &feature.id);
    const struct {
        const char *name;
        const char **value;
    } texts[] = {{"school", &feature.school},
                 {"kind", &feature.kind},
                 {"name", &feature.name},
                 {"severity", &feature.severity},
                 {"schedule", &feature.schedule}};
    if (status == STATUS_OK) {
        reader->id = feature.id;
        status = read_datum(reader, properties, &feature.datum);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == STATUS_OK; i++) {
        status = read_text(reader, properties, texts[i].name, texts[i].value);
    }
    if (status == STATUS_OK) {
        reader->datum = feature.datum;
        status = geojson_read_geometry(reader, geometry, properties, &feature.shape);
    }
    if (status == STATUS_OK) {
        *ret = feature;
    }
    return status;
}

static bool has_type(const json_t *json, const char *type)
{
    const char *value = json_string_value(json_object_get(json, "type"));
    return value != NULL && strcmp(value, type) == 0;
}

static enum status read_feature(struct geojson_reader *reader, const json_t *json, uint32_t number,
                                struct geo_features *features)
{
    reader->feature = number;
    reader->part = reader->ring = reader->position = 0;
    reader->id = NULL;
    reader->mended = false;
    enum status status;
    struct geo_feature *feature = &features->items[features->count];
    if (!json_is_object(json)) {
        return geojson_refuse(reader, "not an object");
    }
    if (has_type(json, "Feature")) {
        status = read_parts_of_feature(reader, json, json_object_get(json, "geometry"),
                                       json_object_get(json, "properties"), feature);
    } else if (reader->bare && !json_is_string(json_object_get(json, "type"))) {
        return geojson_refuse(reader,
                              "not GeoJSON: a \"type\" is wanted, FeatureCollection, Feature "
                              "or a geometry");
    } else if (reader->bare) {
        status = read_parts_of_feature(reader, json, json, NULL, feature);
    } else {
        return geojson_refuse(reader, "its \"type\" must be \"Feature\"");
    }
    if (status == STATUS_OK) {
        features->count++;
        features->repaired += reader->options->repair && reader->mended;
    } else if (status == STATUS_END) {
        features->skipped++;
        status = STATUS_OK;
    }
    return status;
}

/* RFC 7946 has WGS-84 alone; a file that says otherwise was meant for another reader. */
static enum status check_crs(const struct geojson_reader *reader, const json_t *root)
{
    const json_t *crs = json_object_get(root, "crs");
    if (crs == NULL || json_is_null(crs)) {
        return STATUS_OK;
    }
    const char *name =
        json_string_value(json_object_get(json_object_get(crs, "properties"), "name"));
    if (name != NULL && (strstr(name, "CRS84") != NULL || strstr(name, "4326") != NULL)) {
        return STATUS_OK;
    }
    const char *told = name != NULL ? name : "without a name";
    if (reader->options->lenient) {
        geojson_warn(reader, "its crs is %.80s: read as longitude and latitude all the same", told);
        return STATUS_OK;
    }
    return geojson_refuse(reader, "its crs is %.80s: export it as longitude and latitude (CRS84)",
                          told);
}

/* ---- ids ---- */

/* A table of all ids: each once. */
static enum status check_ids(struct geojson_reader *reader, const struct geo_features *features,
                             const uint32_t *numbers)
{
    size_t size = 16;
    while (size < (size_t)features->count * 2) {
        size *= 2;
    }
    uint32_t *table = calloc(size, sizeof *table);
    if (table == NULL) {
        return geojson_no_memory(reader);
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < features->count && status == STATUS_OK; i++) {
        struct text id = text_of(features->items[i].id);
        size_t at = (size_t)text_hash(id) & (size - 1);
        while (table[at] != 0 && !text_is(id, features->items[table[at] - 1].id)) {
            at = (at + 1) & (size - 1);
        }
        if (table[at] != 0) {
            reader->feature = numbers[i];
            reader->id = features->items[i].id;
            status =
                geojson_refuse(reader, "feature %u has that id already", numbers[table[at] - 1]);
        }
        table[at] = i + 1;
    }
    free(table);
    return status;
}

/* ---- the file ---- */

/* The words of the refusal are in the detail. */
static enum status tell_refused(const struct geojson_reader *reader, struct geo_features *features)
{
    features->refused++;
    if (reader->options->warn != NULL && reader->detail != NULL) {
        reader->options->warn(reader->options->context, reader->detail->text);
        reader->detail->text[0] = '\0';
    }
    return STATUS_OK;
}

static enum status read_features(struct geojson_reader *reader, const json_t *root,
                                 struct geo_features *ret)
{
    const json_t *list = json_object_get(root, "features");
    size_t count = reader->bare ? 1 : json_array_size(list);
    if (!reader->bare && !json_is_array(list)) {
        return geojson_refuse(reader, "a FeatureCollection has a list \"features\"");
    }
    if (count > FEATURES_MAX) {
        return status_detail_set(reader->detail, STATUS_TOO_LARGE, "more than %u features",
                                 FEATURES_MAX);
    }
    struct geo_features features = {0};
    uint32_t *numbers = calloc(count + 1, sizeof *numbers);
    features.items = arena_array(reader->arena, count, sizeof *features.items);
    if (numbers == NULL || features.items == NULL) {
        free(numbers);
        return geojson_no_memory(reader);
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        numbers[features.count] = (uint32_t)i + 1;
        status = read_feature(reader, reader->bare ? root : json_array_get(list, i),
                              (uint32_t)i + 1, &features);
        if (reader->options->go_on && (status == STATUS_INVALID || status == STATUS_TOO_LARGE)) {
            status = tell_refused(reader, &features);
        }
    }
    if (status == STATUS_OK) {
        status = check_ids(reader, &features, numbers);
    }
    free(numbers);
    if (status == STATUS_OK) {
        *ret = features;
    }
    return status;
}

static struct text without_mark(struct text json)
{
    if (json.length >= 3 && memcmp(json.at, "\xef\xbb\xbf", 3) == 0) {
        return (struct text){json.at + 3, json.length - 3};
    }
    return json;
}

enum status geo_geojson_read(struct text json, const struct geo_geojson_options *options,
                             struct arena *arena, struct geo_features *ret,
                             struct status_detail *detail)
{
    struct geojson_reader reader = {.options = options, .arena = arena, .detail = detail};
    if (json.length > TEXT_BYTES_MAX) {
        return status_detail_set(detail, STATUS_TOO_LARGE, "larger than %zu MiB",
                                 TEXT_BYTES_MAX >> 20);
    }
    json = without_mark(json);
    json_error_t error;
    json_t *root =
        json_loadb(json.length > 0 ? json.at : "", json.length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        enum status status =
            json_error_code(&error) == json_error_out_of_memory ? STATUS_NO_MEMORY : STATUS_INVALID;
        return status_detail_set(detail, status, "not JSON: line %d column %d: %s", error.line,
                                 error.column, error.text);
    }
    reader.bare = !has_type(root, "FeatureCollection");
    enum status status =
        json_is_object(root)
            ? check_crs(&reader, root)
            : geojson_refuse(&reader, "not GeoJSON: an object with a \"type\" is wanted");
    if (status == STATUS_OK) {
        status = read_features(&reader, root, ret);
    }
    json_decref(root);
    free(reader.points);
    free(reader.ring_ends);
    free(reader.part_ends);
    return status;
}
