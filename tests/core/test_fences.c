#include "core/fences.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "tests/check.h"

enum { COUNT = 200 };

static struct fence_set *make(void)
{
    static const struct geo_point center = {362000000, 1131000000};
    struct fence_set *set;
    assert_int_equal(fence_set_new(COUNT, &set), STATUS_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        char id[16];
        int length = snprintf(id, sizeof id, "f%u", i);
        set->items[i] = (struct fence){.id = arena_copy_text(&set->arena, id, (size_t)length),
                                       .no = 2 * (COUNT - i),
                                       .version = 1,
                                       .school_no = 1 + i % 7,
                                       .kind = i % 2 == 0 ? FENCE_SCHOOL : FENCE_DANGER};
        set->shapes[i] = (struct geo_shape){.kind = GEO_CIRCLE,
                                            .point_count = 1,
                                            .points = &center,
                                            .radius_m = 50,
                                            .low = {361990000, 1130990000},
                                            .high = {362010000, 1131010000}};
    }
    return set;
}

static void fences_are_found_by_number_and_grounds_by_school(void **state)
{
    (void)state;
    struct fence_set *set = make();
    struct status_detail detail;
    assert_int_equal(fence_set_seal(set, &detail), STATUS_OK);
    assert_int_equal(set->number_end, 2 * COUNT + 1);
    uint32_t found = 0;
    for (uint32_t school = 0; school < 10; school++) {
        const uint32_t *places;
        uint32_t count = fence_set_grounds(set, school, &places);
        found += count;
        for (uint32_t i = 0; i < count; i++) {
            const struct fence *fence = &set->items[places[i]];
            assert_int_equal(fence->school_no, school);
            assert_int_equal(fence->kind, FENCE_SCHOOL);
            assert_true(i == 0 || set->items[places[i - 1]].no < fence->no);
        }
    }
    assert_int_equal(found, COUNT / 2);
    for (uint32_t no = 0; no < 2 * COUNT + 5; no++) {
        const struct fence *fence = fence_set_by_no(set, no);
        bool there = no > 0 && no <= 2 * COUNT && no % 2 == 0;
        assert_int_equal(fence != NULL, there);
        assert_true(!there || fence->no == no);
    }
    fence_set_free(set);
}

static void an_empty_set_is_a_set(void **state)
{
    (void)state;
    struct fence_set *set;
    struct status_detail detail;
    const uint32_t *places;
    assert_int_equal(fence_set_new(0, &set), STATUS_OK);
    assert_int_equal(fence_set_seal(set, &detail), STATUS_OK);
    assert_null(fence_set_by_no(set, 1));
    assert_int_equal(fence_set_grounds(set, 1, &places), 0);
    fence_set_free(set);
    fence_set_free(NULL);
    assert_int_equal(fence_set_new(FENCES_MAX + 1, &set), STATUS_TOO_LARGE);
}

static void refused(struct fence_set *set, const char *words)
{
    struct status_detail detail = {0};
    assert_int_equal(fence_set_seal(set, &detail), STATUS_INVALID);
    if (strstr(detail.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", detail.text, words);
    }
    fence_set_free(set);
}

static void bad_fences_are_refused_by_name(void **state)
{
    (void)state;
    struct fence_set *set = make();
    set->items[150].id = "f3";
    refused(set, "fence \"f3\" stands twice");
    set = make();
    set->items[150].no = set->items[3].no;
    refused(set, "fences \"f3\" and \"f150\" share the number 394");
    set = make();
    set->items[9].id = NULL;
    refused(set, "fence 10 of the set has no id");
    set = make();
    set->items[9].version = 0;
    refused(set, "fence \"f9\": number 382, version 0");
    set = make();
    set->items[9].no = REGISTRY_NUMBER_MAX;
    refused(set, "fence \"f9\": number 8000000");
    set = make();
    set->items[9].kind = 9;
    refused(set, "fence \"f9\": no kind 9");
}

static void words_are_read_and_written(void **state)
{
    (void)state;
    enum fence_kind kind;
    enum severity severity;
    for (int i = FENCE_PLACE; i <= FENCE_DANGER; i++) {
        assert_int_equal(fence_kind_parse(fence_kind_word((enum fence_kind)i), &kind), STATUS_OK);
        assert_int_equal(kind, i);
    }
    for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
        assert_int_equal(severity_parse(severity_word((enum severity)i), FENCE_PLACE, &severity),
                         STATUS_OK);
        assert_int_equal(severity, i);
    }
    assert_int_equal(fence_kind_parse("", &kind), STATUS_OK);
    assert_int_equal(kind, FENCE_PLACE);
    assert_int_equal(severity_parse("", FENCE_DANGER, &severity), STATUS_OK);
    assert_int_equal(severity, SEVERITY_WARNING);
    assert_int_equal(severity_parse("", FENCE_SCHOOL, &severity), STATUS_OK);
    assert_int_equal(severity, SEVERITY_INFO);
    assert_int_equal(fence_kind_parse("School", &kind), STATUS_INVALID);
    assert_int_equal(severity_parse("fatal", FENCE_PLACE, &severity), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fences_are_found_by_number_and_grounds_by_school),
        cmocka_unit_test(an_empty_set_is_a_set),
        cmocka_unit_test(bad_fences_are_refused_by_name),
        cmocka_unit_test(words_are_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
