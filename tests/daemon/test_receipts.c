#include <stdbool.h>

#include "daemon/receipts.h"
#include "tests/check.h"

struct sent {
    uint32_t count;
    struct owed_receipt items[32];
};

static void collect(void *context, const struct owed_receipt *owed)
{
    struct sent *sent = context;
    assert_true(sent->count < 32);
    sent->items[sent->count++] = *owed;
}

static struct owed_receipt owed(uint8_t kind, uint32_t no, uint64_t durable_to, uint64_t end)
{
    return (struct owed_receipt){
        .origin_kind = kind, .no = no, .durable_to = durable_to, .end = end};
}

static void a_receipt_waits_for_the_disk(void **state)
{
    (void)state;
    struct receipts *receipts;
    struct sent sent = {0};
    assert_int_equal(receipts_new(8, 10, &receipts), STATUS_OK);
    struct owed_receipt item = owed(ORIGIN_CARD, 3, 7, 100);
    receipts_add(receipts, &item);
    assert_true(receipts_flush(receipts, 99, collect, &sent));
    assert_int_equal(sent.count, 0);
    assert_false(receipts_flush(receipts, 100, collect, &sent));
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.items[0].durable_to, 7);
    receipts_free(receipts);
}

static void several_for_one_sender_leave_as_the_newest_durable_one(void **state)
{
    (void)state;
    struct receipts *receipts;
    struct sent sent = {0};
    assert_int_equal(receipts_new(8, 10, &receipts), STATUS_OK);
    const struct owed_receipt items[] = {owed(ORIGIN_CARD, 3, 1, 10), owed(ORIGIN_GATE, 3, 1, 20),
                                         owed(ORIGIN_CARD, 3, 2, 30), owed(ORIGIN_CARD, 3, 3, 90)};
    for (size_t i = 0; i < 4; i++) {
        receipts_add(receipts, &items[i]);
    }
    assert_true(receipts_flush(receipts, 50, collect, &sent));
    /* the newest is not durable yet, so the older ones leave: never later than they could */
    assert_true(sent.count >= 2);
    uint64_t highest = 0;
    for (uint32_t i = 0; i < sent.count; i++) {
        if (sent.items[i].origin_kind == ORIGIN_CARD) {
            highest = sent.items[i].durable_to;
        }
    }
    assert_int_equal(highest, 2);
    sent.count = 0;
    assert_false(receipts_flush(receipts, 90, collect, &sent));
    assert_int_equal(sent.count, 1);
    receipts_free(receipts);
}

static void a_full_queue_drops_the_oldest_and_counts(void **state)
{
    (void)state;
    struct receipts *receipts;
    struct sent sent = {0};
    assert_int_equal(receipts_new(4, 10, &receipts), STATUS_OK);
    for (uint32_t no = 1; no <= 6; no++) {
        struct owed_receipt item = owed(ORIGIN_CARD, no, 1, no);
        receipts_add(receipts, &item);
    }
    assert_int_equal(receipts_dropped(receipts), 2);
    assert_false(receipts_flush(receipts, 100, collect, &sent));
    assert_int_equal(sent.count, 4);
    assert_int_equal(sent.items[0].no, 3);
    receipts_free(receipts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_waits_for_the_disk),
        cmocka_unit_test(several_for_one_sender_leave_as_the_newest_durable_one),
        cmocka_unit_test(a_full_queue_drops_the_oldest_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
