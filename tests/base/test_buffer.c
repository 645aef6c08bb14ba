#include <string.h>

#include "base/buffer.h"
#include "tests/check.h"

static void a_full_buffer_fails_once_and_stays_failed(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 8);
    buffer_text(&buffer, "12345678");
    assert_int_equal(buffer_status(&buffer), STATUS_OK);
    buffer_text(&buffer, "9");
    assert_int_equal(buffer_status(&buffer), STATUS_TOO_LARGE);
    buffer_text(&buffer, "");
    assert_int_equal(buffer_status(&buffer), STATUS_TOO_LARGE);
    assert_string_equal(buffer_cstr(&buffer), "");
    buffer_clear(&buffer);
    buffer_printf(&buffer, "%d", 42);
    assert_string_equal(buffer_cstr(&buffer), "42");
    buffer_release(&buffer);
}

static void json_strings_escape_controls_and_mend_bad_utf8(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    const char text[] = "a\"\\\n\x01\xe6\xbd\x9e\xff\xc0\xaf\xed\xa0\x80";
    buffer_json_string(&buffer, text, sizeof text - 1);
    assert_string_equal(
        buffer_cstr(&buffer),
        "\"a\\\"\\\\\\u000a\\u0001\xe6\xbd\x9e\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
    buffer_release(&buffer);
}

static void degrees_keep_seven_decimals_and_the_sign(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_degrees_e7(&buffer, -5);
    buffer_text(&buffer, " ");
    buffer_degrees_e7(&buffer, 1131234567);
    buffer_text(&buffer, " ");
    buffer_degrees_e7(&buffer, -1800000000);
    assert_string_equal(buffer_cstr(&buffer), "-0.0000005 113.1234567 -180.0000000");
    buffer_release(&buffer);
}

static void a_detail_is_wrapped_outwards(void **state)
{
    (void)state;
    struct status_detail detail;
    assert_int_equal(status_detail_set(&detail, STATUS_IO, "refused %d", 1), STATUS_IO);
    assert_int_equal(status_detail_wrap(&detail, STATUS_IO, "archive: connect"), STATUS_IO);
    assert_string_equal(detail.text, "archive: connect: refused 1");
    assert_string_equal(status_words(STATUS_IO), "input/output error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_buffer_fails_once_and_stays_failed),
        cmocka_unit_test(json_strings_escape_controls_and_mend_bad_utf8),
        cmocka_unit_test(degrees_keep_seven_decimals_and_the_sign),
        cmocka_unit_test(a_detail_is_wrapped_outwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
