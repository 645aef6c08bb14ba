#include "broker-bridge/recent.h"
#include "tests/check.h"
#include "tests/core/random.h"

enum { CAPACITY = 64, MANY = 10 * CAPACITY, ROUNDS = 20000 };

static void the_last_pairs_are_known_and_older_ones_are_not(void **state)
{
    (void)state;
    struct recent recent;
    assert_int_equal(recent_init(&recent, CAPACITY), STATUS_OK);
    for (uint64_t seq = 0; seq < MANY; seq++) {
        recent_add(&recent, 7, seq);
        for (uint64_t back = 0; back <= seq; back++) {
            assert_int_equal(recent_has(&recent, 7, seq - back), back < CAPACITY);
        }
        assert_false(recent_has(&recent, 8, seq));
    }
    recent_release(&recent);
}

/* The same, drawn at random, beside a plain list. */
static void it_knows_what_a_list_knows(void **state)
{
    (void)state;
    struct recent recent;
    struct {
        uint32_t no;
        uint64_t seq;
    } list[CAPACITY] = {{0, 0}};
    uint64_t random = random_seed(), at = 0;
    assert_int_equal(recent_init(&recent, CAPACITY), STATUS_OK);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t no = 1 + random_below(&random, 5);
        uint64_t seq = random_below(&random, 40);
        bool known = false;
        for (int i = 0; i < CAPACITY; i++) {
            known |= list[i].no == no && list[i].seq == seq;
        }
        assert_int_equal(recent_has(&recent, no, seq), known);
        if (!known) {
            recent_add(&recent, no, seq);
            list[at % CAPACITY].no = no;
            list[at++ % CAPACITY].seq = seq;
        }
    }
    recent_release(&recent);
}

static void one_place_holds_one_pair(void **state)
{
    (void)state;
    struct recent recent;
    assert_int_equal(recent_init(&recent, 1), STATUS_OK);
    recent_add(&recent, 1, 1);
    recent_add(&recent, 1, 2);
    assert_false(recent_has(&recent, 1, 1));
    assert_true(recent_has(&recent, 1, 2));
    recent_release(&recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_pairs_are_known_and_older_ones_are_not),
        cmocka_unit_test(it_knows_what_a_list_knows),
        cmocka_unit_test(one_place_holds_one_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
