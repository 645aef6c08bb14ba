/*
 * replay_why.h - the steps of evidence behind each alert of a replay: the last ones of every pupil, told
 * by the engine (engine_explain), written as JSON beside the alert that they led to.
 * Memory: WHY_STEPS_MAX steps for each pupil that was ever told of.
 * Threads: one at a time.
 */
#ifndef CLI_REPLAY_WHY_H
#define CLI_REPLAY_WHY_H

#include "base/buffer.h"
#include "core/alert.h"
#include "core/engine.h"

/* Steps that are remembered of a pupil, over all fences: older ones are left out. */
#define WHY_STEPS_MAX 128u

struct why;

enum status why_new(uint32_t pupil_end, struct why **ret) MUST_CHECK;
void why_free(struct why *why);
/* An engine_tell; the context is a struct why. */
void why_take(void *why, const struct engine_reason *reason);
/* Was there memory for all of them? */
bool why_is_whole(const struct why *why);
/* A step as a row of CSV, and the names of its columns. */
void why_row(struct buffer *out, const char *card, const char *fence,
             const struct engine_reason *reason);
#define WHY_COLUMNS                                                                                \
    "card,fence,time_ms,by,accuracy_m,distance_m,firm,word,sum,needed,lasts_s,streak,"             \
    "streak_needed,state\n"
/* Appends ,"why":[...] with the steps on the alert's fence since its run began, oldest first. */
void why_write(struct buffer *out, const struct why *why, const struct alert *alert);

#endif
