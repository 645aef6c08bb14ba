#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/run_file.h"
#include "tests/check.h"

static json_t *parse(const char *text)
{
    struct status_detail detail;
    json_t *run = NULL;
    assert_int_equal(run_file_parse("a.json", text, strlen(text), &run, &detail), STATUS_OK);
    return run;
}

static void refused(const char *text, const char *words)
{
    struct status_detail detail;
    json_t *run = NULL;
    assert_int_equal(run_file_parse("a.json", text, strlen(text), &run, &detail), STATUS_INVALID);
    assert_null(run);
    if (strstr(detail.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", detail.text, words);
    }
}

static void bad_json_is_refused_with_its_line(void **state)
{
    (void)state;
    refused("{\"figures\": {\n  \"a\": 1,\n  \"b\": oops\n}}", "a.json: line 3");
    refused("{\"figures\": {\n  \"a\": 1,\n  \"a\": 2\n}}", "a.json: line 3");
    refused("", "a.json: line 1");
    refused("{\"figures\": {\"a\": 1}} and more", "a.json: line 1");
    refused("{\"figures\": {\"a\": 1e999}}", "a.json: line 1");
    refused("{\"figures\": {\"a\": \"\xff\"}}", "a.json: line 1");
    refused("[1]", "no \"figures\"");
    refused("{\"machine\": \"m\"}", "no \"figures\"");
    refused("{\"figures\": [1]}", "no \"figures\"");
    refused("{\"figures\": {\"a\": \"1\"}}", "the figure \"a\" is no number");
    refused("{\"figures\": {\"a\": null}}", "the figure \"a\" is no number");
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct status_detail detail;
    json_t *run = NULL;
    assert_int_equal(run_file_read("/nowhere/a.json", &run, &detail), STATUS_NOT_FOUND);
    assert_non_null(strstr(detail.text, "/nowhere/a.json"));
    run = parse("{\"figures\": {}}");
    assert_int_equal(run_file_write(run, "/nowhere/a.json", &detail), STATUS_IO);
    assert_non_null(strstr(detail.text, "/nowhere/a.json"));
    assert_int_equal(run_file_write(run, "/dev/full", &detail), STATUS_IO);
    json_decref(run);
}

struct scratch {
    char file[64], more[64];
};

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int scratch_make(void **state)
{
    static struct scratch scratch;
    (void)snprintf(scratch.file, sizeof scratch.file, "/tmp/campus-run-XXXXXX");
    (void)snprintf(scratch.more, sizeof scratch.more, "/tmp/campus-run-XXXXXX");
    (void)close(mkstemp(scratch.file));
    (void)close(mkstemp(scratch.more));
    *state = &scratch;
    return 0;
}

static int scratch_remove(void **state)
{
    const struct scratch *scratch = *state;
    (void)unlink(scratch->file);
    (void)unlink(scratch->more);
    return 0;
}

static int stamp(const struct scratch *scratch, const char *machine, const char *more)
{
    char *argv[10] = {0};
    const char *words[] = {"stamp",    scratch->file, "--machine", machine,  "--commit",
                           "0123abcd", "--command",   "./x \"y\"", "--more", more};
    int argc = more != NULL ? 10 : 8;
    for (int i = 0; i < argc; i++) {
        argv[i] = strdup(words[i]);
    }
    char *kept[10];
    memcpy(kept, argv, sizeof kept);
    int outcome = load_stamp(argc, argv);
    for (int i = 0; i < argc; i++) {
        free(kept[i]);
    }
    return outcome;
}

static json_t *read_back(const struct scratch *scratch)
{
    struct status_detail detail;
    json_t *run = NULL;
    assert_int_equal(run_file_read(scratch->file, &run, &detail), STATUS_OK);
    return run;
}

static void a_stamped_run_keeps_all_that_it_had(void **state)
{
    const struct scratch *scratch = *state;
    put(scratch->file, "{\"figures\": {\"load.lost\": 0, \"load.p\": 0.1},\n"
                       "\"machine\": \"the program's guess\", \"steps\": [{\"rate\": 5}],\n"
                       "\"seconds\": {\"t\": [1, 2]}, \"versions\": {\"x\": \"1.2}\"}}");
    put(scratch->more, "geo.callgrind.batch 131.5\n");
    assert_int_equal(stamp(scratch, "m \xff \"q\" \\", scratch->more), 0);
    json_t *run = read_back(scratch);
    assert_string_equal(run_file_text(run, "machine"), "m \xef\xbf\xbd \"q\" \\");
    assert_string_equal(run_file_text(run, "commit"), "0123abcd");
    assert_string_equal(run_file_text(run, "command"), "./x \"y\"");
    assert_int_equal(strlen(run_file_text(run, "date")), strlen("2026-01-01T00:00:00Z"));
    json_t *expected = parse("{\"figures\": {\"load.lost\": 0, \"load.p\": 0.1, "
                             "\"geo.callgrind.batch\": 131.5}}");
    assert_true(json_equal(json_object_get(run, "figures"), json_object_get(expected, "figures")));
    assert_int_equal(json_array_size(json_object_get(run, "steps")), 1);
    assert_int_equal(json_array_size(json_object_get(json_object_get(run, "seconds"), "t")), 2);
    assert_string_equal(run_file_text(json_object_get(run, "versions"), "x"), "1.2}");
    json_decref(expected);
    json_decref(run);
}

static void a_date_that_the_program_told_stays(void **state)
{
    const struct scratch *scratch = *state;
    put(scratch->file, "{\"figures\": {}, \"date\": \"2001-02-03T04:05:06Z\"}");
    assert_int_equal(stamp(scratch, "m", NULL), 0);
    json_t *run = read_back(scratch);
    assert_string_equal(run_file_text(run, "date"), "2001-02-03T04:05:06Z");
    json_decref(run);
}

static void what_cannot_be_stamped_stays_as_it_is(void **state)
{
    const struct scratch *scratch = *state;
    static const char whole[] = "{\"figures\": {\"a\": 1}}", half[] = "{\"figures\": {\"a\": 1";
    put(scratch->file, half);
    assert_int_equal(stamp(scratch, "m", NULL), 1);
    put(scratch->file, whole);
    put(scratch->more, "a.b 1\nno number here\n");
    assert_int_equal(stamp(scratch, "m", scratch->more), 1);
    assert_int_equal(stamp(scratch, "m", "/nowhere/more"), 1);
    char text[64] = "";
    FILE *file = fopen(scratch->file, "re");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), strlen(whole));
    (void)fclose(file);
    assert_string_equal(text, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_json_is_refused_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test_setup_teardown(a_stamped_run_keeps_all_that_it_had, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(a_date_that_the_program_told_stays, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(what_cannot_be_stamped_stays_as_it_is, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
