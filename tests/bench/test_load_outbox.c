#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/load/mqtt_wire.h"
#include "bench/load/outbox.h"

/* "t", and two bytes: 2 + 3 + 2 + 2 */
enum { PACKET = 9 };

static void publish(struct outbox *outbox, uint32_t note)
{
    assert_int_equal(outbox_publish(outbox, TEXT("t"), TEXT("xy"), note), STATUS_OK);
}

static void send_all(struct outbox *outbox)
{
    outbox_sent(outbox, outbox_unsent(outbox).length);
    assert_int_equal(outbox_unsent(outbox).length, 0);
}

static uint16_t id_at(const struct outbox *outbox, size_t place)
{
    const uint8_t *packet = (const uint8_t *)outbox_unsent(outbox).at + place * PACKET;
    return (uint16_t)(packet[5] << 8 | packet[6]);
}

static void an_acknowledgement_brings_the_note_of_its_message(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint32_t note = 0;
    for (uint32_t i = 0; i < 100; i++) {
        publish(&outbox, 1000 + i);
    }
    assert_int_equal(outbox_unsent(&outbox).length, 100 * PACKET);
    assert_int_equal(id_at(&outbox, 0), 1);
    assert_int_equal(id_at(&outbox, 99), 100);
    send_all(&outbox);
    for (uint16_t id = 100; id > 0; id--) { /* in any order */
        assert_int_equal(outbox_acked(&outbox, id, &note), STATUS_OK);
        assert_int_equal(note, 999u + id);
    }
    assert_int_equal(outbox.count, 0);
    assert_int_equal(outbox.end, 0);
    outbox_release(&outbox);
}

static void acknowledgements_of_nothing_are_told(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint32_t note = 0;
    assert_int_equal(outbox_acked(&outbox, 1, &note), STATUS_NOT_FOUND);
    publish(&outbox, 7);
    publish(&outbox, 8);
    send_all(&outbox);
    assert_int_equal(outbox_acked(&outbox, 0, &note), STATUS_NOT_FOUND);
    assert_int_equal(outbox_acked(&outbox, 3, &note), STATUS_NOT_FOUND);
    assert_int_equal(outbox_acked(&outbox, 65535, &note), STATUS_NOT_FOUND);
    assert_int_equal(outbox_acked(&outbox, 2, &note), STATUS_OK);
    assert_int_equal(outbox_acked(&outbox, 2, &note), STATUS_EXISTS);
    assert_int_equal(outbox_acked(&outbox, 1, &note), STATUS_OK);
    assert_int_equal(outbox_acked(&outbox, 1, &note), STATUS_NOT_FOUND);
    outbox_release(&outbox);
}

static void ids_go_around_and_memory_stays_what_is_under_way(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint32_t note = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        publish(&outbox, i);
        uint16_t id = id_at(&outbox, 0);
        assert_int_equal(id, i % MQTT_ID_MAX + 1);
        send_all(&outbox);
        if (i >= 3) { /* three under way */
            assert_int_equal(outbox_acked(&outbox, (uint16_t)((i - 3) % MQTT_ID_MAX + 1), &note),
                             STATUS_OK);
            assert_int_equal(note, i - 3);
        }
    }
    assert_true(outbox.capacity <= 512 && outbox.ring <= 8);
    outbox_release(&outbox);
}

static void it_is_full_before_ids_run_out(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint32_t note = 0;
    for (uint32_t i = 0; i < OUTBOX_MESSAGES_MAX; i++) {
        assert_false(outbox_full(&outbox));
        publish(&outbox, i);
    }
    assert_true(outbox_full(&outbox));
    assert_int_equal(outbox_publish(&outbox, TEXT("t"), TEXT("xy"), 1), STATUS_FULL);
    send_all(&outbox);
    assert_int_equal(outbox_acked(&outbox, 1, &note), STATUS_OK);
    assert_false(outbox_full(&outbox));
    outbox_release(&outbox);
}

static void it_is_full_before_memory_runs_out(void **state)
{
    (void)state;
    static char payload[60000];
    struct outbox outbox = {0};
    uint32_t count = 0;
    while (!outbox_full(&outbox)) {
        assert_int_equal(
            outbox_publish(&outbox, TEXT("t"), (struct text){payload, sizeof payload}, count++),
            STATUS_OK);
    }
    assert_in_range(count, 260, OUTBOX_BYTES_MAX / sizeof payload);
    assert_true(outbox.end <= OUTBOX_BYTES_MAX);
    outbox_release(&outbox);
}

static void after_a_loss_what_is_not_acknowledged_is_sent_again_and_marked(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint32_t note = 0;
    for (uint32_t i = 0; i < 5; i++) {
        publish(&outbox, i);
    }
    outbox_sent(&outbox, 3 * PACKET + 2); /* three, and a piece of the fourth */
    assert_int_equal(outbox_acked(&outbox, 1, &note), STATUS_OK);
    outbox_rewind(&outbox);
    assert_int_equal(outbox_unsent(&outbox).length, 4 * PACKET);
    assert_int_equal(id_at(&outbox, 0), 2);
    const char *bytes = outbox_unsent(&outbox).at;
    assert_int_equal(bytes[0], 0x3a);                  /* again */
    assert_int_equal(bytes[(size_t)3 * PACKET], 0x32); /* for the first time */
    send_all(&outbox);
    for (uint16_t id = 2; id <= 5; id++) {
        assert_int_equal(outbox_acked(&outbox, id, &note), STATUS_OK);
    }
    assert_int_equal(outbox.end, 0);
    outbox_release(&outbox);
}

static void a_broker_ahead_of_its_time_gets_the_packet_whole(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint32_t note = 0;
    publish(&outbox, 1);
    publish(&outbox, 2);
    outbox_sent(&outbox, 4);
    assert_int_equal(outbox_acked(&outbox, 1, &note), STATUS_OK);
    assert_int_equal(outbox_unsent(&outbox).length, 2 * PACKET - 4);
    send_all(&outbox);
    assert_int_equal(outbox_acked(&outbox, 2, &note), STATUS_OK);
    assert_int_equal(outbox.end, 0);
    outbox_release(&outbox);
}

static void without_acknowledgements_what_left_whole_is_forgotten(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    for (uint32_t i = 0; i < 100000; i++) { /* never all of it leaves */
        assert_int_equal(outbox_tell(&outbox, TEXT("t"), TEXT("x")), STATUS_OK);
        outbox_sent(&outbox, outbox_unsent(&outbox).length - 1);
    }
    assert_true(outbox.capacity <= 256);
    outbox_rewind(&outbox);
    assert_int_equal(outbox_unsent(&outbox).length, 6); /* the last, from its beginning */
    assert_int_equal(outbox_unsent(&outbox).at[0], 0x30);
    outbox_sent(&outbox, 6);
    assert_int_equal(outbox.end, 0);
    outbox_release(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acknowledgement_brings_the_note_of_its_message),
        cmocka_unit_test(acknowledgements_of_nothing_are_told),
        cmocka_unit_test(ids_go_around_and_memory_stays_what_is_under_way),
        cmocka_unit_test(it_is_full_before_ids_run_out),
        cmocka_unit_test(it_is_full_before_memory_runs_out),
        cmocka_unit_test(after_a_loss_what_is_not_acknowledged_is_sent_again_and_marked),
        cmocka_unit_test(a_broker_ahead_of_its_time_gets_the_packet_whole),
        cmocka_unit_test(without_acknowledgements_what_left_whole_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
