#include "storage/registry_internal.h"

#include <string.h>

#include "base/assert.h"
#include "core/limits.h"
#include "storage/archive_copy.h"

enum { TEXT_BYTES_MAX = 200, COLUMNS_MAX = 8 };
#define IMPORT_BYTES_MAX ((size_t)2 << 30)

enum column_kind {
    COLUMN_ID,          /* an identifier; refers to a row of this or another table */
    COLUMN_ID_OR_EMPTY, /* the same, or nobody */
    COLUMN_TEXT,
    COLUMN_OWNTRACKS, /* user/device, or empty */
    COLUMN_LAT,
    COLUMN_LON,
};

/* A search for wrong rows: gives (line, words) by line; the words stand behind "column <column>: ".
 */
struct check {
    const char *column, *sql;
};

struct plan {
    const char *word;
    const char *columns[COLUMNS_MAX + 1];
    enum column_kind kinds[COLUMNS_MAX];
    const char *create; /* columns of the temporary table in_rows */
    const char *copy;   /* its columns in the order of the fields; lat, lon become lat_e7, lon_e7 */
    struct check before[4];
    const char *count;  /* (rows to add, rows to change), asked before anything is stored */
    const char *store;  /* statements */
    const char *retire; /* one statement whose rows are counted, or NULL */
    struct check after;
    const char *highest;
};

#define TWICE(what)                                                                                \
    {                                                                                              \
        "id", "SELECT line, format('" what " \"%s\" stands on line %s already', id, first) FROM"   \
              " (SELECT line, id, min(line) OVER (PARTITION BY id) AS first FROM in_rows) x"       \
              " WHERE line > first ORDER BY line"                                                  \
    }
#define NO_SUCH(what)                                                                              \
    {                                                                                              \
        what, "SELECT line, format('no " what " \"%s\"', " what ") FROM in_rows i WHERE " what     \
              " <> '' AND NOT EXISTS (SELECT 1 FROM campus." what " x WHERE x.id = i." what        \
              " AND x.valid) ORDER BY line"                                                        \
    }
/* old and new: lists of what may change, of rows x and i. joins find the numbers that i refers to.
 */
#define COUNT(table, joins, old, new)                                                              \
    "SELECT count(*) FILTER (WHERE x.id IS NULL)::int,"                                            \
    " count(*) FILTER (WHERE x.id IS NOT NULL AND (" old                                           \
    ", x.valid) IS DISTINCT FROM (" new ", true))::int FROM in_rows i " joins                      \
                                        " LEFT JOIN campus." table " x ON x.id = i.id"
#define STORE(table, joins, set, columns, old, new)                                                \
    "UPDATE campus." table " x SET (" columns ", valid) = ROW(" set ", true) FROM (SELECT i.id,"   \
    " " new " FROM in_rows i " joins ") n WHERE x.id = n.id"                                       \
            " AND (" old ", x.valid) IS DISTINCT FROM (" set ", true);"                            \
            "INSERT INTO campus." table " (no, id, " columns ") SELECT"                            \
            " (SELECT coalesce(max(no), 0) FROM campus." table                                     \
            ") + row_number() OVER (ORDER BY n.line),"                                             \
            " n.id, " set                                                                          \
            " FROM (SELECT i.line, i.id, " new " FROM in_rows i " joins ") n"                      \
                                               " WHERE NOT EXISTS (SELECT 1 FROM campus." table    \
                                               " x WHERE x.id = n.id)"
#define OF_SCHOOL "JOIN campus.school s ON s.id = i.school"
#define OF_PUPIL  "LEFT JOIN campus.pupil p ON p.id = i.pupil"

static const struct plan plans[REGISTRY_TABLES] = {
    [REGISTRY_SCHOOLS] = {.word = "schools",
                          .columns = {"id", "name", "county", "lat", "lon", NULL},
                          .kinds = {COLUMN_ID, COLUMN_TEXT, COLUMN_TEXT, COLUMN_LAT, COLUMN_LON},
                          .create = "id text, name text, county text, lat_e7 int, lon_e7 int",
                          .copy = "id, name, county, lat_e7, lon_e7",
                          .before = {TWICE("school")},
                          .count = COUNT("school", "", "x.name, x.county, x.lat_e7, x.lon_e7",
                                         "i.name, i.county, i.lat_e7, i.lon_e7"),
                          .store = STORE("school", "", "n.name, n.county, n.lat_e7, n.lon_e7",
                                         "name, county, lat_e7, lon_e7",
                                         "x.name, x.county, x.lat_e7, x.lon_e7",
                                         "i.name, i.county, i.lat_e7, i.lon_e7"),
                          .highest = "SELECT coalesce(max(no), 0) FROM campus.school"},
    [REGISTRY_PUPILS] = {.word = "pupils",
                         .columns = {"id", "name", "school", "class", NULL},
                         .kinds = {COLUMN_ID, COLUMN_TEXT, COLUMN_ID, COLUMN_TEXT},
                         .create = "id text, name text, school text, class text",
                         .copy = "id, name, school, class",
                         .before = {TWICE("pupil"), NO_SUCH("school")},
                         .count = COUNT("pupil", OF_SCHOOL, "x.name, x.school_no, x.class",
                                        "i.name, s.no, i.class"),
                         .store = STORE("pupil", OF_SCHOOL, "n.name, n.school_no, n.class",
                                        "name, school_no, class", "x.name, x.school_no, x.class",
                                        "i.name, s.no AS school_no, i.class"),
                         .highest = "SELECT coalesce(max(no), 0) FROM campus.pupil"},
    [REGISTRY_CARDS] =
        {.word = "cards",
         .columns = {"id", "pupil", "owntracks", NULL},
         .kinds = {COLUMN_ID, COLUMN_ID_OR_EMPTY, COLUMN_OWNTRACKS},
         .create = "id text, pupil text, owntracks text",
         .copy = "id, pupil, owntracks",
         .before = {TWICE("card"), NO_SUCH("pupil")},
         .count = COUNT("card", OF_PUPIL, "x.pupil_no, x.owntracks", "p.no, i.owntracks"),
         .store = STORE("card", OF_PUPIL, "n.pupil_no, n.owntracks", "pupil_no, owntracks",
                        "x.pupil_no, x.owntracks", "p.no AS pupil_no, i.owntracks"),
         .after =
             {"owntracks",
              "SELECT i.line, format('\"%s\" stands for card \"%s\" already', i.owntracks, x.id)"
              " FROM in_rows i JOIN campus.card x ON x.owntracks = i.owntracks AND x.id <> i.id"
              " ORDER BY i.line"},
         .highest = "SELECT coalesce(max(no), 0) FROM campus.card"},
    [REGISTRY_GUARDIANS] =
        {.word = "guardians",
         .columns = {"id", "name", "pupil", NULL},
         .kinds = {COLUMN_ID, COLUMN_TEXT, COLUMN_ID},
         .create = "id text, name text, pupil text",
         .copy = "id, name, pupil",
         .before =
             {NO_SUCH("pupil"),
              {"pupil",
               "SELECT line, format('guardian \"%s\" of pupil \"%s\" stands on line %s already',"
               " id, pupil, first) FROM (SELECT line, id, pupil, min(line) OVER"
               " (PARTITION BY id, pupil) AS first FROM in_rows) x WHERE line > first"
               " ORDER BY line"},
              {"name",
               "SELECT line, format('guardian \"%s\" has another name on line %s', id, first)"
               " FROM (SELECT line, id, name, min(line) OVER w AS first, first_value(name)"
               " OVER w AS first_name FROM in_rows WINDOW w AS (PARTITION BY id ORDER BY line))"
               " x WHERE name <> first_name ORDER BY line"}},
         .count =
             "SELECT count(*) FILTER (WHERE l.pupil_no IS NULL)::int, count(*) FILTER"
             " (WHERE l.pupil_no IS NOT NULL AND (x.name, x.valid) IS DISTINCT FROM (i.name, true))"
             "::int FROM in_rows i JOIN campus.pupil p ON p.id = i.pupil"
             " LEFT JOIN campus.guardian x ON x.id = i.id"
             " LEFT JOIN campus.guardian_pupil l ON l.guardian_no = x.no AND l.pupil_no = p.no",
         .store =
             "UPDATE campus.guardian x SET name = i.name, valid = true FROM in_rows i"
             " WHERE x.id = i.id AND (x.name, x.valid) IS DISTINCT FROM (i.name, true);"
             "INSERT INTO campus.guardian (no, id, name) SELECT"
             " (SELECT coalesce(max(no), 0) FROM campus.guardian) + row_number() OVER (ORDER BY line),"
             " id, name FROM (SELECT DISTINCT ON (id) line, id, name FROM in_rows ORDER BY id, line) n"
             " WHERE NOT EXISTS (SELECT 1 FROM campus.guardian x WHERE x.id = n.id);"
             "INSERT INTO campus.guardian_pupil (guardian_no, pupil_no) SELECT g.no, p.no FROM in_rows i"
             " JOIN campus.guardian g ON g.id = i.id JOIN campus.pupil p ON p.id = i.pupil"
             " ON CONFLICT DO NOTHING",
         .retire =
             "DELETE FROM campus.guardian_pupil l USING campus.guardian g WHERE g.no = l.guardian_no"
             " AND g.id IN (SELECT id FROM in_rows) AND NOT EXISTS (SELECT 1 FROM in_rows i"
             " JOIN campus.pupil p ON p.id = i.pupil WHERE i.id = g.id AND p.no = l.pupil_no)",
         .after =
             {"pupil",
              "SELECT max(i.line), format('pupil \"%s\" has %s guardians, the most is 8', p.id, l.n)"
              " FROM (SELECT pupil_no, count(*) AS n FROM campus.guardian_pupil GROUP BY 1"
              " HAVING count(*) > 8) l JOIN campus.pupil p ON p.no = l.pupil_no"
              " JOIN in_rows i ON i.pupil = p.id GROUP BY p.id, l.n ORDER BY 1"},
         .highest = "SELECT coalesce(max(no), 0) FROM campus.guardian"},
    [REGISTRY_GATES] = {.word = "gates",
                        .columns = {"id", "name", "school", NULL},
                        .kinds = {COLUMN_ID, COLUMN_TEXT, COLUMN_ID},
                        .create = "id text, name text, school text",
                        .copy = "id, name, school",
                        .before = {TWICE("gate"), NO_SUCH("school")},
                        .count = COUNT("gate", OF_SCHOOL, "x.name, x.school_no", "i.name, s.no"),
                        .store = STORE("gate", OF_SCHOOL, "n.name, n.school_no", "name, school_no",
                                       "x.name, x.school_no", "i.name, s.no AS school_no"),
                        .highest = "SELECT coalesce(max(no), 0) FROM campus.gate"},
};
_Static_assert(PUPIL_GUARDIANS_MAX == 8, "the check of guardians says 8");

const char *registry_table_word(enum registry_table table)
{
    ASSERT(table < REGISTRY_TABLES);
    return plans[table].word;
}

const char *const *registry_columns(enum registry_table table)
{
    ASSERT(table < REGISTRY_TABLES);
    return plans[table].columns;
}

/* ---- what can be seen in the row itself ---- */

static bool is_owntracks(struct text text)
{
    const char *slash = memchr(text.at, '/', text.length);
    if (slash == NULL || slash == text.at || slash + 1 == text.at + text.length) {
        return false;
    }
    return memchr(slash + 1, '/', (size_t)(text.at + text.length - slash - 1)) == NULL &&
           memchr(text.at, '+', text.length) == NULL && memchr(text.at, '#', text.length) == NULL;
}

/* Degrees to 1e-7; empty is none. */
static bool read_degrees(struct text text, enum column_kind kind, int32_t *ret)
{
    double degrees;
    struct geo_point point;
    if (text_to_double(text_trim(text), &degrees) != STATUS_OK ||
        geo_point_from_degrees(kind == COLUMN_LAT ? degrees : 0, kind == COLUMN_LAT ? 0 : degrees,
                               &point) != STATUS_OK) {
        return false;
    }
    *ret = kind == COLUMN_LAT ? point.lat_e7 : point.lon_e7;
    return true;
}

/* NULL, or what is wrong with the field. */
static const char *field_fault(enum column_kind kind, struct text field)
{
    int32_t degrees_e7;
    if (!copy_text_fits(field)) {
        return "not UTF-8: save the file as UTF-8";
    }
    if (field.length > TEXT_BYTES_MAX) {
        return "longer than 200 bytes";
    }
    switch (kind) {
    case COLUMN_ID:
        if (field.length == 0) {
            return "empty";
        }
        /* fallthrough */
    case COLUMN_ID_OR_EMPTY:
        return field.length == 0 || text_is_id(field)
                   ? NULL
                   : "not an id: 1 to 64 of A-Z a-z 0-9 . _ : -, without blanks";
    case COLUMN_OWNTRACKS:
        return field.length == 0 || is_owntracks(field) ? NULL : "not of the form user/device";
    case COLUMN_LAT:
        return field.length == 0 || read_degrees(field, kind, &degrees_e7)
                   ? NULL
                   : "not degrees from -90 to 90 (WGS-84), and not empty";
    case COLUMN_LON:
        return field.length == 0 || read_degrees(field, kind, &degrees_e7)
                   ? NULL
                   : "not degrees from -180 to 180 (WGS-84), and not empty";
    case COLUMN_TEXT:
        break;
    }
    return NULL;
}

static void check_row(struct registry_errors *errors, const struct registry_import *import,
                      const struct registry_row *row)
{
    const struct plan *plan = &plans[import->table];
    bool has_lat = false, has_lon = false;
    for (size_t i = 0; plan->columns[i] != NULL; i++) {
        struct text field = row->fields[i];
        const char *fault = field_fault(plan->kinds[i], field);
        if (fault != NULL) {
            bool showable = copy_text_fits(field);
            registry_error(errors, "%s:%u: column %s: %s%.*s%s%s", import->source, row->line,
                           plan->columns[i], showable ? "\"" : "",
                           showable ? (int)(field.length < 80 ? field.length : 80) : 0, field.at,
                           showable ? "\": " : "", fault);
        }
        has_lat = has_lat || (plan->kinds[i] == COLUMN_LAT && field.length > 0);
        has_lon = has_lon || (plan->kinds[i] == COLUMN_LON && field.length > 0);
    }
    if (has_lat != has_lon) {
        registry_error(errors, "%s:%u: column %s: empty, but the other coordinate is not",
                       import->source, row->line, has_lat ? "lon" : "lat");
    }
}

/* ---- the way into the database ---- */

static void put_row(struct buffer *out, const struct plan *plan, const struct registry_row *row)
{
    uint16_t columns = 0;
    while (plan->columns[columns] != NULL) {
        columns++;
    }
    copy_row(out, (uint16_t)(columns + 1));
    copy_i32(out, (int32_t)row->line);
    for (size_t i = 0; i < columns; i++) {
        struct text field = row->fields[i];
        int32_t degrees_e7;
        if (plan->kinds[i] == COLUMN_LAT || plan->kinds[i] == COLUMN_LON) {
            if (field.length > 0 && read_degrees(field, plan->kinds[i], &degrees_e7)) {
                copy_i32(out, degrees_e7);
            } else {
                copy_null(out);
            }
        } else if (plan->kinds[i] == COLUMN_OWNTRACKS && field.length == 0) {
            copy_null(out);
        } else {
            copy_bytes(out, field); /* checked to be UTF-8 */
        }
    }
}

static enum status copy_rows(PGconn *conn, const struct registry_import *import,
                             struct status_detail *detail)
{
    const struct plan *plan = &plans[import->table];
    struct buffer rows, sql;
    buffer_init(&rows, IMPORT_BYTES_MAX);
    buffer_init(&sql, 1024);
    copy_begin(&rows);
    for (uint32_t i = 0; i < import->row_count; i++) {
        put_row(&rows, plan, &import->rows[i]);
    }
    copy_end(&rows);
    buffer_printf(
        &sql,
        "DROP TABLE IF EXISTS pg_temp.in_rows; CREATE TEMP TABLE in_rows (line int, %s) ON COMMIT DROP",
        plan->create);
    enum status status = registry_run(conn, buffer_cstr(&sql), detail);
    if (status == STATUS_OK) {
        buffer_clear(&sql);
        buffer_printf(&sql, "COPY in_rows (line, %s) FROM STDIN (FORMAT binary)", plan->copy);
        status = registry_copy(conn, buffer_cstr(&sql), &rows, detail);
    }
    if (status == STATUS_OK) {
        status = registry_run(conn, "ANALYZE in_rows", detail);
    }
    buffer_release(&rows);
    buffer_release(&sql);
    return status;
}

static enum status run_check(PGconn *conn, const struct registry_import *import,
                             const struct check *check, struct registry_errors *errors,
                             struct status_detail *detail)
{
    if (check->sql == NULL) {
        return STATUS_OK;
    }
    PGresult *result = NULL;
    enum status status = registry_ask(conn, check->sql, NULL, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        registry_error(errors, "%s:%s: column %s: %s", import->source, PQgetvalue(result, row, 0),
                       check->column, PQgetvalue(result, row, 1));
    }
    PQclear(result);
    return STATUS_OK;
}

static enum status check_highest(PGconn *conn, const struct plan *plan,
                                 struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status = registry_ask_binary(conn, plan->highest, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t highest = registry_u32(result, 0, 0);
    PQclear(result);
    return highest < REGISTRY_NUMBER_MAX
               ? STATUS_OK
               : status_detail_set(detail, STATUS_TOO_LARGE, "%s: more than %u numbers", plan->word,
                                   REGISTRY_NUMBER_MAX - 1);
}

static enum status count_rows(PGconn *conn, const struct registry_import *import,
                              struct registry_result *ret, struct status_detail *detail)
{
    PGresult *result = NULL;
    enum status status = registry_ask_binary(conn, plans[import->table].count, &result, detail);
    if (status != STATUS_OK) {
        return status;
    }
    ret->added = registry_u32(result, 0, 0);
    ret->changed = registry_u32(result, 0, 1);
    ASSERT(ret->added + ret->changed <= import->row_count);
    ret->unchanged = import->row_count - ret->added - ret->changed;
    PQclear(result);
    return STATUS_OK;
}

static enum status import_table(PGconn *conn, const struct registry_import *import,
                                struct registry_errors *errors, struct registry_result *ret,
                                struct status_detail *detail)
{
    const struct plan *plan = &plans[import->table];
    enum status status = copy_rows(conn, import, detail);
    for (size_t i = 0; status == STATUS_OK && i < sizeof plan->before / sizeof plan->before[0];
         i++) {
        status = run_check(conn, import, &plan->before[i], errors, detail);
    }
    if (status == STATUS_OK) {
        status = registry_errors_status(errors, detail);
    }
    if (status == STATUS_OK) {
        status = count_rows(conn, import, ret, detail);
    }
    if (status == STATUS_OK) {
        status = registry_run(conn, plan->store, detail);
    }
    if (status == STATUS_OK && plan->retire != NULL) {
        status = registry_count(conn, plan->retire, &ret->retired, detail);
    }
    if (status == STATUS_OK) {
        status = run_check(conn, import, &plan->after, errors, detail);
    }
    if (status == STATUS_OK) {
        status = registry_errors_status(errors, detail);
    }
    return status == STATUS_OK ? check_highest(conn, plan, detail) : status;
}

static enum status check_imports(const struct registry_import *imports, uint32_t count,
                                 struct registry_errors *errors, struct status_detail *detail)
{
    bool seen[REGISTRY_TABLES] = {false};
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(imports[i].table < REGISTRY_TABLES);
        if (seen[imports[i].table]) {
            return status_detail_set(detail, STATUS_INVALID,
                                     "%s: %s are imported from another file already",
                                     imports[i].source, plans[imports[i].table].word);
        }
        seen[imports[i].table] = true;
        for (uint32_t row = 0; row < imports[i].row_count; row++) {
            check_row(errors, &imports[i], &imports[i].rows[row]);
        }
    }
    return registry_errors_status(errors, detail);
}

enum status registry_import(PGconn *conn, const struct registry_import *imports, uint32_t count,
                            struct buffer *error_lines, struct registry_result ret[REGISTRY_TABLES],
                            struct status_detail *detail)
{
    struct registry_errors errors = {.lines = error_lines};
    enum status status = check_imports(imports, count, &errors, detail);
    if (status == STATUS_OK) {
        status = registry_begin(conn, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct registry_result done[REGISTRY_TABLES] = {{0}};
    bool changed = false;
    status = registry_lock(conn, detail);
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
            if ((int)imports[i].table == table) {
                status = import_table(conn, &imports[i], &errors, &done[table], detail);
                changed =
                    changed || done[table].added + done[table].changed + done[table].retired > 0;
            }
        }
    }
    status = registry_end(conn, status, changed, detail);
    if (status == STATUS_OK) {
        memcpy(ret, done, sizeof done);
    }
    return status;
}
