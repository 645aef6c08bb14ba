#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "tests/check.h"

static enum status read_text(const char *text, struct config *config, struct status_detail *detail)
{
    char path[] = "/tmp/campus-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    enum status status = config_read(path, config, detail);
    (void)unlink(path);
    return status;
}

static void defaults_hold_for_what_is_absent(void **state)
{
    (void)state;
    struct config config;
    struct status_detail detail;
    assert_int_equal(config_read(NULL, &config, &detail), STATUS_OK);
    assert_int_equal(config.broker_burst, 512);
    assert_string_equal(config.brokers.items[0], "mqtt://127.0.0.1:1883");
    config_release(&config);
    assert_int_equal(read_text("", &config, &detail), STATUS_OK);
    config_release(&config);
}

static void nested_keys_lists_and_choices_are_read(void **state)
{
    (void)state;
    struct config config;
    struct status_detail detail;
    assert_int_equal(read_text("brokers: [mqtt://a:1, mqtt://b:2]\n"
                               "log: {level: debug}\n"
                               "card:\n  datum_default: gcj02\n"
                               "broker:\n  burst: 64\n",
                               &config, &detail),
                     STATUS_OK);
    assert_int_equal(config.brokers.count, 2);
    assert_string_equal(config.brokers.items[1], "mqtt://b:2");
    assert_int_equal(config.log_level, 0);
    assert_int_equal(config.card_datum, 1);
    assert_int_equal(config.broker_burst, 64);
    config_release(&config);
}

static void errors_name_line_column_and_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *words;
    } bad[] = {
        {"journal:\n  dir: x\n", ":2:8: ", "no setting journal.dir (campusd --print-config"},
        {"broker: {burst: 1}\n", ":1:17: ", "1 is not within 64..4096 messages"},
        {"broker: {burst: many}\n", ":1:17: ", "a whole number is needed"},
        {"log: {level: loud}\n", ":1:14: ", "is none of debug|info|warn|error"},
        {"log: {level: info}\nlog: {level: info}\n", ":2:14: ", "stands twice"},
        {"brokers: []\n", "", "at least one is needed"},
        {"- a\n", ":1:1: ", "a map of settings"},
        {"a: [\n", ":", ""},
        {"broker: {backoff_min_ms: 6000}\n", "", "above broker.backoff_max_ms"},
        {"control: {socket: [a]}\n", ":1:19: ", "a plain value"},
        {"presence: {false_left: 2}\n", ":1:24: ",
         "presence.false_left: \"2\" is no share within 0.000001..0.5 in steps of 0.000001"},
        {"presence: {miss: 0.6}\n", ":1:18: ", "presence.miss: \"0.6\" is no share within"},
        {"presence: {false_danger: 0.0000015}\n", ":1:26: ", "in steps of 0.000001"},
        {"presence: {false_entered: few}\n", ":1:27: ", "presence.false_entered: \"few\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config config;
        struct status_detail detail = {""};
        assert_int_equal(read_text(bad[i].text, &config, &detail), STATUS_INVALID);
        assert_non_null(strstr(detail.text, bad[i].place));
        assert_non_null(strstr(detail.text, bad[i].words));
    }
}

static void wanted_error_rates_are_shares(void **state)
{
    (void)state;
    struct config config;
    struct status_detail detail;
    assert_int_equal(
        read_text("presence: {false_left: 1e-5, false_danger: .05}\n", &config, &detail),
        STATUS_OK);
    assert_int_equal(config.presence_false_left, 10);
    assert_int_equal(config.presence_false_entered, 2000);
    assert_int_equal(config.presence_false_danger, 50000);
    struct buffer out;
    buffer_init(&out, 1 << 20);
    config_print(&config, &out);
    assert_non_null(strstr(buffer_cstr(&out), "  false_left: 0.00001\n"));
    assert_non_null(strstr(buffer_cstr(&out), "  false_danger: 0.05\n"));
    assert_non_null(strstr(buffer_cstr(&out), "# 0.000001..0.5 of the crossings; default 0.01;"));
    buffer_release(&out);
    config_release(&config);
}

static void what_is_printed_reads_back_the_same(void **state)
{
    (void)state;
    struct config config, again;
    struct status_detail detail;
    struct buffer one, two;
    buffer_init(&one, 1 << 20);
    buffer_init(&two, 1 << 20);
    assert_int_equal(read_text("brokers: [\"mqtt://a:1\"]\nlog: {level: warn}\n"
                               "presence: {false_left: 0.000001}\n",
                               &config, &detail),
                     STATUS_OK);
    config_print(&config, &one);
    assert_int_equal(read_text(buffer_cstr(&one), &again, &detail), STATUS_OK);
    config_print(&again, &two);
    assert_string_equal(buffer_cstr(&one), buffer_cstr(&two));
    buffer_release(&one);
    buffer_release(&two);
    config_release(&config);
    config_release(&again);
}

static void a_clock_of_a_benchmark_needs_the_moment_from_which_it_runs(void **state)
{
    (void)state;
    struct config config;
    struct status_detail detail;
    assert_int_equal(config_read(NULL, &config, &detail), STATUS_OK);
    assert_false(config.paced);
    assert_int_equal(config.pace.speed, 1);
    assert_int_equal(config.pace.start_ms, config.pace.origin_ms);
    config_release(&config);

    assert_int_equal(read_text("clock: {speed: 60}\n", &config, &detail), STATUS_INVALID);
    assert_non_null(strstr(detail.text, "clock.origin"));
    assert_int_equal(read_text("clock: {start: noon, origin: 1772500000}\n", &config, &detail),
                     STATUS_INVALID);
    assert_non_null(strstr(detail.text, "clock.start: \"noon\""));
    assert_int_equal(read_text("clock: {speed: 1001, origin: 1772500000}\n", &config, &detail),
                     STATUS_INVALID);

    assert_int_equal(read_text("clock:\n  start: 2026-03-02T06:00:00+08:00\n"
                               "  origin: 1772500000.250\n  speed: 120\n",
                               &config, &detail),
                     STATUS_OK);
    assert_true(config.paced);
    assert_int_equal(config.pace.start_ms, 1772402400000);
    assert_int_equal(config.pace.origin_ms, 1772500000250);
    assert_int_equal(config.pace.speed, 120);
    config_release(&config);

    assert_int_equal(read_text("clock: {origin: 1772500000, speed: 2}\n", &config, &detail),
                     STATUS_OK);
    assert_int_equal(config.pace.start_ms, 1772500000000);
    config_release(&config);
}

static int told;

static void tell(const char *key)
{
    assert_string_equal(key, "broker.burst");
    told++;
}

static void a_reload_takes_only_what_may_change(void **state)
{
    (void)state;
    struct config config, fresh;
    struct status_detail detail;
    assert_int_equal(config_read(NULL, &config, &detail), STATUS_OK);
    assert_int_equal(read_text("broker: {burst: 128}\nlog: {level: error}\n", &fresh, &detail),
                     STATUS_OK);
    assert_int_equal(config_reload(&config, &fresh, tell), 1);
    assert_int_equal(told, 1);
    assert_int_equal(config.broker_burst, 512);
    assert_int_equal(config.log_level, 3);
    config_release(&config);
    config_release(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_for_what_is_absent),
        cmocka_unit_test(nested_keys_lists_and_choices_are_read),
        cmocka_unit_test(errors_name_line_column_and_the_way_out),
        cmocka_unit_test(wanted_error_rates_are_shares),
        cmocka_unit_test(what_is_printed_reads_back_the_same),
        cmocka_unit_test(a_clock_of_a_benchmark_needs_the_moment_from_which_it_runs),
        cmocka_unit_test(a_reload_takes_only_what_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
