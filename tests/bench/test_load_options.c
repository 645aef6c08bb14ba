#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/options.h"
#include "cli/cli.h"
#include "tests/check.h"

enum { WORDS_MAX = 24 };

static int read_words(struct load_options *ret, const char *const *words)
{
    static char room[WORDS_MAX][128];
    char *argv[WORDS_MAX] = {NULL};
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        assert_true(argc < WORDS_MAX && strlen(words[argc]) < sizeof room[0]);
        (void)snprintf(room[argc], sizeof room[0], "%s", words[argc]);
        argv[argc] = room[argc];
    }
    return load_options_read(ret, argc, argv);
}

static void brokers_come_one_by_one_or_with_commas(void **state)
{
    (void)state;
    static struct load_options options;
    static const char *const words[] = {"campus-load",
                                        "--broker",
                                        "mqtt://a:1,mqtt://me@b",
                                        "--broker=mqtt://c",
                                        "--cards",
                                        "f",
                                        "--pg",
                                        "",
                                        NULL};
    assert_int_equal(read_words(&options, words), CLI_OK);
    assert_int_equal(options.broker_count, 3);
    assert_string_equal(options.brokers[0].url.host, "a");
    assert_string_equal(options.brokers[1].url.user, "me");
    assert_string_equal(options.brokers[2].url.host, "c");
    assert_int_equal(options.listen_count, 3); /* alerts are heard everywhere */
    assert_int_equal(options.connections, 8);
    assert_int_equal(options.step_count, 1);
    assert_true(options.rate > 1999 && options.rate < 2001);
}

static void steps_take_the_place_of_rate_and_seconds(void **state)
{
    (void)state;
    static struct load_options options;
    static const char *const words[] = {"campus-load", "--broker", "mqtt://a",      "--listen",
                                        "mqtt://b",    "--step",   "100:2.5",       "--step=400:3",
                                        "--cards",     "f",        "--connections", "cards",
                                        "--gateways",  "7",        "--batch",       "9",
                                        NULL};
    assert_int_equal(read_words(&options, words), CLI_OK);
    assert_int_equal(options.step_count, 2);
    assert_true(options.steps[0].seconds > 2.4 && options.steps[0].seconds < 2.6);
    assert_true(options.rate > 399 && options.rate < 401);
    assert_int_equal(options.connections, 0);
    assert_int_equal(options.listen_count, 1);
    assert_string_equal(options.listen[0].url.host, "b");
    assert_int_equal(load_options_fixes(&options), 1); /* gateways carry reports */
    options.gateways = 0;
    assert_int_equal(load_options_fixes(&options), 9);
}

static void what_makes_no_sense_is_wrong_usage(void **state)
{
    (void)state;
    static const char *const cases[][WORDS_MAX] = {
        {"campus-load", "--broker", "mqtt://a", NULL},
        {"campus-load", "--cards", "f", "--broker", NULL},
        {"campus-load", "--cards", "f", "--broker", "http://a", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a,", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--step", "100", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--step", "100:0", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--step", "x:10", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--step", "1000000:1000", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--connections", "0", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--connections", "many", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--qos", "2", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "--batch", "201", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a,mqtt://b", "--receipts", NULL},
        {"campus-load", "--cards", "f", "--broker", "mqtt://a", "word", NULL},
    };
    static struct load_options options;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (read_words(&options, cases[i]) != CLI_USAGE) {
            fail_msg("case %zu is taken", i);
        }
    }
}

static void a_ladder_has_rates_of_its_own_and_parts_come_one_by_one(void **state)
{
    (void)state;
    static struct load_options options;
    static const char *const words[] = {"campus-load", "--broker",    "mqtt://a", "--cards", "f",
                                        "--ladder",    "--part",      "db=7",     "--quick", "--pg",
                                        "dbname=x",    "--part=db=8", "--factor", "3",       NULL};
    assert_int_equal(read_words(&options, words), CLI_OK);
    assert_true(options.ladder && load_options_probes(&options));
    assert_int_equal(options.part_count, 2);
    assert_string_equal(options.parts[1], "db=8");
    assert_true(options.climb.start > 1999 && options.climb.start < 2001);
    assert_true(options.climb.factor > 2.9 && options.climb.factor < 3.1);
    assert_int_equal(options.climb.sharpen, 1);
    assert_true(options.step_s > 7.9 && options.step_s < 8.1);
    assert_true(options.rate > 15999); /* cards for more than its first rate */
    static const char *const both[] = {"campus-load", "--broker", "mqtt://a", "--cards", "f",
                                       "--ladder",    "--step",   "100:5",    NULL};
    assert_int_equal(read_words(&options, both), CLI_USAGE);
    static const char *const kept[] = {"campus-load", "--broker", "mqtt://a",   "--cards",
                                       "f",           "--ladder", "--receipts", NULL};
    assert_int_equal(read_words(&options, kept), CLI_USAGE);
}

static void a_day_has_its_rate_from_its_pupils_and_its_clock(void **state)
{
    (void)state;
    static struct load_options options;
    static const char *const words[] = {
        "campus-load", "--broker", "mqtt://a", "--cards", "f",       "--pg",     "",
        "--model",     "day",      "--city",   "d",       "--day=3", "--origin", "1772500000",
        "--pupils",    "2000",     "--speed",  "120",     "--from",  "6",        "--to=9",
        NULL};
    assert_int_equal(read_words(&options, words), CLI_OK);
    assert_int_equal(options.step_count, 1);
    assert_true(options.steps[0].seconds > 89.9 && options.steps[0].seconds < 90.1);
    assert_true(options.rate > 3999 && options.rate < 4001);
    assert_true(options.crossing_share < 1e-9 && options.sos_per_s < 1e-9);
    assert_int_equal((int)options.model.day, 3);
    assert_int_equal((int64_t)options.model.origin_s, 1772500000);
}

static void a_model_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static struct load_options options;
    static const char *const bad[][12] = {
        {"campus-load", "--broker", "mqtt://a", "--cards", "f", "--model", "noon", NULL},
        {"campus-load", "--broker", "mqtt://a", "--cards", "f", "--model", "day", NULL},
        {"campus-load", "--broker", "mqtt://a", "--cards", "f", "--model", "backlog", "--receipts",
         NULL},
        {"campus-load", "--broker", "mqtt://a", "--cards", "f", "--away-share", "1.5", NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_words(&options, bad[i]), CLI_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brokers_come_one_by_one_or_with_commas),
        cmocka_unit_test(steps_take_the_place_of_rate_and_seconds),
        cmocka_unit_test(what_makes_no_sense_is_wrong_usage),
        cmocka_unit_test(a_ladder_has_rates_of_its_own_and_parts_come_one_by_one),
        cmocka_unit_test(a_day_has_its_rate_from_its_pupils_and_its_clock),
        cmocka_unit_test(a_model_that_cannot_be_is_refused),
    };
    (void)unsetenv("CAMPUS_BROKER");
    (void)setenv("CAMPUS_ENV", "/dev/null", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
