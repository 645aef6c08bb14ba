#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "core/limits.h"
#include "core/record.h"
#include "pg_fixture.h"
#include "storage/archive.h"
#include "storage/journal.h"
#include "storage/registry.h"

/* 2026-03-02T00:00:00Z */
#define DAY_ONE 1772409600000
#define DAY_MS  86400000

static uint64_t seed;

/* ---- events as a pure function of where they stand: what the archive must hold ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t roll(uint64_t *state)
{
    return *state = mix(*state);
}

static struct event event_at(uint64_t seq, uint32_t index)
{
    uint64_t random = mix(seed ^ (seq * 1000 + index));
    struct event event = {
        .time_ms = DAY_ONE + (int64_t)(random % DAY_MS),
        .card_no = 1 + (uint32_t)(seq % 500),
        .type = (uint8_t)(random % 16 < 10   ? EVENT_FIX
                          : random % 16 < 12 ? EVENT_PASS
                          : random % 16 < 14 ? EVENT_SIGNAL
                                             : EVENT_CALL),
        .flags = (uint8_t)(random >> 8 & 63),
        .kind = (uint8_t)(1 + (random >> 16) % 2),
        .datum = (uint8_t)(1 + (random >> 24) % 3),
        .point = {(int32_t)(random % 1800000000u) - 900000000,
                  (int32_t)((random >> 3) % 1800000000u)},
        .accuracy_cm = (uint32_t)(random >> 32),
        .speed_cms = (uint16_t)(random >> 40),
        .heading_cdeg = (uint16_t)((random >> 20) % 36000),
        .battery_pct = (uint8_t)(random % 101),
    };
    if (event.type == EVENT_PASS) {
        event.gate_no = 1 + (uint32_t)(random % 400);
        event.reader = (uint8_t)(random >> 48);
    } else if (event.type == EVENT_CALL) {
        event.contact = (uint8_t)(random >> 48);
        event.outcome = (uint8_t)(1 + random % 3);
        event.duration_s = (uint32_t)(random >> 16);
    }
    return event;
}

static uint32_t events_in(uint64_t seq)
{
    return 1 + (uint32_t)(mix(seq) % 6);
}

/* ---- a journal and an archive on a loop ---- */

struct world {
    char folder[64];
    uv_loop_t loop;
    uv_timer_t tick; /* so that a wait for something in the server looks again */
    struct journal *journal;
    struct archive *archive;
    PGconn *conn;
    char conninfo[256];
    uint64_t position, end;
    uint32_t downs, ups;
    uint64_t sequence;
    uint32_t seal_after_hours, keep_days;
    bool journal_closed, archive_closed;
    struct status_detail why;
};

static void on_record(void *context, const struct journal_record *record)
{
    (void)context;
    (void)record;
}

static void on_durable(void *context, uint64_t pos)
{
    struct world *world = context;
    if (world->archive != NULL) {
        archive_wake(world->archive, pos);
    }
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    (void)context;
    (void)status;
    fail_msg("journal: %s", detail->text);
}

static void on_position(void *context, uint64_t pos)
{
    struct world *world = context;
    assert_true(pos >= world->position); /* it never goes back */
    world->position = pos;
}

static void on_state(void *context, bool connected, const struct status_detail *detail)
{
    struct world *world = context;
    world->ups += connected;
    world->downs += !connected;
    if (!connected) {
        world->why = *detail;
    }
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void observe(struct world *world)
{
    if (world->conn != NULL) {
        PQfinish(world->conn);
    }
    struct status_detail detail;
    if (registry_connect(world->conninfo, &world->conn, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static struct archive *start_archive(struct world *world, uint32_t rows_max)
{
    const struct archive_options options = {.conninfo = world->conninfo,
                                            .journal_directory = world->folder,
                                            .journal_id = journal_id(world->journal),
                                            .batch_rows_max = rows_max,
                                            .batch_wait_ms = 1,
                                            .seal_after_hours = world->seal_after_hours,
                                            .keep_days = world->keep_days,
                                            .upkeep_idle_ms = 5};
    const struct archive_callbacks callbacks = {world, on_position, on_state};
    struct status_detail detail;
    struct archive *archive = NULL;
    if (archive_open(&world->loop, &options, &callbacks, &archive, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    archive_wake(archive, journal_durable_pos(world->journal));
    return archive;
}

static void build(struct world *world, uint32_t rows_max)
{
    static int databases;
    char name[32];
    *world = (struct world){.folder = "/tmp/campus-archive-XXXXXX"};
    assert_non_null(mkdtemp(world->folder));
    (void)snprintf(name, sizeof name, "archive_%d", databases++);
    pg_fixture_database(&server, name, world->conninfo);
    observe(world);
    struct status_detail detail;
    if (registry_migrate(world->conn, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(uv_timer_init(&world->loop, &world->tick), 0);
    assert_int_equal(uv_timer_start(&world->tick, on_tick, 2, 2), 0);
    const struct journal_options options = {
        .directory = world->folder, .segment_bytes = 1u << 20, .pending_bytes_max = 64u << 20};
    const struct journal_callbacks callbacks = {world, on_record, on_durable, on_trouble};
    assert_int_equal(journal_open(&world->loop, &options, &callbacks, &world->journal, &detail),
                     STATUS_OK);
    if (rows_max > 0) {
        world->archive = start_archive(world, rows_max);
    }
}

static void set_true(void *context)
{
    *(bool *)context = true;
}

static void stop_archive(struct world *world)
{
    world->archive_closed = false;
    archive_close(world->archive, 5000, set_true, &world->archive_closed);
    world->archive = NULL;
    while (!world->archive_closed) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
}

static void tear_down(struct world *world)
{
    if (world->archive != NULL) {
        stop_archive(world);
    }
    journal_close(world->journal, set_true, &world->journal_closed);
    uv_close((uv_handle_t *)&world->tick, NULL);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_true(world->journal_closed);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    PQfinish(world->conn);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", world->folder, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

static void append(struct world *world, uint32_t type, const struct buffer *record)
{
    assert_int_equal(buffer_status(record), STATUS_OK);
    assert_int_equal(journal_append(world->journal, type, record->data, record->size, &world->end),
                     STATUS_OK);
}

static void append_report(struct world *world, int64_t arrival_ms)
{
    struct event events[8];
    uint64_t seq = ++world->sequence;
    struct report report = {
        .arrival_ms = arrival_ms,
        .origin = {.kind = ORIGIN_CARD, .no = 1 + (uint32_t)(seq % 500), .epoch = 7, .seq = seq},
        .event_count = events_in(seq),
        .events = events};
    for (uint32_t i = 0; i < report.event_count; i++) {
        events[i] = event_at(seq, i);
    }
    struct buffer record;
    buffer_init(&record, 65536);
    record_put_report(&record, &report);
    append(world, RECORD_REPORT, &record);
    buffer_release(&record);
}

static void append_reports(struct world *world, uint32_t count, int64_t arrival_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        append_report(world, arrival_ms + i);
    }
}

/* An alert as the daemon journals it; `json` as it is. */
static void append_alert(struct world *world, uint64_t number, const char *json)
{
    struct alert_record record = {
        .alert = {.type = ALERT_SOS,
                  .severity = 3,
                  .school_no = 1,
                  .pupil_no = 2,
                  .card_no = 3,
                  .time_ms = DAY_ONE,
                  .raised_ms = DAY_ONE + 5,
                  .cause = {.kind = ORIGIN_CARD, .no = 3, .epoch = 7, .seq = number}},
        .json = text_of(json)};
    char id[ALERT_ID_MAX];
    alert_id(&record.alert, id);
    record.id = text_of(id);
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    record_put_alert(&bytes, &record);
    append(world, RECORD_ALERT, &bytes);
    buffer_release(&bytes);
}

static void append_refused(struct world *world, int64_t arrival_ms)
{
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    record_put_refused(&bytes, &(struct refused){.arrival_ms = arrival_ms,
                                                 .reason = REFUSAL_CLAIM,
                                                 .topic = TEXT("campus/v1/\xff\xfe\0x"),
                                                 .detail = TEXT("claims card c2"),
                                                 .payload = TEXT("\0\1\2"),
                                                 .payload_bytes = 70000});
    append(world, RECORD_REFUSED, &bytes);
    buffer_release(&bytes);
}

/* Runs the loop until everything appended is archived. */
static void wait_archived(struct world *world)
{
    int64_t deadline_us = clock_mono_us() + 120000000;
    while (world->position < world->end) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        if (clock_mono_us() > deadline_us) {
            fail_msg("archived up to %" PRIu64 " of %" PRIu64 ": %s", world->position, world->end,
                     world->why.text);
        }
    }
}

static void wait_for(struct world *world, const char *sql, const char *answer)
{
    int64_t deadline_us = clock_mono_us() + 60000000;
    while (strcmp(pg_fixture_ask(world->conn, sql), answer) != 0) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        if (clock_mono_us() > deadline_us) {
            fail_msg("never %s: %s", answer, sql);
        }
    }
}

static void expect(struct world *world, const char *sql, const char *answer)
{
    assert_string_equal(pg_fixture_ask(world->conn, sql), answer);
}

/* ---- the whole comparison ---- */

static int64_t number_at(const PGresult *rows, int row, int column)
{
    int64_t value = -1;
    assert_int_equal(text_to_i64(text_of(PQgetvalue(rows, row, column)), &value), STATUS_OK);
    return value;
}

/* `known`: the value; else NULL is expected. */
static void expect_field(const PGresult *rows, int row, int column, bool known, int64_t value)
{
    assert_int_equal(PQgetisnull(rows, row, column), !known);
    if (known) {
        assert_int_equal(number_at(rows, row, column), value);
    }
}

static void expect_row(const PGresult *rows, int row, uint64_t seq, uint32_t index,
                       const struct event *event)
{
    bool placed = (event->flags & EVENT_NO_POSITION) == 0;
    assert_int_equal(number_at(rows, row, 0), seq);
    assert_int_equal(number_at(rows, row, 1), index);
    assert_int_equal(number_at(rows, row, 2), event->type);
    assert_int_equal(number_at(rows, row, 3), event->card_no);
    assert_int_equal(number_at(rows, row, 4), event->time_ms);
    assert_int_equal(number_at(rows, row, 5), event->kind);
    assert_int_equal(number_at(rows, row, 6), event->flags);
    bool fix = event->type == EVENT_FIX, sign = event->type == EVENT_SIGNAL;
    expect_field(rows, row, 7, (fix || sign) && placed, event->point.lat_e7);
    expect_field(rows, row, 8, (fix || sign) && placed, event->point.lon_e7);
    expect_field(rows, row, 9, (fix || sign) && (event->flags & EVENT_HAS_ACCURACY) != 0,
                 event->accuracy_cm);
    expect_field(rows, row, 10, fix && (event->flags & EVENT_HAS_SPEED) != 0, event->speed_cms);
    expect_field(rows, row, 11, fix && (event->flags & EVENT_HAS_HEADING) != 0,
                 event->heading_cdeg);
    expect_field(rows, row, 12, fix, event->datum);
    expect_field(rows, row, 13, (fix || sign) && (event->flags & EVENT_HAS_BATTERY) != 0,
                 event->battery_pct);
    expect_field(rows, row, 14, event->type == EVENT_PASS, event->gate_no);
    expect_field(rows, row, 15, event->type == EVENT_PASS, event->reader);
    bool call = event->type == EVENT_CALL;
    expect_field(rows, row, 16, call, event->contact);
    expect_field(rows, row, 17, call, event->outcome);
    expect_field(rows, row, 18, call, event->duration_s);
}

/* Every event of every report exactly once, field by field. */
static void expect_all_events(struct world *world)
{
    PGresult *rows = PQexec(
        world->conn,
        "SELECT seq, idx, 1 AS type, card_no, (extract(epoch from time) * 1000)::bigint, source, flags, lat_e7,"
        " lon_e7, accuracy_cm, speed_cms, heading_cdeg, datum, battery_pct, NULL::int, NULL::int, NULL::int,"
        " NULL::int, NULL::bigint FROM campus.fix UNION ALL "
        "SELECT seq, idx, 2, card_no, (extract(epoch from time) * 1000)::bigint, direction, flags, NULL, NULL,"
        " NULL, NULL, NULL, NULL, NULL, gate_no, reader, NULL, NULL, NULL FROM campus.pass UNION ALL "
        "SELECT seq, idx, 3, card_no, (extract(epoch from time) * 1000)::bigint, kind, flags, lat_e7, lon_e7,"
        " accuracy_cm, NULL, NULL, NULL, battery_pct, NULL, NULL, NULL, NULL, NULL FROM campus.signal UNION ALL "
        "SELECT seq, idx, 4, card_no, (extract(epoch from time) * 1000)::bigint, direction, flags, NULL, NULL,"
        " NULL, NULL, NULL, NULL, NULL, NULL, NULL, contact, outcome, duration_s FROM campus.call"
        " ORDER BY 1, 2");
    if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
        fail_msg("%s", PQerrorMessage(world->conn));
    }
    int row = 0;
    for (uint64_t seq = 1; seq <= world->sequence; seq++) {
        for (uint32_t index = 0; index < events_in(seq); index++) {
            struct event event = event_at(seq, index);
            assert_true(row < PQntuples(rows));
            expect_row(rows, row++, seq, index, &event);
        }
    }
    assert_int_equal(row, PQntuples(rows));
    PQclear(rows);
}

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
    const char *given = getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ms();
    (void)printf("SEED=%" PRIu64 "\n", seed);
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
