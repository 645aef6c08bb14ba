#include <stdio.h>
#include <string.h>

#include "broker-bridge/topic.h"
#include "tests/check.h"

static void the_topics_of_the_contract_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum topic_kind kind;
        const char *school, *sender;
    } cases[] = {
        {"campus/v1/s1/card/c1/up", TOPIC_CARD_UP, "s1", "c1"},
        {"campus/v1/s-2.x/gate/g:1/up", TOPIC_GATE_UP, "s-2.x", "g:1"},
        {"campus/v1/s1/gateway/w_1/up", TOPIC_GATEWAY_UP, "s1", "w_1"},
        {"campus/v1/card/card/up/up", TOPIC_CARD_UP, "card", "up"},
        {"owntracks/walker/handset", TOPIC_OWNTRACKS, "", "walker/handset"},
        {"owntracks/\xe5\xbc\xa0 san/a@b", TOPIC_OWNTRACKS, "", "\xe5\xbc\xa0 san/a@b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct topic topic;
        assert_int_equal(topic_parse(text_of(cases[i].name), &topic), STATUS_OK);
        assert_int_equal(topic.kind, cases[i].kind);
        assert_true(text_is(topic.school, cases[i].school));
        assert_true(text_is(topic.sender, cases[i].sender));
    }
}

static void every_other_topic_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "/",
                                        "campus",
                                        "campus/",
                                        "campus/v1",
                                        "campus/v1/s1/card/c1",
                                        "campus/v1/s1/card/c1/",
                                        "campus/v1/s1/card/c1/up/",
                                        "campus/v1/s1/card/c1/upp",
                                        "campus/v1/s1/card/c1/down",
                                        "campus/v1/s1/card//up",
                                        "campus/v1//card/c1/up",
                                        "campus/v2/s1/card/c1/up",
                                        "campus/v1/s1/cards/c1/up",
                                        "campus/v1/s1/Card/c1/up",
                                        "campus/v1/s 1/card/c1/up",
                                        "campus/v1/s1/card/c+/up",
                                        "campus/v1/s1/card/c1/x/up",
                                        "/campus/v1/s1/card/c1/up",
                                        "campus/v1/s1/alerts",
                                        "campus/v1/guardian/g1/alerts",
                                        "owntracks",
                                        "owntracks/u",
                                        "owntracks/u/",
                                        "owntracks//d",
                                        "owntracks/u/d/",
                                        "owntracks/u/d/event",
                                        "owntracks/u/d#",
                                        "owntracks/u/\x01"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct topic topic = {.kind = TOPIC_GATE_UP};
        assert_int_equal(topic_parse(text_of(names[i]), &topic), STATUS_INVALID);
        assert_int_equal(topic.kind, TOPIC_GATE_UP); /* not written */
    }
    struct topic topic;
    assert_int_equal(topic_parse(TEXT("campus/v1/s1/card/c\0/up"), &topic), STATUS_INVALID);
}

static void names_have_a_length_at_most(void **state)
{
    (void)state;
    char name[512], id[TOPIC_PHONE_NAME_MAX + 2];
    struct topic topic;
    memset(id, 'a', sizeof id);
    for (int extra = 0; extra < 2; extra++) {
        enum status expected = extra == 0 ? STATUS_OK : STATUS_INVALID;
        (void)snprintf(name, sizeof name, "campus/v1/s1/card/%.*s/up", TEXT_ID_MAX + extra, id);
        assert_int_equal(topic_parse(text_of(name), &topic), expected);
        (void)snprintf(name, sizeof name, "campus/v1/%.*s/card/c1/up", TEXT_ID_MAX + extra, id);
        assert_int_equal(topic_parse(text_of(name), &topic), expected);
        (void)snprintf(name, sizeof name, "owntracks/u/%.*s", TOPIC_PHONE_NAME_MAX + extra, id);
        assert_int_equal(topic_parse(text_of(name), &topic), expected);
    }
}

static bool matches(const char *filter, const char *name)
{
    for (;;) {
        size_t want = strcspn(filter, "/"), have = strcspn(name, "/");
        if (!(want == 1 && filter[0] == '+') && (want != have || memcmp(filter, name, want) != 0)) {
            return false;
        }
        filter += want;
        name += have;
        if (*filter == '\0' || *name == '\0') {
            return *filter == *name;
        }
        filter++;
        name++;
    }
}

static void the_filters_cover_what_is_read_and_not_what_is_written(void **state)
{
    (void)state;
    char down[TOPIC_BYTES_MAX], gate[TOPIC_BYTES_MAX];
    topic_card_down(down, "s1", "c1");
    topic_gate_down(gate, "s1", "g1");
    const char *const read[] = {"campus/v1/s1/card/c1/up", "campus/v1/s1/gate/g1/up",
                                "campus/v1/s1/gateway/w1/up", "owntracks/u/d"};
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++) {
        int covered = 0;
        for (size_t k = 0; topic_filters[k] != NULL; k++) {
            covered += matches(topic_filters[k], read[i]);
            assert_false(matches(topic_filters[k], down));
            assert_false(matches(topic_filters[k], gate));
            assert_false(matches(topic_filters[k], "campus/v1/s1/alerts"));
        }
        assert_int_equal(covered, 1);
    }
}

static void topics_are_written_as_the_contract_says(void **state)
{
    (void)state;
    char topic[TOPIC_BYTES_MAX], id[TEXT_ID_MAX + 1];
    topic_card_down(topic, "s1", "c1");
    assert_string_equal(topic, "campus/v1/s1/card/c1/down");
    topic_gate_down(topic, "s1", "g1");
    assert_string_equal(topic, "campus/v1/s1/gate/g1/down");
    topic_school_alerts(topic, "s1");
    assert_string_equal(topic, "campus/v1/s1/alerts");
    topic_guardian_alerts(topic, "p1");
    assert_string_equal(topic, "campus/v1/guardian/p1/alerts");
    memset(id, 'x', TEXT_ID_MAX);
    id[TEXT_ID_MAX] = '\0';
    topic_card_down(topic, id, id);
    assert_int_equal(strlen(topic), strlen("campus/v1//card//down") + (size_t)TEXT_ID_MAX * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_topics_of_the_contract_are_read),
        cmocka_unit_test(every_other_topic_is_refused),
        cmocka_unit_test(names_have_a_length_at_most),
        cmocka_unit_test(the_filters_cover_what_is_read_and_not_what_is_written),
        cmocka_unit_test(topics_are_written_as_the_contract_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
