#include "storage/registry_internal.h"

#include <math.h>
#include <string.h>

#include "core/limits.h"
#include "geo/geojson.h"
#include "storage/archive_copy.h"

enum { FENCE_TEXT_MAX = 1024 };
#define IMPORT_BYTES_MAX   ((size_t)2 << 30)
#define GEOMETRY_BYTES_MAX ((size_t)256 << 20) /* PostgreSQL's bound of one jsonb */

/* The stored geometry as the one feature that geo_geojson_read understands. */
#define FEATURE                                                                                    \
    "json_build_object('type', 'Feature', 'properties',"                                           \
    " json_strip_nulls(json_build_object('id', f.id, 'datum', 'wgs84', 'radius_m', f.radius_m)),"  \
    " 'geometry', f.geojson)::text"

/* ---- loading ---- */

static enum status copy_shape(struct fence_set *set, uint32_t at, const struct geo_shape *shape)
{
    struct geo_point *points = arena_array(&set->arena, shape->point_count, sizeof *points);
    uint32_t *ends =
        arena_array(&set->arena, shape->ring_count > 0 ? shape->ring_count : 1, sizeof *ends);
    if (points == NULL || ends == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(points, shape->points, shape->point_count * sizeof *points);
    if (shape->ring_count > 0) {
        memcpy(ends, shape->ring_ends, shape->ring_count * sizeof *ends);
    }
    set->shapes[at] = *shape;
    set->shapes[at].points = points;
    set->shapes[at].ring_ends = ends;
    return STATUS_OK;
}

static enum status read_fence(struct fence_set *set, const PGresult *result, int row,
                              struct arena *scratch, struct status_detail *detail)
{
    struct fence *fence = &set->items[row];
    enum fence_kind kind;
    enum severity severity;
    fence->no = registry_u32(result, row, 0);
    fence->version = registry_u32(result, row, 1);
    fence->school_no = registry_u32(result, row, 2);
    fence->id = arena_copy_text(&set->arena, PQgetvalue(result, row, 3),
                                (size_t)PQgetlength(result, row, 3));
    if (fence->id == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the fences");
    }
    if (fence_kind_parse(PQgetvalue(result, row, 4), &kind) != STATUS_OK ||
        severity_parse(PQgetvalue(result, row, 5), kind, &severity) != STATUS_OK) {
        return status_detail_set(detail, STATUS_CORRUPT,
                                 "fence %s: unknown kind or severity in the registry", fence->id);
    }
    fence->kind = (uint8_t)kind;
    fence->severity = (uint8_t)severity;
    /* Lenient: it was checked when it came in, and another release of GEOS must not stop the
     * daemon. */
    struct geo_geojson_options options = {.datum_default = GEO_WGS84, .lenient = true};
    struct geo_features features;
    struct text json = {PQgetvalue(result, row, 6), (size_t)PQgetlength(result, row, 6)};
    enum status status = geo_geojson_read(json, &options, scratch, &features, detail);
    if (status == STATUS_OK && features.count != 1) {
        status = status_detail_set(detail, STATUS_CORRUPT, "no area in the stored geometry");
    }
    if (status == STATUS_OK) {
        status = copy_shape(set, (uint32_t)row, &features.items[0].shape);
    }
    return status == STATUS_OK ? status : status_detail_wrap(detail, status, "fence %s", fence->id);
}

static enum status fill_fences(struct fence_set *set, const PGresult *result,
                               struct status_detail *detail)
{
    struct arena scratch;
    arena_init_growing(&scratch, 1u << 20, IMPORT_BYTES_MAX);
    enum status status = STATUS_OK;
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        arena_reset(&scratch);
        status = read_fence(set, result, row, &scratch, detail);
    }
    arena_release(&scratch);
    return status == STATUS_OK ? fence_set_seal(set, detail) : status;
}

enum status registry_load_fences(PGconn *conn, uint64_t revision, struct fence_set **ret,
                                 struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status = registry_ask_binary(
        conn,
        "SELECT f.no, f.version, coalesce(f.school_no, 0), f.id, f.kind, f.severity, " FEATURE
        " FROM campus.fence f LEFT JOIN campus.school s ON s.no = f.school_no"
        " WHERE f.retired_at IS NULL AND coalesce(s.valid, true) ORDER BY f.no",
        &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct fence_set *set = NULL;
    status = fence_set_new((uint32_t)PQntuples(result), &set);
    if (status != STATUS_OK) {
        (void)status_detail_set(detail, status, "fences: %s", status_words(status));
    } else {
        set->revision = revision;
        status = fill_fences(set, result, detail);
    }
    PQclear(result);
    if (status != STATUS_OK) {
        fence_set_free(set);
        return status;
    }
    *ret = set;
    return STATUS_OK;
}

/* ---- importing ---- */

static void check_text(struct registry_errors *errors, uint32_t place,
                       const struct geo_feature *feature, const char *property, const char *text)
{
    if (strlen(text) > FENCE_TEXT_MAX) {
        registry_error(errors, "feature %u (id \"%.80s\"): %s is longer than %d bytes", place,
                       feature->id, property, FENCE_TEXT_MAX);
    } else if (!copy_text_fits(text_of(text))) {
        registry_error(errors, "feature %u (id \"%.80s\"): %s is not UTF-8", place, feature->id,
                       property);
    }
}

static void check_feature(struct registry_errors *errors, uint32_t place,
                          const struct geo_feature *feature)
{
    enum fence_kind kind = FENCE_PLACE;
    enum severity severity;
    if (feature->id[0] == '\0') {
        registry_error(errors,
                       "feature %u: no id: give it a property \"id\", by which it is known again",
                       place);
    }
    if (fence_kind_parse(feature->kind, &kind) != STATUS_OK) {
        registry_error(errors,
                       "feature %u (id \"%.80s\"): kind \"%.40s\": use school, danger or place",
                       place, feature->id, feature->kind);
    }
    if (severity_parse(feature->severity, kind, &severity) != STATUS_OK) {
        registry_error(
            errors, "feature %u (id \"%.80s\"): severity \"%.40s\": use info, warning or critical",
            place, feature->id, feature->severity);
    }
    check_text(errors, place, feature, "id", feature->id);
    check_text(errors, place, feature, "school", feature->school);
    check_text(errors, place, feature, "name", feature->name);
    check_text(errors, place, feature, "schedule", feature->schedule);
}

static enum status put_feature(struct buffer *rows, struct buffer *geometry, uint32_t place,
                               const struct geo_feature *feature, struct status_detail *detail)
{
    enum fence_kind kind = FENCE_PLACE;
    enum status status = fence_kind_parse(feature->kind, &kind); /* checked before */
    buffer_clear(geometry);
    geo_geojson_write_geometry(geometry, &feature->shape);
    if (status == STATUS_OK && buffer_status(geometry) != STATUS_OK) {
        status = buffer_status(geometry);
    }
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "feature %u (id \"%.80s\"): %s", place,
                                 feature->id, status_words(status));
    }
    copy_row(rows, 11);
    copy_i32(rows, (int32_t)place);
    copy_text(rows, text_of(feature->id));
    copy_text(rows, text_of(feature->school));
    copy_text(rows, text_of(fence_kind_word(kind)));
    copy_text(rows, text_of(feature->name));
    copy_text(rows, text_of(feature->severity));
    copy_text(rows, text_of(feature->schedule));
    copy_text(rows, text_of(geo_datum_name(feature->datum)));
    copy_jsonb(rows, (struct text){geometry->data, geometry->size});
    if (feature->shape.kind == GEO_POLYGON) {
        copy_null(rows);
    } else {
        copy_double(rows, feature->shape.radius_m);
    }
    copy_i32(rows, (int32_t)feature->shape.point_count);
    return STATUS_OK;
}

static enum status copy_features(PGconn *conn, const struct geo_features *features,
                                 struct status_detail *detail)
{
    struct buffer rows, geometry;
    buffer_init(&rows, IMPORT_BYTES_MAX);
    buffer_init(&geometry, GEOMETRY_BYTES_MAX);
    copy_begin(&rows);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < features->count; i++) {
        status = put_feature(&rows, &geometry, i + 1, &features->items[i], detail);
    }
    copy_end(&rows);
    if (status == STATUS_OK) {
        status =
            registry_run(conn,
                         "CREATE TEMP TABLE in_fence (place int, id text, school text, kind text,"
                         " name text, severity text, schedule text, datum text, geojson jsonb,"
                         " radius_m float8, vertices int, school_no int) ON COMMIT DROP",
                         detail);
    }
    if (status == STATUS_OK) {
        status =
            registry_copy(conn,
                          "COPY in_fence (place, id, school, kind, name, severity, schedule, datum,"
                          " geojson, radius_m, vertices) FROM STDIN (FORMAT binary)",
                          &rows, detail);
    }
    buffer_release(&rows);
    buffer_release(&geometry);
    return status;
}

static enum status find_schools(PGconn *conn, struct registry_errors *errors,
                                struct status_detail *detail)
{
    enum status status = registry_run(conn,
                                      "UPDATE in_fence i SET school_no = s.no FROM campus.school s"
                                      " WHERE i.school = s.id; ANALYZE in_fence",
                                      detail);
    if (status != STATUS_OK) {
        return status;
    }
    PGresult *result = NULL;
    status = registry_ask(
        conn,
        "SELECT place, id, school FROM in_fence WHERE school <> '' AND school_no IS NULL"
        " ORDER BY place",
        NULL, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        registry_error(
            errors,
            "feature %s (id \"%.80s\"): no school \"%.80s\": import the schools first, or leave "
            "\"school\" out for a fence that concerns everyone",
            PQgetvalue(result, row, 0), PQgetvalue(result, row, 1), PQgetvalue(result, row, 2));
    }
    PQclear(result);
    return registry_errors_status(errors, detail);
}

/* What makes a fence another than before. Not the datum that was declared: an export comes back in
 * WGS-84, and a new version would have every pupil's place settled anew. */
#define SAME                                                                                       \
    "(f.school_no, f.kind, f.name, f.severity, f.schedule, f.geojson, f.radius_m)"                 \
    " IS NOT DISTINCT FROM"                                                                        \
    " (i.school_no, i.kind, i.name, i.severity, i.schedule, i.geojson, i.radius_m)"

static enum status store_versions(PGconn *conn, uint32_t total, struct registry_result *ret,
                                  struct status_detail *detail)
{
    uint32_t unchanged = 0, replaced = 0, written = 0;
    enum status status = registry_count(conn,
                                        "DELETE FROM in_fence i USING campus.fence f"
                                        " WHERE f.id = i.id AND f.retired_at IS NULL AND " SAME,
                                        &unchanged, detail);
    if (status == STATUS_OK) {
        status = registry_count(conn,
                                "UPDATE campus.fence f SET retired_at = now() FROM in_fence i"
                                " WHERE f.id = i.id AND f.retired_at IS NULL",
                                &replaced, detail);
    }
    if (status == STATUS_OK) {
        status = registry_count(
            conn,
            "WITH known AS (SELECT id, max(no) AS no, max(version) AS version FROM campus.fence GROUP BY id),"
            " numbered AS (SELECT i.*, k.no AS known_no, coalesce(k.version, 0) + 1 AS next_version,"
            "  row_number() OVER (PARTITION BY k.no IS NULL ORDER BY i.place) AS rank"
            "  FROM in_fence i LEFT JOIN known k USING (id))"
            " INSERT INTO campus.fence (no, version, id, school_no, kind, name, severity, schedule, datum,"
            "  geojson, radius_m, vertices)"
            " SELECT coalesce(known_no, (SELECT coalesce(max(no), 0) FROM campus.fence) + rank), next_version,"
            "  id, school_no, kind, name, severity, schedule, datum, geojson, radius_m, vertices FROM numbered",
            &written, detail);
    }
    if (status == STATUS_OK && unchanged + written != total) {
        status = status_detail_set(detail, STATUS_CONFLICT, "%u of %u fences were stored",
                                   written + unchanged, total);
    }
    *ret = (struct registry_result){
        .added = written - replaced, .changed = replaced, .unchanged = unchanged};
    return status;
}

static enum status find_school(PGconn *conn, const char *school, struct status_detail *detail)
{
    const char *params[] = {school, NULL};
    PGresult *result = NULL;
    enum status status =
        registry_ask(conn, "SELECT 1 FROM campus.school WHERE id = $1", params, &result, detail);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        status = status_detail_set(detail, STATUS_NOT_FOUND, "no school \"%.80s\"", school);
    }
    PQclear(result);
    return status;
}

/* Live fences of the school that the file does not hold go out of force. */
static enum status retire_others(PGconn *conn, const char *school,
                                 const struct geo_features *features, uint32_t *ret_retired,
                                 struct status_detail *detail)
{
    enum status status = school[0] != '\0' ? find_school(conn, school, detail) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < features->count; i++) {
        if (strcmp(features->items[i].school, school) != 0) {
            return status_detail_set(
                detail, STATUS_INVALID,
                "feature %u (id \"%.80s\"): its school is \"%.80s\", but the fences of "
                "\"%.80s\" are to be replaced: import it without that, or mend the file",
                i + 1, features->items[i].id, features->items[i].school, school);
        }
    }
    const char *params[] = {school, NULL};
    PGresult *result = NULL;
    status =
        registry_ask(conn,
                     "WITH gone AS (UPDATE campus.fence f SET retired_at = now()"
                     " WHERE retired_at IS NULL AND school_no IS NOT DISTINCT FROM"
                     "  (SELECT no FROM campus.school WHERE id = $1)"
                     " AND NOT EXISTS (SELECT 1 FROM in_fence i WHERE i.id = f.id) RETURNING 1)"
                     " SELECT count(*) FROM gone",
                     params, &result, detail);
    if (status == STATUS_OK) {
        int64_t retired = 0;
        status = text_to_i64(text_of(PQgetvalue(result, 0, 0)), &retired);
        *ret_retired = (uint32_t)retired;
        PQclear(result);
    }
    return status;
}

static enum status check_bounds(PGconn *conn, struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status =
        registry_ask_binary(conn,
                            "SELECT (SELECT coalesce(max(no), 0) FROM campus.fence),"
                            " (SELECT count(*)::int FROM campus.fence WHERE retired_at IS NULL)",
                            &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t highest = registry_u32(result, 0, 0), live = registry_u32(result, 0, 1);
    PQclear(result);
    if (highest >= REGISTRY_NUMBER_MAX || live > FENCES_MAX) {
        return status_detail_set(detail, STATUS_TOO_LARGE, "more than %u live fences, or %u in all",
                                 FENCES_MAX, REGISTRY_NUMBER_MAX);
    }
    return STATUS_OK;
}

static enum status import_fences(PGconn *conn, const struct geo_features *features,
                                 const char *replace_school, struct registry_errors *errors,
                                 struct registry_result *ret, struct status_detail *detail)
{
    enum status status = registry_lock(conn, detail);
    if (status == STATUS_OK) {
        status = copy_features(conn, features, detail);
    }
    if (status == STATUS_OK) {
        status = find_schools(conn, errors, detail);
    }
    uint32_t retired = 0;
    if (status == STATUS_OK && replace_school != NULL) {
        status = retire_others(conn, replace_school, features, &retired, detail);
    }
    if (status == STATUS_OK) {
        status = store_versions(conn, features->count, ret, detail);
    }
    ret->retired = retired;
    return status == STATUS_OK ? check_bounds(conn, detail) : status;
}

enum status registry_import_fences(PGconn *conn, const struct geo_features *features,
                                   const char *replace_school, struct buffer *error_lines,
                                   struct registry_result *ret, struct status_detail *detail)
{
    struct registry_errors errors = {.lines = error_lines};
    for (uint32_t i = 0; i < features->count; i++) {
        check_feature(&errors, i + 1, &features->items[i]);
    }
    enum status status = registry_errors_status(&errors, detail);
    if (status == STATUS_OK) {
        status = registry_begin(conn, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct registry_result done = {0};
    status = import_fences(conn, features, replace_school, &errors, &done, detail);
    status = registry_end(conn, status, done.added + done.changed + done.retired > 0, detail);
    if (status == STATUS_OK) {
        *ret = done;
    }
    return status;
}

/* ---- looking ---- */

#define LIVE                                                                                          \
    " FROM campus.fence f LEFT JOIN campus.school s ON s.no = f.school_no WHERE f.retired_at IS NULL" \
    " AND ($1 = '*' OR coalesce(s.id, '') = $1) ORDER BY f.no"

/* '*' is no id, so it can stand for all; '' for those that concern everyone. */
static enum status ask_live(PGconn *conn, const char *sql, const char *school, PGresult **ret,
                            struct status_detail *detail)
{
    enum status status =
        school != NULL && school[0] != '\0' ? find_school(conn, school, detail) : STATUS_OK;
    const char *params[] = {school != NULL ? school : "*", NULL};
    return status == STATUS_OK ? registry_ask(conn, sql, params, ret, detail) : status;
}

enum status registry_export_fences(PGconn *conn, const char *school, struct buffer *out,
                                   struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status = ask_live(
        conn,
        "SELECT json_build_object('type', 'Feature', 'properties', json_strip_nulls(json_build_object("
        "'id', f.id, 'school', s.id, 'kind', f.kind, 'name', nullif(f.name, ''),"
        " 'severity', nullif(f.severity, ''), 'schedule', nullif(f.schedule, ''), 'datum', 'wgs84',"
        " 'radius_m', f.radius_m)), 'geometry', f.geojson)::text" LIVE,
        school, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    buffer_text(out, "{\"type\":\"FeatureCollection\",\"features\":[\n");
    int count = PQntuples(result);
    for (int row = 0; row < count; row++) {
        buffer_append(out, PQgetvalue(result, row, 0), (size_t)PQgetlength(result, row, 0));
        buffer_text(out, row + 1 < count ? ",\n" : "\n");
    }
    buffer_text(out, "]}\n");
    PQclear(result);
    return buffer_status(out) == STATUS_OK
               ? STATUS_OK
               : status_detail_set(detail, buffer_status(out), "too many fences for one file");
}

enum status registry_list_fences(PGconn *conn, const char *school, struct buffer *out,
                                 struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status = ask_live(
        conn, "SELECT f.id, f.version, coalesce(s.id, '-'), f.kind, f.vertices, f.name" LIVE,
        school, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    int id_width = 2, school_width = 6;
    for (int row = 0; row < PQntuples(result); row++) {
        int id = PQgetlength(result, row, 0), of_school = PQgetlength(result, row, 2);
        id_width = id > id_width ? id : id_width;
        school_width = of_school > school_width ? of_school : school_width;
    }
    buffer_printf(out, "%-*s  %7s  %-*s  %-6s  %8s  %s\n", id_width, "id", "version", school_width,
                  "school", "kind", "vertices", "name");
    for (int row = 0; row < PQntuples(result); row++) {
        buffer_printf(out, "%-*s  %7s  %-*s  %-6s  %8s  %s\n", id_width, PQgetvalue(result, row, 0),
                      PQgetvalue(result, row, 1), school_width, PQgetvalue(result, row, 2),
                      PQgetvalue(result, row, 3), PQgetvalue(result, row, 4),
                      PQgetvalue(result, row, 5));
    }
    PQclear(result);
    return buffer_status(out) == STATUS_OK
               ? STATUS_OK
               : status_detail_set(detail, buffer_status(out), "too many fences");
}
