#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/load/load.h"

static enum status read_text(struct load_cards *cards, const char *text, uint32_t count_max,
                             double share, struct status_detail *detail)
{
    char path[] = "/tmp/campus-cards-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    enum status status = load_cards_read(cards, path, count_max, share, detail);
    assert_int_equal(unlink(path), 0);
    return status;
}

static void cards_are_taken_from_the_whole_file_and_found_by_id(void **state)
{
    (void)state;
    static char text[200000] = "school,card,guardian,lat,lon\n";
    size_t used = strlen(text);
    for (uint32_t i = 0; i < 3000; i++) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "s%u,c%u,g,36.2,113.1\n", i / 100, i);
    }
    struct load_cards cards;
    assert_int_equal(read_text(&cards, text, 300, 0.1, NULL), STATUS_OK);
    assert_int_equal(cards.count, 300);
    assert_int_equal(cards.in_file, 3000);
    assert_int_equal(cards.crossing, 30);
    assert_string_equal(cards.items[0].topic, "campus/v1/s0/card/c0/up");
    assert_string_equal(cards.items[299].topic, "campus/v1/s29/card/c2990/up");
    for (uint32_t i = 0; i < cards.count; i++) {
        assert_int_equal(load_cards_find(&cards, text_of(cards.items[i].id)), i);
    }
    assert_int_equal(load_cards_find(&cards, TEXT("c1")), LOAD_NONE);
    load_cards_release(&cards);
}

static void a_card_that_crosses_is_half_its_time_500_m_away_and_others_never(void **state)
{
    (void)state;
    struct load_cards cards;
    assert_int_equal(read_text(&cards, "school,card,lat,lon\ns1,c1,36.2,113.1\ns1,c2,36.2,113.1\n",
                               9, 0.5, NULL),
                     STATUS_OK);
    cards.period_ms = 120000;
    uint32_t away[2] = {0, 0};
    for (int64_t ms = 0; ms < 1200000; ms += 1000) {
        for (uint32_t i = 0; i < 2; i++) {
            struct geo_point point = load_card_place(&cards, &cards.items[i], ms);
            double distance_m = geo_distance_m(point, cards.items[i].inside);
            assert_true(distance_m < 0.01 || (distance_m > 495 && distance_m < 505));
            away[i] += distance_m > 1;
        }
    }
    assert_int_equal(away[0], 0);
    assert_int_equal(away[1], 600);
    load_cards_release(&cards);
}

static void bad_files_are_refused_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", ""},
        {"school,card,lat\ns1,c1,36\n", "no column lon"},
        {"school,card,lat,lon\n", "no cards"},
        {"school,card,lat,lon\ns1,c1,north,113\n", ":2: lat, lon"},
        {"school,card,lat,lon\ns1,c1,36,113\ns1,c1,91,113\n", ":3: lat, lon"},
        {"school,card,lat,lon\ns1,c1,nan,113\n", ":2: lat, lon"},
        {"school,card,lat,lon\ns1,c/1,36,113\n", ":2: school or card"},
        {"school,card,lat,lon\ns1,,36,113\n", ":2: school or card"},
        {"school,card,lat,lon\ns1,c1\n", ":2: no column lat"},
        {"school,card,lat,lon\ns1,c1,36,113\ns2,c1,36,113\n", "c1 stands twice"},
        {"school,card,lat,lon\ns1,\"c1,36,113\n", "line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_cards cards;
        struct status_detail detail = {0};
        assert_int_equal(read_text(&cards, cases[i].text, 9, 0, &detail), STATUS_INVALID);
        if (strstr(detail.text, cases[i].words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", detail.text, cases[i].words);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_are_taken_from_the_whole_file_and_found_by_id),
        cmocka_unit_test(a_card_that_crosses_is_half_its_time_500_m_away_and_others_never),
        cmocka_unit_test(bad_files_are_refused_with_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
