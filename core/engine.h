/*
 * engine.h - the core's one door: an event in, alerts out.
 * Know: a pure function of what went in: no clock, no I/O, no allocation after engine_new. Live,
 * replay, backtest, bench and simulation all use engine_step.
 * Memory: the engine's state is one
 * allocation sized from engine_limits; the directory and fence set handed in stay the caller's and
 * must outlive their use here (until replaced).
 * Threads: one at a time (the loop thread).
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "core/alert.h"
#include "core/directory.h"
#include "core/event.h"
#include "core/fences.h"
#include "core/limits.h"
#include "core/policy.h"
#include "core/presence.h"

struct engine;

struct engine_limits {
    uint32_t cards_max;     /* card and pupil numbers below this */
    uint32_t presences_max; /* (pupil, fence) states at once; one outside makes room (presence.h) */
    struct presence_policy policy; /* how sure to be; what is 0 has its default */
};

/* STATUS_NO_MEMORY, STATUS_INVALID (a limit is 0 or beyond REGISTRY_NUMBER_MAX, or the policy asks for
 * more than POLICY_MN_MAX). */
enum status engine_new(const struct engine_limits *limits, struct engine **ret) MUST_CHECK;
void engine_free(struct engine *engine);
size_t engine_bytes(const struct engine *engine);

enum engine_input_type {
    INPUT_EVENT = 1,     /* one event of a report */
    INPUT_DIRECTORY = 2, /* another directory from here on */
    INPUT_FENCES = 3,    /* another fence set from here on: states re-base silently */
    INPUT_TICK =
        4, /* the clock went on; one that is not a second later than the last is passed over */
    INPUT_POLICY = 5, /* another one from here on; what is 0 has its default */
};

struct engine_input {
    enum engine_input_type type;
    int64_t now_ms; /* arrival of the report; the moment of the change */
    union {
        struct {
            const struct origin *origin;
            const struct event *event;
            uint16_t index;     /* the event's place in its report */
            bool more;          /* others of the same report follow at once */
            uint64_t keep_from; /* of the report */
        } event;
        const struct directory *directory;
        const struct fence_set *fences;
        const struct presence_policy *policy; /* as policy_fill takes it */
    } u;
};

/* What comes out. Owned by the caller, who empties it; engine_step appends at most STEP_ALERTS_MAX.
 */
struct outbox {
    struct alert *alerts;
    uint32_t count, capacity; /* asserts capacity - count >= STEP_ALERTS_MAX before each step */
};

void engine_step(struct engine *engine, const struct engine_input *input, struct outbox *outbox);

/* What the step of this SOS (an INPUT_EVENT) would raise, before it is durable: same id, now_ms as
 * given. Nothing else changes, and the step raises it again. */
void engine_tell_sos(struct engine *engine, const struct engine_input *input,
                     struct outbox *outbox);

/* Looks up and asks memory for what the steps of these events will need, all at once: several times as
 * fast as steps that each wait for it. Leaving it out changes no state and no alert. */
#define ENGINE_EXPECT_MAX 64u
void engine_expect(struct engine *engine, const struct event *const *events, uint32_t count);

/* What is known of a card itself, as of the last tick. A pupil with two of them is heard by either. */
enum card_hearing { CARD_NEVER_HEARD = 0, CARD_HEARD, CARD_SILENT, CARD_OFF };
struct engine_card {
    enum card_hearing hearing;
    bool low_battery;    /* and no better charge since */
    int64_t heard_ms;    /* arrival of the last thing heard, to the second; 0: nothing was */
    uint32_t interval_s; /* between what it says, as learned */
};
/* Of a card that belongs to nobody: never heard. */
void engine_card(const struct engine *engine, uint32_t card_no, struct engine_card *ret);

/* What it counted, for operators. */
struct engine_stats {
    uint64_t events, fixes, passes, signals, calls;
    uint64_t no_position, too_vague, out_of_order, repeats; /* fixes that moved nobody */
    uint64_t late_fixes;             /* of those out of order: they might bear a pass out */
    uint64_t waited, waited_in_vain; /* for what a card sends again (order.h); it did not come */
    uint64_t stale;                  /* alerts not raised: they came too late to be worth it */
    uint64_t unassigned;             /* events of a card that belongs to no pupil here */
    uint64_t double_reads, held_signals; /* passes and signals that repeat what was told already */
    uint64_t presences, presences_evicted;
    uint64_t presences_refused; /* no state to give up: every one held is of a pupil inside */
    uint64_t alerts[ALERT_TYPE_COUNT];
    uint32_t cards_silent, cards_off, cards_low; /* as the last whole round of ticks found them */
};
void engine_stats(const struct engine *engine, struct engine_stats *ret);

/* One step of evidence on one fence, for those who ask why: a fix or a pass, what it said, and what was
 * known after it beside what it takes. docs/presence.md tells the words. */
struct engine_reason {
    int64_t time_ms, run_ms; /* run_ms: when the run crossed the boundary, as near as known */
    uint32_t pupil_no, fence_no, fence_version;
    uint32_t accuracy_cm; /* of a fix; 0: not told */
    int32_t distance_m;   /* of a fix to the boundary, negative inside; far ones are cut off */
    int32_t word_mn, sum_mn, sum_needed_mn;
    int32_t streak_mn, streak_needed_mn;
    uint32_t lasts_s;      /* the streak's length */
    uint8_t type, kind;    /* of the event */
    uint8_t before, after; /* enum presence_state */
    bool firm, passed;     /* passed: a pass is in the run */
    bool
        between; /* a zone on the way between two fixes, of lasts_s, borne out by this one: distance and
                   * sum are of the middle of what lies in it, run_ms is when the way came to it */
};
typedef void engine_tell(void *context, const struct engine_reason *reason);
/* From here on each step is told, before its alerts; NULL: no longer. It decides nothing. */
void engine_explain(struct engine *engine, engine_tell *tell, void *context);

/* The state as bytes, for a snapshot: what went in later than engine_image_put goes in again after
 * engine_image_get, and the same alerts come out. The directory and the fences are those of the time of
 * the image. STATUS_UNSUPPORTED: an image of other limits, or of another version of the engine; nothing
 * was taken. The bytes must be those that were put: who keeps them checks them. */
size_t engine_image_bytes(const struct engine *engine);
void engine_image_put(const struct engine *engine, void *out);
enum status engine_image_get(struct engine *engine, const void *image, size_t size,
                             const struct directory *directory,
                             const struct fence_set *fences) MUST_CHECK;

/* Where the pupil stands to the fence, as far as is settled. */
enum presence_state engine_presence(const struct engine *engine, uint32_t pupil_no,
                                    uint32_t fence_no);

#endif
