#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal_fixture.h"
#include "pg_fixture.h"
#include "storage/registry.h"
#include "storage/schema.h"

static uint64_t seed;

static PGconn *connect_to(const char *conninfo)
{
    struct status_detail detail;
    PGconn *conn = NULL;
    if (registry_connect(conninfo, &conn, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return conn;
}

static void run(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    }
    PQclear(result);
}

static PGconn *new_database(char conninfo[256])
{
    static int databases;
    char name[32];
    (void)snprintf(name, sizeof name, "seal_%d", databases++);
    pg_fixture_database(&server, name, conninfo);
    return connect_to(conninfo);
}

static PGconn *build(char conninfo[256])
{
    PGconn *conn = new_database(conninfo);
    struct status_detail detail;
    if (registry_migrate(conn, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    run(conn, "SET timezone = 'UTC'; SELECT campus.archive_day('2026-03-02'),"
              " campus.archive_day('2026-03-03')");
    return conn;
}

static void expect(PGconn *conn, const char *sql, const char *answer)
{
    assert_string_equal(pg_fixture_ask(conn, sql), answer);
}

/* The view holds each row of table `was` as often as it stands there, and no other. */
static void expect_the_same(PGconn *conn)
{
    expect(conn,
           "SELECT (SELECT count(*) FROM (SELECT * FROM campus.fix EXCEPT ALL SELECT * FROM was) a)"
           " || ' too many, ' ||"
           " (SELECT count(*) FROM (SELECT * FROM was EXCEPT ALL SELECT * FROM campus.fix) b)"
           " || ' missing'",
           "0 too many, 0 missing");
}

static void seal_all(PGconn *conn, const char *before, const char *rows_max)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT campus.archive_seal('%s', %s)", before, rows_max);
    for (int steps = 0; pg_fixture_ask(conn, sql)[0] != '\0'; steps++) {
        assert_true(steps < 1000);
    }
}

/* Pupils' rows as they are: a fix a minute, some values not told. */
static void add_plain(PGconn *conn, const char *day, int cards, int minutes)
{
    char sql[1200];
    (void)snprintf(
        sql, sizeof sql,
        "INSERT INTO campus.fix_flat SELECT t + (random() * 2000)::int * interval '1 ms', t, 100 + m, 1772000000, c,"
        " 361900000 + c * 1000 + (random() * 3000)::int, 1131100000 + c * 1000 + (random() * 90000)::int,"
        " CASE WHEN random() < 0.9 THEN (random() * 5000)::int END, (random() * 200)::int,"
        " CASE WHEN random() < 0.9 THEN (random() * 35999)::int END, 0, 1 + (random() * 2)::int, 60, 1, 90 - m / 10"
        " FROM generate_series(1, %d) c, generate_series(0, %d) m,"
        " LATERAL (SELECT timestamptz '%s 03:00+00' + (m * 60000 + c * 17) * interval '1 ms' AS t) x",
        cards, minutes - 1, day);
    run(conn, sql);
}

/* ---- tests ---- */

/* What no card sends and the columns can hold. */
static void add_strange(PGconn *conn)
{
    run(conn,
        "CREATE FUNCTION pick(VARIADIC bigint[]) RETURNS bigint LANGUAGE sql VOLATILE AS"
        " 'SELECT $1[1 + floor(random() * cardinality($1))::int]';"
        "INSERT INTO campus.fix_flat SELECT arrived, CASE pick(1, 2, 3, 4, 5, 6, 7, 8)"
        "  WHEN 1 THEN '4713-01-01 00:00:00+00 BC' WHEN 2 THEN '294276-12-31 23:59:59.999999+00'"
        "  WHEN 3 THEN '2026-03-02 00:30:00+00' WHEN 4 THEN arrived - pick(1, 400, 90000) * interval '1 minute'"
        "  WHEN 5 THEN arrived + random() * interval '3 days' ELSE arrived - interval '1 second' END,"
        " pick(0, 1, n, n, n, 9223372036854775807, -9223372036854775808), pick(7, 7, 7, 4294967295, -1),"
        " pick(1, 2, 3, 4, -5, 2147483647, -2147483648)::int,"
        " pick(NULL, 361900000, 361900000 + n, 361965535, 361965536, 2147483647, -2147483648)::int,"
        " pick(NULL, 1131100000, 1131100000 + n, -1800000000, 1800000000)::int,"
        " pick(NULL, 0, 500, n, 65536, 4294967295, 9223372036854775807, -9223372036854775808),"
        " pick(NULL, 0, n, 2147483647, -2147483648)::int, pick(NULL, 35999, n, 0, -2147483648)::int,"
        " pick(0, 0, 0, 1, 32767, -32768)::smallint, pick(1, 1, 1, 2, 32767, -32768)::smallint,"
        " pick(60, 60, 60, 1, -32768)::smallint, pick(1, 1, 1, 3)::smallint, pick(NULL, 80, 81, 32767, -32768)::smallint"
        " FROM generate_series(1, 6000) n, LATERAL (SELECT '2026-03-02'::timestamptz + pick(0, 0, 1, 23) *"
        "  interval '1 hour' + CASE WHEN n % 3 = 0 THEN pick(0, 1, 3599999999) * interval '1 microsecond'"
        "  ELSE pick(0, n, n, n, 3599999) * interval '1 ms' END AS arrived) x;"
        "INSERT INTO campus.fix_flat SELECT * FROM campus.fix_flat WHERE random() < 0.1");
}

static void every_row_comes_back_from_its_sealed_form_whatever_it_holds(void **state)
{
    (void)state;
    char conninfo[256], sql[100];
    PGconn *conn = build(conninfo);
    (void)snprintf(sql, sizeof sql, "SELECT setseed(%.6f)", (double)(seed % 1000000) / 1e6);
    run(conn, sql);
    add_strange(conn);
    add_plain(conn, "2026-03-02", 20, 60);
    add_plain(conn, "2026-03-03", 3, 10);
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    for (int steps = 0; steps < 4; steps++) { /* half done is as true as done */
        run(conn, "SELECT campus.archive_seal('2026-03-03', 1000)");
        expect_the_same(conn);
    }
    seal_all(conn, "2026-03-03", "1000");
    expect_the_same(conn);
    expect(conn, "SELECT count(*) || ' ' || min(arrived)::date FROM campus.fix_flat",
           "30 2026-03-03");
    expect(conn, "SELECT pg_total_relation_size('campus.fix_20260302') < 100000", "t");
    expect(conn, "SELECT sum(events) = (SELECT count(*) FROM was) - 30 FROM campus.fix_sealed",
           "t");
    expect(conn, "SELECT count(*) FROM campus.archive_sealing", "0");
    PQfinish(conn);
}

static void pupils_hours_become_one_row_each_in_a_fifth_of_the_space(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    add_plain(conn, "2026-03-02", 300, 120);
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    seal_all(conn, "2026-03-03", "100000");
    expect(conn, "SELECT count(*) || ' ' || count(DISTINCT (card_no, hour)) FROM campus.fix_sealed",
           "600 600");
    expect(conn, "SELECT pg_total_relation_size('campus.fix_sealed_20260302') / 36000 < 36", "t");
    expect_the_same(conn);
    PQfinish(conn);
}

static void
only_hours_that_are_over_are_sealed_and_late_rows_stay_visible_till_the_day_is(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    add_plain(conn, "2026-03-02", 5, 150); /* 03:00 to 05:30 */
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    seal_all(conn, "2026-03-02 04:59:59+00", "100000");
    expect(conn, "SELECT string_agg(DISTINCT hour::text, ' ') FROM campus.fix_sealed",
           "2026-03-02 03:00:00+00");
    expect(conn, "SELECT min(arrived) >= '2026-03-02 04:00+00' FROM campus.fix_flat", "t");
    expect_the_same(conn);
    /* an archive that was behind brings more of the first hour */
    run(conn, "INSERT INTO campus.fix_flat SELECT * FROM was WHERE arrived < '2026-03-02 03:10+00';"
              "INSERT INTO was SELECT * FROM was WHERE arrived < '2026-03-02 03:10+00'");
    expect_the_same(conn);
    seal_all(conn, "2026-03-02 05:00+00", "100000");
    expect_the_same(conn);
    seal_all(conn, "2026-03-03", "100000");
    expect_the_same(conn);
    expect(conn, "SELECT count(*) FROM campus.fix_flat", "0");
    /* and one more after all was done */
    run(conn, "INSERT INTO campus.fix_flat SELECT * FROM was LIMIT 1; INSERT INTO was SELECT * FROM"
              " campus.fix_flat");
    expect_the_same(conn);
    seal_all(conn, "2026-03-03", "100000");
    expect(conn, "SELECT count(*) FROM campus.fix_flat", "0");
    expect_the_same(conn);
    PQfinish(conn);
}

static void a_row_that_cannot_be_sealed_stays_flat_and_holds_up_no_other(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    add_plain(conn, "2026-03-02", 2, 5);
    run(conn, "UPDATE campus.fix_flat SET \"time\" = 'infinity' WHERE card_no = 1 AND seq = 100");
    add_plain(conn, "2026-03-03", 2, 5);
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    seal_all(conn, "2026-03-05", "100000");
    expect(conn, "SELECT count(*) FROM campus.fix_flat", "1");
    expect_the_same(conn);
    PQfinish(conn);
}

static void readers_are_not_waited_for_and_the_space_comes_back_later(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    add_plain(conn, "2026-03-02", 2, 5);
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    PGconn *reader = connect_to(conninfo);
    run(reader, "BEGIN; SELECT * FROM campus.fix");
    seal_all(conn, "2026-03-03", "100000");
    expect(conn, "SELECT pg_relation_size('campus.fix_20260302') > 0", "t");
    expect_the_same(conn);
    run(reader, "COMMIT"); /* a connection that is closed holds its locks a little longer */
    PQfinish(reader);
    seal_all(conn, "2026-03-03", "100000");
    expect(conn, "SELECT pg_relation_size('campus.fix_20260302')", "0");
    expect_the_same(conn);
    PQfinish(conn);
}

static void a_server_that_crashes_while_it_seals_has_each_row_once(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    add_plain(conn, "2026-03-02", 200, 120);
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    for (int crash = 0; crash < 4; crash++) {
        run(conn, "SELECT campus.archive_seal('2026-03-03', 3000)");
        assert_int_equal(PQsendQuery(conn, "SELECT campus.archive_seal('2026-03-03', 3000)"), 1);
        (void)usleep((useconds_t)((seed * 7919 + (uint64_t)crash * 104729) % 60000));
        pg_fixture_crash(&server);
        PQfinish(conn);
        pg_fixture_up(&server);
        conn = connect_to(conninfo);
        expect_the_same(conn);
    }
    seal_all(conn, "2026-03-03", "3000");
    expect_the_same(conn);
    expect(conn, "SELECT count(*) FROM campus.fix_flat", "0");
    PQfinish(conn);
}

static void two_that_seal_at_once_and_a_writer_beside_them_neither_lose_nor_double(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    add_plain(conn, "2026-03-02", 50, 60);
    run(conn, "CREATE TABLE was AS SELECT * FROM campus.fix");
    PGconn *other = connect_to(conninfo), *writer = connect_to(conninfo);
    run(writer, "BEGIN; INSERT INTO campus.fix_flat SELECT * FROM was WHERE card_no < 5");
    run(conn, "BEGIN; SELECT campus.archive_seal('2026-03-03', 1000)");
    expect(other, "SELECT campus.archive_seal('2026-03-03', 1000) IS NULL", "t");
    run(writer, "COMMIT");
    run(conn, "COMMIT; INSERT INTO was SELECT * FROM was WHERE card_no < 5");
    expect_the_same(conn);
    seal_all(other, "2026-03-03", "1000");
    expect_the_same(conn);
    expect(conn, "SELECT count(*) FROM campus.fix_flat", "0");
    PQfinish(other);
    PQfinish(writer);
    PQfinish(conn);
}

static void old_days_are_dropped_whole_and_today_never(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = build(conninfo);
    run(conn, "SELECT campus.archive_day((now() AT TIME ZONE 'UTC')::date - n) FROM"
              " generate_series(-1, 4) n");
    const char *count = "SELECT count(*) FROM campus.archive_partitions('campus.fix_flat')";
    const char *drop = "SELECT campus.archive_drop(2)";
    expect(conn, count, "8");
    expect(conn, "SELECT campus.archive_drop(0) IS NULL", "t");
    int dropped = 0;
    while (pg_fixture_ask(conn, drop)[0] != '\0') {
        dropped++;
    }
    assert_int_equal(dropped, 4 * 7); /* 2026-03-02, -03, and the days of 3 and 4 days ago */
    expect(conn, count, "4");
    expect(conn,
           "SELECT min(day) = (now() AT TIME ZONE 'UTC')::date - 2 FROM"
           " campus.archive_partitions('campus.alert')",
           "t");
    PQfinish(conn);
}

/* Applies the files of the schema up to `end` as registry_migrate does. */
static void migrate_up_to(PGconn *conn, size_t end)
{
    char sql[200];
    run(conn, "CREATE SCHEMA campus; CREATE TABLE campus.migration (name text PRIMARY KEY,"
              " applied_at timestamptz NOT NULL DEFAULT now())");
    for (size_t i = 0; i < end; i++) {
        run(conn, schema_files[i].sql);
        (void)snprintf(sql, sizeof sql, "INSERT INTO campus.migration VALUES ('%s')",
                       schema_files[i].name);
        run(conn, sql);
    }
}

static void an_archive_of_the_schema_before_keeps_its_rows_and_is_sealed_too(void **state)
{
    (void)state;
    char conninfo[256];
    PGconn *conn = new_database(conninfo);
    migrate_up_to(conn, 2);
    run(conn,
        "SET timezone = 'UTC'; SELECT campus.archive_day('2026-03-02');"
        "INSERT INTO campus.fix SELECT '2026-03-02 03:00+00'::timestamptz + n * interval '1 s',"
        " '2026-03-02 02:59+00'::timestamptz + n * interval '1 s', n, 7, 5, 361900000, 1131100000, NULL,"
        " NULL, NULL, 0, 1, 0, 1, NULL FROM generate_series(1, 100) n;"
        "CREATE TABLE was AS SELECT * FROM campus.fix");
    struct status_detail detail;
    if (registry_migrate(conn, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    expect_the_same(conn);
    seal_all(conn, "2026-03-03", "1000");
    expect(conn, "SELECT events FROM campus.fix_sealed", "100");
    expect_the_same(conn);
    expect(conn, "SELECT count(*) FROM campus.fixes", "100");
    PQfinish(conn);
}

#define TRACK                                                                                      \
    "SELECT count(*) || ' ' || sum(extract(epoch FROM \"time\"))::bigint || ' ' ||"                \
    " round(sum(lat)::numeric, 5) FROM campus.track('c7', '2026-03-02')"
#define BOX                                                                                        \
    "SELECT string_agg(card || ':' || fixes || ':' || extract(epoch FROM first_seen), ' '"         \
    " ORDER BY card) FROM campus.cards_in_box(36.1907, 113.1, 36.1912, 113.2,"                     \
    " '2026-03-02 03:20+00', '2026-03-02 03:30+00')"

static void the_questions_have_the_same_answers_flat_and_sealed(void **state)
{
    (void)state;
    char conninfo[256], track[4096], box[4096];
    PGconn *conn = build(conninfo);
    run(conn,
        "INSERT INTO campus.school VALUES (1, 's1', 'one', 'here'), (2, 's2', 'two', 'here');"
        "INSERT INTO campus.pupil VALUES (1, 'p1', 'pupil', 1, '1');"
        "INSERT INTO campus.card SELECT n, 'c' || n, NULLIF(n, n) FROM generate_series(1, 20) n;"
        "UPDATE campus.card SET pupil_no = 1 WHERE no = 1;"
        "INSERT INTO campus.gate VALUES (1, 'g1', 'gate', 1), (2, 'g2', 'gate', 2);"
        "INSERT INTO campus.pass SELECT t, t, n, 7, 1, 1 + n % 2, 0, 1, 0, 0 FROM"
        " generate_series(1, 100) n, LATERAL (SELECT '2026-03-02 00:00+00'::timestamptz +"
        " n * interval '1 minute' AS t) x;"
        "INSERT INTO campus.alert SELECT t, t, 'a' || n, 'sos', 'critical', 1 + n % 2, 1, 1, 0, 0, 0,"
        " false, '{}' FROM generate_series(1, 100) n, LATERAL (SELECT '2026-03-02 00:00+00'::timestamptz"
        " + n * interval '1 minute' AS t) x");
    add_plain(conn, "2026-03-02", 20, 120);
    (void)snprintf(track, sizeof track, "%s", pg_fixture_ask(conn, TRACK));
    (void)snprintf(box, sizeof box, "%s", pg_fixture_ask(conn, BOX));
    assert_true(strncmp(track, "120 ", 4) == 0);
    assert_non_null(strstr(box, "c8:"));
    assert_null(strstr(box, "c20:"));
    seal_all(conn, "2026-03-03", "100000");
    expect(conn, TRACK, track);
    expect(conn, BOX, box);
    expect(conn,
           "SELECT count(*) || ' ' || min(gate || card || pupil || direction) FROM"
           " campus.school_passes('s1', '2026-03-02 00:00+00', '2026-03-02 00:30+00')",
           "14 g1c1p1in");
    expect(conn,
           "SELECT count(*) || ' ' || min(id || type || pupil) FROM"
           " campus.school_alerts('s2', '2026-03-02 00:00+00', '2026-03-02 00:30+00')",
           "15 a11sosp1");
    PQfinish(conn);
}

int main(void)
{
    seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_comes_back_from_its_sealed_form_whatever_it_holds),
        cmocka_unit_test(pupils_hours_become_one_row_each_in_a_fifth_of_the_space),
        cmocka_unit_test(
            only_hours_that_are_over_are_sealed_and_late_rows_stay_visible_till_the_day_is),
        cmocka_unit_test(a_row_that_cannot_be_sealed_stays_flat_and_holds_up_no_other),
        cmocka_unit_test(readers_are_not_waited_for_and_the_space_comes_back_later),
        cmocka_unit_test(a_server_that_crashes_while_it_seals_has_each_row_once),
        cmocka_unit_test(two_that_seal_at_once_and_a_writer_beside_them_neither_lose_nor_double),
        cmocka_unit_test(old_days_are_dropped_whole_and_today_never),
        cmocka_unit_test(an_archive_of_the_schema_before_keeps_its_rows_and_is_sealed_too),
        cmocka_unit_test(the_questions_have_the_same_answers_flat_and_sealed),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
