#include "bench/load/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/truth.h"
#include "cli/campus_sim.h"

enum { HOUR_MS = 3600000, INTERVAL_MS = 60000, BURST_S = 10, LAG_S_MAX = 120 };

static const char *const words[LOAD_MODELS] = {"steady", "bell", "lunch", "backlog", "day"};

enum status load_model_parse(const struct load_model_options *options, enum load_model_kind *ret,
                             struct status_detail *detail)
{
    const char *word = options->kind != NULL ? options->kind : "steady";
    enum load_model_kind kind = LOAD_MODEL_STEADY;
    while (kind < LOAD_MODELS && strcmp(words[kind], word) != 0) {
        kind++;
    }
    if (kind == LOAD_MODELS) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "--model %s: steady, bell, lunch, backlog or day", word);
    }
    if (kind == LOAD_MODEL_DAY && (options->city == NULL || options->origin_s <= 0)) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "--model day needs --city and --origin; ./campus bench load "
                                 "--model day sees to both, and to campusd's clock");
    }
    if (kind == LOAD_MODEL_DAY && options->from_h >= options->to_h) {
        return status_detail_set(detail, STATUS_INVALID, "--from is not before --to");
    }
    *ret = kind;
    return STATUS_OK;
}

/* ---- a day ---- */

static enum status scratch_file(char *path, size_t bytes, const char *what,
                                struct status_detail *detail)
{
    const char *folder = getenv("TMPDIR");
    int length = snprintf(path, bytes, "%s/campus-load-%s-XXXXXX",
                          folder != NULL && folder[0] == '/' ? folder : "/tmp", what);
    int fd = length > 0 && (size_t)length < bytes ? mkstemp(path) : -1;
    if (fd < 0) {
        int error = errno;
        path[0] = '\0';
        return status_detail_set(detail, STATUS_IO, "no scratch file below $TMPDIR: %s",
                                 strerror(error));
    }
    (void)close(fd);
    return STATUS_OK;
}

static void set_pace(const struct load_model_options *options, const struct load_day *day)
{
    const struct clock_pace pace = {.origin_ms = (int64_t)(options->origin_s * 1000),
                                    .start_ms = load_day_midnight_ms(day) + day->from_ms,
                                    .speed = (uint32_t)options->speed};
    clock_set_pace(&pace);
}

static enum status open_day(const struct load_model_options *options, struct load_cards *cards,
                            struct load_model *model, struct status_detail *detail)
{
    enum status status = sim_city_open(options->city, &model->city, detail);
    if (status != STATUS_OK) {
        return status;
    }
    model->day = (struct load_day){.cards = cards,
                                   .city = &model->city,
                                   .seed = 1,
                                   .day = (uint32_t)options->day,
                                   .interval_ms = INTERVAL_MS,
                                   .from_ms = (uint32_t)lround(options->from_h * HOUR_MS),
                                   .to_ms = (uint32_t)lround(options->to_h * HOUR_MS),
                                   .speed = options->speed};
    status = load_day_add_gates(&model->city, cards, detail);
    if (status == STATUS_OK) {
        status = scratch_file(model->truth_path, sizeof model->truth_path, "truth", detail);
    }
    if (status == STATUS_OK) {
        status = scratch_file(model->alerts_path, sizeof model->alerts_path, "alerts", detail);
    }
    if (status == STATUS_OK) {
        status = load_truth_write(&model->day, model->truth_path, detail);
    }
    if (status == STATUS_OK) {
        set_pace(options, &model->day);
    }
    return status;
}

/* ---- all ---- */

enum status load_model_open(const struct load_model_options *options,
                            const struct load_steady *steady, struct load_cards *cards,
                            struct load_model *ret, struct status_detail *detail)
{
    *ret = (struct load_model){.steady = *steady};
    enum status status = load_model_parse(options, &ret->kind, detail);
    if (status == STATUS_OK && ret->kind == LOAD_MODEL_DAY) {
        status = open_day(options, cards, ret, detail);
    }
    if (status == STATUS_OK && ret->kind == LOAD_MODEL_BACKLOG) {
        double interval_ms = cards->count * 1000.0 / steady->steps[0].rate;
        ret->backlog = (struct load_backlog){.cards = cards,
                                             .away_share = options->away_share,
                                             .away_s = options->away_min * 60,
                                             .burst_s = BURST_S,
                                             .interval_ms = (uint32_t)fmax(1, interval_ms)};
    }
    if (status != STATUS_OK) {
        load_model_release(ret);
    }
    return status;
}

void load_model_release(struct load_model *model)
{
    if (model->truth_path[0] != '\0') {
        (void)unlink(model->truth_path);
    }
    if (model->alerts_path[0] != '\0') {
        (void)unlink(model->alerts_path);
    }
    if (model->kind == LOAD_MODEL_DAY) {
        sim_city_release(&model->city);
    }
    *model = (struct load_model){.kind = LOAD_MODEL_STEADY};
}

uint64_t load_model_reports(const struct load_model *model)
{
    if (model->kind == LOAD_MODEL_DAY) {
        /* fixes, of which some are told twice, and signals; and each pupil's passes, read twice at times */
        uint64_t fixes = (model->day.to_ms - model->day.from_ms) / model->day.interval_ms + 1;
        return model->day.cards->count * (fixes + fixes / 8 + 24) + 1000;
    }
    uint64_t reports = load_steady_reports(&model->steady);
    if (model->kind == LOAD_MODEL_BACKLOG) {
        double kept = model->backlog.away_s * 1000 / model->backlog.interval_ms;
        reports += model->backlog.cards->count * ((uint64_t)kept / LOAD_BACKLOG_EVENTS + 2);
    }
    return reports;
}

static double steady_seconds(const struct load_steady *steady)
{
    double seconds = 0;
    for (uint32_t i = 0; i < steady->step_count; i++) {
        seconds += steady->steps[i].seconds;
    }
    return seconds;
}

enum status load_model_make(const void *context, struct load_share share, int64_t wall_ms,
                            struct load_feed **ret, struct status_detail *detail)
{
    const struct load_model *model = context;
    if (model->kind == LOAD_MODEL_DAY) {
        struct load_day day = model->day;
        day.wall_ms = wall_ms;
        return load_feed_day(&day, share, ret, detail);
    }
    struct load_steady steady = model->steady;
    steady.wall_ms = wall_ms;
    struct load_feed *inner = NULL;
    enum status status = load_feed_steady(&steady, share, &inner, detail);
    if (status != STATUS_OK) {
        return status;
    }
    if (model->kind == LOAD_MODEL_BELL || model->kind == LOAD_MODEL_LUNCH) {
        return load_feed_profile(inner, model->kind == LOAD_MODEL_BELL ? LOAD_BELL : LOAD_LUNCH,
                                 steady_seconds(&steady), ret, detail);
    }
    if (model->kind == LOAD_MODEL_BACKLOG) {
        struct load_backlog backlog = model->backlog;
        backlog.wall_ms = wall_ms;
        return load_feed_backlog(&backlog, share, inner, ret, detail);
    }
    *ret = inner;
    return STATUS_OK;
}

int64_t load_model_wall_ms(const struct load_model *model, int64_t mono_us)
{
    double speed = model->kind == LOAD_MODEL_DAY ? model->day.speed : 1;
    return clock_wall_ms() + (int64_t)((double)(mono_us - clock_mono_us()) / 1000 * speed);
}

enum status load_model_start_us(const struct load_model *model, int64_t *start_us,
                                struct status_detail *detail)
{
    if (model->kind != LOAD_MODEL_DAY) {
        return STATUS_OK;
    }
    const int64_t from_ms = load_day_midnight_ms(&model->day) + model->day.from_ms;
    double ahead_us =
        (double)(from_ms - load_model_wall_ms(model, *start_us)) * 1000 / model->day.speed;
    if (ahead_us < 0) {
        return status_detail_set(detail, STATUS_TIMEOUT,
                                 "the day began %.0f s before all was connected: give --lead some "
                                 "more seconds",
                                 -ahead_us / 1e6);
    }
    *start_us += (int64_t)ahead_us;
    return STATUS_OK;
}

enum status load_model_score(const struct load_model *model, struct score *ret,
                             struct status_detail *detail)
{
    ASSERT(model->kind == LOAD_MODEL_DAY);
    return load_truth_score(&model->day, model->truth_path, model->alerts_path, ret, detail);
}

double load_model_lag_s(const struct load_model *model, int64_t lag_us)
{
    return (double)lag_us / 1e6 * model->day.speed;
}

enum status load_model_judge(const struct load_model *model, int64_t lag_us,
                             struct status_detail *detail)
{
    if (model->kind != LOAD_MODEL_DAY || load_model_lag_s(model, lag_us) <= LAG_S_MAX) {
        return STATUS_OK;
    }
    return status_detail_set(detail, STATUS_TIMEOUT,
                             "reports left up to %.0f s of the day late, more than %d s: this "
                             "machine is too slow for --speed %g; try half of it",
                             load_model_lag_s(model, lag_us), LAG_S_MAX, model->day.speed);
}
