/*
 * mqtt_url.h - where a broker is: mqtt://[user@]host[:port], an IPv6 address in brackets.
 * Threads: any.
 */
#ifndef BROKER_BRIDGE_MQTT_URL_H
#define BROKER_BRIDGE_MQTT_URL_H

#include "base/status.h"

#define MQTT_HOST_MAX 256
#define MQTT_USER_MAX 128
#define MQTT_PORT     1883

struct mqtt_url {
    char host[MQTT_HOST_MAX]; /* name or address, without brackets */
    char user[MQTT_USER_MAX]; /* "" = none */
    int port;
};

/* STATUS_INVALID: not such a URL; STATUS_UNSUPPORTED: another scheme; both with the way out. */
enum status mqtt_url_parse(const char *url, struct mqtt_url *ret,
                           struct status_detail *detail) MUST_CHECK;
/* "127.0.0.1:1883", "[::1]:1883" */
#define MQTT_NAME_MAX (MQTT_HOST_MAX + 16)
void mqtt_url_name(const struct mqtt_url *url, char ret[MQTT_NAME_MAX]);

#endif
