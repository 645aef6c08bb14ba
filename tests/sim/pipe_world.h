/*
 * pipe_world.h - out of a seed: a small city, its registry in several states, and everything that
 * reaches the receiver in some hours, in the order of arrival, with all that may go wrong on the
 * way.
 * Know: the same seed gives the same bytes. Nothing here looks at what the receiver does.
 * Memory: world_release frees all.
 * Threads: one.
 */
#ifndef TESTS_SIM_PIPE_WORLD_H
#define TESTS_SIM_PIPE_WORLD_H

#include "tests/sim/sim_cities.h"

#include "base/buffer.h"
#include "core/directory.h"
#include "core/fences.h"
#include "core/limits.h"

enum {
    WORLD_PUPILS = 6, /* the last one's card is a phone that speaks OwnTracks */
    WORLD_SCHOOLS = 2,
    WORLD_GATES = WORLD_SCHOOLS * SIM_GATES_MAX,
    WORLD_DIRECTORIES = 2,
    WORLD_FENCE_SETS = 3,
    WORLD_TOPIC_MAX = 64,
};

struct message {
    char topic[WORLD_TOPIC_MAX];
    size_t at, size; /* in world.payloads */
    uint32_t reports;
};

enum item_kind { ITEM_MESSAGE, ITEM_DIRECTORY, ITEM_FENCES };

struct item {
    int64_t at_ms; /* true time of arrival */
    uint32_t order;
    enum item_kind kind;
    uint32_t number; /* of the message, the directory, the fence set */
    bool again;      /* the message came before */
    bool syncs;      /* the journal is on disk after this one, and the message acknowledged */
    bool full;       /* the journal has no room for alerts at this sync */
    bool marks;      /* brokers have confirmed what went out, and a mark is written */
    bool restarts;   /* the receiver dies after this one */
    uint32_t torn;   /* and so many of the records that were on their way to the disk are there */
};

struct world {
    uint64_t seed;
    struct sim_city city;
    struct directory *directories[WORLD_DIRECTORIES];
    struct fence_set *fences[WORLD_FENCE_SETS];
    uint32_t presences_max;
    int64_t jump_at_ms, jump_ms; /* the receiver's clock is set forward or back; 0: it is not */
    int64_t busy_from_ms, busy_to_ms; /* no broker takes alerts */
    struct buffer payloads;
    struct message *messages;
    struct item *items;
    uint32_t message_count, item_count, capacity;
    bool epochs_rise, pupils_move;
};

void world_make(struct world *world, uint64_t seed);
void world_release(struct world *world);

#endif
