/*
 * evidence.h - how much one fix or one gate pass says about being inside, and how such words add
 * up.
 * Know: all integers, constant tables, no libm: the same events give the same sums on every
 * machine. Why these numbers: docs/presence.md.
 * Units: evidence in thousandths of a nat (mn),
 * positive for inside; weights in 1/1024.
 * Threads: any.
 */
#ifndef CORE_EVIDENCE_H
#define CORE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"

/* The most that one position can say: ln((1 - eps/2) / (eps/2)) with eps = 5 %, the chance that a
 * receiver lies whatever accuracy it claims. */
#define EVIDENCE_CAP_MN 3662
/* A gate's direction is read right in 97 of 100 passes: ln(0.97 / 0.03). */
#define EVIDENCE_PASS_MN 3476
/* Wald's thresholds ln((1 - miss) / false), miss = 1 %. A false "left" frightens most, a missed
 * danger zone harms most: false = 0.02 %, 0.2 %, 1 % of the runs of evidence. */
#define EVIDENCE_LEAVE_MN  8507
#define EVIDENCE_ENTER_MN  6205
#define EVIDENCE_DANGER_MN 4595
/* One place's fixes share an error that does not average out, so weak words do not become a
 * certainty by repetition: a fix takes the sum no farther than this many times its own word. */
#define EVIDENCE_REPEAT_MAX 4
/* Every fix counts at least this much, however soon it follows. */
#define EVIDENCE_WEIGHT_MIN 10
#define EVIDENCE_ONE        1024

/* Is the position too vague to tell anything? */
bool evidence_too_vague(const struct event *fix);
/* Standard deviation per axis: the 68 % radius / 1.515 (Rayleigh), not below the floor of its
 * source; a default of the source where no accuracy is told. */
int32_t evidence_sigma_cm(const struct event *fix);
/* What a position at that signed distance (negative inside) says. */
int32_t evidence_position_mn(int32_t distance_cm, int32_t sigma_cm);
/* 1 - exp(-dt/30 s): errors of neighbouring seconds are the same error. dt_ms since the pupil's
 * last fix. */
int32_t evidence_weight(int64_t dt_ms);
/* What is left of a sum after dt_ms: 1 % less a minute, a fifth less over one gap at most. */
int32_t evidence_fade(int32_t sum_mn, int64_t dt_ms);
/* The sum after one more word, bounded by EVIDENCE_REPEAT_MAX times that word. */
int32_t evidence_add(int32_t sum_mn, int32_t word_mn, int32_t weight);

#endif
