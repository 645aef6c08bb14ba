#include "archive_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/limits.h"
#include "core/record.h"
#include "storage/registry.h"

uint64_t seed;

/* ---- events as a pure function of where they stand: what the archive must hold ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t roll(uint64_t *state)
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

void on_position(void *context, uint64_t pos)
{
    struct world *world = context;
    assert_true(pos >= world->position); /* it never goes back */
    world->position = pos;
}

void on_state(void *context, bool connected, const struct status_detail *detail)
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

void observe(struct world *world)
{
    if (world->conn != NULL) {
        PQfinish(world->conn);
    }
    struct status_detail detail;
    if (registry_connect(world->conninfo, &world->conn, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

struct archive *open_archive(struct world *world, uint32_t rows_max)
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
    struct archive *archive = NULL;
    if (archive_open(&world->loop, &options, &callbacks, &archive, &world->why) != STATUS_OK) {
        return NULL;
    }
    archive_wake(archive, journal_durable_pos(world->journal));
    return archive;
}

struct archive *start_archive(struct world *world, uint32_t rows_max)
{
    struct archive *archive = open_archive(world, rows_max);
    if (archive == NULL) {
        fail_msg("%s", world->why.text);
    }
    return archive;
}

void build(struct world *world, uint32_t rows_max)
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

void set_true(void *context)
{
    *(bool *)context = true;
}

void stop_archive(struct world *world)
{
    world->archive_closed = false;
    archive_close(world->archive, 5000, set_true, &world->archive_closed);
    world->archive = NULL;
    while (!world->archive_closed) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
}

void tear_down(struct world *world)
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

void append(struct world *world, uint32_t type, const struct buffer *record)
{
    assert_int_equal(buffer_status(record), STATUS_OK);
    assert_int_equal(journal_append(world->journal, type, record->data, record->size, &world->end),
                     STATUS_OK);
}

void append_report(struct world *world, int64_t arrival_ms)
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

void append_reports(struct world *world, uint32_t count, int64_t arrival_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        append_report(world, arrival_ms + i);
    }
}

void append_alert(struct world *world, uint64_t number, const char *json)
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

void append_refused(struct world *world, int64_t arrival_ms)
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

void wait_archived(struct world *world)
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

void wait_for(struct world *world, const char *sql, const char *answer)
{
    int64_t deadline_us = clock_mono_us() + 60000000;
    while (strcmp(pg_fixture_ask(world->conn, sql), answer) != 0) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
        if (clock_mono_us() > deadline_us) {
            fail_msg("never %s: %s", answer, sql);
        }
    }
}

void expect(struct world *world, const char *sql, const char *answer)
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

void expect_all_events(struct world *world)
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
