/*
 * engine_internal.h - the engine's state, and one step under way, shared by engine.c, engine_image.c,
 * turn.c, position.c, crossing.c, passage.c, notice.c and silence.c only.
 * Threads: one at a time.
 */
#ifndef CORE_ENGINE_INTERNAL_H
#define CORE_ENGINE_INTERNAL_H

#include "core/engine.h"
#include "core/order.h"
#include "core/pupil.h"

struct card_state {
    /* last ones told, Unix time; 0 = none */
    uint32_t pass_s, low_battery_s, removed_s, powered_off_s;
    uint32_t pass_gate : 24, pass_direction : 8;
};
_Static_assert(sizeof(struct card_state) == 20 && REGISTRY_NUMBER_MAX < 1u << 24,
               "one for every card");

/* Whose is the card? */
struct card_owner {
    uint32_t pupil_no : 24; /* 0: see the directory */
    uint32_t is_low : 8;    /* its low battery was told, and no better charge since */
};
_Static_assert(sizeof(struct card_owner) == 4, "one for every card, and each event asks for one");

/* So many reports of the pupil's card are missing before this one, up to the width of its window. Below
 * 0: it is none of those that come. */
static inline int32_t pupil_misses(const struct pupil_state *pupil, uint64_t seq)
{
    return (int16_t)(uint16_t)(seq - pupil->next_seq);
}

/* How many pupils of a school are silent on its ground, in this round of looks and in the last one. */
struct school_silence {
    uint32_t told_s; /* the tick that told the school silent; 0: it is not */
    uint16_t count, last_count;
};

struct silence {
    uint32_t tick_s;                             /* the last tick; 0: there was none */
    uint32_t listening_s;                        /* nobody was deaf since */
    uint32_t looks;                              /* of this round */
    uint32_t cards_silent, cards_off, cards_low; /* of this round */
    struct school_silence *schools;              /* by number */
};

/* Which set brought the present version of a fence number. */
struct fence_memory {
    uint32_t version, since_set, last_set;
};

/* The set of fences that cover a point, looked up beforehand. */
struct expected {
    struct geo_point point;
    uint32_t set;
};

struct engine {
    uint32_t magic;
    struct arena arena;          /* holds everything, this struct too */
    struct engine_limits limits; /* the policy is whole */
    int32_t sum_max_mn;          /* of a presence, by the policy */
    const struct directory *directory;
    const struct fence_set *fences;
    uint32_t set;      /* how many fence sets there were */
    uint32_t used_end; /* cards and pupils from here on were never known */
    struct pupil_state *pupils;
    struct card_owner *owners; /* by card */
    struct card_state *cards;
    struct fence_memory *fence_memory;
    struct presences presences;
    struct order order;
    struct silence silence;
    struct engine_stats stats;
    struct expected expected[ENGINE_EXPECT_MAX]; /* in the order of the events to come */
    uint32_t expected_next, expected_count;
    engine_tell *tell; /* NULL: nobody asks why */
    void *tell_context;
};

/* One event on its way through. pupil_no 0: the card belongs to nobody that is known here. */
struct step {
    struct engine *engine;
    const struct engine_input *input;
    const struct event *event;
    struct outbox *outbox;
    uint32_t outbox_start, pupil_no, school_no;
    int32_t sigma_cm;             /* of a fix that moves somebody */
    struct engine_reason *reason; /* NULL: nobody asks why */
};

/* engine.c */
/* One event whose turn it is. All of one engine_step share the room from outbox_start on. */
void step_event(struct engine *engine, const struct engine_input *input, struct outbox *outbox,
                uint32_t outbox_start);
/* An alert with everything that the event tells, for the caller to fill in the rest. */
struct alert *step_raise(struct step *step, enum alert_type type, enum severity severity,
                         int64_t time_ms);
bool step_has_room(const struct step *step);

static inline bool concerns(const struct step *step, const struct fence *fence)
{
    return fence->school_no == 0 || fence->school_no == step->school_no;
}

static inline uint16_t whole_seconds(int64_t ms)
{
    return (uint16_t)(ms <= 0 ? 0 : ms / 1000 < UINT16_MAX ? ms / 1000 : UINT16_MAX);
}

/* To the second; beyond what 32 bits hold, the last of them. */
static inline uint32_t unix_seconds(int64_t time_ms)
{
    return time_ms / 1000 < UINT32_MAX ? (uint32_t)(time_ms / 1000) : UINT32_MAX;
}

/* What a fix or a pass says of one fence. What is not firm does not count. */
struct word {
    const struct fence *fence;
    int32_t mn, weight;
    uint32_t away_m; /* of a fix from the boundary, where it was measured */
    bool firm, is_measured;
    bool is_late;     /* older than the pupil's newest fix */
    int64_t dt_ms;    /* since the pupil's last fix; 0: of a pass */
    int64_t clear_ms; /* when it was last clear where the pupil was */
};

/* turn.c */
/* The event if it is its turn, and those that waited for it; else it waits. */
void step_in_turn(struct engine *engine, const struct engine_input *input, struct outbox *outbox);
/* Those that have waited for too long. */
void step_overdue(struct engine *engine, int64_t now_ms, struct outbox *outbox,
                  uint32_t outbox_start);

/* crossing.c */
/* Adds the word to what is known of that place, and draws the consequence. The place may be free
 * afterwards. */
void step_weigh(struct step *step, uint32_t place, const struct word *word);
struct alert *step_raise_crossing(struct step *step, const struct fence *fence,
                                  enum alert_type type, int64_t time_ms);

/* position.c */
void step_fix(struct step *step);
/* A pass in that direction is evidence for the grounds of the gate's school. */
void step_weigh_pass(struct step *step, uint32_t school_no);
bool fence_is_known(const struct engine *engine, uint32_t pupil_no, uint32_t fence_no);
/* Nothing is known of the pupil any more: the next settled states are silent. */
void pupil_rebase(struct engine *engine, uint32_t pupil_no);

/* passage.c */
/* Before this fix moves the pupil: raises the danger zones between the two fixes before this one, if it bears them out. */
void step_passage(struct step *step);
/* Before this fix moves the pupil: whole seconds from the last fix to this one, where the straight way between them may be
 * believed so far; else 0. */
uint8_t passage_way_s(const struct pupil_state *pupil, const struct event *fix, int32_t sigma_cm);
/* Are two fixes, dt_ms between them, so far from each other that nobody can be so fast? sigmas_m: both. */
bool passage_is_leap(struct geo_point a, struct geo_point b, int64_t sigmas_m, int64_t dt_ms);
/* When the pupil crossed the boundary, if that was between the last fix and this one, dt_ms after
 * it: by their distances to it, as at a steady pace. A pass tells its own time. */
int64_t passage_crossing_ms(const struct step *step, const struct fence *fence, int64_t dt_ms);

/* notice.c */
void step_pass(struct step *step);
void step_signal(struct step *step);
/* Any event may tell the battery's charge. */
void step_battery(struct step *step);

/* silence.c */
/* Before and after what an event moves. */
void step_hear(struct step *step);
void step_heard(struct step *step);
/* The school knows that the card is off. */
void step_told_off(struct step *step);
/* Nothing was heard, as far as the pupil's new school goes. */
void silence_forget(struct engine *engine, uint32_t pupil_no);
void silence_tick(struct engine *engine, int64_t now_ms, struct outbox *outbox);
/* Takes into the run what was before this event; why the run's alert is not sure. */
void doubt_run(const struct step *step, struct presence *presence);
uint32_t run_doubts(const struct step *step, const struct presence *presence);

#endif
