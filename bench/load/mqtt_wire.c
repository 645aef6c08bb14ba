#include "bench/load/mqtt_wire.h"

#include <string.h>

#include "base/assert.h"

enum { TYPE_CONNECT = 1, TYPE_PUBLISH = 3, TYPE_PINGREQ = 12, TYPE_DISCONNECT = 14 };
enum { CONNECT_CLEAN = 0x02, CONNECT_PASSWORD = 0x40, CONNECT_USER = 0x80 };
enum { PUBLISH_QOS1 = 0x02, PUBLISH_AGAIN = 0x08 };
enum { CONNECT_HEAD = 10, TEXT_HEAD = 2, ID_BYTES = 2 };

/* ---- out ---- */

static size_t packet_bytes(size_t remaining)
{
    if (remaining > MQTT_REMAINING_MAX) {
        return 0;
    }
    return 2 + remaining + (remaining > 127) + (remaining > 16383) + (remaining > 2097151);
}

static uint8_t *put_head(uint8_t *at, uint8_t first, size_t remaining)
{
    *at++ = first;
    for (; remaining > 127; remaining >>= 7) {
        *at++ = (uint8_t)((remaining & 127) | 128);
    }
    *at++ = (uint8_t)remaining;
    return at;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_text(uint8_t *at, struct text text)
{
    at = put_u16(at, (uint16_t)text.length);
    if (text.length > 0) {
        memcpy(at, text.at, text.length);
    }
    return at + text.length;
}

static size_t text_bytes(struct text text)
{
    return text.at != NULL ? TEXT_HEAD + text.length : 0;
}

static size_t connect_remaining(const struct mqtt_connect *connect)
{
    return CONNECT_HEAD + TEXT_HEAD + connect->client_id.length + text_bytes(connect->user) +
           text_bytes(connect->password);
}

size_t mqtt_connect_bytes(const struct mqtt_connect *connect)
{
    /* 3.1.2.9: no password without a user */
    if (connect->client_id.length > MQTT_TEXT_MAX || connect->user.length > MQTT_TEXT_MAX ||
        connect->password.length > MQTT_TEXT_MAX ||
        (connect->password.at != NULL && connect->user.at == NULL)) {
        return 0;
    }
    return packet_bytes(connect_remaining(connect));
}

size_t mqtt_put_connect(const struct mqtt_connect *connect, uint8_t *ret)
{
    ASSERT(mqtt_connect_bytes(connect) > 0);
    uint8_t *at = put_head(ret, TYPE_CONNECT << 4, connect_remaining(connect));
    at = put_text(at, TEXT("MQTT"));
    *at++ = 4; /* 3.1.1 */
    *at++ = (uint8_t)(CONNECT_CLEAN | (connect->user.at != NULL ? CONNECT_USER : 0) |
                      (connect->password.at != NULL ? CONNECT_PASSWORD : 0));
    at = put_u16(at, connect->keepalive_s);
    at = put_text(at, connect->client_id);
    at = connect->user.at != NULL ? put_text(at, connect->user) : at;
    at = connect->password.at != NULL ? put_text(at, connect->password) : at;
    return (size_t)(at - ret);
}

static size_t publish_remaining(const struct mqtt_publish *publish)
{
    return TEXT_HEAD + publish->topic.length + (publish->id != 0 ? ID_BYTES : 0) +
           publish->payload.length;
}

size_t mqtt_publish_bytes(const struct mqtt_publish *publish)
{
    if (publish->topic.length == 0 || publish->topic.length > MQTT_TEXT_MAX) {
        return 0;
    }
    return packet_bytes(publish_remaining(publish));
}

size_t mqtt_put_publish(const struct mqtt_publish *publish, uint8_t *ret)
{
    ASSERT(mqtt_publish_bytes(publish) > 0);
    uint8_t first = (uint8_t)(TYPE_PUBLISH << 4 | (publish->id != 0 ? PUBLISH_QOS1 : 0));
    uint8_t *at = put_head(ret, first, publish_remaining(publish));
    at = put_text(at, publish->topic);
    at = publish->id != 0 ? put_u16(at, publish->id) : at;
    if (publish->payload.length > 0) {
        memcpy(at, publish->payload.at, publish->payload.length);
    }
    return (size_t)(at - ret) + publish->payload.length;
}

void mqtt_put_pingreq(uint8_t ret[MQTT_SHORT_BYTES])
{
    (void)put_head(ret, TYPE_PINGREQ << 4, 0);
}

void mqtt_put_disconnect(uint8_t ret[MQTT_SHORT_BYTES])
{
    (void)put_head(ret, TYPE_DISCONNECT << 4, 0);
}

size_t mqtt_packet_bytes(const uint8_t *packet)
{
    size_t remaining = 0, at = 1;
    for (uint32_t shift = 0; shift < 28; shift += 7) {
        remaining |= (size_t)(packet[at] & 127) << shift;
        if ((packet[at++] & 128) == 0) {
            break;
        }
    }
    return at + remaining;
}

void mqtt_mark_again(uint8_t *packet)
{
    ASSERT((packet[0] & PUBLISH_QOS1) != 0);
    packet[0] |= PUBLISH_AGAIN;
}

/* ---- in ---- */

static const char *type_name(uint8_t first)
{
    static const char *const names[16] = {
        "packet of type 0", "CONNECT",  "CONNACK",    "PUBLISH",          "PUBACK",      "PUBREC",
        "PUBREL",           "PUBCOMP",  "SUBSCRIBE",  "SUBACK",           "UNSUBSCRIBE", "UNSUBACK",
        "PINGREQ",          "PINGRESP", "DISCONNECT", "packet of type 15"};
    return names[first >> 4];
}

/* How many bytes follow the first; -1: this is no answer to a sender. */
static int answer_remaining(uint8_t first)
{
    switch (first) {
    case MQTT_CONNACK << 4:
    case MQTT_PUBACK << 4:
        return 2;
    case MQTT_PINGRESP << 4:
        return 0;
    default:
        return -1;
    }
}

static enum status check_head(const struct mqtt_reader *reader, struct status_detail *detail)
{
    const uint8_t first = reader->bytes[0];
    if (answer_remaining(first) < 0) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "the broker sent a %s (first byte 0x%02x), which no sender gets",
                                 type_name(first), first);
    }
    if (reader->have > 1 && reader->bytes[1] != answer_remaining(first)) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "the broker sent a %s whose length begins with byte %u, not %d",
                                 type_name(first), reader->bytes[1], answer_remaining(first));
    }
    return STATUS_OK;
}

static enum status take_answer(struct mqtt_reader *reader, struct mqtt_answer *ret,
                               struct status_detail *detail)
{
    const uint8_t *bytes = reader->bytes;
    struct mqtt_answer answer = {.type = (enum mqtt_type)(bytes[0] >> 4)};
    if (answer.type == MQTT_PUBACK) {
        answer.id = (uint16_t)(bytes[2] << 8 | bytes[3]);
    } else if (answer.type == MQTT_CONNACK) {
        answer.code = bytes[3];
    }
    reader->have = 0;
    if (answer.type == MQTT_PUBACK && answer.id == 0) {
        return status_detail_set(detail, STATUS_INVALID, "the broker sent a PUBACK for message 0");
    }
    /* 3.2.2.2: bit 0 tells of a session, which a clean one has not; the others are 0 */
    if (answer.type == MQTT_CONNACK && bytes[2] > 1) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "the broker sent a CONNACK with flags 0x%02x", bytes[2]);
    }
    *ret = answer;
    return STATUS_OK;
}

enum status mqtt_read(struct mqtt_reader *reader, const uint8_t **at, const uint8_t *end,
                      struct mqtt_answer *ret, struct status_detail *detail)
{
    while (*at < end) {
        reader->bytes[reader->have++] = *(*at)++;
        enum status status = check_head(reader, detail);
        if (status != STATUS_OK) {
            reader->have = 0;
            return status;
        }
        if (reader->have > 1 && reader->have == 2 + reader->bytes[1]) {
            return take_answer(reader, ret, detail);
        }
    }
    return STATUS_END;
}

const char *mqtt_refusal_words(uint8_t code)
{
    static const char *const words[] = {"accepted",
                                        "it does not speak MQTT 3.1.1",
                                        "it does not like the client id",
                                        "its service is unavailable",
                                        "wrong user name or password",
                                        "not authorised"};
    return code < sizeof words / sizeof words[0] ? words[code] : "refused for an unknown reason";
}
