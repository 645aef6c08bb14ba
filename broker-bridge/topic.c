#include "broker-bridge/topic.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

const char *const topic_filters[] = {"campus/v1/+/card/+/up", "campus/v1/+/gate/+/up",
                                     "campus/v1/+/gateway/+/up", "owntracks/+/+", NULL};

/* Cuts the text before the next '/' off; the last one ends with the text. */
static struct text next_level(struct text *rest)
{
    const char *slash = rest->length > 0 ? memchr(rest->at, '/', rest->length) : NULL;
    size_t length = slash != NULL ? (size_t)(slash - rest->at) : rest->length;
    struct text level = {rest->at, length};
    size_t step = slash != NULL ? length + 1 : length;
    rest->at += step;
    rest->length -= step;
    return level;
}

/* A phone's user and device are names that people chose: anything but control characters and what
 * MQTT keeps for itself. */
static bool is_phone_name(struct text name)
{
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c < 0x20 || c == 0x7f || c == '+' || c == '#') {
            return false;
        }
    }
    return name.length > 0 && name.length <= TOPIC_PHONE_NAME_MAX;
}

static enum status parse_owntracks(struct text rest, struct topic *ret)
{
    struct text sender = rest;
    struct text user = next_level(&rest);
    struct text device = next_level(&rest);
    if (!is_phone_name(user) || !is_phone_name(device) ||
        user.length + 1 + device.length != sender.length) {
        return STATUS_INVALID;
    }
    *ret = (struct topic){TOPIC_OWNTRACKS, TEXT(""), sender};
    return STATUS_OK;
}

/* Behind "campus/v1/". */
static enum status parse_campus(struct text rest, struct topic *ret)
{
    static const struct {
        struct text word;
        enum topic_kind kind;
    } kinds[] = {{{"card", 4}, TOPIC_CARD_UP},
                 {{"gate", 4}, TOPIC_GATE_UP},
                 {{"gateway", 7}, TOPIC_GATEWAY_UP}};
    struct text school = next_level(&rest);
    struct text word = next_level(&rest);
    struct text sender = next_level(&rest);
    if (!text_equal(rest, TEXT("up")) || !text_is_id(school) || !text_is_id(sender)) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (text_equal(word, kinds[i].word)) {
            *ret = (struct topic){kinds[i].kind, school, sender};
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

/* Cuts the text off, if it begins so. */
static bool skip(struct text *rest, struct text begin)
{
    if (rest->length < begin.length || memcmp(rest->at, begin.at, begin.length) != 0) {
        return false;
    }
    rest->at += begin.length;
    rest->length -= begin.length;
    return true;
}

enum status topic_parse(struct text name, struct topic *ret)
{
    struct text rest = name;
    return skip(&rest, TEXT("campus/v1/"))   ? parse_campus(rest, ret)
           : skip(&rest, TEXT("owntracks/")) ? parse_owntracks(rest, ret)
                                             : STATUS_INVALID;
}

static void check_length(int length)
{
    ASSERT(length > 0 && length < TOPIC_BYTES_MAX); /* ids have at most TEXT_ID_MAX bytes */
}

void topic_card_down(char ret[TOPIC_BYTES_MAX], const char *school, const char *card)
{
    check_length(snprintf(ret, TOPIC_BYTES_MAX, "campus/v1/%s/card/%s/down", school, card));
}

void topic_gate_down(char ret[TOPIC_BYTES_MAX], const char *school, const char *gate)
{
    check_length(snprintf(ret, TOPIC_BYTES_MAX, "campus/v1/%s/gate/%s/down", school, gate));
}

void topic_school_alerts(char ret[TOPIC_BYTES_MAX], const char *school)
{
    check_length(snprintf(ret, TOPIC_BYTES_MAX, "campus/v1/%s/alerts", school));
}

void topic_guardian_alerts(char ret[TOPIC_BYTES_MAX], const char *guardian)
{
    check_length(snprintf(ret, TOPIC_BYTES_MAX, "campus/v1/guardian/%s/alerts", guardian));
}
