#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pg_fixture.h"
#include "storage/registry.h"

/* ---- a database of its own for each test ---- */

struct base {
    char conninfo[256];
    PGconn *conn;
    struct status_detail detail;
    struct buffer lines;
    struct registry_result results[REGISTRY_TABLES], fences;
    struct directory *directory;
    struct fence_set *set;
    struct registry_key key;
};

static void build(struct base *base)
{
    static int count;
    char name[32];
    *base = (struct base){.conn = NULL};
    (void)snprintf(name, sizeof name, "registry_%d", count++);
    pg_fixture_database(&server, name, base->conninfo);
    buffer_init(&base->lines, 65536);
    if (registry_connect(base->conninfo, &base->conn, &base->detail) != STATUS_OK ||
        registry_migrate(base->conn, &base->detail) != STATUS_OK) {
        fail_msg("%s", base->detail.text);
    }
}

static void drop_loaded(struct base *base)
{
    directory_free(base->directory);
    fence_set_free(base->set);
    base->directory = NULL;
    base->set = NULL;
}

static void tear_down(struct base *base)
{
    drop_loaded(base);
    buffer_release(&base->lines);
    PQfinish(base->conn);
}

/* Rows as "a|b|c" texts, line numbers from 2 as under a header. */
static struct registry_import make_import(enum registry_table table, const char *source,
                                          const char *const *rows, struct registry_row *ret_rows)
{
    struct registry_import import = {.table = table, .source = source, .rows = ret_rows};
    for (; rows[import.row_count] != NULL; import.row_count++) {
        struct registry_row *row = &ret_rows[import.row_count];
        *row = (struct registry_row){.line = import.row_count + 2};
        const char *at = rows[import.row_count];
        for (size_t i = 0; i < 8; i++) {
            row->fields[i] = (struct text){at, strcspn(at, "|")};
            at += row->fields[i].length;
            at += *at == '|';
        }
    }
    return import;
}

struct texts {
    const char *rows[REGISTRY_TABLES][12];
};

static enum status import(struct base *base, const struct texts *texts)
{
    static const char *const sources[] = {"schools.csv", "pupils.csv", "cards.csv", "guardians.csv",
                                          "gates.csv"};
    static struct registry_row rows[REGISTRY_TABLES][12];
    struct registry_import imports[REGISTRY_TABLES];
    uint32_t count = 0;
    for (int table = REGISTRY_TABLES - 1; table >= 0; table--) { /* their order must not matter */
        if (texts->rows[table][0] != NULL) {
            imports[count++] = make_import((enum registry_table)table, sources[table],
                                           texts->rows[table], rows[table]);
        }
    }
    buffer_clear(&base->lines);
    return registry_import(base->conn, imports, count, &base->lines, base->results, &base->detail);
}

static void import_well(struct base *base, const struct texts *texts)
{
    if (import(base, texts) != STATUS_OK) {
        fail_msg("%s", base->detail.text);
    }
}

static const struct texts city = {{
    [REGISTRY_SCHOOLS] = {"s1|First|140403|36.19|113.11", "s2|Second|140404||", NULL},
    [REGISTRY_PUPILS] = {"p1|Ming|s1|3a", "p2|Hua|s1|3b", "p3|Lan|s2|1", NULL},
    [REGISTRY_CARDS] = {"c1|p1|", "c2|p2|mama/phone", "c3|p3|", "c4||", NULL},
    [REGISTRY_GUARDIANS] = {"g1|Wang|p1", "g1|Wang|p2", "g2|Li|p3", "g3|Zhao|p1", NULL},
    [REGISTRY_GATES] = {"t1|north|s1", "t2|south|s2", NULL},
}};

static void load(struct base *base)
{
    drop_loaded(base);
    if (registry_load(base->conn, &base->directory, &base->set, &base->detail) != STATUS_OK) {
        fail_msg("%s", base->detail.text);
    }
}

static uint64_t revision(struct base *base)
{
    uint64_t value = 0;
    assert_int_equal(registry_revision(base->conn, &value, &base->detail), STATUS_OK);
    return value;
}

static void expect_city(const struct directory *directory)
{
    uint32_t s1 = directory_school(directory, TEXT("s1")),
             p1 = directory_pupil(directory, TEXT("p1"));
    uint32_t c2 = directory_card(directory, TEXT("c2")), c4 = directory_card(directory, TEXT("c4"));
    assert_true(s1 > 0 && p1 > 0 && c2 > 0 && c4 > 0);
    assert_int_equal(directory->pupils[p1].school_no, s1);
    assert_int_equal(directory->cards[c2].pupil_no, directory_pupil(directory, TEXT("p2")));
    assert_int_equal(directory->cards[c2].school_no, s1);
    assert_int_equal(directory_owntracks(directory, TEXT("mama/phone")), c2);
    assert_int_equal(directory->cards[c4].pupil_no, 0);
    assert_null(directory->cards[c4].owntracks);
    uint32_t t2 = directory_gate(directory, TEXT("t2"));
    assert_int_equal(directory->gates[t2].school_no, directory_school(directory, TEXT("s2")));
    const struct dir_pupil *pupil = &directory->pupils[p1];
    assert_int_equal(pupil->guardian_count, 2);
    const uint32_t *links = directory->guardian_links + pupil->guardian_first;
    assert_int_equal(links[0], directory_guardian(directory, TEXT("g1")));
    assert_int_equal(links[1], directory_guardian(directory, TEXT("g3")));
    assert_int_equal(directory->pupils[directory_pupil(directory, TEXT("p3"))].guardian_count, 1);
    assert_int_equal(directory->school_end, 3);
    assert_int_equal(directory->pupil_end, 4);
    assert_int_equal(directory->card_end, 5);
    assert_int_equal(directory->guardian_end, 4);
    assert_int_equal(directory->gate_end, 3);
}

/* ---- registry ---- */

static void what_was_imported_is_what_is_loaded(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    load(&base);
    expect_city(base.directory);
    assert_int_equal(base.directory->revision, revision(&base));
    assert_int_equal(base.set->count, 0);
    tear_down(&base);
}

static void the_same_file_again_changes_nothing_and_a_new_one_only_what_is_new(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        assert_true(base.results[table].added > 0);
        assert_int_equal(base.results[table].changed + base.results[table].unchanged, 0);
    }
    uint64_t before = revision(&base);
    import_well(&base, &city);
    for (int table = 0; table < REGISTRY_TABLES; table++) {
        assert_int_equal(base.results[table].added + base.results[table].changed, 0);
        assert_true(base.results[table].unchanged > 0);
    }
    assert_int_equal(revision(&base), before);
    const struct texts later = {{
        [REGISTRY_PUPILS] = {"p4|Jun|s2|1", "p2|Hua|s2|3b", "p1|Ming|s1|3a", NULL},
        [REGISTRY_CARDS] = {"c1|p4|mama/phone", "c2|p2|",
                            NULL}, /* the phone moves to the other card */
    }};
    import_well(&base, &later);
    assert_int_equal(base.results[REGISTRY_PUPILS].added, 1);
    assert_int_equal(base.results[REGISTRY_PUPILS].changed, 1);
    assert_int_equal(base.results[REGISTRY_PUPILS].unchanged, 1);
    assert_int_equal(base.results[REGISTRY_CARDS].changed, 2);
    assert_int_equal(revision(&base), before + 1);
    load(&base);
    assert_int_equal(directory_pupil(base.directory, TEXT("p4")),
                     4); /* dense, and the old ones kept */
    assert_int_equal(directory_pupil(base.directory, TEXT("p1")), 1);
    assert_int_equal(directory_owntracks(base.directory, TEXT("mama/phone")),
                     directory_card(base.directory, TEXT("c1")));
    tear_down(&base);
}

static void a_guardian_loses_the_pupils_that_the_file_does_not_name(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    import_well(&base, &(struct texts){{[REGISTRY_GUARDIANS] = {"g1|Wang|p2", NULL}}});
    assert_int_equal(base.results[REGISTRY_GUARDIANS].retired, 1);
    assert_int_equal(base.results[REGISTRY_GUARDIANS].unchanged, 1);
    load(&base);
    assert_int_equal(base.directory->pupils[1].guardian_count, 1);
    assert_string_equal(
        base.directory
            ->guardians[base.directory->guardian_links[base.directory->pupils[1].guardian_first]]
            .id,
        "g3");
    tear_down(&base);
}

static void what_is_out_of_service_leaves_a_hole_and_takes_along_what_hangs_on_it(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    PQclear(PQexec(base.conn, "UPDATE campus.school SET valid = false WHERE id = 's2';"
                              "UPDATE campus.guardian SET valid = false WHERE id = 'g3'"));
    load(&base);
    assert_int_equal(directory_school(base.directory, TEXT("s2")), 0);
    assert_int_equal(directory_pupil(base.directory, TEXT("p3")), 0);
    assert_int_equal(directory_gate(base.directory, TEXT("t2")), 0);
    assert_int_equal(base.directory->cards[directory_card(base.directory, TEXT("c3"))].pupil_no, 0);
    assert_int_equal(base.directory->pupils[1].guardian_count, 1);
    assert_int_equal(base.directory->school_end, 3);
    import_well(&base, &city); /* the file has it: it is in service again */
    assert_int_equal(base.results[REGISTRY_SCHOOLS].changed, 1);
    load(&base);
    expect_city(base.directory);
    tear_down(&base);
}

static void a_wrong_row_is_told_with_file_line_and_column_and_nothing_is_stored(void **state)
{
    (void)state;
    static const struct {
        enum registry_table table;
        const char *row, *words;
    } cases[] = {
        {REGISTRY_PUPILS, "p9|X|s9|1", "pupils.csv:3: column school: no school \"s9\""},
        {REGISTRY_PUPILS, "p8|X|s1|1",
         "pupils.csv:3: column id: pupil \"p8\" stands on line 2 already"},
        {REGISTRY_PUPILS, "p 9|X|s1|1", "pupils.csv:3: column id: \"p 9\": not an id: 1 to 64 of"},
        {REGISTRY_PUPILS, "|X|s1|1", "pupils.csv:3: column id: \"\": empty"},
        {REGISTRY_PUPILS, "p9|X||1", "pupils.csv:3: column school: \"\": empty"},
        {REGISTRY_PUPILS, "p9|\xc4\xfa|s1|1",
         "pupils.csv:3: column name: not UTF-8: save the file as UTF-8"},
        {REGISTRY_SCHOOLS, "s9|X|1|91|0",
         "schools.csv:3: column lat: \"91\": not degrees from -90 to 90"},
        {REGISTRY_SCHOOLS, "s9|X|1|1|east",
         "schools.csv:3: column lon: \"east\": not degrees from -180"},
        {REGISTRY_SCHOOLS, "s9|X|1|36.1|", "schools.csv:3: column lon: empty, but the other"},
        {REGISTRY_CARDS, "c9|p9|", "cards.csv:3: column pupil: no pupil \"p9\""},
        {REGISTRY_CARDS, "c9||phone",
         "cards.csv:3: column owntracks: \"phone\": not of the form user/device"},
        {REGISTRY_CARDS, "c9||mama/phone",
         "cards.csv:3: column owntracks: \"mama/phone\" stands for card \"c2\""},
        {REGISTRY_GUARDIANS, "g8|X|p9", "guardians.csv:3: column pupil: no pupil \"p9\""},
        {REGISTRY_GUARDIANS, "g8|Y|p2",
         "guardians.csv:3: column name: guardian \"g8\" has another name on line 2"},
        {REGISTRY_GUARDIANS, "g8|X|p1",
         "guardians.csv:3: column pupil: guardian \"g8\" of pupil \"p1\" stands on"},
        {REGISTRY_GATES, "t9|X|s9", "gates.csv:3: column school: no school \"s9\""},
    };
    static const char *const good[] = {"s8|ok|1||", "p8|ok|s1|1", "c8||", "g8|X|p1", "t8|ok|s1"};
    struct base base;
    build(&base);
    import_well(&base, &city);
    uint64_t before = revision(&base);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct texts texts = {{{NULL}}};
        texts.rows[cases[i].table][0] = good[cases[i].table];
        texts.rows[cases[i].table][1] = cases[i].row;
        assert_int_equal(import(&base, &texts), STATUS_INVALID);
        if (strncmp(base.detail.text, cases[i].words, strlen(cases[i].words)) != 0) {
            fail_msg("\"%s\" does not begin with \"%s\"", base.detail.text, cases[i].words);
        }
    }
    assert_int_equal(revision(&base), before);
    load(&base);
    expect_city(base.directory); /* ends included: no s8, p8, c8, g8, t8 */
    tear_down(&base);
}

static void the_first_twenty_errors_are_listed_and_the_others_counted(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    static struct registry_row rows[50];
    for (uint32_t i = 0; i < 50; i++) {
        rows[i] = (struct registry_row){{TEXT("c1"), TEXT("nobody"), TEXT("")}, i + 2};
    }
    struct registry_import import = {"cards.csv", rows, 50, REGISTRY_CARDS};
    assert_int_equal(
        registry_import(base.conn, &import, 1, &base.lines, base.results, &base.detail),
        STATUS_INVALID);
    assert_non_null(strstr(base.detail.text, "(and 98 more)"));
    uint32_t lines = 0;
    for (const char *at = buffer_cstr(&base.lines); (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 20);
    tear_down(&base);
}

static void a_pupil_with_more_than_eight_guardians_is_refused(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    const struct texts many = {{[REGISTRY_GUARDIANS] = {"h1|a|p1", "h2|a|p1", "h3|a|p1", "h4|a|p1",
                                                        "h5|a|p1", "h6|a|p1", "h7|a|p1", NULL}}};
    assert_int_equal(import(&base, &many), STATUS_INVALID);
    assert_non_null(
        strstr(base.detail.text, "guardians.csv:8: column pupil: pupil \"p1\" has 9 guardians"));
    tear_down(&base);
}

static void an_import_notifies_and_one_that_changes_nothing_does_not(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    PGconn *listener;
    assert_int_equal(registry_connect(base.conninfo, &listener, &base.detail), STATUS_OK);
    PQclear(PQexec(listener, "LISTEN campus_registry"));
    import_well(&base, &city);
    struct pollfd wait = {.fd = PQsocket(listener), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(PQconsumeInput(listener), 1);
    PGnotify *notify = PQnotifies(listener);
    assert_non_null(notify);
    assert_string_equal(notify->extra, "2");
    PQfreemem(notify);
    import_well(&base, &city);
    PQclear(PQexec(listener, "SELECT 1")); /* a notification would come with this answer */
    assert_null(PQnotifies(listener));
    PQfinish(listener);
    tear_down(&base);
}

static void two_imports_at_once_wait_for_each_other(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    PGconn *other;
    assert_int_equal(registry_connect(base.conninfo, &other, &base.detail), STATUS_OK);
    PQclear(PQexec(other, "BEGIN; SELECT revision FROM campus.registry_state FOR UPDATE"));
    PQclear(PQexec(base.conn, "SET lock_timeout = '50ms'"));
    assert_int_equal(import(&base, &city), STATUS_IO);
    assert_non_null(strstr(base.detail.text, "lock timeout"));
    PQclear(PQexec(other, "ROLLBACK"));
    import_well(&base, &city); /* the connection is usable after a failure */
    PQfinish(other);
    tear_down(&base);
}

static void the_schema_is_applied_once_and_again_without_harm(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    assert_int_equal(registry_migrate(base.conn, &base.detail), STATUS_OK);
    assert_string_equal(
        pg_fixture_ask(base.conn,
                       "SELECT string_agg(name, ' ' ORDER BY name) FROM campus.migration"),
        "001_registry 002_archive 003_archive_sealed 004_upkeep_plans");
    tear_down(&base);
}

static void an_unreachable_server_is_unavailable_with_its_words(void **state)
{
    (void)state;
    PGconn *conn = NULL;
    struct status_detail detail;
    assert_int_equal(registry_connect("host=/nonexistent port=1", &conn, &detail),
                     STATUS_UNAVAILABLE);
    assert_null(conn);
    assert_non_null(strstr(detail.text, "/nonexistent"));
    assert_null(strchr(detail.text, '\n'));
}

static void the_registry_of_the_whole_city_loads_in_seconds(void **state)
{
    (void)state;
    enum { PUPILS = 134000, SCHOOLS = 206 };
    struct base base;
    build(&base);
    static struct registry_row rows[3][PUPILS];
    static char ids[PUPILS][8], schools[SCHOOLS][8];
    static struct registry_row school_rows[SCHOOLS];
    for (uint32_t i = 0; i < SCHOOLS; i++) {
        (void)snprintf(schools[i], sizeof schools[i], "s%03u", i);
        school_rows[i] =
            (struct registry_row){{text_of(schools[i]), TEXT("a school"), TEXT("140403")}, i + 2};
    }
    for (uint32_t i = 0; i < PUPILS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "p%06u", i);
        struct text id = text_of(ids[i]);
        rows[0][i] = (struct registry_row){
            {id, TEXT("a pupil"), text_of(schools[i % SCHOOLS]), TEXT("1")}, i + 2};
        rows[1][i] = (struct registry_row){{id, id}, i + 2};
        rows[2][i] = (struct registry_row){{id, TEXT("a guardian"), id}, i + 2};
    }
    const struct registry_import imports[] = {
        {"schools.csv", school_rows, SCHOOLS, REGISTRY_SCHOOLS},
        {"pupils.csv", rows[0], PUPILS, REGISTRY_PUPILS},
        {"cards.csv", rows[1], PUPILS, REGISTRY_CARDS},
        {"guardians.csv", rows[2], PUPILS, REGISTRY_GUARDIANS}};
    int64_t begun_us = clock_mono_us();
    if (registry_import(base.conn, imports, 4, &base.lines, base.results, &base.detail) !=
        STATUS_OK) {
        fail_msg("%s", base.detail.text);
    }
    int64_t imported_us = clock_mono_us();
    load(&base);
    print_message("import %" PRId64 " ms, load %" PRId64 " ms\n", (imported_us - begun_us) / 1000,
                  (clock_mono_us() - imported_us) / 1000);
    assert_int_equal(base.results[REGISTRY_GUARDIANS].added, PUPILS);
    assert_int_equal(base.directory->card_end, PUPILS + 1);
    assert_int_equal(base.directory->guardian_link_count, PUPILS);
    tear_down(&base);
}

/* ---- fences ---- */

#define SQUARE(id, school, name, west)                                                             \
    "{\"type\":\"Feature\",\"properties\":{\"id\":\"" id "\",\"school\":\"" school                 \
    "\",\"kind\":\"school\",\"name\":\"" name                                                      \
    "\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[" west                              \
    ",36.1],[113.2,36.1],[113.2,36.2],[" west ",36.2],[" west ",36.1]]]}}"
#define ZONE                                                                                        \
    "{\"type\":\"Feature\",\"properties\":{\"id\":\"lake\",\"kind\":\"danger\",\"radius_m\":120.5," \
    "\"schedule\":\"always\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[113.05,36.15]}}"
#define ALL(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"

static enum status import_fences(struct base *base, const char *json, enum geo_datum datum,
                                 const char *replace)
{
    struct arena arena;
    struct geo_features features;
    arena_init_growing(&arena, 1u << 16, 1u << 26);
    struct geo_geojson_options options = {.datum_default = datum};
    enum status status =
        geo_geojson_read(text_of(json), &options, &arena, &features, &base->detail);
    buffer_clear(&base->lines);
    if (status == STATUS_OK) {
        status = registry_import_fences(base->conn, &features, replace, &base->lines, &base->fences,
                                        &base->detail);
    }
    arena_release(&arena);
    return status;
}

static void import_fences_well(struct base *base, const char *json, const char *replace)
{
    if (import_fences(base, json, GEO_WGS84, replace) != STATUS_OK) {
        fail_msg("%s", base->detail.text);
    }
}

static const struct fence *find_fence(const struct fence_set *set, const char *id)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].id, id) == 0) {
            return &set->items[i];
        }
    }
    return NULL;
}

static void a_changed_fence_becomes_a_new_version_and_an_unchanged_one_stays(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    import_fences_well(&base, ALL(SQUARE("f1", "s1", "yard", "113.0") "," ZONE), NULL);
    assert_int_equal(base.fences.added, 2);
    uint64_t before = revision(&base);
    import_fences_well(&base, ALL(SQUARE("f1", "s1", "yard", "113.0") "," ZONE), NULL);
    assert_int_equal(base.fences.unchanged, 2);
    assert_int_equal(revision(&base), before);
    import_fences_well(
        &base, ALL(SQUARE("f2", "s1", "new", "113.0") "," SQUARE("f1", "s1", "yard", "113.01")),
        NULL);
    assert_int_equal(base.fences.added, 1);
    assert_int_equal(base.fences.changed, 1);
    load(&base);
    assert_int_equal(base.set->revision, before + 1);
    assert_int_equal(base.set->count, 3);
    const struct fence *f1 = find_fence(base.set, "f1");
    assert_int_equal(f1->version, 2);
    assert_int_equal(f1->no, 1);
    assert_int_equal(f1->school_no, 1);
    assert_int_equal(f1->kind, FENCE_SCHOOL);
    assert_int_equal(find_fence(base.set, "f2")->no, 3);
    const struct fence *lake = find_fence(base.set, "lake");
    assert_int_equal(lake->severity, SEVERITY_WARNING);
    assert_int_equal(lake->school_no, 0);
    const struct geo_shape *shape = &base.set->shapes[lake - base.set->items];
    assert_int_equal(shape->kind, GEO_CIRCLE);
    assert_float_equal(shape->radius_m, 120.5, 0);
    shape = &base.set->shapes[f1 - base.set->items];
    assert_true(geo_shape_covers(shape, (struct geo_point){361500000, 1130100000}));
    assert_false(geo_shape_covers(shape, (struct geo_point){361500000, 1130099999}));
    assert_string_equal(
        pg_fixture_ask(base.conn,
                       "SELECT string_agg(version || (retired_at IS NULL)::text, ' ' ORDER"
                       " BY version) FROM campus.fence WHERE id = 'f1'"),
        "1false 2true");
    tear_down(&base);
}

static void replacing_a_school_retires_what_the_file_does_not_hold(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    import_fences_well(&base,
                       ALL(SQUARE("f1", "s1", "a", "113.0") "," SQUARE(
                           "f2", "s1", "b", "113.0") "," SQUARE("f3", "s2", "c", "113.0") "," ZONE),
                       NULL);
    import_fences_well(&base, ALL(SQUARE("f2", "s1", "b", "113.0")), "s1");
    assert_int_equal(base.fences.retired, 1);
    assert_int_equal(base.fences.unchanged, 1);
    load(&base);
    assert_int_equal(base.set->count, 3);
    assert_null(find_fence(base.set, "f1"));
    import_fences_well(&base, ALL(""), ""); /* those of everyone */
    load(&base);
    assert_null(find_fence(base.set, "lake"));
    import_fences_well(&base, ALL(SQUARE("f1", "s1", "a", "113.0")),
                       NULL); /* back, under its number */
    load(&base);
    assert_int_equal(find_fence(base.set, "f1")->no, 1);
    assert_int_equal(find_fence(base.set, "f1")->version, 2);
    assert_int_equal(import_fences(&base, ALL(SQUARE("f9", "s2", "a", "113.0")), GEO_WGS84, "s1"),
                     STATUS_INVALID);
    assert_int_equal(import_fences(&base, ALL(""), GEO_WGS84, "s9"), STATUS_NOT_FOUND);
    tear_down(&base);
}

static void a_fence_of_an_unknown_school_or_kind_is_refused_with_its_place(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    assert_int_equal(
        import_fences(&base, ALL(ZONE "," SQUARE("f1", "s9", "a", "113.0")), GEO_WGS84, NULL),
        STATUS_INVALID);
    assert_non_null(strstr(base.detail.text, "feature 2 (id \"f1\"): no school \"s9\""));
    load(&base);
    assert_int_equal(base.set->count, 0);
    tear_down(&base);
}

static void what_is_exported_can_be_imported_again_unchanged(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    /* in another datum, which an export does not go back to */
    assert_int_equal(
        import_fences(&base, ALL(SQUARE("f1", "s1", "yard", "113.0") "," ZONE), GEO_GCJ02, NULL),
        STATUS_OK);
    struct buffer out;
    buffer_init(&out, 1u << 20);
    assert_int_equal(registry_export_fences(base.conn, NULL, &out, &base.detail), STATUS_OK);
    if (import_fences(&base, buffer_cstr(&out), GEO_DATUM_NONE, NULL) != STATUS_OK) {
        fail_msg("%s", base.detail.text);
    }
    assert_int_equal(base.fences.unchanged, 2);
    buffer_clear(&out);
    assert_int_equal(registry_export_fences(base.conn, "s1", &out, &base.detail), STATUS_OK);
    assert_non_null(strstr(buffer_cstr(&out), "f1"));
    assert_null(strstr(buffer_cstr(&out), "lake"));
    buffer_clear(&out);
    assert_int_equal(registry_list_fences(base.conn, NULL, &out, &base.detail), STATUS_OK);
    assert_non_null(strstr(buffer_cstr(&out), "f1          1  s1      school         4  yard\n"));
    buffer_release(&out);
    tear_down(&base);
}

static void a_datum_is_kept_as_declared_while_the_shape_is_wgs84(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    assert_int_equal(import_fences(&base, ALL(ZONE), GEO_GCJ02, NULL), STATUS_OK);
    assert_string_equal(pg_fixture_ask(base.conn, "SELECT datum FROM campus.fence"), "gcj02");
    load(&base);
    struct geo_point given = {361500000, 1130500000};
    double away_m = geo_distance_m(base.set->shapes[0].points[0], given);
    assert_true(away_m > 500 && away_m < 650);
    tear_down(&base);
}

/* ---- the cache ---- */

static void cache_path(char ret[64])
{
    (void)snprintf(ret, 64, "%s", "/tmp/campus-cache-XXXXXX");
    int fd = mkstemp(ret);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void the_cache_gives_back_what_was_loaded(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    import_fences_well(&base, ALL(SQUARE("f1", "s1", "yard", "113.0") "," ZONE), NULL);
    load(&base);
    char path[64];
    cache_path(path);
    assert_int_equal(registry_cache_write(path, base.directory, base.set, &base.key, &base.detail),
                     STATUS_OK);
    uint64_t known = base.directory->revision;
    drop_loaded(&base);
    if (registry_cache_read(path, &base.directory, &base.set, &base.key, &base.detail) !=
        STATUS_OK) {
        fail_msg("%s", base.detail.text);
    }
    expect_city(base.directory);
    assert_int_equal(base.directory->revision, known);
    assert_int_equal(base.set->revision, known);
    assert_int_equal(base.set->count, 2);
    assert_true(geo_shape_covers(&base.set->shapes[0], (struct geo_point){361500000, 1130500000}));
    (void)unlink(path);
    tear_down(&base);
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    (void)close(fd);
}

static void a_cache_that_is_cut_or_flipped_anywhere_is_refused(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    import_fences_well(&base, ALL(ZONE), NULL);
    load(&base);
    char path[64];
    cache_path(path);
    assert_int_equal(registry_cache_write(path, base.directory, base.set, &base.key, &base.detail),
                     STATUS_OK);
    drop_loaded(&base);
    static char bytes[16384];
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    assert_true(size > 200 && (size_t)size < sizeof bytes);
    for (ssize_t i = 0; i < size; i++) {
        write_file(path, bytes, (size_t)i);
        assert_int_equal(
            registry_cache_read(path, &base.directory, &base.set, &base.key, &base.detail),
            STATUS_CORRUPT);
        bytes[i] ^= 0x20;
        write_file(path, bytes, (size_t)size);
        assert_int_equal(
            registry_cache_read(path, &base.directory, &base.set, &base.key, &base.detail),
            STATUS_CORRUPT);
        bytes[i] ^= 0x20;
    }
    assert_non_null(strstr(base.detail.text, path));
    (void)unlink(path);
    assert_int_equal(registry_cache_read(path, &base.directory, &base.set, &base.key, &base.detail),
                     STATUS_NOT_FOUND);

    tear_down(&base);
}

/* A checksum says nothing of who made the file: what it holds is checked as well. */
static void a_cache_with_a_right_checksum_over_wrong_bytes_is_refused_or_sound(void **state)
{
    (void)state;
    struct base base;
    build(&base);
    import_well(&base, &city);
    import_fences_well(&base, ALL(SQUARE("f1", "s1", "yard", "113.0") "," ZONE), NULL);
    load(&base);
    char path[64];
    cache_path(path);
    assert_int_equal(registry_cache_write(path, base.directory, base.set, &base.key, &base.detail),
                     STATUS_OK);
    static unsigned char bytes[16384];
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    assert_true(size > 200 && (size_t)size < sizeof bytes);
    uint32_t refused = 0;
    for (ssize_t i = 24; i < size; i++) {
        for (int flip = 1; flip < 256; flip += 127) {
            bytes[i] ^= (unsigned char)flip;
            uint32_t crc = libdeflate_crc32(0, bytes + 24, (size_t)size - 24);
            memcpy(bytes + 12, &crc, sizeof crc);
            write_file(path, (const char *)bytes, (size_t)size);
            drop_loaded(&base);
            enum status status =
                registry_cache_read(path, &base.directory, &base.set, &base.key, &base.detail);
            assert_true(status == STATUS_OK || (base.directory == NULL && base.set == NULL));
            refused += status != STATUS_OK;
            bytes[i] ^= (unsigned char)flip;
        }
    }
    assert_true(refused > 100);
    (void)unlink(path);
    tear_down(&base);
}

/* Kept under the name of its content, until it is old and nobody names it. */
static void kept_registries_are_forgotten_when_nobody_names_them(void **state)
{
    (void)state;
    char folder[] = "/tmp/campus-registry-XXXXXX", path[64], kept[128];
    struct registry_key key = {.revision = 7, .bytes = 3, .crc = 0xabc}, other = {.crc = 1};
    struct status_detail detail;
    struct stat info;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/cache", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && close(fd) == 0);
    write_file(path, "abc", 3);
    assert_int_equal(registry_cache_keep(path, &key, &detail), STATUS_OK);
    assert_int_equal(registry_cache_keep(path, &key, &detail), STATUS_OK); /* it is there */
    assert_int_equal(registry_cache_kept(path, &key, kept, sizeof kept), STATUS_OK);
    assert_int_equal(stat(kept, &info), 0);
    int64_t made_ms = (int64_t)info.st_mtim.tv_sec * 1000;
    registry_cache_forget(path, made_ms, &other, 1); /* as old as that, no older */
    assert_int_equal(stat(kept, &info), 0);
    registry_cache_forget(path, made_ms + 2000, &key, 1); /* named */
    assert_int_equal(stat(kept, &info), 0);
    registry_cache_forget(path, made_ms + 2000, &other, 1);
    assert_int_equal(stat(kept, &info), -1);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(registry_cache_kept(path, &key, kept, 8), STATUS_TOO_LARGE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(registry_cache_keep(path, &key, &detail), STATUS_IO);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_imported_is_what_is_loaded),
        cmocka_unit_test(the_same_file_again_changes_nothing_and_a_new_one_only_what_is_new),
        cmocka_unit_test(a_guardian_loses_the_pupils_that_the_file_does_not_name),
        cmocka_unit_test(what_is_out_of_service_leaves_a_hole_and_takes_along_what_hangs_on_it),
        cmocka_unit_test(a_wrong_row_is_told_with_file_line_and_column_and_nothing_is_stored),
        cmocka_unit_test(the_first_twenty_errors_are_listed_and_the_others_counted),
        cmocka_unit_test(a_pupil_with_more_than_eight_guardians_is_refused),
        cmocka_unit_test(an_import_notifies_and_one_that_changes_nothing_does_not),
        cmocka_unit_test(two_imports_at_once_wait_for_each_other),
        cmocka_unit_test(the_schema_is_applied_once_and_again_without_harm),
        cmocka_unit_test(an_unreachable_server_is_unavailable_with_its_words),
        cmocka_unit_test(the_registry_of_the_whole_city_loads_in_seconds),
        cmocka_unit_test(a_changed_fence_becomes_a_new_version_and_an_unchanged_one_stays),
        cmocka_unit_test(replacing_a_school_retires_what_the_file_does_not_hold),
        cmocka_unit_test(a_fence_of_an_unknown_school_or_kind_is_refused_with_its_place),
        cmocka_unit_test(what_is_exported_can_be_imported_again_unchanged),
        cmocka_unit_test(a_datum_is_kept_as_declared_while_the_shape_is_wgs84),
        cmocka_unit_test(the_cache_gives_back_what_was_loaded),
        cmocka_unit_test(a_cache_that_is_cut_or_flipped_anywhere_is_refused),
        cmocka_unit_test(a_cache_with_a_right_checksum_over_wrong_bytes_is_refused_or_sound),
        cmocka_unit_test(kept_registries_are_forgotten_when_nobody_names_them),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
