#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "pg_fixture.h"
#include "storage/archive_copy.h"
#include "storage/pg_uv.h"

struct link {
    uv_loop_t loop;
    struct pg_uv *pg;
    uint32_t ups, downs, answers, notifies;
    struct status_detail why;
    char value[256], sqlstate[8], payload[64];
    bool closed;
};

static void on_up(void *context)
{
    struct link *link = context;
    link->ups++;
}

static void on_down(void *context, const struct status_detail *detail)
{
    struct link *link = context;
    link->downs++;
    link->why = *detail;
}

static void on_notify(void *context, const char *channel, const char *payload)
{
    struct link *link = context;
    link->notifies++;
    assert_string_equal(channel, "campus_registry");
    (void)snprintf(link->payload, sizeof link->payload, "%s", payload);
}

static void on_answer(void *context, PGresult *result)
{
    struct link *link = context;
    link->answers++;
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    (void)snprintf(link->sqlstate, sizeof link->sqlstate, "%s", code != NULL ? code : "");
    link->value[0] = '\0';
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0) {
        (void)snprintf(link->value, sizeof link->value, "%s", PQgetvalue(result, 0, 0));
    } else if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        (void)snprintf(link->value, sizeof link->value, "%s", PQcmdStatus(result));
    }
}

static void open_link(struct link *link, const char *conninfo)
{
    *link = (struct link){.ups = 0};
    assert_int_equal(uv_loop_init(&link->loop), 0);
    const struct pg_uv_options options = {.conninfo = conninfo,
                                          .application_name = "pg_uv test",
                                          .connect_deadline_ms = 200,
                                          .backoff_ms_max = 200};
    const struct pg_uv_callbacks callbacks = {link, on_up, on_down, on_notify};
    struct status_detail detail;
    if (pg_uv_open(&link->loop, &options, &callbacks, &link->pg, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    assert_int_equal(link->ups + link->downs, 0);
}

static void on_closed(void *context)
{
    struct link *link = context;
    link->closed = true;
}

static void close_link(struct link *link)
{
    pg_uv_close(link->pg, on_closed, link);
    (void)uv_run(&link->loop, UV_RUN_DEFAULT);
    assert_true(link->closed);
    assert_int_equal(uv_loop_close(&link->loop), 0);
}

static void run_until(struct link *link, const uint32_t *counter, uint32_t wanted)
{
    while (*counter < wanted) {
        assert_true(uv_run(&link->loop, UV_RUN_ONCE) != 0);
    }
}

static void ask(struct link *link, const char *sql, const struct text *copy, uint32_t deadline_ms)
{
    const struct pg_uv_query query = {
        .sql = sql, .copy = copy, .deadline_ms = deadline_ms, .on_answer = on_answer};
    pg_uv_query(link->pg, &query);
}

static void of_several_statements_the_last_answer_comes_or_the_first_error(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, server.conninfo);
    run_until(&link, &link.ups, 1);
    ask(&link, "SELECT 1; SELECT 'two'", NULL, 10000);
    run_until(&link, &link.answers, 1);
    assert_string_equal(link.value, "two");
    ask(&link, "SELECT 1/0; SELECT 2", NULL, 10000);
    run_until(&link, &link.answers, 2);
    assert_string_equal(link.sqlstate, "22012");
    ask(&link, "SELECT current_setting('client_encoding')", NULL, 10000);
    run_until(&link, &link.answers, 3);
    assert_string_equal(link.value, "UTF8");
    close_link(&link);
}

static void a_copy_far_larger_than_the_socket_arrives_whole_and_a_bad_one_is_an_error(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    struct link link;
    struct buffer rows;
    buffer_init(&rows, 64u << 20);
    copy_begin(&rows);
    for (int i = 0; i < ROWS; i++) {
        copy_row(&rows, 2);
        copy_i32(&rows, i);
        copy_text(&rows, TEXT("a text of some length, so that it takes a while"));
    }
    copy_end(&rows);
    open_link(&link, server.tcp);
    run_until(&link, &link.ups, 1);
    ask(&link, "CREATE TEMP TABLE t (n int, words text)", NULL, 10000);
    run_until(&link, &link.answers, 1);
    struct text copy = {rows.data, rows.size};
    ask(&link, "COPY t FROM STDIN (FORMAT binary)", &copy, 10000);
    run_until(&link, &link.answers, 2);
    assert_string_equal(link.value, "COPY 200000");
    copy.length -= 100; /* cut in the middle of a row */
    ask(&link, "COPY t FROM STDIN (FORMAT binary)", &copy, 10000);
    run_until(&link, &link.answers, 3);
    assert_string_equal(link.sqlstate, "22P04");
    ask(&link, "COPY nowhere FROM STDIN (FORMAT binary)", &copy, 10000);
    run_until(&link, &link.answers, 4);
    assert_string_equal(link.sqlstate, "42P01");
    ask(&link, "SELECT sum(n::bigint) FROM t", NULL, 10000);
    run_until(&link, &link.answers, 5);
    assert_string_equal(link.value, "19999900000");
    close_link(&link);
    buffer_release(&rows);
}

/* A stopped backend answers nothing and takes nothing, and the kernel tells nobody. */
static void a_server_that_stops_answering_is_given_up_at_the_deadline(void **state)
{
    (void)state;
    struct link link;
    static char bytes[32u << 20];
    struct buffer head;
    buffer_init(&head, 64);
    copy_begin(&head);
    memcpy(bytes, head.data, head.size);
    buffer_release(&head);
    open_link(&link, server.conninfo);
    run_until(&link, &link.ups, 1);
    ask(&link, "CREATE TEMP TABLE t (n int); SELECT pg_backend_pid()", NULL, 10000);
    run_until(&link, &link.answers, 1);
    pid_t backend = (pid_t)strtol(link.value, NULL, 10);
    assert_int_equal(kill(backend, SIGSTOP), 0);
    struct text copy = {bytes, sizeof bytes};
    ask(&link, "COPY t FROM STDIN (FORMAT binary)", &copy, 100);
    run_until(&link, &link.downs, 1);
    assert_int_equal(link.answers, 1);
    assert_string_equal(link.why.text, "no answer to a query");
    assert_int_equal(kill(backend, SIGCONT), 0);
    run_until(&link, &link.ups, 2); /* by itself */
    ask(&link, "SELECT 7", NULL, 10000);
    run_until(&link, &link.answers, 2);
    assert_string_equal(link.value, "7");
    close_link(&link);
}

static void a_peer_that_accepts_and_says_nothing_ends_at_the_connect_deadline(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char conninfo[128];
    (void)snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=x",
                   ntohs(address.sin_port));
    struct link link;
    open_link(&link, conninfo);
    run_until(&link, &link.downs, 2); /* and tries again */
    assert_string_equal(link.why.text, "no answer to the connection attempt");
    close_link(&link);
    (void)close(fd);
}

static void a_notification_arrives_while_idle(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, server.conninfo);
    run_until(&link, &link.ups, 1);
    ask(&link, "LISTEN campus_registry", NULL, 10000);
    run_until(&link, &link.answers, 1);
    PGconn *other = PQconnectdb(server.conninfo);
    PQclear(PQexec(other, "NOTIFY campus_registry, '42'"));
    PQfinish(other);
    run_until(&link, &link.notifies, 1);
    assert_string_equal(link.payload, "42");
    close_link(&link);
}

static void a_connection_lost_while_idle_is_noticed_and_made_anew(void **state)
{
    (void)state;
    struct link link;
    open_link(&link, server.tcp);
    run_until(&link, &link.ups, 1);
    PGconn *other = PQconnectdb(server.conninfo);
    PQclear(PQexec(other, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          " WHERE application_name = 'pg_uv test'"));
    PQfinish(other);
    run_until(&link, &link.downs, 1);
    assert_non_null(strstr(link.why.text, "terminating connection"));
    assert_null(strchr(link.why.text, '\n'));
    run_until(&link, &link.ups, 2);
    close_link(&link);
}

static void it_can_be_closed_in_every_state(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct link link;
        open_link(&link, turns % 2 == 0 ? server.tcp : "host=no-such-host.invalid");
        for (int i = 0; i < turns; i++) {
            (void)uv_run(&link.loop, UV_RUN_NOWAIT);
        }
        close_link(&link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_several_statements_the_last_answer_comes_or_the_first_error),
        cmocka_unit_test(a_copy_far_larger_than_the_socket_arrives_whole_and_a_bad_one_is_an_error),
        cmocka_unit_test(a_server_that_stops_answering_is_given_up_at_the_deadline),
        cmocka_unit_test(a_peer_that_accepts_and_says_nothing_ends_at_the_connect_deadline),
        cmocka_unit_test(a_notification_arrives_while_idle),
        cmocka_unit_test(a_connection_lost_while_idle_is_noticed_and_made_anew),
        cmocka_unit_test(it_can_be_closed_in_every_state),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
