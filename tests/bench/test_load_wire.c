#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/load/mqtt_wire.h"

static void connect_has_the_bytes_of_the_standard(void **state)
{
    (void)state;
    static const uint8_t bare[] = {0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'a', '1'};
    static const uint8_t full[] = {0x10, 20, 0, 4,   'M', 'Q', 'T', 'T', 4, 0xc2, 0x01,
                                   0x02, 0,  1, 'x', 0,   2,   'm', 'e', 0, 1,    'p'};
    uint8_t bytes[64];
    struct mqtt_connect connect = {.client_id = TEXT("a1"), .keepalive_s = 60};
    assert_int_equal(mqtt_connect_bytes(&connect), sizeof bare);
    assert_int_equal(mqtt_put_connect(&connect, bytes), sizeof bare);
    assert_memory_equal(bytes, bare, sizeof bare);
    connect = (struct mqtt_connect){TEXT("x"), TEXT("me"), TEXT("p"), 258};
    assert_int_equal(mqtt_connect_bytes(&connect), sizeof full);
    assert_int_equal(mqtt_put_connect(&connect, bytes), sizeof full);
    assert_memory_equal(bytes, full, sizeof full);
}

static void what_no_packet_can_hold_is_refused(void **state)
{
    (void)state;
    static char text[MQTT_TEXT_MAX + 1];
    memset(text, 'x', sizeof text);
    struct mqtt_connect connect = {.client_id = {text, sizeof text}};
    assert_int_equal(mqtt_connect_bytes(&connect), 0);
    connect = (struct mqtt_connect){.client_id = TEXT("a"), .password = TEXT("no user")};
    assert_int_equal(mqtt_connect_bytes(&connect), 0);
    struct mqtt_publish publish = {{text, sizeof text}, TEXT("p"), 1};
    assert_int_equal(mqtt_publish_bytes(&publish), 0);
    publish = (struct mqtt_publish){TEXT(""), TEXT("p"), 1};
    assert_int_equal(mqtt_publish_bytes(&publish), 0);
    publish = (struct mqtt_publish){TEXT("t"), {text, (size_t)MQTT_REMAINING_MAX}, 0};
    assert_int_equal(mqtt_publish_bytes(&publish), 0);
    publish.payload.length = MQTT_REMAINING_MAX - 3;
    assert_int_equal(mqtt_publish_bytes(&publish), (size_t)MQTT_REMAINING_MAX + 5);
}

static void publish_has_the_bytes_of_the_standard(void **state)
{
    (void)state;
    static const uint8_t plain[] = {0x30, 6, 0, 1, 't', 'a', 'b', 'c'};
    static const uint8_t kept[] = {0x32, 8, 0, 1, 't', 0x12, 0x34, 'a', 'b', 'c'};
    uint8_t bytes[64];
    struct mqtt_publish publish = {TEXT("t"), TEXT("abc"), 0};
    assert_int_equal(mqtt_publish_bytes(&publish), sizeof plain);
    assert_int_equal(mqtt_put_publish(&publish, bytes), sizeof plain);
    assert_memory_equal(bytes, plain, sizeof plain);
    publish.id = 0x1234;
    assert_int_equal(mqtt_put_publish(&publish, bytes), sizeof kept);
    assert_memory_equal(bytes, kept, sizeof kept);
    mqtt_mark_again(bytes);
    assert_int_equal(bytes[0], 0x3a);
    mqtt_put_pingreq(bytes);
    assert_memory_equal(bytes, "\xc0\0", 2);
    mqtt_put_disconnect(bytes);
    assert_memory_equal(bytes, "\xe0\0", 2);
}

/* At the sizes where the length takes a byte more. */
static void a_packet_tells_its_own_length(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 122, 123, 124, 16378, 16379, 16380, 2097146, 2097147};
    char *payload = calloc(1, 2097147);
    uint8_t *bytes = malloc(2097147 + 16);
    assert_non_null(payload);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct mqtt_publish publish = {TEXT("t"), {payload, sizes[i]}, 7};
        size_t size = mqtt_publish_bytes(&publish);
        assert_int_equal(mqtt_put_publish(&publish, bytes), size);
        assert_int_equal(mqtt_packet_bytes(bytes), size);
    }
    free(payload);
    free(bytes);
}

static const uint8_t answers[] = {0x20, 2, 0, 0, 0x40, 2, 0xff, 0xff, 0xd0, 0, 0x40, 2, 0, 1};

static void check_answers(const struct mqtt_answer *got, size_t count)
{
    assert_int_equal(count, 4);
    assert_int_equal(got[0].type, MQTT_CONNACK);
    assert_int_equal(got[0].code, 0);
    assert_int_equal(got[1].type, MQTT_PUBACK);
    assert_int_equal(got[1].id, 0xffff);
    assert_int_equal(got[2].type, MQTT_PINGRESP);
    assert_int_equal(got[3].id, 1);
}

static void answers_are_read_whatever_the_slices(void **state)
{
    (void)state;
    for (size_t first = 0; first <= sizeof answers; first++) {
        for (size_t second = first; second <= sizeof answers; second++) {
            const size_t ends[] = {first, second, sizeof answers};
            struct mqtt_reader reader = {.have = 0};
            struct mqtt_answer got[8];
            size_t count = 0;
            const uint8_t *at = answers;
            for (size_t i = 0; i < 3; i++) {
                enum status status;
                while ((status = mqtt_read(&reader, &at, answers + ends[i], &got[count], NULL)) ==
                       STATUS_OK) {
                    count++;
                }
                assert_int_equal(status, STATUS_END);
                assert_ptr_equal(at, answers + ends[i]);
            }
            check_answers(got, count);
        }
    }
}

static void what_no_sender_gets_is_named(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[4];
        size_t size;
        const char *words;
    } cases[] = {
        {{0x30, 5}, 2, "PUBLISH"},
        {{0x90, 3}, 2, "SUBACK"},
        {{0x10}, 1, "CONNECT"},
        {{0xc0}, 1, "PINGREQ"},
        {{0x00}, 1, "type 0"},
        {{0xf0}, 1, "type 15"},
        {{0x41, 2}, 2, "PUBACK"},
        {{0x40, 3}, 2, "PUBACK whose length begins with byte 3"},
        {{0x40, 0x82}, 2, "byte 130"},
        {{0xd0, 1}, 2, "PINGRESP"},
        {{0x20, 0}, 2, "CONNACK"},
        {{0x40, 2, 0, 0}, 4, "message 0"},
        {{0x20, 2, 2, 0}, 4, "flags 0x02"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mqtt_reader reader = {.have = 0};
        struct mqtt_answer answer;
        struct status_detail detail = {""};
        const uint8_t *at = cases[i].bytes;
        assert_int_equal(mqtt_read(&reader, &at, at + cases[i].size, &answer, &detail),
                         STATUS_INVALID);
        if (strstr(detail.text, cases[i].words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", detail.text, cases[i].words);
        }
    }
}

/* Every text of two bytes and a half: nothing is read beyond its end, and nothing loops. */
static void no_bytes_harm_the_reader(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 1u << 20; value++) {
        uint8_t *bytes = malloc(3); /* on the heap: a sanitizer sees the byte behind it */
        assert_non_null(bytes);
        memcpy(bytes, &value, 3);
        struct mqtt_reader reader = {.have = 0};
        struct mqtt_answer answer;
        const uint8_t *at = bytes;
        while (mqtt_read(&reader, &at, bytes + 3, &answer, NULL) == STATUS_OK) {
        }
        assert_true(at <= bytes + 3 && reader.have < 4);
        free(bytes);
    }
}

static void each_refusal_has_words(void **state)
{
    (void)state;
    assert_string_equal(mqtt_refusal_words(4), "wrong user name or password");
    assert_string_equal(mqtt_refusal_words(5), "not authorised");
    assert_string_equal(mqtt_refusal_words(255), "refused for an unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_has_the_bytes_of_the_standard),
        cmocka_unit_test(what_no_packet_can_hold_is_refused),
        cmocka_unit_test(publish_has_the_bytes_of_the_standard),
        cmocka_unit_test(a_packet_tells_its_own_length),
        cmocka_unit_test(answers_are_read_whatever_the_slices),
        cmocka_unit_test(what_no_sender_gets_is_named),
        cmocka_unit_test(no_bytes_harm_the_reader),
        cmocka_unit_test(each_refusal_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
