#include "tests/check.h"

#include <stdio.h>

#include "cli/names.h"

enum { MOST = 5000 };

static uint32_t number(struct names *names, uint32_t i)
{
    char name[16];
    int length = snprintf(name, sizeof name, "c%u", i);
    return names_number(names, (struct text){name, (size_t)length});
}

static void names_are_numbered_as_they_come_and_keep_their_numbers(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 4096, 1u << 20);
    struct names names;
    assert_int_equal(names_init(&names, &arena, MOST), STATUS_OK);
    for (uint32_t i = 0; i < MOST; i++) {
        assert_int_equal(number(&names, i), i + 1);
        assert_int_equal(number(&names, i / 2), i / 2 + 1);
    }
    assert_int_equal(names.count, MOST);
    assert_true(text_is(names.items[MOST], "c4999"));
    arena_release(&arena);
}

static void memory_that_ends_gives_no_number(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 1024, 1024);
    struct names names;
    assert_int_equal(names_init(&names, &arena, MOST), STATUS_NO_MEMORY);
    arena_release(&arena);
    arena_init_growing(&arena, 1024, 1024);
    assert_int_equal(names_init(&names, &arena, 20), STATUS_OK);
    uint32_t got = 1;
    for (uint32_t i = 0; i < 20 && got != 0; i++) {
        char name[100];
        int length = snprintf(name, sizeof name, "%099u", i);
        got = names_number(&names, (struct text){name, (size_t)length});
    }
    assert_int_equal(got, 0);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_numbered_as_they_come_and_keep_their_numbers),
        cmocka_unit_test(memory_that_ends_gives_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
