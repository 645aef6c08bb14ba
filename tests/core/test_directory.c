#include "core/directory.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "tests/check.h"
#include "tests/core/random.h"

enum { PUPILS = 3000 };

static char *id_text(struct directory *directory, char letter, uint32_t no)
{
    char id[16];
    int length = snprintf(id, sizeof id, "%c%u", letter, no);
    return arena_copy_text(&directory->arena, id, (size_t)length);
}

static struct directory *make(void)
{
    struct directory *directory;
    struct directory_ends ends = {.schools = 3,
                                  .pupils = PUPILS,
                                  .cards = PUPILS,
                                  .guardians = PUPILS,
                                  .gates = 2,
                                  .guardian_links = PUPILS};
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    directory->schools[2].id = id_text(directory, 's', 2); /* 1 is a hole */
    directory->gates[1] = (struct dir_gate){.id = id_text(directory, 'g', 1), .school_no = 2};
    for (uint32_t no = 1; no < PUPILS; no++) {
        directory->guardians[no].id = id_text(directory, 'w', no);
        directory->guardian_links[no] = no;
        directory->pupils[no] = (struct dir_pupil){.id = id_text(directory, 'p', no),
                                                   .school_no = 2,
                                                   .guardian_first = no,
                                                   .guardian_count = 1};
        directory->cards[no] =
            (struct dir_card){.id = id_text(directory, 'c', no), .pupil_no = no, .school_no = 2};
    }
    directory->cards[7].owntracks = "anna/phone";
    return directory;
}

static void every_id_is_found_and_no_other(void **state)
{
    (void)state;
    struct directory *directory = make();
    struct status_detail detail;
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    for (uint32_t no = 1; no < PUPILS; no++) {
        assert_int_equal(directory_card(directory, text_of(directory->cards[no].id)), no);
        assert_int_equal(directory_pupil(directory, text_of(directory->pupils[no].id)), no);
        assert_int_equal(directory_guardian(directory, text_of(directory->guardians[no].id)), no);
    }
    assert_int_equal(directory_school(directory, TEXT("s2")), 2);
    assert_int_equal(directory_gate(directory, TEXT("g1")), 1);
    assert_int_equal(directory_owntracks(directory, TEXT("anna/phone")), 7);
    assert_int_equal(directory_owntracks(directory, TEXT("anna")), 0);
    assert_int_equal(directory_school(directory, TEXT("s1")), 0);
    assert_int_equal(directory_card(directory, TEXT("")), 0);
    assert_int_equal(directory_card(directory, TEXT("c3000")), 0);
    assert_int_equal(directory_card(directory, (struct text){"c12", 2}),
                     1); /* by length, not NUL */
    directory_free(directory);
}

/* Ids of every length, alike but for one place, and what a lookup is told to expect. */
static void ids_of_any_length_are_told_apart(void **state)
{
    (void)state;
    const uint32_t end = 2 * TEXT_ID_MAX + 1;
    struct directory *directory;
    struct status_detail detail;
    assert_int_equal(directory_new(&(struct directory_ends){.cards = end}, &directory), STATUS_OK);
    char id[TEXT_ID_MAX + 1];
    memset(id, 'a', sizeof id);
    for (uint32_t no = 1; no < end; no++) {
        uint32_t length = (no + 1) / 2;
        id[length / 2] = no % 2 == 0 ? 'b' : 'a';
        directory->cards[no].id = arena_copy_text(&directory->arena, id, length);
        id[length / 2] = 'a';
    }
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    struct text ids[DIRECTORY_BATCH_MAX];
    uint32_t nos[DIRECTORY_BATCH_MAX];
    for (uint32_t first = 1; first + DIRECTORY_BATCH_MAX <= end; first += DIRECTORY_BATCH_MAX) {
        for (uint32_t i = 0; i < DIRECTORY_BATCH_MAX; i++) {
            ids[i] = text_of(directory->cards[first + i].id);
            assert_int_equal(directory_card(directory, ids[i]), first + i);
        }
        directory_cards(directory, ids, DIRECTORY_BATCH_MAX, nos);
        for (uint32_t i = 0; i < DIRECTORY_BATCH_MAX; i++) {
            assert_int_equal(nos[i], first + i);
        }
    }
    ids[0] = TEXT("");
    ids[1] = TEXT("aaab");
    directory_cards(directory, ids, 2, nos);
    assert_int_equal(nos[0], 0);
    assert_int_equal(nos[1], 0);
    directory_schools(directory, ids, 2, nos); /* there are none */
    assert_int_equal(nos[0], 0);
    assert_int_equal(nos[1], 0);
    assert_int_equal(directory_card(directory, ids[0]), 0);
    assert_int_equal(directory_card(directory, ids[1]), 0);
    directory_free(directory);
}

/* More ids than bits of a hash stand beside the numbers: some are alike in them. */
static void ids_that_nobody_has_are_not_found(void **state)
{
    (void)state;
    struct directory *directory = make();
    struct status_detail detail;
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    for (uint32_t no = 0; no < 200000; no++) {
        char id[16];
        int length = snprintf(id, sizeof id, "x%u", no);
        assert_int_equal(directory_card(directory, (struct text){id, (size_t)length}), 0);
    }
    directory_free(directory);
}

static void an_empty_directory_knows_nobody(void **state)
{
    (void)state;
    struct directory *directory;
    struct directory_ends ends = {0};
    struct status_detail detail;
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    assert_int_equal(directory_card(directory, TEXT("c1")), 0); /* before it is sealed, too */
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    assert_int_equal(directory_card(directory, TEXT("c1")), 0);
    directory_free(directory);
    directory_free(NULL);
}

static void refused(struct directory *directory, const char *words)
{
    struct status_detail detail = {0};
    assert_int_equal(directory_seal(directory, &detail), STATUS_INVALID);
    if (strstr(detail.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", detail.text, words);
    }
    directory_free(directory);
}

static void doubled_ids_are_refused_with_both_numbers(void **state)
{
    (void)state;
    struct directory *directory = make();
    directory->cards[2999].id = "c17";
    refused(directory, "card \"c17\" stands twice, as numbers 17 and 2999");
    directory = make();
    directory->cards[9].owntracks = "anna/phone";
    refused(directory, "owntracks device \"anna/phone\" stands twice");
}

static void references_to_nothing_are_refused_with_the_offender(void **state)
{
    (void)state;
    struct directory *directory = make();
    directory->pupils[5].school_no = 1;
    refused(directory, "pupil \"p5\" refers to school number 1");
    directory = make();
    directory->cards[5].pupil_no = PUPILS;
    refused(directory, "card \"c5\" refers to pupil number 3000");
    directory = make();
    directory->guardian_links[8] = 0;
    refused(directory, "pupil \"p8\" refers to guardian number 0");
    directory = make();
    directory->pupils[8].guardian_first = UINT32_MAX;
    refused(directory, "pupil \"p8\": guardians");
    directory = make();
    directory->pupils[8].guardian_count = PUPIL_GUARDIANS_MAX + 1;
    refused(directory, "pupil \"p8\" has 9 guardians");
    directory = make();
    directory->gates[1].school_no = 99;
    refused(directory, "gate \"g1\" refers to school number 99");
}

static void a_card_may_belong_to_nobody(void **state)
{
    (void)state;
    struct directory *directory = make();
    struct status_detail detail;
    directory->cards[5].pupil_no = 0;
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    directory_free(directory);
}

static void numbers_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    struct directory *directory;
    struct directory_ends ends = {.cards = REGISTRY_NUMBER_MAX + 1};
    assert_int_equal(directory_new(&ends, &directory), STATUS_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_id_is_found_and_no_other),
        cmocka_unit_test(ids_of_any_length_are_told_apart),
        cmocka_unit_test(ids_that_nobody_has_are_not_found),
        cmocka_unit_test(an_empty_directory_knows_nobody),
        cmocka_unit_test(doubled_ids_are_refused_with_both_numbers),
        cmocka_unit_test(references_to_nothing_are_refused_with_the_offender),
        cmocka_unit_test(a_card_may_belong_to_nobody),
        cmocka_unit_test(numbers_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
