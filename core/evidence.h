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
/* A gate's direction is read wrong in 2 of 100 passes, and in a third of these so that it agrees with
 * where the pupil was: ln(149). A pass that does not agree is none of a new place. */
#define EVIDENCE_PASS_MN 5004
/* The default of core/policy.h. Wald's thresholds ln((1 - miss) / false), miss = 1 %. A false "left"
 * frightens most, a missed danger zone harms most: false = 0.02 %, 0.2 %, 1 % of the runs of evidence. */
#define EVIDENCE_LEAVE_MN  8507
#define EVIDENCE_ENTER_MN  6205
#define EVIDENCE_DANGER_MN 4595
/* From so many sixteenths of a sigma on a fix is firm, 4.5 outside or 2 inside: less is the noise of
 * a place, which lasts for hours. A ground bounds how deep inside noise can lead. */
#define EVIDENCE_FIRM_OUT 72
#define EVIDENCE_FIRM_IN  32
/* As sure as that must it be that no lie has lasted for so long: these are rarer than single ones, by 3,
 * or 4.5 where they must hit a ground, so false = 0.06 %, 0.9 %. */
#define EVIDENCE_STREAK_MN    7409
#define EVIDENCE_STREAK_IN_MN 4700
/* That a single lie comes just before one that lasts is less likely by a factor of 4.5. */
#define EVIDENCE_LIE_BEFORE_MN 1500
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
/* The most that fixes can say which have agreed for lasts_ms and are away_m from the boundary: one
 * lie that lasts may have told them all. */
int32_t evidence_lasting_mn(int64_t lasts_ms, uint32_t away_m);
/* The chance that what so much evidence says is wrong, exp(-mn), in millionths: at least 1. */
uint32_t evidence_wrong_e6(int32_t mn);
/* What is left of a sum after dt_ms: 1 % less a minute, a fifth less over one gap at most, of what is
 * not owed to a pass (base_mn): a pass does not age. */
int32_t evidence_fade(int32_t sum_mn, int32_t base_mn, int64_t dt_ms);
/* What is left of a sum after a fix that is too vague to go on with it: a quarter less of what is not
 * owed to a pass. */
int32_t evidence_doubt(int32_t sum_mn, int32_t base_mn);

#endif
