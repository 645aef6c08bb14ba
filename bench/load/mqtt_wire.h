/*
 * mqtt_wire.h - the packets of MQTT 3.1.1 that a sender writes and the answers that it reads, as
 * bytes (docs.oasis-open.org/mqtt/mqtt/v3.1.1; the numbers below are its sections).
 * Know: pure functions over the caller's bytes: no socket, no clock, no memory of its own. A sender
 * subscribes to nothing, so a broker may answer with CONNACK, PUBACK and PINGRESP alone.
 * Memory: the caller's.
 * Threads: any.
 */
#ifndef BENCH_LOAD_MQTT_WIRE_H
#define BENCH_LOAD_MQTT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum mqtt_type { MQTT_CONNACK = 2, MQTT_PUBACK = 4, MQTT_PINGRESP = 13 };

#define MQTT_TEXT_MAX      65535u     /* 1.5.3 */
#define MQTT_REMAINING_MAX 268435455u /* 2.2.3 */
#define MQTT_ID_MAX        65535u
#define MQTT_SHORT_BYTES   2u /* PINGREQ, DISCONNECT */

/* 3.1, always with a clean session. A text with at == NULL is left out. */
struct mqtt_connect {
    struct text client_id, user, password;
    uint16_t keepalive_s; /* 0: none */
};

/* 3.3 */
struct mqtt_publish {
    struct text topic, payload;
    uint16_t id; /* 0: QoS 0; else QoS 1 */
};

/* How many bytes the packet takes; 0: no packet can hold it. */
size_t mqtt_connect_bytes(const struct mqtt_connect *connect);
size_t mqtt_publish_bytes(const struct mqtt_publish *publish);
/* Writes the packet, of so many bytes, and returns how many. */
size_t mqtt_put_connect(const struct mqtt_connect *connect, uint8_t *ret);
size_t mqtt_put_publish(const struct mqtt_publish *publish, uint8_t *ret);
void mqtt_put_pingreq(uint8_t ret[MQTT_SHORT_BYTES]);
void mqtt_put_disconnect(uint8_t ret[MQTT_SHORT_BYTES]);

/* For packets written by mqtt_put_publish: how many bytes the one that begins there has, and its
 * mark that it may have been sent before (QoS 1). */
size_t mqtt_packet_bytes(const uint8_t *packet);
void mqtt_mark_again(uint8_t *packet);

/* What has come of a packet so far; zeroed before a connection's first byte. */
struct mqtt_reader {
    uint8_t bytes[4];
    uint8_t have;
};

struct mqtt_answer {
    enum mqtt_type type;
    uint16_t id;  /* PUBACK */
    uint8_t code; /* CONNACK: 0 accepted, else mqtt_refusal_words */
};

/* Reads on at *at, which moves. STATUS_OK: one answer; STATUS_END: the bytes are used up;
 * STATUS_INVALID: no answer to a sender, with the packet's name in detail; nothing that follows can
 * be trusted. */
enum status mqtt_read(struct mqtt_reader *reader, const uint8_t **at, const uint8_t *end,
                      struct mqtt_answer *ret, struct status_detail *detail) MUST_CHECK;
const char *mqtt_refusal_words(uint8_t code);

#endif
