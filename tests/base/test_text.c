#include "base/text.h"

#include "tests/check.h"
#include <string.h>

static void ids_are_what_topics_may_carry(void **state)
{
    (void)state;
    assert_true(text_is_id(TEXT("c000001")));
    assert_true(text_is_id(TEXT("a.b_c:d-E")));
    assert_false(text_is_id(TEXT("")));
    assert_false(text_is_id(TEXT("a/b")));
    assert_false(text_is_id(TEXT("a+")));
    assert_false(text_is_id(TEXT("\xe6\xbd\x9e")));
    assert_false(
        text_is_id(TEXT("12345678901234567890123456789012345678901234567890123456789012345")));
    for (int byte = 0; byte < 256; byte++) {
        const char id[] = {'a', (char)byte, 'z'};
        bool good = byte != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789._:-",
                                        byte) != NULL;
        assert_int_equal(text_is_id((struct text){id, sizeof id}), good);
    }
}

static void numbers_are_whole_and_finite(void **state)
{
    (void)state;
    double number;
    int64_t whole;
    assert_int_equal(text_to_double(TEXT("-36.25"), &number), STATUS_OK);
    assert_true(number == -36.25);
    static const char *const bad[] = {"", " 1", "1 ", "nan", "inf", "1e999", "0x10", "1,5", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(text_to_double(text_of(bad[i]), &number), STATUS_INVALID);
    }
    assert_int_equal(text_to_i64(TEXT("-9223372036854775808"), &whole), STATUS_OK);
    assert_int_equal(text_to_i64(TEXT("9223372036854775808"), &whole), STATUS_INVALID);
    assert_int_equal(text_to_i64(TEXT("1.0"), &whole), STATUS_INVALID);
}

static void trimming_takes_both_sides(void **state)
{
    (void)state;
    assert_true(text_is(text_trim(TEXT(" \t a b\r\n")), "a b"));
    assert_int_equal(text_trim(TEXT("  ")).length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_what_topics_may_carry),
        cmocka_unit_test(numbers_are_whole_and_finite),
        cmocka_unit_test(trimming_takes_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
