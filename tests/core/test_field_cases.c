/* False exits that real phones logged (../shared/data/fence/field_flap_cases.json): none may cross.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/core/random.h"
#include "tests/core/town.h"

static json_t *load(void)
{
    char path[1024];
    const char *data = getenv("CAMPUS_DATA");
    (void)snprintf(path, sizeof path, "%s/fence/field_flap_cases.json",
                   data != NULL ? data : CAMPUS_SOURCE_DIR "/../shared/data");
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL) {
        print_message("skipped: %s: %s\n", path, error.text);
        skip();
    }
    return root;
}

static double seconds_of(const char *clock)
{
    char *end;
    double hours = strtod(clock, &end);
    double minutes = strtod(end + 1, &end);
    return hours * 3600 + minutes * 60 + strtod(end + 1, NULL);
}

/* Entries without a time follow their predecessor by after_s, else a minute. An EXIT after an EXIT
 * had an ENTER between: half a minute before it, at the middle. */
static void play(struct town *town, const json_t *log)
{
    double at_s = 40000;
    bool outside = false;
    size_t i;
    json_t *entry;
    json_array_foreach(log, i, entry)
    {
        const json_t *t = json_object_get(entry, "t"), *after = json_object_get(entry, "after_s");
        at_s = t != NULL       ? seconds_of(json_string_value(t))
               : after != NULL ? at_s + json_number_value(after)
                               : at_s + 60;
        const json_t *d = json_object_get(entry, "dist_m");
        const json_t *accuracy = json_object_get(entry, "reported_accuracy_m");
        bool exits = strcmp(json_string_value(json_object_get(entry, "naive")), "EXIT") == 0;
        if (exits && outside) {
            (void)town_fix(town, 1, at_s - 30, 0, 0, 8);
        }
        outside = exits;
        (void)town_fix(town, 1, at_s, d != NULL ? json_number_value(d) : 5, 0,
                       accuracy != NULL ? json_number_value(accuracy) : -1);
    }
}

static void no_logged_flap_crosses_the_fence(void **state)
{
    (void)state;
    static const struct town_fence office = {1, 1, 0, FENCE_PLACE, 0, 0, 50};
    json_t *root = load();
    const json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) >= 3);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        struct town town;
        town_init(&town, 100);
        town_take_fences(&town, town_fences(&office, 1));
        (void)town_stay(&town, 1, 30000, 20, 300, 5, 5); /* the morning at the desk */
        assert_int_equal(engine_presence(town.engine, 1, 1), PRESENCE_INSIDE);
        play(&town, json_object_get(json_array_get(cases, i), "log"));
        assert_int_equal(town.log_count, 0);
        assert_int_equal(engine_presence(town.engine, 1, 1), PRESENCE_INSIDE);
        town_release(&town);
    }
    json_decref(root);
}

/* A week in school with a lie in every hundredth fix, 200 to 700 m at a claimed 1.7 to 10.9 m. */
static void a_week_of_single_lies_raises_nothing(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct town town;
    town_init(&town, 100);
    (void)town_stay(&town, 1, 0, 10, 60, 0, 0);
    bool lied = false;
    for (uint32_t i = 0; i < 7 * 1440; i++) {
        double at_s = 1000 + 60.0 * i;
        lied = !lied && random_below(&random, 100) == 0;
        double north_m = lied ? 300 + random_below(&random, 500) : random_below(&random, 60);
        double accuracy_m = lied ? 1.7 + random_below(&random, 9) : 8;
        (void)town_fix(&town, 1, at_s, north_m, 0, accuracy_m);
    }
    assert_int_equal(town.log_count, 0);
    town_release(&town);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_logged_flap_crosses_the_fence),
        cmocka_unit_test(a_week_of_single_lies_raises_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
