#include "sim/day.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "sim/gate.h"
#include "sim/random.h"

enum item_type {
    ITEM_TAKE_FIX = 1, /* a card tries to find itself */
    ITEM_SEND,         /* a report leaves; it gets its number */
    ITEM_SEND_AGAIN,   /* the network delivers it a second time */
};

struct sim_day_item {
    uint32_t at_ms; /* since midnight */
    uint32_t place; /* in day->pupils */
    uint64_t made;
    enum item_type type;
    bool repeated;
    struct sim_report report;
};

#define TRUE_ACCURACY_M 5.0 /* without noise */
#define SIGNAL_SOS      0.004
#define SIGNAL_BATTERY  0.03
#define SIGNAL_REMOVED  0.004
#define SIGNAL_OFF      0.004

static bool is_before(const struct sim_day_item *a, const struct sim_day_item *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->made < b->made);
}

static enum status grow(struct sim_day *day)
{
    uint32_t capacity = day->heap_capacity * 2;
    struct sim_day_item *heap = arena_array(&day->arena, capacity, sizeof *heap);
    if (heap == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(heap, day->heap, day->heap_count * sizeof *heap);
    day->heap = heap;
    day->heap_capacity = capacity;
    return STATUS_OK;
}

static enum status push(struct sim_day *day, const struct sim_day_item *item)
{
    if (day->heap_count == day->heap_capacity && grow(day) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    struct sim_day_item fresh = *item;
    fresh.made = day->made++;
    uint32_t at = day->heap_count++;
    while (at > 0 && is_before(&fresh, &day->heap[(at - 1) / 2])) {
        day->heap[at] = day->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    day->heap[at] = fresh;
    return STATUS_OK;
}

static struct sim_day_item pop(struct sim_day *day)
{
    ASSERT(day->heap_count > 0);
    struct sim_day_item first = day->heap[0], last = day->heap[--day->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= day->heap_count) {
            break;
        }
        if (child + 1 < day->heap_count && is_before(&day->heap[child + 1], &day->heap[child])) {
            child++;
        }
        if (!is_before(&day->heap[child], &last)) {
            break;
        }
        day->heap[at] = day->heap[child];
        at = child;
    }
    day->heap[at] = last;
    return first;
}

static const struct sim_school *school_of(const struct sim_day *day, uint32_t place)
{
    const struct sim_city *city = day->config.city;
    return &city->schools[city->pupils[day->pupils[place].pupil].school];
}

static struct sim_day_item item_to_send(const struct sim_day *day, uint32_t place, int32_t stamp_ms,
                                        uint32_t arrival_ms)
{
    return (struct sim_day_item){
        .at_ms = arrival_ms,
        .place = place,
        .type = ITEM_SEND,
        .report = {.time_ms = day->config.midnight_ms + stamp_ms,
                   .arrival_ms = day->config.midnight_ms + arrival_ms,
                   .pupil = day->pupils[place].pupil},
    };
}

/* ---- what is known from the start: passes and signals ---- */

static bool in_hours(const struct sim_day *day, uint32_t time_ms)
{
    return time_ms >= day->config.from_ms && time_ms <= day->config.to_ms;
}

static enum status push_passes(struct sim_day *day, uint32_t place)
{
    const struct sim_day_pupil *pupil = &day->pupils[place];
    struct sim_random random;
    sim_random_init(&random, day->config.seed, SIM_STREAM_GATE,
                    (uint64_t)day->config.day << 32 | pupil->pupil);
    for (uint32_t p = 0; p < pupil->plan.pass_count; p++) {
        const struct sim_pass *pass = &pupil->plan.passes[p];
        struct sim_reading readings[SIM_READINGS_MAX] = {
            {pass->time_ms, pass->time_ms, pass->gate, pass->in ? SIM_IN : SIM_OUT}};
        uint32_t count = day->config.noise ? sim_gate_read(&random, pass, readings) : 1;
        for (uint32_t r = 0; r < count; r++) {
            struct sim_day_item item =
                item_to_send(day, place, (int32_t)readings[r].time_ms, readings[r].arrival_ms);
            item.report.kind = SIM_PASS;
            item.report.gate = readings[r].gate;
            item.report.direction = (uint8_t)readings[r].direction;
            if (in_hours(day, pass->time_ms) && push(day, &item) != STATUS_OK) {
                return STATUS_NO_MEMORY;
            }
        }
    }
    return STATUS_OK;
}

static enum status push_signal(struct sim_day *day, uint32_t place, enum sim_signal signal,
                               uint32_t time_ms)
{
    struct sim_day_item item = item_to_send(day, place, (int32_t)time_ms, time_ms);
    item.report.kind = SIM_SIGNAL;
    item.report.signal = (uint8_t)signal;
    item.report.battery_pct = signal == SIM_SIGNAL_LOW_BATTERY ? 12 : 70;
    if (signal == SIM_SIGNAL_SOS) {
        item.report.has_position = true;
        item.report.point = sim_day_position(day, place, time_ms);
        item.report.accuracy_cm = 1500;
    }
    return in_hours(day, time_ms) ? push(day, &item) : STATUS_OK;
}

static enum status push_signals(struct sim_day *day, uint32_t place)
{
    static const struct {
        enum sim_signal signal;
        double chance;
    } list[] = {{SIM_SIGNAL_SOS, SIGNAL_SOS},
                {SIM_SIGNAL_LOW_BATTERY, SIGNAL_BATTERY},
                {SIM_SIGNAL_REMOVED, SIGNAL_REMOVED},
                {SIM_SIGNAL_POWERED_OFF, SIGNAL_OFF}};
    struct sim_day_pupil *pupil = &day->pupils[place];
    struct sim_random random;
    sim_random_init(&random, day->config.seed, SIM_STREAM_SIGNAL,
                    (uint64_t)day->config.day << 32 | pupil->pupil);
    pupil->silent_from_ms = UINT32_MAX;
    for (uint32_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        uint32_t time_ms = (uint32_t)sim_random_between(&random, 7.2 * 3600e3, 18.5 * 3600e3);
        if (!sim_random_chance(&random, list[i].chance)) {
            continue;
        }
        if (list[i].signal == SIM_SIGNAL_POWERED_OFF) {
            pupil->silent_from_ms = time_ms;
        }
        enum status status = push_signal(day, place, list[i].signal, time_ms);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- fixes, one after the other ---- */

static bool take_fix(struct sim_day *day, uint32_t place, uint32_t time_ms, struct sim_fix *ret)
{
    struct sim_day_pupil *pupil = &day->pupils[place];
    bool indoors;
    struct sim_spot truth = sim_plan_spot(&pupil->plan, time_ms, &indoors);
    if (time_ms >= pupil->silent_from_ms) {
        return false;
    }
    if (day->config.noise) {
        return sim_card_fix(&pupil->card, time_ms, truth, indoors, ret);
    }
    *ret = (struct sim_fix){.stamp_ms = (int32_t)time_ms,
                            .arrival_ms = time_ms,
                            .has_position = true,
                            .spot = truth,
                            .accuracy_m = TRUE_ACCURACY_M,
                            .source = SIM_GNSS,
                            .battery_pct = 80};
    return true;
}

static enum status push_fix(struct sim_day *day, uint32_t place, const struct sim_fix *fix)
{
    struct sim_day_item item = item_to_send(day, place, fix->stamp_ms, fix->arrival_ms);
    item.repeated = fix->repeated;
    struct sim_report *report = &item.report;
    report->kind = SIM_FIX;
    report->source = (uint8_t)fix->source;
    report->battery_pct = fix->battery_pct;
    report->has_position = fix->has_position;
    if (fix->has_position) {
        report->accuracy_cm = (uint32_t)lround(fix->accuracy_m * 100);
        report->point = fix->is_zero ? (struct geo_point){0, 0}
                                     : sim_land_point(&school_of(day, place)->land, fix->spot);
    }
    enum status status = push(day, &item);
    return status == STATUS_OK && fix->doubled ? push(day, &item) : status;
}

static enum status step_card(struct sim_day *day, struct sim_day_item *item)
{
    struct sim_fix fix;
    if (take_fix(day, item->place, item->at_ms, &fix)) {
        enum status status = push_fix(day, item->place, &fix);
        if (status != STATUS_OK) {
            return status;
        }
    }
    item->at_ms += day->config.interval_ms;
    bool goes_on =
        item->at_ms <= day->config.to_ms && item->at_ms < day->pupils[item->place].silent_from_ms;
    return goes_on ? push(day, item) : STATUS_OK;
}

static enum status send_report(struct sim_day *day, struct sim_day_item *item,
                               struct sim_report *ret)
{
    struct sim_report *report = &item->report;
    struct sim_day_pupil *pupil = &day->pupils[item->place];
    if (item->type == ITEM_SEND) {
        uint32_t school = day->config.city->pupils[pupil->pupil].school;
        uint64_t *seq = report->kind == SIM_PASS
                            ? &day->gate_seqs[school * SIM_GATES_MAX + report->gate]
                            : &pupil->seq;
        report->seq = ++*seq;
    }
    *ret = *report;
    if (!item->repeated) {
        return STATUS_OK;
    }
    item->repeated = false;
    item->type = ITEM_SEND_AGAIN;
    report->again = true;
    item->at_ms += 1500;
    report->arrival_ms += 1500;
    return push(day, item);
}

enum status sim_day_next(struct sim_day *day, struct sim_report *ret)
{
    while (day->heap_count > 0) {
        struct sim_day_item item = pop(day);
        if (item.type != ITEM_TAKE_FIX) {
            return send_report(day, &item, ret);
        }
        enum status status = step_card(day, &item);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_END;
}

/* ---- the start ---- */

static enum status check_config(const struct sim_day_config *config, struct status_detail *detail)
{
    uint32_t pupils = config->city->options.pupils;
    if (config->pupil_count == 0 || config->pupil_count > pupils) {
        return status_detail_set(detail, STATUS_INVALID, "pupils: %u, must be 1 to %u (the city)",
                                 config->pupil_count, pupils);
    }
    if (config->interval_ms < 1000 || config->interval_ms > 3600000) {
        return status_detail_set(detail, STATUS_INVALID, "interval: %u ms, must be 1000 to 3600000",
                                 config->interval_ms);
    }
    if (config->from_ms < SIM_DAY_BEGIN_MS || config->to_ms > SIM_DAY_END_MS ||
        config->from_ms >= config->to_ms) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "hours: the day lasts from 06:00 to 21:00, and begins before it "
                                 "ends");
    }
    return STATUS_OK;
}

static enum status make_pupil(struct sim_day *day, uint32_t place, uint32_t number)
{
    const struct sim_day_config *config = &day->config;
    struct sim_day_pupil *pupil = &day->pupils[place];
    pupil->pupil = number;
    enum status status =
        sim_plan_make(config->city, config->seed, config->day, number, &day->arena, &pupil->plan);
    if (status != STATUS_OK) {
        return status;
    }
    sim_card_init(&pupil->card, config->seed, config->day, number);
    status = push_passes(day, place);
    if (status != STATUS_OK) {
        return status;
    }
    status = push_signals(day, place);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t offset_ms = sim_random_below(&pupil->card.random, config->interval_ms);
    struct sim_day_item first = {
        .at_ms = config->from_ms + offset_ms, .place = place, .type = ITEM_TAKE_FIX};
    return first.at_ms <= config->to_ms ? push(day, &first) : STATUS_OK;
}

/* Every pupil of the city has a mark, so that one named twice is found. */
static enum status make_pupils(struct sim_day *day, struct status_detail *detail)
{
    const struct sim_day_config *config = &day->config;
    uint8_t *taken = arena_array(&day->arena, config->city->options.pupils, 1);
    if (taken == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < config->pupil_count; i++) {
        uint32_t number = config->pupils[i];
        if (number >= config->city->options.pupils || taken[number]) {
            return status_detail_set(
                detail, STATUS_INVALID, "pupil at place %u: number %u %s", i, number,
                number >= config->city->options.pupils ? "is beyond the city" : "stands twice");
        }
        taken[number] = 1;
        enum status status = make_pupil(day, i, number);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status sim_day_init(struct sim_day *day, const struct sim_day_config *config,
                         struct status_detail *detail)
{
    enum status status = check_config(config, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct sim_day fresh = {.config = *config, .heap_capacity = config->pupil_count * 8 + 64};
    arena_init_growing(&fresh.arena, 1u << 20, (size_t)4 << 30);
    fresh.pupils = arena_array(&fresh.arena, config->pupil_count, sizeof *fresh.pupils);
    fresh.heap = arena_array(&fresh.arena, fresh.heap_capacity, sizeof *fresh.heap);
    fresh.gate_seqs =
        arena_array(&fresh.arena, (size_t)config->city->options.schools * SIM_GATES_MAX,
                    sizeof *fresh.gate_seqs);
    if (fresh.pupils == NULL || fresh.heap == NULL || fresh.gate_seqs == NULL) {
        arena_release(&fresh.arena);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %u pupils",
                                 config->pupil_count);
    }
    status = make_pupils(&fresh, detail);
    if (status != STATUS_OK) {
        arena_release(&fresh.arena);
        return status == STATUS_NO_MEMORY
                   ? status_detail_set(detail, status, "no memory for %u pupils",
                                       config->pupil_count)
                   : status;
    }
    fresh.config.pupils = NULL; /* the caller's; the pupils hold their numbers */
    *day = fresh;
    return STATUS_OK;
}

void sim_day_release(struct sim_day *day)
{
    arena_release(&day->arena);
    *day = (struct sim_day){0};
}

const struct sim_plan *sim_day_plan(const struct sim_day *day, uint32_t i)
{
    ASSERT(i < day->config.pupil_count);
    return &day->pupils[i].plan;
}

struct geo_point sim_day_position(const struct sim_day *day, uint32_t i, uint32_t time_ms)
{
    bool indoors;
    ASSERT(i < day->config.pupil_count);
    struct sim_spot spot = sim_plan_spot(&day->pupils[i].plan, time_ms, &indoors);
    return sim_land_point(&school_of(day, i)->land, spot);
}

uint32_t sim_day_truth(const struct sim_day *day, uint32_t i, struct sim_crossing *ret,
                       uint32_t capacity)
{
    const struct sim_day_pupil *pupil = &day->pupils[i];
    ASSERT(i < day->config.pupil_count);
    return sim_truth(day->config.city, day->config.city->pupils[pupil->pupil].school, &pupil->plan,
                     ret, capacity);
}
