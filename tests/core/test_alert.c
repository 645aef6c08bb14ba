#include "core/alert.h"

#include <string.h>

#include "tests/check.h"

static void an_id_says_what_caused_it(void **state)
{
    (void)state;
    struct alert alert = {.type = ALERT_LEFT,
                          .index = 3,
                          .fence_no = 12,
                          .cause = {.kind = ORIGIN_CARD, .no = 134000, .epoch = 2, .seq = 99}};
    char id[ALERT_ID_MAX];
    alert_id(&alert, id);
    assert_string_equal(id, "left-c134000.2.99.3-f12");
    alert.type = ALERT_GATE_PASS;
    alert.fence_no = 0;
    alert.cause.kind = ORIGIN_GATE;
    alert_id(&alert, id);
    assert_string_equal(id, "gate_pass-g134000.2.99.3");
    struct alert silent = {.type = ALERT_SILENT,
                           .cause = {.kind = ORIGIN_TICK, .no = 134000, .seq = 1772409600}};
    alert_id(&silent, id);
    assert_string_equal(id, "silent-t134000.0.1772409600.0");
}

static void the_longest_id_fits(void **state)
{
    (void)state;
    char id[ALERT_ID_MAX];
    for (int type = ALERT_NONE + 1; type < ALERT_TYPE_COUNT; type++) {
        struct alert alert = {.type = (uint8_t)type,
                              .index = UINT16_MAX,
                              .fence_no = UINT32_MAX,
                              .cause = {.no = UINT32_MAX, .epoch = UINT32_MAX, .seq = UINT64_MAX}};
        alert_id(&alert, id);
        assert_true(strlen(id) < ALERT_ID_MAX);
        assert_non_null(strstr(id, ".18446744073709551615.65535-f4294967295"));
    }
}

static void another_cause_type_or_fence_is_another_id(void **state)
{
    (void)state;
    struct alert alerts[] = {
        {.type = ALERT_LEFT, .fence_no = 1, .cause = {.no = 1, .seq = 11}},
        {.type = ALERT_LEFT, .fence_no = 11, .cause = {.no = 1, .seq = 1}},
        {.type = ALERT_LEFT, .fence_no = 1, .cause = {.no = 11, .seq = 1}},
        {.type = ALERT_LEFT, .fence_no = 1, .cause = {.no = 1, .epoch = 1, .seq = 1}},
        {.type = ALERT_LEFT, .fence_no = 1, .index = 1, .cause = {.no = 1, .seq = 1}},
        {.type = ALERT_ENTERED, .fence_no = 1, .cause = {.no = 1, .seq = 11}},
        {.type = ALERT_LEFT, .fence_no = 1, .cause = {.kind = ORIGIN_GATE, .no = 1, .seq = 11}},
        {.type = ALERT_LEFT, .fence_no = 1, .cause = {.kind = ORIGIN_TICK, .no = 1, .seq = 11}},
    };
    enum { COUNT = sizeof alerts / sizeof alerts[0] };
    char ids[COUNT][ALERT_ID_MAX];
    for (int i = 0; i < COUNT; i++) {
        alert_id(&alerts[i], ids[i]);
        for (int other = 0; other < i; other++) {
            assert_string_not_equal(ids[i], ids[other]);
        }
    }
}

static void of_a_card_s_state_the_school_alone_hears(void **state)
{
    (void)state;
    for (int type = ALERT_NONE + 1; type < ALERT_TYPE_COUNT; type++) {
        assert_int_equal(alert_is_for_guardians((enum alert_type)type),
                         type != ALERT_SILENT && type != ALERT_HEARD);
    }
}

/* Numbers on disk: they keep their meaning. */
static void types_have_the_numbers_that_journals_know(void **state)
{
    (void)state;
    assert_int_equal(ALERT_ENTERED, 1);
    assert_int_equal(ALERT_POWERED_OFF, 8);
    assert_int_equal(ALERT_SILENT, 9);
    assert_int_equal(ALERT_HEARD, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_says_what_caused_it),
        cmocka_unit_test(the_longest_id_fits),
        cmocka_unit_test(another_cause_type_or_fence_is_another_id),
        cmocka_unit_test(of_a_card_s_state_the_school_alone_hears),
        cmocka_unit_test(types_have_the_numbers_that_journals_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
