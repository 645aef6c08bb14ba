#include <stdio.h>
#include <string.h>

#include "broker-bridge/letter.h"
#include "tests/check.h"

static void the_first_reason_stands_and_all_are_counted(void **state)
{
    (void)state;
    struct letter letter;
    letter_clear(&letter);
    assert_int_equal(letter.reason, REFUSAL_NONE);
    letter_report(&letter, 3, TEXT("c7"));
    letter_note(&letter, REFUSAL_TIME, "event %u", 1u);
    letter_report(&letter, 4, TEXT(""));
    letter_note(&letter, REFUSAL_VALUE, "other");
    letter_note(&letter, REFUSAL_TIME, "third");
    assert_int_equal(letter.reason, REFUSAL_TIME);
    assert_int_equal(letter.counts[REFUSAL_TIME], 2);
    assert_int_equal(letter.counts[REFUSAL_VALUE], 1);
    assert_true(text_is(
        letter_text(&letter),
        "report 3 (card \"c7\"): event 1; report 4 (card \"\"): other; report 4 (card \"\"): third"));
    letter_clear(&letter);
    assert_int_equal(letter_text(&letter).length, 0);
    assert_int_equal(letter.counts[REFUSAL_TIME], 0);
}

static void what_does_not_fit_is_told_as_a_number(void **state)
{
    (void)state;
    struct letter letter;
    letter_clear(&letter);
    for (unsigned i = 0; i < 10000; i++) {
        letter_note(&letter, REFUSAL_POSITION, "event %u (fix): lat", i);
        struct text text = letter_text(&letter);
        assert_true(text.length < LETTER_BYTES_MAX);
        assert_int_equal(strlen(letter.text), text.length);
    }
    struct text text = letter_text(&letter);
    assert_non_null(strstr(text.at, "event 0 (fix): lat; event 1 (fix): lat; "));
    char tail[64];
    (void)snprintf(tail, sizeof tail, "; and %u more", letter.untold);
    assert_string_equal(text.at + text.length - strlen(tail), tail);
    assert_int_equal(letter.counts[REFUSAL_POSITION], 10000);
}

static void a_long_first_note_is_cut(void **state)
{
    (void)state;
    struct letter letter;
    char words[2 * LETTER_BYTES_MAX];
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = '\0';
    letter_clear(&letter);
    letter_note(&letter, REFUSAL_MALFORMED, "%s", words);
    letter_note(&letter, REFUSAL_MALFORMED, "%s", words);
    struct text text = letter_text(&letter);
    assert_true(text.length > LETTER_BYTES_MAX / 2 && text.length < LETTER_BYTES_MAX);
    assert_non_null(strstr(text.at, "w; and 1 more"));
}

static void the_words_are_plain_whatever_the_message_held(void **state)
{
    (void)state;
    struct letter letter;
    letter_clear(&letter);
    letter_report(&letter, 0, TEXT("\x01\xff"));
    letter_note(&letter, REFUSAL_CLAIM, "a\n\"\xe5\x28\"\x7f");
    assert_true(text_is(letter_text(&letter), "report 0 (card \"??\"): a?\"?(\"?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reason_stands_and_all_are_counted),
        cmocka_unit_test(what_does_not_fit_is_told_as_a_number),
        cmocka_unit_test(a_long_first_note_is_cut),
        cmocka_unit_test(the_words_are_plain_whatever_the_message_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
