#include "core/refusal.h"

#include <string.h>

#include "tests/check.h"

static void every_refusal_has_a_word_of_its_own_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        assert_non_null(refusal_meaning((enum refusal)i));
        for (int other = 0; other < i; other++) {
            assert_string_not_equal(refusal_word((enum refusal)i),
                                    refusal_word((enum refusal)other));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_a_word_of_its_own_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
