#include <string.h>

#include "core/limits.h"
#include "core/sequence.h"
#include "tests/check.h"
#include "tests/core/random.h"

static void reports_in_order_are_each_here_once(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        assert_false(sequence_seen(&sequence, 0, seq));
        sequence_take(&sequence, 0, seq, 0);
        assert_true(sequence_seen(&sequence, 0, seq));
        assert_int_equal(sequence.durable_to, seq);
    }
    assert_int_equal(sequence.gaps, 0);
}

static void a_hole_holds_the_receipt_until_it_is_filled(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    sequence_take(&sequence, 0, 1, 1);
    sequence_take(&sequence, 0, 3, 1);
    sequence_take(&sequence, 0, 4, 1);
    assert_int_equal(sequence.durable_to, 1);
    assert_false(sequence_seen(&sequence, 0, 2));
    assert_true(sequence_seen(&sequence, 0, 4));
    sequence_take(&sequence, 0, 2, 2);
    assert_int_equal(sequence.durable_to, 4);
    assert_int_equal(sequence.gaps, 0);
}

static void what_the_sender_no_longer_keeps_is_given_up(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    sequence_take(&sequence, 0, 10, 8);
    assert_int_equal(sequence.durable_to, 7);
    assert_int_equal(sequence.gaps, 7);
    sequence_take(&sequence, 0, 10, 10); /* a repeat that lets go of more */
    assert_int_equal(sequence.durable_to, 10);
    assert_int_equal(sequence.gaps, 9);
    sequence_take(&sequence, 0, 11, 500); /* keeps from beyond itself: no more than itself */
    assert_int_equal(sequence.durable_to, 11);
}

static void a_new_epoch_starts_anew_and_an_old_one_is_past(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    sequence_take(&sequence, 3, 100, 0);
    assert_true(sequence_seen(&sequence, 2, 1000));
    assert_false(sequence_seen(&sequence, 4, 1));
    sequence_take(&sequence, 2, 1000, 0);
    assert_int_equal(sequence.epoch, 3);
    sequence_take(&sequence, 4, 1, 0);
    assert_int_equal(sequence.epoch, 4);
    assert_int_equal(sequence.durable_to, 1);
}

static void numbers_as_large_as_they_get_do_not_overflow(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    sequence_take(&sequence, 0, 1772409600000, 0);
    assert_int_equal(sequence.durable_to, 1772409600000 - SEQUENCE_WINDOW);
    assert_int_equal(sequence.gaps, UINT32_MAX);
    sequence_take(&sequence, 0, UINT64_MAX, UINT64_MAX);
    assert_true(sequence_seen(&sequence, 0, UINT64_MAX));
    assert_int_equal(sequence.durable_to, UINT64_MAX);
    assert_true(sequence_seen(&sequence, 1, 0)); /* no number at all is never new */
}

enum { MODEL_END = 4000 };
struct model {
    bool here[MODEL_END];
    uint64_t floor; /* everything up to it counts as here */
    uint32_t gaps;
};

static void model_raise_floor(struct model *model, uint64_t to)
{
    while (model->floor < to) {
        model->gaps += !model->here[++model->floor];
    }
}

static void model_take(struct model *model, uint64_t seq, uint64_t keep_from)
{
    uint64_t kept = keep_from < seq ? keep_from : seq;
    if (kept > 0) {
        model_raise_floor(model, kept - 1);
    }
    if (seq > SEQUENCE_WINDOW) {
        model_raise_floor(model, seq - SEQUENCE_WINDOW);
    }
    model->here[seq] = true;
    while (model->floor + 1 < MODEL_END && model->here[model->floor + 1]) {
        model->floor++;
    }
}

static void the_window_agrees_with_a_plain_set(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    for (int round = 0; round < 200; round++) {
        struct sequence sequence = {0};
        static struct model model;
        memset(&model, 0, sizeof model);
        uint64_t at = 1;
        for (int step = 0; step < 500 && at + 200 < MODEL_END; step++) {
            uint32_t jump = random_below(&random, 100) == 0 ? 150 : 6;
            at += random_below(&random, jump);
            uint64_t back = random_below(&random, 70), seq = at > back ? at - back : at;
            uint64_t keep = random_below(&random, 5) == 0 && seq > 40 ? seq - 40 : 0;
            bool here = seq <= model.floor || model.here[seq];
            assert_int_equal(sequence_seen(&sequence, 0, seq), here);
            if (!here) {
                model_take(&model, seq, keep);
                sequence_take(&sequence, 0, seq, keep);
            }
            assert_int_equal(sequence.durable_to, model.floor);
            assert_int_equal(sequence.gaps, model.gaps);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_in_order_are_each_here_once),
        cmocka_unit_test(a_hole_holds_the_receipt_until_it_is_filled),
        cmocka_unit_test(what_the_sender_no_longer_keeps_is_given_up),
        cmocka_unit_test(a_new_epoch_starts_anew_and_an_old_one_is_past),
        cmocka_unit_test(numbers_as_large_as_they_get_do_not_overflow),
        cmocka_unit_test(the_window_agrees_with_a_plain_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
