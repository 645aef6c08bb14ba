/*
 * message.h - a message of a broker, as the bridge hands it on.
 * Units: arrival_ms by the wall clock.
 * Memory: whoever hands it over; it lives during the call.
 */
#ifndef BROKER_BRIDGE_MESSAGE_H
#define BROKER_BRIDGE_MESSAGE_H

#include <stdint.h>

#include "base/text.h"

struct broker_message {
    struct text topic, payload;
    int64_t arrival_ms;
};

#endif
