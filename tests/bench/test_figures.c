#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/figures.h"

static void figures_are_written_as_one_object(void **state)
{
    (void)state;
    char path[] = "/tmp/campus-figures-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct figures figures = {0};
    figures_add(&figures, "load.lost", 0);
    figures_add(&figures, "load.alert_p50_ms", 12.345);
    assert_int_equal(figures_write(&figures, path, NULL), STATUS_OK);
    char text[256];
    ssize_t got = read(fd, text, sizeof text - 1);
    assert_true(got > 0);
    text[got] = '\0';
    assert_string_equal(text, "{\"figures\": {\n  \"load.lost\": 0,\n"
                              "  \"load.alert_p50_ms\": 12.345\n}}\n");
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    struct figures figures = {0};
    struct status_detail detail;
    assert_int_equal(figures_write(&figures, "/nowhere/at/all.json", &detail), STATUS_IO);
    assert_non_null(strstr(detail.text, "/nowhere/at/all.json"));
    assert_int_equal(figures_write(&figures, "/dev/full", &detail), STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_written_as_one_object),
        cmocka_unit_test(a_place_that_cannot_be_written_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
