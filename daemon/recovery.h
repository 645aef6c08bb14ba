/*
 * recovery.h - what makes a restart short and exact: snapshots of the state, and the rules (registry,
 * fences, policy) in the journal at the place from where they hold.
 * Know: a snapshot is copied to memory in one go on the loop (milliseconds) and written by a worker; it
 * gets its name when every record that the state has caused is durable too. Rules hold from their record
 * on, live and in every replay; the registry that they name is a file beside the cache.
 * Threads: loop thread.
 */
#ifndef DAEMON_RECOVERY_H
#define DAEMON_RECOVERY_H

#include <uv.h>

#include "base/buffer.h"
#include "storage/registry.h"
#include "storage/snapshot.h"

struct campusd;

/* A registry with its fences, and what tells it from others. */
struct registry_version {
    struct directory *directory;
    struct fence_set *fences;
    struct registry_key key;
};

struct recovery {
    uint64_t began_at; /* position of the snapshot that this process began with; 0: none */
    uint64_t replay_from;
    struct rules rules;
    bool has_rules; /* the journal says what holds, and it does; else what was loaded first does */
    struct presence_policy policy;        /* as the settings want it, whole */
    struct registry_key loaded, in_force; /* at boot; of campusd's directory and fences */
    /* the registry of rules that are on the way to the disk, and the one after it */
    struct registry_version appended, next;
    bool is_appended; /* rules are on the way */

    uv_work_t work;
    struct snapshot snapshot; /* of the job */
    struct snapshots_kept kept, kept_next;
    struct buffer image;
    uint64_t needs;   /* the snapshot may have its name when the journal is durable to here */
    int64_t tried_ms; /* monotonic */
    int64_t journal_since_ms; /* registries of before are needed by no replay */
    enum status status;
    struct status_detail detail;
    bool busy, is_aside, failed, in_the_way;
    /* for the status */
    uint64_t made, failures, pause_us, pause_us_max, bytes, pos, load_ms;
};

/* Boot, before the journal is opened: begins at the newest snapshot, or with the registry as it was
 * loaded, which it takes over. */
void recovery_begin(struct campusd *campusd, const struct registry_version *loaded);
/* Boot, after the journal was read: does it reach as far as the snapshot? Asks for the rules that hold now. */
enum status recovery_end(struct campusd *campusd, struct status_detail *detail) MUST_CHECK;
/* A registry was loaded: its rules go into the journal, and hold when they are durable. Takes it over. */
void recovery_new_registry(struct campusd *campusd, const struct registry_version *version);
void recovery_take_rules(struct campusd *campusd, const struct rules *rules);
/* Once a second, and when more is durable: what is due. */
void recovery_upkeep(struct campusd *campusd);
void recovery_durable(struct campusd *campusd);
/* The journal is needed from here on. */
uint64_t recovery_keeps_from(const struct campusd *campusd);
/* Once a second, after recovery_keeps_from: does that alone keep a journal near its limit from being trimmed?
 * Then a snapshot is due at once; where the journal cannot write any more none can be made, and those that
 * are kept are given up: a restart knows less history. */
void recovery_in_the_way(struct campusd *campusd, bool is_in_the_way);
void recovery_free(struct campusd *campusd);

#endif
