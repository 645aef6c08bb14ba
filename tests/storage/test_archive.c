#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive_world.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "core/limits.h"
#include "core/record.h"
#include "journal_fixture.h"
#include "storage/archive.h"
#include "storage/journal.h"
#include "storage/registry.h"

/* ---- tests ---- */

static void every_event_of_the_journal_is_a_row_field_by_field(void **state)
{
    (void)state;
    struct world world;
    build(&world, 1000);
    append_reports(&world, 5000, DAY_ONE + 1000);
    wait_archived(&world);
    expect_all_events(&world);
    struct archive_stats stats;
    archive_stats(world.archive, &stats);
    assert_true(stats.batches > 5);
    assert_int_equal(stats.position, world.end);
    assert_true(stats.connected);
    tear_down(&world);
}

static void a_restart_goes_on_where_the_position_stands(void **state)
{
    (void)state;
    struct world world;
    build(&world, 300);
    append_reports(&world, 700, DAY_ONE);
    wait_archived(&world);
    stop_archive(&world);
    append_reports(&world, 700, DAY_ONE);
    world.archive = start_archive(&world, 300);
    wait_archived(&world);
    expect_all_events(&world);
    tear_down(&world);
}

static void arrivals_of_many_days_get_their_partitions_and_the_next_day_its_own(void **state)
{
    (void)state;
    struct world world;
    build(&world, 100000);
    for (int64_t day = 0; day < 30; day += 2) {
        append_reports(&world, 3, DAY_ONE + day * DAY_MS);
    }
    append_report(&world, TIME_MS_MIN);
    append_refused(&world, -5); /* a server clock gone mad */
    append_refused(&world, INT64_MAX);
    wait_archived(&world);
    expect_all_events(&world);
    expect(&world,
           "SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
           " WHERE inhparent = 'campus.fix_flat'::regclass"
           " AND relname BETWEEN 'fix_20260302' AND 'fix_20260331'",
           "30");
    expect(&world, "SELECT string_agg(extract(year FROM arrived)::text, ' ') FROM campus.refused",
           "2000 9999");
    expect(&world, "SELECT count(*) FROM campus.fix_20260302 WHERE arrived < '2026-03-02 00:00+00'",
           "0");
    tear_down(&world);
}

static void a_partition_that_was_dropped_is_made_again(void **state)
{
    (void)state;
    struct world world;
    build(&world, 1000);
    append_report(&world, DAY_ONE);
    wait_archived(&world);
    PQclear(PQexec(world.conn,
                   "DROP TABLE campus.fix_20260302, campus.pass_20260302, campus.signal_20260302,"
                   " campus.call_20260302"));
    uint64_t before = world.sequence;
    append_reports(&world, 50, DAY_ONE);
    wait_archived(&world);
    char sql[200];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(DISTINCT seq) FROM (SELECT seq FROM campus.fix UNION ALL SELECT seq FROM"
        " campus.pass UNION ALL SELECT seq FROM campus.signal UNION ALL SELECT seq FROM campus.call) x"
        " WHERE seq > %" PRIu64,
        before);
    expect(&world, sql, "50");
    expect(&world, "SELECT count(*) FROM campus.refused", "0");
    tear_down(&world);
}

static void alerts_and_dead_letters_are_archived_and_an_alert_id_only_once(void **state)
{
    (void)state;
    struct world world;
    build(&world, 1000);
    append_alert(&world, 1, "{\"id\":\"a\"}");
    append_alert(&world, 2, "{\"id\":\"b\"}");
    append_alert(&world, 1, "{\"id\":\"a\"}");
    append_refused(&world, DAY_ONE);
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    record_put_mark(&bytes, &(struct mark){1, 2});
    append(&world, RECORD_MARK, &bytes);
    buffer_clear(&bytes);
    record_put_tick(&bytes, &(struct tick){DAY_ONE});
    append(&world, RECORD_TICK, &bytes);
    buffer_release(&bytes);
    wait_archived(&world);
    expect(
        &world,
        "SELECT string_agg(id || type || severity || (json ->> 'id'), ' ' ORDER BY id) FROM campus.alert",
        "sos-c3.7.1.0soscriticala sos-c3.7.2.0soscriticalb");
    expect(
        &world,
        "SELECT reason || '|' || topic || '|' || detail || '|' || encode(payload, 'hex') || '|' || payload_bytes"
        " FROM campus.refused",
        "claim|campus/v1/\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx|claims card c2|000102|70000");
    append_alert(&world, 1, "{\"id\":\"a\"}"); /* in a later transaction */
    wait_archived(&world);
    expect(&world, "SELECT count(*) FROM campus.alert", "2");
    tear_down(&world);
}

static void a_record_that_cannot_be_a_row_becomes_a_dead_letter_and_blocks_nothing(void **state)
{
    (void)state;
    struct world world;
    build(&world, 100000);
    append_reports(&world, 100, DAY_ONE);
    append_alert(&world, 1, "{this is no JSON");
    append_reports(&world, 100, DAY_ONE);
    struct buffer bytes;
    buffer_init(&bytes, 64);
    buffer_append(&bytes, "8 bytes.", 8);
    append(&world, RECORD_REPORT, &bytes);
    append(&world, 77, &bytes);
    buffer_release(&bytes);
    append_alert(&world, 2, "{}");
    append_alert(&world, 3, "{\"a\":\"\\u0000\"}");
    append_reports(&world, 100, DAY_ONE);
    wait_archived(&world);
    expect_all_events(&world);
    expect(&world, "SELECT string_agg(id, ' ') FROM campus.alert", "sos-c3.7.2.0");
    expect(&world, "SELECT count(*) FROM campus.refused WHERE reason = 'archive'", "4");
    expect(&world, "SELECT count(*) FROM campus.refused WHERE detail LIKE 'PostgreSQL: %'", "2");
    struct archive_stats stats;
    archive_stats(world.archive, &stats);
    assert_int_equal(stats.dead_records, 2);
    tear_down(&world);
}

static void terminate_backends(struct world *world)
{
    PQclear(PQexec(world->conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                " WHERE application_name = 'campusd archive'"));
}

static void backends_terminated_at_random_moments_neither_lose_nor_double(void **state)
{
    (void)state;
    struct world world;
    build(&world, 500);
    uint64_t random = seed;
    for (uint32_t turn = 0, next_kill = 20; world.sequence < 20000 || world.position < world.end;
         turn++) {
        if (world.sequence < 20000) {
            append_reports(&world, 20 + (uint32_t)(roll(&random) % 100), DAY_ONE);
        }
        (void)uv_run(&world.loop, UV_RUN_ONCE);
        if (turn >= next_kill && world.sequence < 20000) {
            terminate_backends(&world);
            next_kill = turn + 1 + (uint32_t)(roll(&random) % 40);
        }
    }
    wait_archived(&world);
    expect_all_events(&world);
    struct archive_stats stats;
    archive_stats(world.archive, &stats);
    assert_true(stats.reconnects > 0);
    tear_down(&world);
}

static void a_server_that_crashes_mid_way_gets_the_rest_when_it_is_back(void **state)
{
    (void)state;
    struct world world;
    build(&world, 200);
    uint64_t random = seed;
    for (int crash = 0; crash < 3; crash++) {
        append_reports(&world, 3000, DAY_ONE);
        uint64_t begun = world.position;
        while (world.position < begun + 20000) {
            (void)uv_run(&world.loop, UV_RUN_ONCE);
        }
        for (uint64_t turns = roll(&random) % 8; turns > 0; turns--) {
            (void)uv_run(&world.loop, UV_RUN_ONCE);
        }
        pg_fixture_crash(&server);
        append_reports(&world, 500, DAY_ONE); /* the journal goes on without it */
        uint32_t downs = world.downs;
        while (world.downs == downs && world.ups >= world.downs) {
            (void)uv_run(&world.loop, UV_RUN_ONCE);
        }
        pg_fixture_up(&server);
        observe(&world);
    }
    wait_archived(&world);
    expect_all_events(&world);
    tear_down(&world);
}

/* With a synchronous standby that does not exist, COMMIT is done here and waits for ever with its
 * answer: a backend that is killed there has committed, and nobody was told. */
static void a_commit_whose_answer_is_lost_is_settled_by_the_position(void **state)
{
    (void)state;
    struct world world;
    build(&world, 400);
    append_reports(&world, 100, DAY_ONE);
    wait_archived(&world);
    PQclear(PQexec(world.conn, "SET synchronous_commit = 'local'"));
    for (int round = 0; round < 5; round++) {
        PQclear(PQexec(world.conn, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"));
        PQclear(PQexec(world.conn, "SELECT pg_reload_conf()"));
        wait_for(&world, "SHOW synchronous_standby_names", "nobody");
        uint64_t told = world.position;
        append_reports(&world, 1000, DAY_ONE);
        wait_for(&world,
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'campusd archive'"
                 " AND wait_event = 'SyncRep'",
                 "1");
        assert_int_equal(world.position, told);
        PQclear(PQexec(world.conn, "ALTER SYSTEM RESET synchronous_standby_names"));
        terminate_backends(&world);
        PQclear(PQexec(world.conn, "SELECT pg_reload_conf()"));
        wait_archived(&world);
    }
    expect_all_events(&world);
    struct archive_stats stats;
    archive_stats(world.archive, &stats);
    assert_int_equal(stats.conflicts, 0);
    tear_down(&world);
}

static void two_writers_of_one_journal_store_each_event_once(void **state)
{
    (void)state;
    struct world world;
    build(&world, 300);
    struct world second = {.loop = world.loop};
    const struct archive_options options = {.conninfo = world.conninfo,
                                            .journal_directory = world.folder,
                                            .journal_id = journal_id(world.journal),
                                            .batch_rows_max = 170,
                                            .batch_wait_ms = 1};
    const struct archive_callbacks callbacks = {&second, on_position, on_state};
    struct archive *other = NULL;
    struct status_detail detail;
    assert_int_equal(archive_open(&world.loop, &options, &callbacks, &other, &detail), STATUS_OK);
    append_reports(&world, 3000, DAY_ONE);
    while (world.position < world.end || second.position < world.end) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
        archive_wake(other, journal_durable_pos(world.journal));
    }
    expect_all_events(&world);
    struct archive_stats a, b;
    archive_stats(world.archive, &a);
    archive_stats(other, &b);
    assert_true(a.conflicts + b.conflicts > 0);
    archive_close(other, 5000, set_true, &second.archive_closed);
    while (!second.archive_closed) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    tear_down(&world);
}

static void past_hours_are_sealed_beside_the_writing_and_every_event_stays_once(void **state)
{
    (void)state;
    struct world world;
    build(&world, 0);
    world.seal_after_hours = 1;
    world.archive = start_archive(&world, 300);
    int64_t past_ms = clock_wall_ms() - (int64_t)3 * DAY_MS;
    for (int turn = 0; turn < 20; turn++) {
        append_reports(&world, 200, past_ms + turn * INT64_C(1000000));
        wait_archived(&world);
    }
    wait_for(&world, "SELECT count(*) FROM campus.fix_flat", "0");
    expect(&world, "SELECT count(*) > 0 FROM campus.fix_sealed", "t");
    expect_all_events(&world);
    append_reports(&world, 200, past_ms); /* late, for an hour that is sealed */
    append_reports(&world, 50, clock_wall_ms());
    wait_archived(&world);
    wait_for(&world, "SELECT min(arrived) > now() - interval '1 day' FROM campus.fix_flat", "t");
    expect_all_events(&world);
    struct archive_stats stats;
    archive_stats(world.archive, &stats);
    assert_true(stats.sealed > 0 && stats.dropped == 0);
    tear_down(&world);
}

static void days_beyond_those_kept_are_dropped_by_the_archive_itself(void **state)
{
    (void)state;
    struct world world;
    build(&world, 0);
    world.keep_days = 5;
    world.archive = start_archive(&world, 300);
    append_report(&world, clock_wall_ms() - (int64_t)8 * DAY_MS);
    append_report(&world, clock_wall_ms() - (int64_t)3 * DAY_MS);
    append_refused(&world, clock_wall_ms());
    wait_archived(&world);
    wait_for(&world,
             "SELECT count(*) FROM campus.archive_partitions('campus.refused')"
             " WHERE day < (now() AT TIME ZONE 'UTC')::date - 5",
             "0");
    wait_for(&world,
             "SELECT count(DISTINCT seq) FROM (SELECT seq FROM campus.fix UNION ALL SELECT seq FROM"
             " campus.pass UNION ALL SELECT seq FROM campus.signal UNION ALL SELECT seq FROM"
             " campus.call) x",
             "1");
    expect(&world, "SELECT count(*) FROM campus.refused", "1");
    tear_down(&world);
}

static void without_a_schema_it_is_down_with_the_reason_until_there_is_one(void **state)
{
    (void)state;
    struct world world;
    build(&world, 0);
    PQclear(PQexec(world.conn, "DROP SCHEMA campus CASCADE"));
    world.archive = start_archive(&world, 100);
    append_reports(&world, 10, DAY_ONE);
    while (world.downs == 0) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    assert_non_null(strstr(world.why.text, "does not exist"));
    struct status_detail detail;
    assert_int_equal(registry_migrate(world.conn, &detail), STATUS_OK);
    wait_archived(&world);
    assert_int_equal(world.ups, 1);
    expect_all_events(&world);
    tear_down(&world);
}

static void
a_server_that_cannot_be_reached_is_tried_until_it_can_and_close_never_waits_for_it(void **state)
{
    (void)state;
    struct world world;
    build(&world, 0);
    pg_fixture_crash(&server);
    world.archive = start_archive(&world, 100);
    append_reports(&world, 10, DAY_ONE);
    while (world.downs == 0) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    stop_archive(&world);
    world.archive = start_archive(&world, 100);
    pg_fixture_up(&server);
    wait_archived(&world);
    observe(&world);
    expect_all_events(&world);
    tear_down(&world);
}

static void host_names_are_resolved_on_the_loop_and_a_bad_one_is_told(void **state)
{
    (void)state;
    struct world world;
    build(&world, 0);
    char socket_info[256];
    memcpy(socket_info, world.conninfo, sizeof socket_info);
    char *dbname = strstr(socket_info, "dbname=");
    assert_non_null(dbname);
    (void)snprintf(world.conninfo, sizeof world.conninfo,
                   "host=no-such-host.invalid port=1 user=campus %s", dbname);
    world.archive = start_archive(&world, 100);
    while (world.downs == 0) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    assert_non_null(strstr(world.why.text, "no-such-host.invalid"));
    stop_archive(&world);
    (void)snprintf(world.conninfo, sizeof world.conninfo,
                   "host=no-such-host.invalid,localhost port=%d user=campus %s", server.port,
                   dbname);
    world.archive = start_archive(&world, 100);
    append_reports(&world, 300, DAY_ONE);
    wait_archived(&world);
    expect_all_events(&world);
    tear_down(&world);
}

static void of_several_addresses_the_one_that_answers_is_taken_again_after_a_crash(void **state)
{
    (void)state;
    struct world world;
    build(&world, 0);
    char socket_info[256];
    memcpy(socket_info, world.conninfo, sizeof socket_info);
    const char *dbname = strstr(socket_info, "dbname=");
    assert_non_null(dbname);
    (void)snprintf(world.conninfo, sizeof world.conninfo,
                   "hostaddr=127.0.0.1,127.0.0.1 port=1,%d user=campus %s", server.port, dbname);
    world.archive = start_archive(&world, 100);
    append_reports(&world, 300, DAY_ONE);
    wait_archived(&world);
    pg_fixture_crash(&server);
    append_reports(&world, 300, DAY_ONE);
    while (world.downs == 0) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    pg_fixture_up(&server);
    wait_archived(&world);
    memcpy(world.conninfo, socket_info, sizeof socket_info);
    observe(&world);
    expect_all_events(&world);
    tear_down(&world);
}

/* No row is to blame for it, so none may become a dead letter. */
static void a_database_that_is_full_is_tried_until_it_has_room(void **state)
{
    (void)state;
    struct world world;
    build(&world, 100);
    PQclear(PQexec(world.conn,
                   "CREATE FUNCTION campus.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " RAISE EXCEPTION 'could not extend file: No space left on device'"
                   " USING ERRCODE = 'disk_full'; END $$"));
    PQclear(PQexec(world.conn, "CREATE TRIGGER disk_full BEFORE INSERT ON campus.fix_flat"
                               " FOR EACH STATEMENT EXECUTE FUNCTION campus.full()"));
    append_reports(&world, 500, DAY_ONE);
    while (world.downs == 0) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    assert_non_null(strstr(world.why.text, "No space left"));
    expect(&world, "SELECT count(*) FROM campus.fix", "0");
    PQclear(PQexec(world.conn, "DROP TRIGGER disk_full ON campus.fix_flat"));
    wait_archived(&world);
    expect_all_events(&world);
    expect(&world, "SELECT count(*) FROM campus.refused", "0");
    tear_down(&world);
}

static void conninfo_that_does_not_parse_is_refused_at_open(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    static const char *const bad[] = {"postgresql://[::1", "colour=red", "service=city"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct archive_options options = {.conninfo = bad[i],
                                                .journal_directory = "/tmp",
                                                .journal_id = "0123",
                                                .batch_rows_max = 1};
        const struct archive_callbacks callbacks = {NULL, NULL, NULL};
        struct archive *archive = NULL;
        struct status_detail detail = {.text = ""};
        assert_int_equal(archive_open(&loop, &options, &callbacks, &archive, &detail),
                         STATUS_INVALID);
        assert_non_null(strstr(detail.text, "conninfo"));
        assert_null(archive);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_several_addresses_the_one_that_answers_is_taken_again_after_a_crash),
        cmocka_unit_test(a_database_that_is_full_is_tried_until_it_has_room),
        cmocka_unit_test(conninfo_that_does_not_parse_is_refused_at_open),
        cmocka_unit_test(every_event_of_the_journal_is_a_row_field_by_field),
        cmocka_unit_test(a_restart_goes_on_where_the_position_stands),
        cmocka_unit_test(arrivals_of_many_days_get_their_partitions_and_the_next_day_its_own),
        cmocka_unit_test(a_partition_that_was_dropped_is_made_again),
        cmocka_unit_test(alerts_and_dead_letters_are_archived_and_an_alert_id_only_once),
        cmocka_unit_test(a_record_that_cannot_be_a_row_becomes_a_dead_letter_and_blocks_nothing),
        cmocka_unit_test(backends_terminated_at_random_moments_neither_lose_nor_double),
        cmocka_unit_test(a_server_that_crashes_mid_way_gets_the_rest_when_it_is_back),
        cmocka_unit_test(a_commit_whose_answer_is_lost_is_settled_by_the_position),
        cmocka_unit_test(two_writers_of_one_journal_store_each_event_once),
        cmocka_unit_test(past_hours_are_sealed_beside_the_writing_and_every_event_stays_once),
        cmocka_unit_test(days_beyond_those_kept_are_dropped_by_the_archive_itself),
        cmocka_unit_test(without_a_schema_it_is_down_with_the_reason_until_there_is_one),
        cmocka_unit_test(
            a_server_that_cannot_be_reached_is_tried_until_it_can_and_close_never_waits_for_it),
        cmocka_unit_test(host_names_are_resolved_on_the_loop_and_a_bad_one_is_told),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
