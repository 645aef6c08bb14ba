#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/load/load.h"

static void each_card_counts_its_own_reports_and_each_is_found_by_its_number(void **state)
{
    (void)state;
    struct load_ledger ledger;
    assert_int_equal(load_ledger_init(&ledger, 3, 30), STATUS_OK);
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(load_ledger_add(&ledger, i % 3, LOAD_FIX, 1, i), i);
    }
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(load_ledger_find(&ledger, i % 3, i / 3 + 1), i);
    }
    assert_int_equal(load_ledger_find(&ledger, 0, 0), LOAD_NONE);
    assert_int_equal(load_ledger_find(&ledger, 0, 11), LOAD_NONE);
    load_ledger_release(&ledger);
}

static void an_acknowledgement_counts_once(void **state)
{
    (void)state;
    struct load_ledger ledger;
    assert_int_equal(load_ledger_init(&ledger, 1, 4), STATUS_OK);
    uint32_t fix = load_ledger_add(&ledger, 0, LOAD_FIX, 1, 0);
    uint32_t many = load_ledger_add(&ledger, 0, LOAD_WARM_UP, 48, 0);
    load_ledger_acked(&ledger, many);
    load_ledger_acked(&ledger, many);
    struct load_counts counts = load_ledger_counts(&ledger);
    assert_int_equal(counts.sent, 2);
    assert_int_equal(counts.acked, 1);
    assert_int_equal(counts.acked_events, 48);
    load_ledger_acked(&ledger, fix);
    assert_int_equal(load_ledger_counts(&ledger).acked_events, 49);
    load_ledger_release(&ledger);
}

static void an_sos_is_silent_until_an_alert_names_it(void **state)
{
    (void)state;
    struct load_ledger ledger;
    struct load_report report = {0};
    assert_int_equal(load_ledger_init(&ledger, 2, 4), STATUS_OK);
    (void)load_ledger_add(&ledger, 0, LOAD_FIX, 1, 0);
    (void)load_ledger_add(&ledger, 1, LOAD_SOS, 1, 77);
    assert_int_equal(load_ledger_silent(&ledger, LOAD_SOS), 1);
    assert_false(load_ledger_alerted(&ledger, 1, 2, &report));
    assert_true(load_ledger_alerted(&ledger, 1, 1, &report));
    assert_int_equal(report.due_us, 77);
    assert_int_equal(load_ledger_silent(&ledger, LOAD_SOS), 0);
    load_ledger_release(&ledger);
}

static void a_receipt_covers_all_but_the_newest_that_are_kept(void **state)
{
    (void)state;
    struct load_ledger ledger;
    assert_int_equal(load_ledger_init(&ledger, 2, 12), STATUS_OK);
    for (uint32_t i = 0; i < 12; i++) {
        (void)load_ledger_add(&ledger, i % 2, LOAD_FIX, 3, i);
    }
    load_ledger_receipted(&ledger, 0, 6);
    assert_int_equal(load_ledger_counts(&ledger).acked, 0);
    load_ledger_receipted(&ledger, 0, 2);
    assert_int_equal(load_ledger_counts(&ledger).acked, 4);
    load_ledger_receipted(&ledger, 0, 2);
    load_ledger_receipted(&ledger, 1, 5);
    assert_int_equal(load_ledger_counts(&ledger).acked_events, 15);
    assert_true(ledger.reports[1].acked && ledger.reports[6].acked);
    assert_false(ledger.reports[3].acked || ledger.reports[8].acked);
    load_ledger_release(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_card_counts_its_own_reports_and_each_is_found_by_its_number),
        cmocka_unit_test(an_acknowledgement_counts_once),
        cmocka_unit_test(an_sos_is_silent_until_an_alert_names_it),
        cmocka_unit_test(a_receipt_covers_all_but_the_newest_that_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
