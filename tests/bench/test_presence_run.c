/* Simulated days by several policies at once, and the table of claims. */
#include <string.h>

#include "bench/presence_claims.h"
#include "bench/presence_frontier.h"
#include "tests/check.h"

static const struct run_options small = {
    .pupils = 40, .days = 1, .interval_ms = 60000, .gates = true};

static void run_small(struct run *run, const struct presence_policy *policies, uint32_t count)
{
    struct run_options options = small;
    struct status_detail detail = {""};
    options.policies = policies;
    options.policy_count = count;
    if (run_days(run, &options, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static void the_default_is_the_same_whoever_runs_beside_it(void **state)
{
    (void)state;
    static struct run alone, among;
    struct presence_policy policies[FRONTIER_POLICIES];
    frontier_policies(policies);
    run_small(&alone, NULL, 0);
    run_small(&among, policies, FRONTIER_POLICIES);
    assert_true(alone.raised[0].count > 0);
    assert_int_equal(alone.raised[0].count, among.raised[0].count);
    for (uint32_t i = 0; i < alone.raised[0].count; i++) {
        assert_int_equal(alone.raised[0].items[i].raised_ms, among.raised[0].items[i].raised_ms);
        assert_true(alone.raised[0].items[i].doubt_e6 > 0);
    }
    /* who asks for less raises more */
    const struct run_marks *first = &among.raised[1 + RULES];
    const struct run_marks *last = &among.raised[RULES + FRONTIER_POLICIES];
    assert_true(first->count > among.raised[0].count && last->count < among.raised[0].count);
    run_release(&alone);
    run_release(&among);
}

static void the_frontier_goes_from_less_sure_to_surer(void **state)
{
    (void)state;
    struct presence_policy policies[FRONTIER_POLICIES];
    frontier_policies(policies);
    for (uint32_t i = 1; i < FRONTIER_POLICIES; i++) {
        assert_true(policies[i].leave_mn > policies[i - 1].leave_mn);
        assert_true(policies[i].enter_mn >= policies[i - 1].enter_mn);
        assert_true(policies[i].danger_mn >= policies[i - 1].danger_mn);
    }
}

static void claims_stand_with_those_of_their_kind_and_doubt(void **state)
{
    (void)state;
    static struct claims claims;
    struct score_mark marks[] = {
        {.type = SCORE_LEFT, .doubt_e6 = 99},
        {.type = SCORE_LEFT, .doubt_e6 = 100, .wrong = true},
        {.type = SCORE_LEFT, .doubt_e6 = 299},
        {.type = SCORE_DANGER, .doubt_e6 = 1000000, .wrong = true},
    };
    struct run_marks raised = {.items = marks, .count = 4};
    claims_take(&claims, &raised);
    assert_int_equal(claims.items[SCORE_LEFT][CLAIM_BUCKETS - 1].alerts, 1);
    assert_int_equal(claims.items[SCORE_LEFT][CLAIM_BUCKETS - 1].wrong, 0);
    assert_int_equal(claims.items[SCORE_LEFT][CLAIM_BUCKETS - 2].alerts, 2);
    assert_int_equal(claims.items[SCORE_LEFT][CLAIM_BUCKETS - 2].wrong, 1);
    assert_int_equal(claims.items[SCORE_LEFT][CLAIM_BUCKETS - 2].doubt_sum_e6, 399);
    assert_int_equal(claims.items[SCORE_DANGER][0].wrong, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_the_same_whoever_runs_beside_it),
        cmocka_unit_test(the_frontier_goes_from_less_sure_to_surer),
        cmocka_unit_test(claims_stand_with_those_of_their_kind_and_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
