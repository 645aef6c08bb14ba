/* A process that appends as fast as it can is killed at random moments; whatever it had been told
 * is durable must be there at the next open. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal_fixture.h"

struct told {
    uint64_t count, pos; /* records handed over as durable, and up to where */
};

struct child {
    struct journal *journal;
    uint64_t next; /* number of the next record to append */
    uint64_t found;
    int pipe_fd;
};

static void child_record(void *context, const struct journal_record *record)
{
    struct child *child = context;
    child->found = numbered_check(record) + 1;
}

static void child_append_some(struct child *child)
{
    for (uint32_t i = 0; i < 1 + child->next % 40; i++) {
        unsigned char data[NUMBERED_BYTES_MAX];
        size_t size = numbered_make(child->next, data);
        uint64_t end;
        if (journal_append(child->journal, (uint32_t)(1 + child->next % 5), data, size, &end) !=
            STATUS_OK) {
            _exit(3);
        }
        child->next++;
    }
}

static void child_durable(void *context, uint64_t pos)
{
    struct child *child = context;
    struct told told = {child->found, pos};
    if (write(child->pipe_fd, &told, sizeof told) != (ssize_t)sizeof told) {
        _exit(4);
    }
    child_append_some(child);
}

static void child_trouble(void *context, enum status status, const struct status_detail *detail)
{
    (void)context;
    (void)status;
    (void)fprintf(stderr, "%s\n", detail->text);
    _exit(5);
}

static _Noreturn void child_run(const struct fixture *fixture, int pipe_fd)
{
    uv_loop_t loop;
    struct child child = {.pipe_fd = pipe_fd};
    struct journal_callbacks callbacks = {&child, child_record, child_durable, child_trouble};
    struct status_detail detail;
    if (uv_loop_init(&loop) != 0 ||
        journal_open(&loop, &fixture->options, &callbacks, &child.journal, &detail) != STATUS_OK) {
        _exit(6);
    }
    child.next = child.found;
    child_append_some(&child);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    _exit(7);
}

/* Lets the child report `reports` times, kills it, reads what else it had said by then. */
static struct told run_and_kill(const struct fixture *fixture, uint64_t reports)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        child_run(fixture, ends[1]);
    }
    (void)close(ends[1]);
    struct told told = {0}, last = {0};
    for (uint64_t i = 0; read(ends[0], &told, sizeof told) == (ssize_t)sizeof told; i++) {
        last = told;
        if (i == reports) {
            assert_int_equal(kill(pid, SIGKILL), 0);
        }
    }
    (void)close(ends[0]);
    int outcome;
    assert_int_equal(waitpid(pid, &outcome, 0), pid);
    assert_true(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL);
    return last;
}

static void what_was_told_durable_survives_kill_9_at_any_moment(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    static struct fixture fixture;
    fixture_init(&fixture, 16384, 0);
    uint64_t before = 0;
    for (int round = 0; round < 30; round++) {
        struct told told = run_and_kill(&fixture, test_random(&seed) % 12);
        assert_true(told.count > before);
        fixture_open(&fixture);
        assert_true(fixture.count >= told.count);
        fixture_expect_numbers(&fixture, fixture.count); /* in order, without a hole */
        assert_int_equal(fixture.ends[told.count - 1], told.pos);
        before = fixture.count;
        fixture_close(&fixture);
    }
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_durable_survives_kill_9_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
