#include "bench/presence_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/numbered.h"
#include "core/limits.h"

enum {
    SEED = 1,
    ZONES_PER_SCHOOL = 10, /* as in the city of the demo */
    DAY_MS = 86400000,
};
#define MIDNIGHT_MS 1772380800000 /* 2026-03-02 00:00 in Shanghai */

static uint32_t school_of(const void *city, uint32_t pupil_no)
{
    return ((const struct sim_city *)city)->pupils[pupil_no - 1].school + 1;
}

static enum status make_directory(struct run *run, struct status_detail *detail)
{
    const struct numbered numbered = {.schools = run->city.options.schools,
                                      .pupils = run->city.options.pupils,
                                      .gates_a_school = SIM_GATES_MAX,
                                      .school_of = school_of,
                                      .context = &run->city};
    return numbered_directory(&numbered, &run->directory, detail);
}

static enum status make_fences(struct run *run, struct status_detail *detail)
{
    uint32_t count = sim_city_fence_count(&run->city);
    uint32_t of_schools = run->city.options.schools * SIM_SCHOOL_FENCES;
    enum status status = fence_set_new(count, &run->fences);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "fences");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct sim_fence fence;
        enum fence_kind kind;
        sim_city_fence(&run->city, i, &fence);
        status = fence_kind_parse(fence.kind, &kind);
        if (status != STATUS_OK) {
            return status_detail_set(detail, status, "%s: kind", fence.id);
        }
        run->fences->shapes[i] = *fence.shape; /* its points stay the city's */
        run->fences->items[i] =
            (struct fence){.id = numbered_id(&run->fences->arena, 'f', i + 1),
                           .no = i + 1,
                           .version = 1,
                           .school_no = i < of_schools ? i / SIM_SCHOOL_FENCES + 1 : 0,
                           .kind = (uint8_t)kind};
    }
    return fence_set_seal(run->fences, detail);
}

static struct score_mark *add_mark(struct run_marks *marks)
{
    if (marks->count == marks->capacity) {
        uint32_t capacity = marks->capacity == 0 ? 4096 : marks->capacity * 2;
        struct score_mark *items = realloc(marks->items, capacity * sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        marks->items = items;
        marks->capacity = capacity;
    }
    return &marks->items[marks->count++];
}

static enum status step_engine(struct run *run, uint32_t which, const struct engine_input *input,
                               bool counts)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    struct run_marks *raised = &run->raised[which == 0 ? 0 : RULES + which];
    engine_step(run->engines[which], input, &outbox);
    for (uint32_t i = 0; i < outbox.count && counts; i++) {
        if (alerts[i].type > ALERT_DANGER || alerts[i].earliest_ms < MIDNIGHT_MS + DAY_MS) {
            continue;
        }
        const struct fence *fence = fence_set_by_no(run->fences, alerts[i].fence_no);
        struct score_mark *mark = add_mark(raised);
        if (mark == NULL) {
            return STATUS_NO_MEMORY;
        }
        *mark = (struct score_mark){
            .pupil_no = alerts[i].pupil_no,
            .fence_no = alerts[i].fence_no,
            .type = (uint8_t)rule_score_type(fence, alerts[i].type != ALERT_LEFT),
            .time_ms = alerts[i].time_ms,
            .earliest_ms = alerts[i].earliest_ms,
            .latest_ms = alerts[i].latest_ms,
            .raised_ms = alerts[i].raised_ms,
            .doubt_e6 = alerts[i].doubt_e6};
    }
    return STATUS_OK;
}

static enum status step_engines(struct run *run, const struct engine_input *input, bool counts)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i <= run->options.policy_count && status == STATUS_OK; i++) {
        status = step_engine(run, i, input, counts);
    }
    return status;
}

static enum status step_rules(struct run *run, const struct event *event, int64_t arrival_ms,
                              bool counts)
{
    uint32_t pupil_no = event->card_no;
    if ((event->flags & EVENT_NO_POSITION) != 0 || event->time_ms <= run->last_ms[pupil_no]) {
        return STATUS_OK;
    }
    run->last_ms[pupil_no] = event->time_ms;
    struct rule_fix fix = {.event = event,
                           .pupil_no = pupil_no,
                           .school_no = run->directory->pupils[pupil_no].school_no,
                           .arrival_ms = arrival_ms};
    rule_look(&fix, run->fences);
    for (uint32_t i = 0; i < RULES; i++) {
        struct score_mark marks[RULE_PLACES_MAX];
        uint32_t count = rule_step(&run->rules[i], run->fences, &fix, marks, RULE_PLACES_MAX);
        for (uint32_t k = 0; k < count && counts; k++) {
            struct score_mark *mark = add_mark(&run->raised[i + 1]);
            if (mark == NULL) {
                return STATUS_NO_MEMORY;
            }
            *mark = marks[k];
        }
    }
    return STATUS_OK;
}

/* As live: 0,0 is no position. */
static struct event event_of(const struct sim_city *city, const struct sim_report *report)
{
    struct event event = {.card_no = report->pupil + 1,
                          .type = report->kind,
                          .point = report->point,
                          .accuracy_cm = report->accuracy_cm};
    bool taken = event_take_time(&event, report->time_ms, report->arrival_ms);
    ASSERT(taken); /* simulated clocks are not a day ahead */
    if (report->kind == SIM_PASS) {
        event.kind = report->direction;
        event.gate_no = city->pupils[report->pupil].school * SIM_GATES_MAX + report->gate + 1;
        return event;
    }
    event.kind = report->kind == SIM_FIX ? report->source : report->signal;
    if (!report->has_position || (report->point.lat_e7 == 0 && report->point.lon_e7 == 0)) {
        event.flags |= EVENT_NO_POSITION;
    } else if (report->accuracy_cm > 0) {
        event.flags |= EVENT_HAS_ACCURACY;
    }
    return event;
}

static enum status take(struct run *run, const struct sim_report *report, uint32_t day)
{
    if (report->kind == SIM_PASS && !run->options.gates) {
        return STATUS_OK;
    }
    struct event event = event_of(&run->city, report);
    bool pass = event.type == EVENT_PASS;
    /* The numbers of the simulator begin anew each day: another epoch. */
    struct origin origin = {.kind = pass ? ORIGIN_GATE : ORIGIN_CARD,
                            .no = pass ? event.gate_no : event.card_no,
                            .epoch = day + 1,
                            .seq = report->seq};
    struct sequence *sequence = pass ? &run->gates[origin.no] : &run->cards[origin.no];
    if (sequence_seen(sequence, origin.epoch, origin.seq)) {
        return STATUS_OK;
    }
    sequence_take(sequence, origin.epoch, origin.seq, 0);
    struct engine_input input = {.type = INPUT_EVENT,
                                 .now_ms = report->arrival_ms,
                                 .u.event = {.origin = &origin, .event = &event}};
    enum status status = step_engines(run, &input, day > 0);
    if (status == STATUS_OK && event.type == EVENT_FIX) {
        status = step_rules(run, &event, report->arrival_ms, day > 0);
    }
    return status;
}

static enum status take_truth(struct run *run, const struct sim_day *day)
{
    struct sim_crossing crossings[256];
    for (uint32_t i = 0; i < day->config.pupil_count; i++) {
        uint32_t count = sim_day_truth(day, i, crossings, 256);
        for (uint32_t k = 0; k < count && k < 256; k++) {
            const struct sim_crossing *one = &crossings[k];
            const struct fence *fence = &run->fences->items[one->fence];
            struct score_mark *mark = add_mark(&run->crossings);
            if (mark == NULL) {
                return STATUS_NO_MEMORY;
            }
            *mark = (struct score_mark){.pupil_no = day->pupils[i].pupil + 1,
                                        .fence_no = one->fence + 1,
                                        .type = (uint8_t)rule_score_type(fence, one->entered),
                                        .time_ms = day->config.midnight_ms + one->time_ms};
        }
    }
    return STATUS_OK;
}

static enum status run_day(struct run *run, const uint32_t *pupils, uint32_t number,
                           struct status_detail *detail)
{
    struct sim_day_config config = {.city = &run->city,
                                    .pupils = pupils,
                                    .seed = SEED,
                                    .midnight_ms = MIDNIGHT_MS + (int64_t)number * DAY_MS,
                                    .day = number + 1,
                                    .pupil_count = run->options.pupils,
                                    .interval_ms = run->options.interval_ms,
                                    .from_ms = SIM_DAY_BEGIN_MS,
                                    .to_ms = SIM_DAY_END_MS,
                                    .noise = true};
    struct sim_day day;
    enum status status = sim_day_init(&day, &config, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = number > 0 ? take_truth(run, &day) : STATUS_OK;
    struct sim_report report;
    while (status == STATUS_OK && (status = sim_day_next(&day, &report)) == STATUS_OK) {
        status = take(run, &report, number);
    }
    sim_day_release(&day);
    return status == STATUS_END ? STATUS_OK : status_detail_set(detail, status, "no memory");
}

static enum status make_engines(struct run *run, uint32_t pupils)
{
    ASSERT(run->options.policy_count <= RUN_POLICIES_MAX);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i <= run->options.policy_count && status == STATUS_OK; i++) {
        struct engine_limits limits = {.cards_max = pupils, .presences_max = pupils * 16};
        if (i > 0) {
            limits.policy = run->options.policies[i - 1];
        }
        status = engine_new(&limits, &run->engines[i]);
    }
    return status;
}

static enum status make(struct run *run, struct status_detail *detail)
{
    uint32_t schools = (run->options.pupils + RUN_SCHOOL_PUPILS - 1) / RUN_SCHOOL_PUPILS;
    struct sim_city_options options = {.seed = SEED,
                                       .schools = schools,
                                       .pupils = schools * RUN_SCHOOL_PUPILS,
                                       .zones = schools * ZONES_PER_SCHOOL};
    enum status status = sim_city_init(&run->city, &options, detail);
    if (status == STATUS_OK) {
        status = make_directory(run, detail);
    }
    if (status == STATUS_OK) {
        status = make_fences(run, detail);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t pupils = options.pupils + 1;
    run->cards = calloc(pupils, sizeof *run->cards);
    run->gates = calloc((size_t)schools * SIM_GATES_MAX + 1, sizeof *run->gates);
    run->last_ms = calloc(pupils, sizeof *run->last_ms);
    status = run->cards != NULL && run->gates != NULL && run->last_ms != NULL
                 ? make_engines(run, pupils)
                 : STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < RULES && status == STATUS_OK; i++) {
        status = rule_init(&run->rules[i], &rule_kinds[i], pupils);
    }
    return status == STATUS_OK ? status : status_detail_set(detail, status, "engine and rules");
}

enum status run_days(struct run *run, const struct run_options *options,
                     struct status_detail *detail)
{
    *run = (struct run){.options = *options};
    enum status status = make(run, detail);
    uint32_t *pupils = calloc(options->pupils, sizeof *pupils);
    if (status != STATUS_OK || pupils == NULL) {
        free(pupils);
        run_release(run);
        return status != STATUS_OK ? status : status_detail_set(detail, STATUS_NO_MEMORY, "pupils");
    }
    for (uint32_t i = 0; i < options->pupils; i++) {
        pupils[i] = i;
    }
    struct engine_input input = {.type = INPUT_DIRECTORY, .u.directory = run->directory};
    status = step_engines(run, &input, false);
    input = (struct engine_input){.type = INPUT_FENCES, .u.fences = run->fences};
    status = status == STATUS_OK ? step_engines(run, &input, false) : status;
    for (uint32_t day = 0; day <= options->days && status == STATUS_OK; day++) {
        status = run_day(run, pupils, day, detail);
    }
    free(pupils);
    if (status != STATUS_OK) {
        run_release(run);
    }
    return status;
}

void run_release(struct run *run)
{
    for (uint32_t i = 0; i <= RUN_POLICIES_MAX; i++) {
        engine_free(run->engines[i]);
    }
    fence_set_free(run->fences);
    directory_free(run->directory);
    for (uint32_t i = 0; i < RULES; i++) {
        rule_release(&run->rules[i]);
    }
    for (uint32_t i = 0; i <= RULES + RUN_POLICIES_MAX; i++) {
        free(run->raised[i].items);
    }
    free(run->crossings.items);
    free(run->cards);
    free(run->gates);
    free(run->last_ms);
    sim_city_release(&run->city);
    *run = (struct run){0};
}
