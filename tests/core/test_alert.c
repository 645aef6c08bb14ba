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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_says_what_caused_it),
        cmocka_unit_test(the_longest_id_fits),
        cmocka_unit_test(another_cause_type_or_fence_is_another_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
