/*
 * refusal.h - why a message, a report or an event was not taken. Each is a counter and a word that
 * operators read; what was refused is kept as a dead letter.
 */
#ifndef CORE_REFUSAL_H
#define CORE_REFUSAL_H

#define REFUSAL_LIST(X)                                                                            \
    X(REFUSAL_NONE, "none", "accepted")                                                            \
    X(REFUSAL_TOPIC, "topic", "the topic is not one of the contract")                              \
    X(REFUSAL_TOO_LARGE, "too_large", "the payload or a list in it is beyond its limit")           \
    X(REFUSAL_MALFORMED, "malformed", "the payload does not decode")                               \
    X(REFUSAL_EMPTY, "empty", "the payload reports nothing")                                       \
    X(REFUSAL_UNKNOWN_SCHOOL, "unknown_school", "the topic's school is not in the registry")       \
    X(REFUSAL_UNKNOWN_CARD, "unknown_card", "the card is not in the registry")                     \
    X(REFUSAL_UNKNOWN_GATE, "unknown_gate", "the gate is not in the registry")                     \
    X(REFUSAL_CLAIM, "claim", "the payload claims another sender than its topic")                  \
    X(REFUSAL_WRONG_SCHOOL, "wrong_school", "the sender does not belong to the topic's school")    \
    X(REFUSAL_POSITION, "position", "a coordinate is out of range or its datum unknown")           \
    X(REFUSAL_TIME, "time", "a time is missing, before 2000 or over a day ahead")                  \
    X(REFUSAL_VALUE, "value", "a field holds what it cannot (enum, accuracy, battery, heading)")   \
    X(REFUSAL_SEQUENCE, "sequence", "the sequence number is missing")

enum refusal {
#define X(name, word, meaning) name,
    REFUSAL_LIST(X)
#undef X
        REFUSAL_COUNT
};

const char *refusal_word(enum refusal refusal);    /* "unknown_card" */
const char *refusal_meaning(enum refusal refusal); /* a sentence */

#endif
