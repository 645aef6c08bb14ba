#include "tests/check.h"

#include <math.h>
#include <string.h>

#include "sim/card.h"

static void the_same_seed_gives_the_same_fixes(void **state)
{
    (void)state;
    struct sim_card a, b;
    sim_card_init(&a, 5, 1, 77);
    sim_card_init(&b, 5, 1, 77);
    for (uint32_t ms = 25000000; ms < 40000000; ms += 30000) {
        struct sim_fix x, y;
        memset(&x, 0, sizeof x);
        memset(&y, 0, sizeof y);
        bool told = sim_card_fix(&a, ms, (struct sim_spot){10, 20}, ms % 3 == 0, &x);
        assert_true(sim_card_fix(&b, ms, (struct sim_spot){10, 20}, ms % 3 == 0, &y) == told);
        assert_memory_equal(&x, &y, sizeof x);
    }
}

struct tally {
    uint32_t fixes, within_68;
};

/* Honest fixes only: those that lie or drift claim little and are far off. */
static void claims_hold_for_two_of_three_fixes(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint32_t n = 0; n < 3000; n++) {
        struct sim_card card;
        struct sim_fix fix;
        sim_card_init(&card, 1, 1, n);
        for (uint32_t i = 0; i < 20; i++) {
            if (!sim_card_fix(&card, 25000000 + i * 120000, (struct sim_spot){0, 0}, true, &fix) ||
                !fix.has_position) {
                continue;
            }
            double off_m = sim_spot_radius_m(fix.spot);
            bool honest = fix.source != SIM_GNSS || off_m < fix.accuracy_m * 4;
            tally.fixes += honest;
            tally.within_68 += honest && off_m <= fix.accuracy_m;
        }
    }
    double share = (double)tally.within_68 / tally.fixes;
    assert_true(fabs(share - 0.68) < 0.03);
}

static void errors_of_neighbouring_seconds_are_the_same_error(void **state)
{
    (void)state;
    double near = 0, far = 0, all = 0;
    for (uint32_t n = 0; n < 20000; n++) {
        struct sim_card card;
        struct sim_fix fix;
        sim_card_init(&card, 1, 1, n);
        (void)sim_card_fix(&card, 25000000, (struct sim_spot){0, 0}, false, &fix);
        double first = card.error_east;
        (void)sim_card_fix(&card, 25001000, (struct sim_spot){0, 0}, false, &fix);
        near += first * card.error_east;
        (void)sim_card_fix(&card, 25900000, (struct sim_spot){0, 0}, false, &fix);
        far += first * card.error_east;
        all += first * first;
    }
    assert_true(near / all > 0.95);
    assert_true(fabs(far / all) < 0.05);
}

static void a_gap_holds_fixes_back_and_loses_those_beyond_its_memory(void **state)
{
    (void)state;
    uint32_t gaps = 0;
    for (uint32_t n = 0; n < 400; n++) {
        struct sim_card card;
        struct sim_fix fix;
        sim_card_init(&card, 1, 1, n);
        for (uint32_t ms = 25000000; ms < 60000000; ms += 10000) {
            bool told = sim_card_fix(&card, ms, (struct sim_spot){0, 0}, true, &fix);
            assert_true(card.held <= SIM_CARD_HELD_MAX);
            if (ms < card.gap_end_ms && told) {
                assert_in_range(fix.arrival_ms, card.gap_end_ms, card.gap_end_ms + 1000);
                gaps++;
            }
            if (told) {
                assert_true(fix.arrival_ms >= ms);
            }
        }
    }
    assert_true(gaps > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_fixes),
        cmocka_unit_test(claims_hold_for_two_of_three_fixes),
        cmocka_unit_test(errors_of_neighbouring_seconds_are_the_same_error),
        cmocka_unit_test(a_gap_holds_fixes_back_and_loses_those_beyond_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
