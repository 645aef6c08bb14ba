#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "cli/control_client.h"
#include "daemon/control.h"
#include "tests/check.h"

struct fixture {
    uv_loop_t loop;
    struct control *control;
    char directory[64], path[96];
    uv_work_t work;
    /* the client's side, in a worker */
    struct buffer answer;
    enum status status;
    struct status_detail detail;
};

static void answer(void *context, struct text request, struct buffer *out)
{
    (void)context;
    buffer_printf(out, "you=%.*s\nnumber=7\n", TEXT_FMT(request));
}

static void ask(uv_work_t *work)
{
    struct fixture *f = work->data;
    f->status = control_ask(f->path, "status", 5000, &f->answer, &f->detail);
}

static void nothing(void *context)
{
    (void)context;
}

static void asked(uv_work_t *work, int status)
{
    (void)status;
    struct fixture *f = work->data;
    control_close(f->control, nothing, NULL);
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)strncpy(f->directory, "/tmp/campus-control-XXXXXX", sizeof f->directory - 1);
    assert_non_null(mkdtemp(f->directory));
    (void)snprintf(f->path, sizeof f->path, "%s/s", f->directory);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    const struct control_options options = {f->path, answer, NULL};
    assert_int_equal(control_open(&f->loop, &options, &f->control, &f->detail), STATUS_OK);
}

static void teardown(struct fixture *f)
{
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(rmdir(f->directory), 0); /* the socket file is gone */
}

static void a_request_is_answered(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    buffer_init(&f.answer, 1000);
    f.work.data = &f;
    assert_int_equal(uv_queue_work(&f.loop, &f.work, ask, asked), 0);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(f.status, STATUS_OK);
    struct text text = {f.answer.data, f.answer.size};
    assert_true(text_is(control_value(text, "you"), "status"));
    assert_true(text_is(control_value(text, "number"), "7"));
    assert_int_equal(control_value(text, "num").length, 0);
    buffer_release(&f.answer);
    teardown(&f);
}

static void a_path_that_is_served_is_taken(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct control *other;
    const struct control_options options = {f.path, answer, NULL};
    assert_int_equal(control_open(&f.loop, &options, &other, &f.detail), STATUS_CONFLICT);
    control_close(f.control, nothing, NULL);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    teardown(&f);
}

static void nobody_there_is_said_clearly(void **state)
{
    (void)state;
    struct buffer out;
    struct status_detail detail;
    buffer_init(&out, 100);
    assert_int_equal(control_ask("/tmp/campus-no-such-socket", "status", 100, &out, &detail),
                     STATUS_UNAVAILABLE);
    assert_non_null(strstr(detail.text, "does campusd run?"));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_path_that_is_served_is_taken),
        cmocka_unit_test(nobody_there_is_said_clearly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
