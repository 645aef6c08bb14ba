/*
 * presence_rules.h - the rules of peers, beside which the engine's is scored.
 * Know: a fence without a place in a pupil's list is one that the pupil is outside of.
 * Memory: the rule owns its places.
 * Threads: one.
 */
#ifndef BENCH_PRESENCE_RULES_H
#define BENCH_PRESENCE_RULES_H

#include "base/status.h"
#include "core/event.h"
#include "core/fences.h"
#include "sim/score.h"

struct rule_kind {
    const char *name;
    uint32_t accuracy_cm_max; /* vaguer fixes are ignored; 0: none */
    uint32_t in_a_row;
    float leave_m; /* outside only from this far on */
};
enum { RULES = 4 };
extern const struct rule_kind rule_kinds[RULES];

#define RULE_REACH_M    20.0F
#define RULE_PLACES_MAX 64u
#define RULE_NEAR_MAX   512u

/* What crossing that fence is scored as. */
enum score_type rule_score_type(const struct fence *fence, bool entered);

struct rule_place {
    uint32_t fence; /* place in the set + 1; 0: free */
    bool inside;
    uint8_t run;               /* fixes in a row that contradict */
    int64_t run_ms, before_ms; /* of the first of them, and of the fix before it */
};

struct rule {
    const struct rule_kind *kind;
    struct rule_place *places; /* RULE_PLACES_MAX a pupil */
    int64_t *last_ms;          /* of a pupil's last fix that counted */
};

enum status rule_init(struct rule *rule, const struct rule_kind *kind, uint32_t pupils) MUST_CHECK;
void rule_release(struct rule *rule);

struct rule_fix {
    const struct event *event;
    uint32_t pupil_no, school_no;
    int64_t arrival_ms;
    struct geo_near near[RULE_NEAR_MAX]; /* of RULE_REACH_M, by rule_look */
    uint32_t near_count;
};
/* Which fences are near the fix? Once for all rules. */
void rule_look(struct rule_fix *fix, const struct fence_set *fences);
/* Writes what it raises, at most `capacity`; returns how many. */
uint32_t rule_step(struct rule *rule, const struct fence_set *fences, const struct rule_fix *fix,
                   struct score_mark *ret, uint32_t capacity);

#endif
