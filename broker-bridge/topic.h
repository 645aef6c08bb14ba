/*
 * topic.h - the topics of the contract, read and written.
 * Threads: any.
 */
#ifndef BROKER_BRIDGE_TOPIC_H
#define BROKER_BRIDGE_TOPIC_H

#include "base/status.h"
#include "base/text.h"

enum topic_kind {
    TOPIC_CARD_UP = 1, /* campus/v1/{school}/card/{card}/up */
    TOPIC_GATE_UP,     /* campus/v1/{school}/gate/{gate}/up */
    TOPIC_GATEWAY_UP,  /* campus/v1/{school}/gateway/{gateway}/up */
    TOPIC_OWNTRACKS,   /* owntracks/{user}/{device} */
};

struct topic {
    enum topic_kind kind;
    struct text school; /* empty for OwnTracks */
    struct text sender; /* card, gate, gateway; "user/device" for OwnTracks */
};

/* Filters that together cover every topic that topic_parse takes; NULL-terminated. */
extern const char *const topic_filters[];

/* Ids are as text_is_id takes them; user and device of OwnTracks are at most TOPIC_PHONE_NAME_MAX
 * bytes of anything but control characters, '+' and '#'. Texts point into `name`. STATUS_INVALID:
 * none of the contract. */
#define TOPIC_PHONE_NAME_MAX 100
enum status topic_parse(struct text name, struct topic *ret) MUST_CHECK;

/* Ids of at most TEXT_ID_MAX bytes always fit. */
#define TOPIC_BYTES_MAX 256
void topic_card_down(char ret[TOPIC_BYTES_MAX], const char *school, const char *card);
void topic_gate_down(char ret[TOPIC_BYTES_MAX], const char *school, const char *gate);
void topic_school_alerts(char ret[TOPIC_BYTES_MAX], const char *school);
void topic_guardian_alerts(char ret[TOPIC_BYTES_MAX], const char *guardian);

#endif
