#include <string.h>

#include "broker-bridge/mqtt_url.h"
#include "tests/check.h"

static void urls_are_read_with_user_port_and_addresses_of_both_families(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *user, *name;
        int port;
    } good[] = {
        {"mqtt://127.0.0.1", "127.0.0.1", "", "127.0.0.1:1883", 1883},
        {"mqtt://broker.example:18830/", "broker.example", "", "broker.example:18830", 18830},
        {"mqtt://campusd@h:1", "h", "campusd", "h:1", 1},
        {"mqtt://a@b@h", "h", "a@b", "h:1883", 1883},
        {"mqtt://[::1]", "::1", "", "[::1]:1883", 1883},
        {"mqtt://u@[fe80::1]:65535", "fe80::1", "u", "[fe80::1]:65535", 65535},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct mqtt_url url;
        struct status_detail detail = {""};
        char name[MQTT_NAME_MAX];
        assert_int_equal(mqtt_url_parse(good[i].url, &url, &detail), STATUS_OK);
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.user, good[i].user);
        assert_int_equal(url.port, good[i].port);
        mqtt_url_name(&url, name);
        assert_string_equal(name, good[i].name);
    }
}

static void bad_urls_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *url, *words;
        enum status status;
    } bad[] = {
        {"", "does not begin with mqtt://", STATUS_INVALID},
        {"127.0.0.1:1883", "does not begin with mqtt://", STATUS_INVALID},
        {"mqtts://h", "only mqtt:// is spoken", STATUS_UNSUPPORTED},
        {"mqtt://", "no host", STATUS_INVALID},
        {"mqtt:///", "no host", STATUS_INVALID},
        {"mqtt://@h", "no user", STATUS_INVALID},
        {"mqtt://u:secret@h", "a password does not belong", STATUS_INVALID},
        {"mqtt://h:", "port", STATUS_INVALID},
        {"mqtt://h:0", "port", STATUS_INVALID},
        {"mqtt://h:65536", "port", STATUS_INVALID},
        {"mqtt://h:1883x", "port", STATUS_INVALID},
        {"mqtt://h/topic", "behind the host", STATUS_INVALID},
        {"mqtt://h b", "behind the host", STATUS_INVALID},
        {"mqtt://[::1", "no ]", STATUS_INVALID},
        {"mqtt://[::1]1883", "port", STATUS_INVALID},
        {"mqtt://[]:1", "no host", STATUS_INVALID},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mqtt_url url = {.port = -1};
        struct status_detail detail = {""};
        assert_int_equal(mqtt_url_parse(bad[i].url, &url, &detail), bad[i].status);
        assert_non_null(strstr(detail.text, bad[i].words));
        assert_null(strstr(detail.text, "secret"));
        assert_int_equal(url.port, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read_with_user_port_and_addresses_of_both_families),
        cmocka_unit_test(bad_urls_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
