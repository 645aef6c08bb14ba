#include <string.h>

#include "base/arena.h"
#include "tests/check.h"

static void a_fixed_arena_gives_what_it_has_and_then_null(void **state)
{
    (void)state;
    struct arena arena;
    assert_int_equal(arena_init_fixed(&arena, 256), STATUS_OK);
    char *one = arena_alloc(&arena, 200);
    assert_non_null(one);
    assert_null(arena_alloc(&arena, 100));
    memset(one, 7, 200);
    arena_reset(&arena);
    char *again = arena_alloc(&arena, 200);
    assert_ptr_equal(one, again);
    assert_int_equal(again[199], 0); /* zeroed anew */
    arena_release(&arena);
}

static void a_growing_arena_stops_at_its_maximum(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 64, 1000);
    size_t given = 0;
    while (arena_alloc(&arena, 48) != NULL) {
        given += 48;
        assert_true(given < 1000);
    }
    assert_true(given >= 700);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 48));
    arena_release(&arena);
}

static void an_array_whose_size_overflows_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 64, SIZE_MAX / 2);
    assert_null(arena_array(&arena, SIZE_MAX / 4, 8));
    arena_release(&arena);
}

static void texts_lie_closely_and_all_else_is_aligned(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_growing(&arena, 4096, 8192);
    for (size_t length = 0; length < 40; length++) {
        const char words[] = "a piece of text that is cut in every place";
        char *one = arena_copy_text(&arena, words, length);
        char *other = arena_copy_text(&arena, words, 3);
        uint64_t *number = arena_alloc(&arena, sizeof *number);
        assert_non_null(number);
        assert_ptr_equal(other, one + length + 1);
        assert_int_equal((uintptr_t)number % _Alignof(max_align_t), 0);
        *number = UINT64_MAX;
        assert_int_equal(strlen(one), length);
        assert_string_equal(other, "a p");
    }
    arena_release(&arena);
}

static void a_large_block_is_whole_and_zeroed(void **state)
{
    (void)state;
    const size_t bytes = ((size_t)9 << 20) + 17;
    struct arena arena;
    assert_int_equal(arena_init_fixed(&arena, bytes), STATUS_OK);
    assert_int_equal(arena.bytes, bytes);
    unsigned char *block = arena_alloc(&arena, bytes);
    assert_non_null(block);
    for (size_t i = 0; i < bytes; i += 1009) {
        assert_int_equal(block[i], 0);
    }
    memset(block, 7, bytes);
    assert_null(arena_alloc(&arena, 1));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixed_arena_gives_what_it_has_and_then_null),
        cmocka_unit_test(a_growing_arena_stops_at_its_maximum),
        cmocka_unit_test(an_array_whose_size_overflows_is_refused),
        cmocka_unit_test(texts_lie_closely_and_all_else_is_aligned),
        cmocka_unit_test(a_large_block_is_whole_and_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
