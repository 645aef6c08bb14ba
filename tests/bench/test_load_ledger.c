#include <sys/wait.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "tests/check.h"

static void each_card_counts_its_own_reports_and_each_is_found_by_its_number(void **state)
{
    (void)state;
    struct load_ledger ledger;
    uint32_t no[30];
    assert_int_equal(load_ledger_init(&ledger, 3, 30), STATUS_OK);
    for (uint32_t i = 0; i < 30; i++) {
        no[i] = load_ledger_add(&ledger, 0, i % 3, LOAD_FIX, 1, i);
    }
    for (uint32_t sealed = 0; sealed < 2; sealed++) {
        for (uint32_t i = 0; i < 30; i++) {
            assert_int_equal(load_ledger_find(&ledger, i % 3, i / 3 + 1), no[i]);
        }
        assert_int_equal(load_ledger_find(&ledger, 0, 0), LOAD_NONE);
        assert_int_equal(load_ledger_find(&ledger, 0, 11), LOAD_NONE);
        assert_int_equal(load_ledger_find(&ledger, 2, UINT64_MAX), LOAD_NONE);
        load_ledger_seal(&ledger);
    }
    load_ledger_release(&ledger);
}

static void an_acknowledgement_counts_once_and_for_the_whole_message(void **state)
{
    (void)state;
    struct load_ledger ledger;
    assert_int_equal(load_ledger_init(&ledger, 1, 4), STATUS_OK);
    uint32_t fix = load_ledger_add(&ledger, 3, 0, LOAD_FIX, 1, 0);
    uint32_t many = load_ledger_add(&ledger, 3, 0, LOAD_WARM_UP, 48, 0);
    load_ledger_acked(&ledger, 3, many);
    load_ledger_acked(&ledger, 3, many);
    struct load_counts counts = load_ledger_counts(&ledger);
    assert_int_equal(counts.sent, 2);
    assert_int_equal(counts.acked, 1);
    assert_int_equal(counts.acked_events, 48);
    ledger.reports[many].with = fix;
    load_ledger_acked(&ledger, 3, many);
    assert_int_equal(load_ledger_counts(&ledger).acked_events, 49);
    assert_int_equal(load_ledger_counts(&ledger).acked, 2);
    load_ledger_release(&ledger);
}

static void an_sos_is_silent_until_an_alert_names_it(void **state)
{
    (void)state;
    struct load_ledger ledger;
    struct load_report report = {0};
    assert_int_equal(load_ledger_init(&ledger, 2, 4), STATUS_OK);
    (void)load_ledger_add(&ledger, 0, 0, LOAD_FIX, 1, 0);
    (void)load_ledger_add(&ledger, 0, 1, LOAD_SOS, 1, 77);
    assert_int_equal(load_ledger_sent(&ledger, LOAD_SOS), 1);
    assert_int_equal(load_ledger_silent(&ledger, LOAD_SOS), 1);
    assert_false(load_ledger_alerted(&ledger, 1, 2, &report));
    assert_true(load_ledger_alerted(&ledger, 1, 1, &report));
    assert_int_equal(report.due_us, 77);
    assert_true(load_ledger_alerted(&ledger, 1, 1, &report)); /* at another broker */
    assert_int_equal(load_ledger_silent(&ledger, LOAD_SOS), 0);
    assert_int_equal(load_ledger_silent(&ledger, LOAD_FIX), 1);
    load_ledger_release(&ledger);
}

static void a_receipt_covers_all_but_the_newest_that_are_kept(void **state)
{
    (void)state;
    struct load_ledger ledger;
    uint32_t no[12];
    assert_int_equal(load_ledger_init(&ledger, 2, 12), STATUS_OK);
    for (uint32_t i = 0; i < 12; i++) {
        no[i] = load_ledger_add(&ledger, 0, i % 2, LOAD_FIX, 3, i);
    }
    load_ledger_receipted(&ledger, 0, 6);
    assert_int_equal(load_ledger_counts(&ledger).acked, 0);
    load_ledger_receipted(&ledger, 0, 2);
    assert_int_equal(load_ledger_counts(&ledger).acked, 4);
    load_ledger_receipted(&ledger, 0, 2);
    load_ledger_receipted(&ledger, 1, 5);
    assert_int_equal(load_ledger_counts(&ledger).acked_events, 15);
    assert_true(ledger.reports[no[1]].acked && ledger.reports[no[6]].acked);
    assert_false(ledger.reports[no[3]].acked || ledger.reports[no[8]].acked);
    load_ledger_release(&ledger);
}

static void it_says_when_it_is_full(void **state)
{
    (void)state;
    struct load_ledger ledger;
    assert_int_equal(load_ledger_init(&ledger, 1, 10), STATUS_OK);
    uint32_t count = 0;
    while (load_ledger_add(&ledger, 0, 0, LOAD_FIX, 1, 0) != LOAD_NONE) {
        count++;
    }
    assert_int_equal(count, ledger.capacity);
    assert_true(count >= 10);
    assert_int_equal(load_ledger_add(&ledger, 1, 0, LOAD_FIX, 1, 0), LOAD_NONE);
    assert_int_equal(load_ledger_counts(&ledger).sent, count);
    load_ledger_seal(&ledger);
    assert_int_equal(ledger.count, ledger.capacity);
    load_ledger_release(&ledger);
    assert_int_equal(load_ledger_init(&ledger, 1, UINT32_MAX), STATUS_TOO_LARGE);
}

enum { PARTS = 4, CARDS = 40, EACH = 5000 };

/* A generator: its cards' reports, every second message acknowledged. */
static _Noreturn void generate(struct load_ledger *ledger, uint32_t part)
{
    for (uint32_t i = 0; i < EACH; i++) {
        uint32_t card = part + PARTS * (i % (CARDS / PARTS));
        uint32_t no = load_ledger_add(ledger, part, card, LOAD_FIX, 2, i);
        if (no == LOAD_NONE) {
            _exit(1);
        }
        if (i % 2 == 0) {
            load_ledger_acked(ledger, part, no);
        }
    }
    _exit(0);
}

static void processes_fill_it_together(void **state)
{
    (void)state;
    struct load_ledger ledger;
    pid_t pids[PARTS];
    assert_int_equal(load_ledger_init(&ledger, CARDS, (uint64_t)PARTS * EACH), STATUS_OK);
    for (uint32_t i = 0; i < PARTS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            generate(&ledger, i);
        }
    }
    for (uint32_t i = 0; i < PARTS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    struct load_counts counts = load_ledger_counts(&ledger);
    assert_int_equal(counts.sent, PARTS * EACH);
    assert_int_equal(counts.acked, PARTS * EACH / 2);
    assert_int_equal(counts.acked_events, PARTS * EACH);
    load_ledger_seal(&ledger);
    uint32_t found = 0, acked = 0;
    for (uint32_t i = 0; i < ledger.count; i++) { /* as the check of the archive does */
        found += ledger.reports[i].events == 2;
        acked += ledger.reports[i].acked;
    }
    assert_int_equal(found, PARTS * EACH);
    assert_int_equal(acked, PARTS * EACH / 2);
    for (uint32_t card = 0; card < CARDS; card++) {
        const uint32_t each = EACH / (CARDS / PARTS);
        for (uint32_t seq = 1; seq <= each; seq++) {
            uint32_t no = load_ledger_find(&ledger, card, seq);
            assert_true(no != LOAD_NONE);
            assert_int_equal(ledger.reports[no].card, card);
            assert_int_equal(ledger.reports[no].seq, seq);
        }
        assert_int_equal(load_ledger_find(&ledger, card, each + 1), LOAD_NONE);
    }
    load_ledger_release(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_card_counts_its_own_reports_and_each_is_found_by_its_number),
        cmocka_unit_test(an_acknowledgement_counts_once_and_for_the_whole_message),
        cmocka_unit_test(an_sos_is_silent_until_an_alert_names_it),
        cmocka_unit_test(a_receipt_covers_all_but_the_newest_that_are_kept),
        cmocka_unit_test(it_says_when_it_is_full),
        cmocka_unit_test(processes_fill_it_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
