#include "tests/check.h"

#include <libpq-fe.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "base/clock.h"
#include "bench/load/probe.h"
#include "broker_fixture.h"
#include "pg_fixture.h"

/* Real servers; the rows are written by the test, as an archive would. */

enum { EPOCH = 4711 };
static const int64_t wait_us = 60000000;

static struct broker_fixture broker;
static struct load_broker broker_address;
static char database[256];
static PGconn *conn;

static void nap(void)
{
    struct timespec nap = {0, 5000000};
    (void)nanosleep(&nap, NULL);
}

static void run_sql(const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
}

static void connect_test(void)
{
    conn = PQconnectdb(database);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
}

static int servers_start(void **state)
{
    (void)mosquitto_lib_init();
    broker_open(&broker);
    struct status_detail detail;
    assert_int_equal(mqtt_url_parse(broker.url, &broker_address.url, &detail), STATUS_OK);
    (void)server_start(state);
    pg_fixture_database(&server, "probe", database);
    connect_test();
    run_sql("CREATE SCHEMA campus");
    run_sql("CREATE TABLE campus.card (id text, no int, valid boolean)");
    run_sql("CREATE TABLE campus.fix (card_no int, epoch bigint, seq bigint, \"time\" timestamptz, "
            "arrived timestamptz)");
    run_sql("INSERT INTO campus.card VALUES ('c1', 6, false), ('c1', 7, true)");
    PQfinish(conn);
    return 0;
}

static int servers_stop(void **state)
{
    broker_release(&broker);
    (void)kill(server.pid, SIGCONT); /* a test that failed may have left it stopped */
    return server_stop(state);
}

static struct load_probe *open_probe(const char *conninfo)
{
    const struct load_probe_options options = {.broker = &broker_address,
                                               .conninfo = conninfo,
                                               .card = "c1",
                                               .topic = "campus/v1/s1/card/c1/up",
                                               .epoch = EPOCH,
                                               .per_s = 50};
    struct load_probe *probe = NULL;
    struct status_detail detail;
    assert_int_equal(load_probe_open(&options, &probe, &detail), STATUS_OK);
    return probe;
}

static void archive_to(uint64_t seq)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO campus.fix VALUES (7, %d, %d, now(), now()), "
                   "(6, %d, 1000000, now(), now()), (7, %d, 1000000, now(), now())",
                   EPOCH, (int)seq, EPOCH, EPOCH - 1);
    run_sql(sql);
}

static void until_sent(struct load_probe *probe, uint64_t sent, struct load_probe_state *ret)
{
    int64_t end_us = clock_mono_us() + wait_us;
    for (load_probe_look(probe, ret); ret->sent < sent; load_probe_look(probe, ret)) {
        assert_true(clock_mono_us() < end_us);
        nap();
    }
}

static void until_archived(struct load_probe *probe, uint64_t archived,
                           struct load_probe_state *ret)
{
    int64_t end_us = clock_mono_us() + wait_us;
    for (load_probe_look(probe, ret); ret->archived < archived; load_probe_look(probe, ret)) {
        assert_true(clock_mono_us() < end_us);
        nap();
    }
}

static void what_can_be_read_counts_from_when_it_had_to_leave(void **state)
{
    (void)state;
    connect_test();
    run_sql("TRUNCATE campus.fix");
    struct load_probe *probe = open_probe(database);
    struct load_probe_state look;
    until_sent(probe, 10, &look);
    assert_int_equal(look.archived, 0);
    assert_true(look.awaited >= 10 && look.behind_ms >= 180); /* ten, one in 20 ms */
    archive_to(5);
    until_archived(probe, 5, &look);
    assert_int_equal(look.archived, 5); /* neither others' rows nor those of other epochs */
    static struct histogram all, step;
    load_probe_all(probe, &all);
    load_probe_take(probe, &step);
    assert_int_equal(all.count, 5);
    assert_true(step.count >= 10); /* with the age of those that are awaited */
    assert_true(histogram_percentile(&all, 1) >=
                100000); /* the fifth left 100 ms before the tenth */
    load_probe_begin(probe);
    load_probe_all(probe, &all);
    assert_int_equal(all.count, 0); /* what came before the run is not of it */
    until_sent(probe, 15, &look);
    archive_to(look.sent);
    until_archived(probe, look.sent, &look);
    load_probe_take(probe, &step);
    load_probe_all(probe, &all);
    assert_true(all.count >= 10);
    assert_true(step.count < all.count + look.awaited + 10);
    load_probe_close(probe);
    PQfinish(conn);
}

static void a_database_that_dies_is_asked_again_when_it_is_back(void **state)
{
    (void)state;
    connect_test();
    run_sql("TRUNCATE campus.fix");
    struct load_probe *probe = open_probe(database);
    struct load_probe_state look;
    until_sent(probe, 3, &look);
    archive_to(3);
    until_archived(probe, 3, &look);
    PQfinish(conn);
    pg_fixture_crash(&server);
    int64_t end_us = clock_mono_us() + wait_us;
    for (load_probe_look(probe, &look); look.losses == 0; load_probe_look(probe, &look)) {
        assert_true(clock_mono_us() < end_us);
        nap();
    }
    assert_true(look.trouble[0] != '\0');
    until_sent(probe, look.sent + 5, &look); /* it goes on sending */
    pg_fixture_up(&server);
    connect_test();
    archive_to(look.sent);
    until_archived(probe, look.sent, &look);
    assert_string_equal(look.trouble, "");
    load_probe_close(probe);
    PQfinish(conn);
}

static void a_database_that_answers_nobody_holds_up_nobody(void **state)
{
    (void)state;
    connect_test();
    run_sql("TRUNCATE campus.fix"); /* the first probe's connection goes on being answered */
    PQfinish(conn);
    struct load_probe *probe = open_probe(database);
    struct load_probe_state look;
    until_sent(probe, 5, &look);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    struct load_probe *other = open_probe(database); /* connects to who never answers */
    until_sent(other, 5, &look);
    until_sent(probe, 10, &look);
    assert_true(look.awaited > 0);
    load_probe_close(other);
    load_probe_close(probe);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
}

static void a_card_that_the_load_does_not_use_is_found(void **state)
{
    (void)state;
    char path[] = "/tmp/campus-cards-XXXXXX";
    int file = mkstemp(path);
    FILE *csv = fdopen(file, "w");
    assert_non_null(csv);
    (void)fputs("school,card,lat,lon\ns1,a,36,113\ns1,b,36,113\ns2,c,36.5,113.5\n", csv);
    assert_int_equal(fclose(csv), 0);
    struct status_detail detail;
    for (uint32_t count = 1; count <= 3; count++) {
        struct load_cards used, all;
        struct load_probe_options options = {0};
        assert_int_equal(load_cards_read(&used, path, count, 0, &detail), STATUS_OK);
        enum status status = load_probe_card(path, &used, &all, &options, &detail);
        assert_int_equal(status, count < 3 ? STATUS_OK : STATUS_NOT_FOUND);
        if (status == STATUS_OK) {
            assert_true(load_cards_find(&used, text_of(options.card)) == LOAD_NONE);
            load_cards_release(&all);
        }
        load_cards_release(&used);
    }
    (void)remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_read_counts_from_when_it_had_to_leave),
        cmocka_unit_test(a_database_that_dies_is_asked_again_when_it_is_back),
        cmocka_unit_test(a_database_that_answers_nobody_holds_up_nobody),
        cmocka_unit_test(a_card_that_the_load_does_not_use_is_found),
    };
    return cmocka_run_group_tests(tests, servers_start, servers_stop);
}
