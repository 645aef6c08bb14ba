/*
 * model.h - which arrivals a run has (--model), from its options to the feeds of the generator
 * processes.
 * Know: times of the day model are those of the paced clock (base/clock.h) that campusd runs by too.
 * Memory: own, until load_model_release; the cards outlive it.
 * Threads: one; load_model_make in any process made afterwards.
 */
#ifndef BENCH_LOAD_MODEL_H
#define BENCH_LOAD_MODEL_H

#include "bench/load/feed.h"
#include "sim/score.h"

enum load_model_kind {
    LOAD_MODEL_STEADY,
    LOAD_MODEL_BELL,
    LOAD_MODEL_LUNCH,
    LOAD_MODEL_BACKLOG,
    LOAD_MODEL_DAY,
    LOAD_MODELS
};

/* What the command line may say of it; numbers as they are checked there. */
struct load_model_options {
    const char *kind;            /* NULL: steady */
    const char *city;            /* folder of campus-sim city; day */
    double pupils;               /* day: so many of the city's cards */
    double speed, day, origin_s; /* day: see struct load_day; Unix time at which from_h is */
    double from_h, to_h;         /* day */
    double away_share, away_min; /* backlog */
};

struct load_model {
    enum load_model_kind kind;
    struct load_steady steady; /* all but the day; its steps are the caller's */
    struct load_backlog backlog;
    struct load_day day;
    struct sim_city city;
    char truth_path[64], alerts_path[64]; /* files of a day's truth; "" for others */
};

/* STATUS_INVALID: no such model, or an option of it is missing. */
enum status load_model_parse(const struct load_model_options *options, enum load_model_kind *ret,
                             struct status_detail *detail) MUST_CHECK;
/* Before processes are made: the cards stand. A day opens its city, adds its gates, writes down what will truly
 * happen and sets the clock's pace. steady: for all but the day. Nothing is left behind on failure. */
enum status load_model_open(const struct load_model_options *options,
                            const struct load_steady *steady, struct load_cards *cards,
                            struct load_model *ret, struct status_detail *detail) MUST_CHECK;
void load_model_release(struct load_model *model);

/* At most so many reports come. */
uint64_t load_model_reports(const struct load_model *model);
/* As load_feed_source wants it; context is the model. */
enum status load_model_make(const void *context, struct load_share share, int64_t wall_ms,
                            struct load_feed **ret, struct status_detail *detail) MUST_CHECK;
/* The wall clock at that moment of clock_mono_us, which is at hand. */
int64_t load_model_wall_ms(const struct load_model *model, int64_t mono_us);
/* Puts off a run that could start at *start_us to the beginning of its day. STATUS_TIMEOUT: that is over. */
enum status load_model_start_us(const struct load_model *model, int64_t *start_us,
                                struct status_detail *detail) MUST_CHECK;

/* After a day: its table. What load_truth_score returns. */
enum status load_model_score(const struct load_model *model, struct score *ret,
                             struct status_detail *detail) MUST_CHECK;
/* How late that is by the clock of the day. */
double load_model_lag_s(const struct load_model *model, int64_t lag_us);
/* STATUS_TIMEOUT: reports left so late that it was not this day any more. */
enum status load_model_judge(const struct load_model *model, int64_t lag_us,
                             struct status_detail *detail) MUST_CHECK;

#endif
