#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/compare.h"
#include "bench/load/run_file.h"
#include "tests/check.h"

static void a_key_tells_what_is_better(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        enum compare_better better;
    } keys[] = {
        {"load.lost", BETTER_ZERO},
        {"load.doubled", BETTER_ZERO},
        {"load.sos_silent", BETTER_ZERO},
        {"geo.differences", BETTER_ZERO},
        {"load.connections_lost", BETTER_LOWER},
        {"load.alert_p99_ms", BETTER_LOWER},
        {"load.archive_settle_s", BETTER_LOWER},
        {"engine.step_ns", BETTER_LOWER},
        {"engine.bytes_per_card", BETTER_LOWER},
        {"geo.bytes", BETTER_LOWER},
        {"geo.callgrind.batch", BETTER_LOWER},
        {"load.cpu_vs_bare_subscriber", BETTER_LOWER},
        {"load.cpu_us_per_event", BETTER_LOWER},
        {"load.bare_cpu_us_per_event", BETTER_UNKNOWN},
        {"load.events_per_cpu_s", BETTER_HIGHER},
        {"load.knee_per_s", BETTER_HIGHER},
        {"load.sent_per_s", BETTER_HIGHER},
        {"geo.batch_vs_geos", BETTER_HIGHER},
        {"archive.vs_bare_copy", BETTER_HIGHER},
        {"presence.found_pct", BETTER_HIGHER},
        {"load.sent", BETTER_UNKNOWN},
        {"load.alerts", BETTER_UNKNOWN},
        {"", BETTER_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (compare_better(keys[i].key) != keys[i].better) {
            fail_msg("%s is taken for %d", keys[i].key, (int)compare_better(keys[i].key));
        }
    }
}

static enum compare_verdict judge(enum compare_better better, double a, double b)
{
    struct compare_value of_a = {a, a, a, 1}, of_b = {b, b, b, 1};
    return compare_judge(better, &of_a, &of_b, 25);
}

static void one_run_a_side_is_judged_by_the_noise(void **state)
{
    (void)state;
    assert_int_equal(judge(BETTER_LOWER, 100, 100), VERDICT_NONE);
    assert_int_equal(judge(BETTER_LOWER, 100, 125), VERDICT_NOISE);
    assert_int_equal(judge(BETTER_LOWER, 125, 100), VERDICT_NOISE);
    assert_int_equal(judge(BETTER_LOWER, 100, 126), VERDICT_WORSE);
    assert_int_equal(judge(BETTER_LOWER, 126, 100), VERDICT_BETTER);
    assert_int_equal(judge(BETTER_HIGHER, 100, 126), VERDICT_BETTER);
    assert_int_equal(judge(BETTER_HIGHER, 126, 100), VERDICT_WORSE);
    assert_int_equal(judge(BETTER_LOWER, 0, 1), VERDICT_WORSE);
    assert_int_equal(judge(BETTER_HIGHER, 1, 0), VERDICT_WORSE);
    assert_int_equal(judge(BETTER_LOWER, -1, 1), VERDICT_WORSE);
    assert_int_equal(judge(BETTER_UNKNOWN, 1, 100), VERDICT_NONE);
}

static void a_single_loss_is_never_noise(void **state)
{
    (void)state;
    assert_int_equal(judge(BETTER_ZERO, 0, 1), VERDICT_FAULT);
    assert_int_equal(judge(BETTER_ZERO, 100, 101), VERDICT_FAULT);
    assert_int_equal(judge(BETTER_ZERO, 1, 0), VERDICT_BETTER);
    assert_int_equal(judge(BETTER_ZERO, 0, 0), VERDICT_NONE);
    assert_int_equal(judge(BETTER_ZERO, 2, 2), VERDICT_NONE);
}

static void runs_that_overlap_are_no_verdict(void **state)
{
    (void)state;
    struct compare_value a = {10, 8, 30, 3}, b = {20, 15, 25, 3}, far = {50, 31, 60, 3};
    assert_int_equal(compare_judge(BETTER_LOWER, &a, &b, 25), VERDICT_OVERLAP);
    assert_int_equal(compare_judge(BETTER_LOWER, &a, &far, 25), VERDICT_WORSE);
}

static void side(struct compare_side *side, const char *const texts[], uint32_t count)
{
    *side = (struct compare_side){.count = count};
    for (uint32_t i = 0; i < count; i++) {
        side->names[i] = "x.json";
        assert_int_equal(run_file_parse("x.json", texts[i], strlen(texts[i]), &side->runs[i], NULL),
                         STATUS_OK);
    }
}

static void release(struct compare_side *side)
{
    for (uint32_t i = 0; i < side->count; i++) {
        json_decref(side->runs[i]);
    }
}

static void a_side_counts_with_its_median_and_its_worst_loss(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"figures\": {\"load.alert_p99_ms\": 90, \"load.lost\": 0, \"a_s\": 1}}",
        "{\"figures\": {\"load.alert_p99_ms\": 10, \"load.lost\": 7}}",
        "{\"figures\": {\"load.alert_p99_ms\": 12, \"load.lost\": 0, \"a_s\": 4}}"};
    struct compare_side three;
    side(&three, texts, 3);
    struct compare_value value = compare_value(&three, "load.alert_p99_ms");
    assert_true(value.middle == 12 && value.low == 10 && value.high == 90 && value.runs == 3);
    value = compare_value(&three, "load.lost");
    assert_true(value.middle == 7);
    value = compare_value(&three, "a_s");
    assert_true(value.middle == 2.5 && value.runs == 2);
    assert_int_equal(compare_value(&three, "none").runs, 0);
    release(&three);
}

/* What is printed, and the JSON beside it. */
static char *printed(const char *a, const char *b, struct compare_counts *counts, json_t **json)
{
    struct compare_side sides[2];
    side(&sides[0], &a, 1);
    side(&sides[1], &b, 1);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(compare_print(&sides[0], &sides[1], 25, out, counts, json), STATUS_OK);
    assert_int_equal(fclose(out), 0);
    release(&sides[0]);
    release(&sides[1]);
    return text;
}

static void assert_says(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", words, text);
    }
}

static void what_differs_is_said(void **state)
{
    (void)state;
    struct compare_counts counts;
    json_t *json = NULL;
    char *text = printed(
        "{\"machine\": \"large\", \"commit\": \"aaaa\", \"options\": {\"rate\": 2000, \"s\": 60},"
        "\"figures\": {\"load.lost\": 0, \"load.doubled\": 0, \"x_ms\": 10, \"y_per_s\": 10,"
        "\"z_ns\": 100, \"gone_ms\": 1}}",
        "{\"machine\": \"small\", \"commit\": \"bbbb\", \"options\": {\"rate\": 9000, \"s\": 60},"
        "\"figures\": {\"load.lost\": 3, \"load.doubled\": 0, \"x_ms\": 20, \"y_per_s\": 20,"
        "\"z_ns\": 101, \"new_ms\": 1}}",
        &counts, &json);
    assert_says(text, "THE MACHINES DIFFER");
    assert_says(text, "A  large");
    assert_says(text, "B  small");
    assert_says(text, "commit aaaa");
    assert_says(text, "other options: rate: 2000 in x.json, 9000 in x.json");
    assert_null(strstr(text, "other options: s"));
    assert_says(text, "only A:  gone_ms\n");
    assert_says(text, "only B:  new_ms\n");
    assert_says(text, "B HAS FAULTS THAT A HAS NOT");
    assert_says(text, "1 worse, 1 better, 1 within 25 % (noise)");
    assert_true(counts.faults == 1 && counts.worse == 1 && counts.better == 1 && counts.noise == 1);
    assert_true(json_is_true(json_object_get(json, "machines_differ")));
    assert_int_equal(json_array_size(json_object_get(json, "figures")), 5);
    assert_int_equal(json_integer_value(json_object_get(json, "faults")), 1);
    json_t *second = json_array_get(json_object_get(json, "figures"), 2);
    assert_string_equal(run_file_text(second, "key"), "x_ms");
    assert_string_equal(run_file_text(second, "verdict"), "WORSE");
    assert_true(json_real_value(json_object_get(second, "ratio")) == 2.0);
    json_decref(json);
    free(text);
}

static void what_is_not_told_is_not_made_up(void **state)
{
    (void)state;
    struct compare_counts counts;
    char *text = printed("{\"figures\": {\"load.lost\": 0, \"load.doubled\": 0}}",
                         "{\"figures\": {}}", &counts, NULL);
    assert_says(text, "machine  not told");
    assert_says(text, "commit not told");
    assert_says(text, "B does not tell whether something was lost or doubled");
    assert_null(strstr(text, "A does not tell"));
    assert_null(strstr(text, "DIFFER"));
    assert_int_equal(counts.faults, 0);
    free(text);
}

/* ---- the command ---- */

static int command(const char *first, const char *second, const char *option)
{
    char a[256], b[256], c[64], name[] = "compare";
    (void)snprintf(a, sizeof a, "%s", first);
    (void)snprintf(b, sizeof b, "%s", second);
    (void)snprintf(c, sizeof c, "%s", option != NULL ? option : "");
    char *argv[] = {name, a, b, c};
    return load_compare(option != NULL ? 4 : 3, argv);
}

static void file(char path[64], const char *text)
{
    (void)snprintf(path, 64, "/tmp/campus-compare-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void it_ends_with_1_when_b_lost_something(void **state)
{
    (void)state;
    char good[64], slow[64], lossy[64], bad[64], both[160];
    file(good, "{\"figures\": {\"load.lost\": 0, \"load.p_ms\": 10}}");
    file(slow, "{\"figures\": {\"load.lost\": 0, \"load.p_ms\": 20}}");
    file(lossy, "{\"figures\": {\"load.lost\": 1, \"load.p_ms\": 10}}");
    file(bad, "{\"figures\": \n{\"load.lost\": ");
    assert_int_equal(command(good, good, NULL), 0);
    assert_int_equal(command(good, slow, NULL), 0);
    assert_int_equal(command(good, slow, "--strict"), 1);
    assert_int_equal(command(slow, good, "--strict"), 0);
    assert_int_equal(command(good, lossy, NULL), 1);
    assert_int_equal(command(lossy, good, NULL), 0);
    assert_int_equal(command(lossy, lossy, NULL), 0);
    (void)snprintf(both, sizeof both, "%s,%s", good, lossy);
    assert_int_equal(command(good, both, NULL), 1);
    assert_int_equal(command(good, bad, NULL), 1);
    assert_int_equal(command(good, "/nowhere.json", NULL), 1);
    assert_int_equal(command(good, "", NULL), 2);
    assert_int_equal(command(good, good, "--noise=x"), 2);
    assert_int_equal(command(good, slow, "--noise=100"), 0);
    (void)unlink(good);
    (void)unlink(slow);
    (void)unlink(lossy);
    (void)unlink(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_tells_what_is_better),
        cmocka_unit_test(one_run_a_side_is_judged_by_the_noise),
        cmocka_unit_test(a_single_loss_is_never_noise),
        cmocka_unit_test(runs_that_overlap_are_no_verdict),
        cmocka_unit_test(a_side_counts_with_its_median_and_its_worst_loss),
        cmocka_unit_test(what_differs_is_said),
        cmocka_unit_test(what_is_not_told_is_not_made_up),
        cmocka_unit_test(it_ends_with_1_when_b_lost_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
