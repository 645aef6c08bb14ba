#include "tests/sim/sim_cities.h"

#include <math.h>
#include <string.h>

#include "sim/day.h"

#define MIDNIGHT_MS 1772380800000 /* 2026-03-02 00:00 in Shanghai */

enum { PUPILS_MAX = 4000 };

static void open_day(struct sim_day *day, const struct sim_city *city, uint64_t seed,
                     uint32_t pupil_count, uint32_t interval_ms, bool noise)
{
    static uint32_t pupils[PUPILS_MAX];
    uint32_t stride = city->options.pupils / pupil_count;
    for (uint32_t i = 0; i < pupil_count; i++) {
        pupils[i] = i * stride;
    }
    struct sim_day_config config = {.city = city,
                                    .seed = seed,
                                    .day = 1,
                                    .midnight_ms = MIDNIGHT_MS,
                                    .pupils = pupils,
                                    .pupil_count = pupil_count,
                                    .interval_ms = interval_ms,
                                    .from_ms = 23400000, /* 06:30 to 20:00 */
                                    .to_ms = 72000000,
                                    .noise = noise};
    struct status_detail detail = {{0}};
    if (sim_day_init(day, &config, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static void the_same_seed_gives_the_same_reports_in_the_order_of_arrival(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sim_city city;
    make_city(&city, seed, 4, 1200, 50);
    struct sim_day a, b;
    open_day(&a, &city, seed, 40, 60000, true);
    open_day(&b, &city, seed, 40, 60000, true);
    struct sim_report x, y;
    memset(&x, 0, sizeof x);
    memset(&y, 0, sizeof y);
    int64_t last_ms = 0;
    uint32_t count = 0;
    while (sim_day_next(&a, &x) == STATUS_OK) {
        assert_int_equal(sim_day_next(&b, &y), STATUS_OK);
        assert_memory_equal(&x, &y, sizeof x);
        assert_true(x.arrival_ms >= last_ms);
        last_ms = x.arrival_ms;
        count++;
    }
    assert_int_equal(sim_day_next(&a, &x), STATUS_END);
    assert_int_equal(sim_day_next(&b, &y), STATUS_END);
    assert_in_range(count, 40 * 700, 40 * 830);
    sim_day_release(&a);
    sim_day_release(&b);
    sim_city_release(&city);
}

static void numbers_of_a_sender_ascend_by_one_but_for_repeats(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 3, 900, 50);
    struct sim_day day;
    open_day(&day, &city, 1, 900, 300000, true);
    static uint64_t cards[900], gates[3 * SIM_GATES_MAX];
    struct sim_report report;
    uint32_t repeats = 0;
    while (sim_day_next(&day, &report) == STATUS_OK) {
        uint32_t school = city.pupils[report.pupil].school;
        uint64_t *last = report.kind == SIM_PASS ? &gates[school * SIM_GATES_MAX + report.gate]
                                                 : &cards[report.pupil];
        assert_true(report.again == (report.seq <= *last));
        if (report.again) {
            repeats++;
            assert_true(*last - report.seq < 16);
        } else {
            assert_true(report.seq == *last + 1);
            *last = report.seq;
        }
    }
    assert_true(repeats > 0);
    sim_day_release(&day);
    sim_city_release(&city);
}

static void without_noise_reports_are_the_truth(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 3, 900, 50);
    struct sim_day day;
    open_day(&day, &city, 1, 30, 30000, false);
    struct sim_report report;
    uint32_t fixes = 0, passes = 0, true_passes = 0;
    while (sim_day_next(&day, &report) == STATUS_OK) {
        uint32_t place = report.pupil / 30; /* the stride of open_day */
        passes += report.kind == SIM_PASS;
        if (report.kind == SIM_FIX) {
            struct geo_point truth =
                sim_day_position(&day, place, (uint32_t)(report.time_ms - MIDNIGHT_MS));
            assert_memory_equal(&truth, &report.point, sizeof truth);
            assert_true(report.time_ms == report.arrival_ms);
            fixes++;
        }
    }
    for (uint32_t i = 0; i < 30; i++) {
        true_passes += sim_day_plan(&day, i)->pass_count;
    }
    assert_true(fixes > 30 * 1500);
    assert_int_equal(passes, true_passes);
    sim_day_release(&day);
    sim_city_release(&city);
}

/* ---- the figures of real phones ---- */

struct figures {
    uint32_t fixes, positioned, classes[7], late, ahead, doubled, disordered, far_off;
    uint32_t naive, truth;
};

static const double class_ends_m[] = {10, 30, 50, 100, 200, 1000, 1e9};

static void count_class(struct figures *f, double accuracy_m)
{
    int i = 0;
    while (accuracy_m > class_ends_m[i] + 0.01) {
        i++;
    }
    f->classes[i]++;
    f->positioned++;
}

static void measure(const struct sim_city *city, struct sim_day *day, uint32_t stride,
                    struct figures *f)
{
    static int64_t last_ms[PUPILS_MAX];
    static struct sim_report last[PUPILS_MAX];
    static uint8_t sides[PUPILS_MAX]; /* 0 not known, 1 outside, 2 inside */
    struct sim_report report;
    while (sim_day_next(day, &report) == STATUS_OK) {
        if (report.kind != SIM_FIX) {
            continue;
        }
        uint32_t i = report.pupil / stride;
        f->fixes++;
        f->late += report.arrival_ms - report.time_ms > 60000;
        f->ahead += report.time_ms > report.arrival_ms;
        f->doubled += report.time_ms == last[i].time_ms;
        f->disordered += report.time_ms < last_ms[i];
        last_ms[i] = report.time_ms > last_ms[i] ? report.time_ms : last_ms[i];
        last[i] = report;
        if (!report.has_position || report.point.lat_e7 == 0) {
            continue;
        }
        count_class(f, report.accuracy_cm / 100.0);
        struct geo_point truth = sim_day_position(day, i, (uint32_t)(report.time_ms - MIDNIGHT_MS));
        f->far_off += report.accuracy_cm <= 3000 && geo_distance_m(truth, report.point) > 300;
        const struct sim_school *school = &city->schools[city->pupils[report.pupil].school];
        uint8_t side = geo_shape_covers(&school->fences[SIM_FENCE_GROUND], report.point) ? 2 : 1;
        f->naive += sides[i] != 0 && sides[i] != side;
        sides[i] = side;
    }
}

static void count_truth(const struct sim_day *day, struct figures *f)
{
    for (uint32_t i = 0; i < day->config.pupil_count; i++) {
        f->truth += sim_day_plan(day, i)->pass_count;
    }
}

static void expect_share(const char *what, uint32_t count, uint32_t of, double low, double high)
{
    double share = 100.0 * count / of;
    print_message("%s: %.2f %%, expected %.2f to %.2f\n", what, share, low, high);
    assert_true(share >= low && share <= high);
}

static void noise_is_near_the_figures_of_real_phones(void **state)
{
    (void)state;
    static const double measured[] = {34, 27, 7, 8, 6, 17, 1.5};
    struct sim_city city;
    make_city(&city, 1, 20, 8000, 100);
    struct sim_day day;
    open_day(&day, &city, 1, 2000, 60000, true);
    struct figures f = {0};
    measure(&city, &day, 4, &f);
    count_truth(&day, &f);
    for (int i = 0; i < 7; i++) {
        char what[64];
        (void)snprintf(what, sizeof what, "accuracy <= %.0f m", class_ends_m[i]);
        double slack = measured[i] > 10 ? 3 : measured[i] > 2 ? 1.5 : 0.5;
        expect_share(what, f.classes[i], f.positioned, measured[i] - slack, measured[i] + slack);
    }
    expect_share("later than 60 s", f.late, f.fixes, 1.0, 2.4);
    expect_share("stamped ahead", f.ahead, f.fixes, 0.5, 1.6);
    expect_share("doubled", f.doubled, f.fixes, 0.8, 1.6);
    expect_share("out of order", f.disordered, f.fixes, 1.0, 4.0);
    expect_share("good claim, over 300 m off", f.far_off, f.fixes, 0.3, 1.2);
    /* Phones: 1,099 enter and exit events by the plain rule where 202 are true. */
    print_message("plain rule: %u, true: %u\n", f.naive, f.truth);
    assert_true(f.naive > 4 * f.truth && f.naive < 20 * f.truth);
    sim_day_release(&day);
    sim_city_release(&city);
}

static void bad_configs_are_refused_with_words(void **state)
{
    (void)state;
    struct sim_city city;
    make_city(&city, 1, 1, 400, 0);
    const uint32_t good[] = {1, 2}, twice[] = {1, 1}, beyond[] = {1, 400};
    const struct sim_day_config base = {.city = &city,
                                        .pupils = good,
                                        .pupil_count = 2,
                                        .interval_ms = 60000,
                                        .from_ms = SIM_DAY_BEGIN_MS,
                                        .to_ms = SIM_DAY_END_MS};
    struct sim_day_config bad[7] = {base, base, base, base, base, base, base};
    bad[0].pupils = twice;
    bad[1].pupils = beyond;
    bad[2].pupil_count = 0;
    bad[3].pupil_count = 401;
    bad[4].interval_ms = 10;
    bad[5].from_ms = SIM_DAY_BEGIN_MS - 1;
    bad[6].to_ms = SIM_DAY_BEGIN_MS;
    struct sim_day day;
    for (int i = 0; i < 7; i++) {
        struct status_detail detail = {{0}};
        assert_int_equal(sim_day_init(&day, &bad[i], &detail), STATUS_INVALID);
        assert_true(strlen(detail.text) > 0);
    }
    assert_int_equal(sim_day_init(&day, &base, NULL), STATUS_OK);
    sim_day_release(&day);
    sim_city_release(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_reports_in_the_order_of_arrival),
        cmocka_unit_test(numbers_of_a_sender_ascend_by_one_but_for_repeats),
        cmocka_unit_test(without_noise_reports_are_the_truth),
        cmocka_unit_test(noise_is_near_the_figures_of_real_phones),
        cmocka_unit_test(bad_configs_are_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
