#include "bench/load/truth.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/presence_sum.h"
#include "cli/campus_sim.h"
#include "cli/score_files.h"

enum { ROW_BYTES_MAX = 1024 };

/* ---- what happened ---- */

/* School by school: the lives of a whole city at once would take half a gigabyte. */
static enum status add_school(const struct load_day *options, uint32_t school, uint32_t *pupils,
                              struct sim_file *file, struct status_detail *detail)
{
    const struct sim_school *one = &options->city->schools[school];
    struct sim_day_config config = {.city = options->city,
                                    .pupils = pupils,
                                    .seed = options->seed,
                                    .midnight_ms = load_day_midnight_ms(options),
                                    .day = options->day,
                                    .interval_ms = options->interval_ms,
                                    .from_ms = options->from_ms,
                                    .to_ms = options->to_ms,
                                    .noise = true};
    for (uint32_t i = 0; i < one->pupil_count; i++) {
        char id[24];
        (void)snprintf(id, sizeof id, "c%06u", one->pupil_first + i + 1);
        if (load_cards_find(options->cards, text_of(id)) != LOAD_NONE) {
            pupils[config.pupil_count++] = one->pupil_first + i;
        }
    }
    if (config.pupil_count == 0) {
        return STATUS_OK;
    }
    struct sim_day day;
    enum status status = sim_day_init(&day, &config, detail);
    if (status == STATUS_OK) {
        status = sim_add_truth(&day, file, detail);
        sim_day_release(&day);
    }
    return status;
}

enum status load_truth_write(const struct load_day *options, const char *path,
                             struct status_detail *detail)
{
    uint32_t *pupils = calloc(options->city->options.pupils, sizeof *pupils);
    if (pupils == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the pupils of a day");
    }
    struct sim_file file;
    enum status status = sim_truth_open(&file, path, detail);
    for (uint32_t i = 0; i < options->city->options.schools && status == STATUS_OK; i++) {
        status = add_school(options, i, pupils, &file, detail);
    }
    if (status == STATUS_OK) {
        status = sim_file_commit(&file, detail);
    }
    sim_file_abort(&file);
    free(pupils);
    return status;
}

/* ---- and what was told of it ---- */

static void keep_hours(const struct load_day *options, struct score_files *files)
{
    const int64_t midnight_ms = load_day_midnight_ms(options);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < files->crossing_count; i++) {
        int64_t time_ms = files->crossings[i].time_ms - midnight_ms;
        if (time_ms >= options->from_ms && time_ms <= options->to_ms) {
            files->crossings[kept++] = files->crossings[i];
        }
    }
    files->crossing_count = kept;
}

enum status load_truth_score(const struct load_day *options, const char *truth_path,
                             const char *alerts_path, struct score *ret,
                             struct status_detail *detail)
{
    struct score_files files;
    enum status status = score_files_read(&files, truth_path, alerts_path, detail);
    if (status == STATUS_OK) {
        keep_hours(options, &files);
        /* as bench presence: undone within one interval is brief */
        score(files.crossings, files.crossing_count, files.alerts, files.alert_count,
              options->interval_ms, ret);
    }
    score_files_release(&files);
    return status;
}

void load_truth_print(const struct score *score)
{
    struct buffer row;
    buffer_init(&row, ROW_BYTES_MAX);
    score_head(&row);
    (void)printf("%s\n", buffer_cstr(&row));
    for (uint32_t type = SCORE_ENTERED; type < SCORE_TYPES; type++) {
        buffer_clear(&row);
        score_row(score, (enum score_type)type, &row);
        (void)printf("%s\n", buffer_cstr(&row));
    }
    buffer_release(&row);
}

json_t *load_truth_json(const struct score *score)
{
    static const char *const words[SCORE_TYPES] = {"",
                                                   "school grounds entered",
                                                   "school grounds left",
                                                   "danger zones entered",
                                                   "places entered",
                                                   "places left"};
    json_t *rows = json_array();
    for (uint32_t type = SCORE_ENTERED; type < SCORE_TYPES; type++) {
        const struct score_kind *kind = &score->kinds[type];
        json_t *row = json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "what", words[type], "happened",
            (json_int_t)kind->crossings, "found", (json_int_t)kind->found, "missed",
            (json_int_t)kind->missed, "false", (json_int_t)kind->wrong, "doubled",
            (json_int_t)kind->doubled, "delay_p50_s", presence_seconds(&kind->delays_ms, 50),
            "delay_p99_s", presence_seconds(&kind->delays_ms, 99));
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

void load_truth_figures(const struct score *score, uint32_t pupils, struct figures *figures)
{
    static struct presence_sum sum;
    const struct run_options one_day = {.pupils = pupils, .days = 1};
    presence_sum_up(score, SCORE_ENTERED, SCORE_LEFT, &sum);
    figures_add(figures, "load.day_found_pct", presence_percent(sum.found, sum.crossings));
    figures_add(figures, "load.day_false_per_10k_pupil_days",
                presence_per_10k(sum.wrong, &one_day));
    figures_add(figures, "load.day_delay_median_s", presence_seconds(&sum.delays_ms, 50));
}
