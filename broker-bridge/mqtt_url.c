#include "broker-bridge/mqtt_url.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static enum status invalid(struct status_detail *detail, const char *url, const char *why)
{
    return status_detail_set(detail, STATUS_INVALID, "%.200s: %s (mqtt://[user@]host[:port])", url,
                             why);
}

static bool copy_part(char *ret, size_t size, struct text part)
{
    if (part.length == 0 || part.length >= size) {
        return false;
    }
    memcpy(ret, part.at, part.length);
    ret[part.length] = '\0';
    return true;
}

static bool read_port(struct text part, int *ret)
{
    int64_t port;
    if (text_to_i64(part, &port) != STATUS_OK || port < 1 || port > 65535) {
        return false;
    }
    *ret = (int)port;
    return true;
}

/* host, host:port, [v6], [v6]:port */
static const char *read_place(struct text place, struct mqtt_url *url)
{
    const char *end = place.at + place.length;
    struct text host = place, port = {end, 0};
    if (place.length > 0 && place.at[0] == '[') {
        const char *close = memchr(place.at, ']', place.length);
        if (close == NULL) {
            return "no ] behind the address";
        }
        host = (struct text){place.at + 1, (size_t)(close - place.at - 1)};
        port = (struct text){close + 1, (size_t)(end - close - 1)};
    } else {
        const char *colon = memchr(place.at, ':', place.length);
        if (colon != NULL) {
            host.length = (size_t)(colon - place.at);
            port = (struct text){colon, (size_t)(end - colon)};
        }
    }
    if (!copy_part(url->host, sizeof url->host, host)) {
        return host.length == 0 ? "no host" : "the host is too long";
    }
    for (const char *at = url->host; *at != '\0'; at++) {
        if (*at <= ' ' || strchr("/?#@[]", *at) != NULL) {
            return "what stands behind the host is not understood";
        }
    }
    if (port.length > 0 && (port.at[0] != ':' ||
                            !read_port((struct text){port.at + 1, port.length - 1}, &url->port))) {
        return "the port is no number from 1 to 65535";
    }
    return NULL;
}

enum status mqtt_url_parse(const char *url, struct mqtt_url *ret, struct status_detail *detail)
{
    static const char scheme[] = "mqtt://";
    struct mqtt_url parsed = {.port = MQTT_PORT};
    if (strncmp(url, scheme, sizeof scheme - 1) != 0) {
        if (strstr(url, "://") != NULL) {
            return status_detail_set(detail, STATUS_UNSUPPORTED, "%.200s: only mqtt:// is spoken",
                                     url);
        }
        return invalid(detail, url, "it does not begin with mqtt://");
    }
    struct text rest = text_of(url + sizeof scheme - 1);
    if (rest.length > 0 && rest.at[rest.length - 1] == '/') {
        rest.length--;
    }
    const char *at = memrchr(rest.at, '@', rest.length);
    if (at != NULL) {
        struct text user = {rest.at, (size_t)(at - rest.at)};
        if (memchr(user.at, ':', user.length) != NULL) {
            /* It would stand in logs and process lists. */
            return status_detail_set(detail, STATUS_INVALID,
                                     "a password does not belong into a broker's URL");
        }
        if (!copy_part(parsed.user, sizeof parsed.user, user)) {
            return invalid(detail, url, user.length == 0 ? "no user before @" : "user too long");
        }
        rest = (struct text){at + 1, rest.length - user.length - 1};
    }
    const char *why = read_place(rest, &parsed);
    if (why != NULL) {
        return invalid(detail, url, why);
    }
    *ret = parsed;
    return STATUS_OK;
}

void mqtt_url_name(const struct mqtt_url *url, char ret[MQTT_NAME_MAX])
{
    bool bare_v6 = strchr(url->host, ':') != NULL;
    (void)snprintf(ret, MQTT_NAME_MAX, bare_v6 ? "[%s]:%d" : "%s:%d", url->host, url->port);
}
