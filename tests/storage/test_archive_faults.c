/* One call of libpq, or one allocation, fails in each run of the archive: the first, the second, ... until
 * a run passes that had none left to fail. Whatever fails, every event is a row once, without a hand. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "archive_world.h"
#include "journal_fixture.h"

enum { REPORTS = 4, ROWS_MAX = 10, FAULTS_MAX = 2000 };

/* ---- what fails ---- */

/* Some calls are the reader's, on a thread of its own. */
static _Atomic int64_t left = -1; /* that many more calls go well; below 0: all */
static atomic_bool fired;

static bool fails(bool watched)
{
    if (!watched || atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) != 0) {
        return false;
    }
    atomic_store(&fired, true);
    return true;
}

static void arm(uint32_t nth)
{
    atomic_store(&fired, false);
    atomic_store(&left, nth);
}

static bool disarm(void)
{
    atomic_store(&left, -1);
    return atomic_load(&fired);
}

static enum fault { ALLOCATION, NOT_DONE, DONE_UNTOLD } fault;

static bool no_memory(void)
{
    return fails(fault == ALLOCATION);
}

/* true: the call is not made, or is made and then told to have failed. */
static bool call_fails(bool *made)
{
    bool now = fails(fault != ALLOCATION);
    *made = !now || fault == DONE_UNTOLD;
    return now;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return no_memory() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return no_memory() ? NULL : __real_strdup(text);
}

#define FAILING(type, name, parameters, arguments, failure)                                        \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        bool made, told = call_fails(&made);                                                       \
        type result = made ? __real_##name arguments : (failure);                                  \
        return told ? (failure) : result;                                                          \
    }

FAILING(PostgresPollingStatusType, PQconnectPoll, (PGconn * conn), (conn), PGRES_POLLING_FAILED)
FAILING(int, PQsetnonblocking, (PGconn * conn, int arg), (conn, arg), -1)
FAILING(int, PQsocket, (const PGconn *conn), (conn), -1)
FAILING(int, PQsendQuery, (PGconn * conn, const char *query), (conn, query), 0)
FAILING(int, PQputCopyData, (PGconn * conn, const char *at, int size), (conn, at, size), -1)
FAILING(int, PQputCopyEnd, (PGconn * conn, const char *error), (conn, error), -1)
FAILING(int, PQflush, (PGconn * conn), (conn), -1)
FAILING(int, PQconsumeInput, (PGconn * conn), (conn), 0)

PGconn *__real_PQconnectStartParams(const char *const *keywords, const char *const *values, int db);
PGconn *__wrap_PQconnectStartParams(const char *const *keywords, const char *const *values, int db);
PGresult *__real_PQgetResult(PGconn *conn);
PGresult *__wrap_PQgetResult(PGconn *conn);

PGconn *__wrap_PQconnectStartParams(const char *const *keywords, const char *const *values, int db)
{
    bool made;
    return call_fails(&made) ? NULL : __real_PQconnectStartParams(keywords, values, db);
}

/* As libpq answers when it has no memory for a result, or has lost the connection. */
PGresult *__wrap_PQgetResult(PGconn *conn)
{
    bool made, told = call_fails(&made);
    PGresult *result = made ? __real_PQgetResult(conn) : NULL;
    if (told && (result != NULL || !made)) {
        PQclear(result);
        result = PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
    }
    return result;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- tests ---- */

static bool one_run_fails(struct world *world, uint32_t nth)
{
    append_reports(world, REPORTS, DAY_ONE + nth);
    append_alert(world, nth + 1, "{\"id\": 1}");
    append_refused(world, DAY_ONE + nth);
    while (journal_durable_pos(world->journal) < world->end) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
    arm(nth);
    world->archive = open_archive(world, ROWS_MAX);
    if (world->archive == NULL) { /* then campusd says so and does not start */
        assert_true(disarm());
        world->archive = start_archive(world, ROWS_MAX);
        wait_archived(world);
        stop_archive(world);
        return true;
    }
    wait_archived(world);
    bool failed = disarm();
    stop_archive(world);
    return failed;
}

static void walk(enum fault kind, uint32_t expected)
{
    struct world world;
    fault = kind;
    build(&world, 0);
    uint32_t nth = 0;
    while (one_run_fails(&world, nth)) {
        nth++;
        assert_true(nth < FAULTS_MAX);
    }
    (void)printf("%u calls failed, one after the other\n", nth);
    assert_true(nth >= expected); /* else they are not ours that fail */
    expect_all_events(&world);
    char runs[32];
    (void)snprintf(runs, sizeof runs, "%u", nth + 1);
    expect(&world, "SELECT count(*) FROM campus.alert", runs);
    expect(&world, "SELECT count(*) FROM campus.refused", runs);
    tear_down(&world);
}

static void the_nth_call_of_libpq_is_not_made(void **state)
{
    (void)state;
    walk(NOT_DONE, 40);
}

static void the_nth_call_of_libpq_is_made_and_told_to_have_failed(void **state)
{
    (void)state;
    walk(DONE_UNTOLD, 40);
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    walk(ALLOCATION, 20);
}

int main(void)
{
    seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_call_of_libpq_is_not_made),
        cmocka_unit_test(the_nth_call_of_libpq_is_made_and_told_to_have_failed),
        cmocka_unit_test(the_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
