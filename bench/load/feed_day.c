#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/load/feed.h"
#include "cli/campus_sim.h"

enum { DAY_MAGIC = 0x4c444159, DAY_MS = 86400000, PASSES_INTERVAL_MS = 3600000, SLICE_MS = 2000 };

/* A school's cards of this share. */
struct school {
    struct sim_day day;
    struct sim_report next;
    bool more; /* next is one that was not told */
};

struct reports {
    struct sim_report *items;
    uint32_t count, capacity;
};

/* One day of a whole city strides through more memory with each report than a cache holds. So a school
 * at a time tells some seconds, and these are brought into order. */
struct day_feed {
    struct load_feed feed; /* first: what callers hold */
    uint32_t magic;
    struct load_day options;
    struct load_share share;
    uint32_t *card_of; /* by pupil: the sender, LOAD_NONE: it takes no part */
    uint32_t *gate_of; /* by school: the sender of its first gate */
    uint32_t *pupils;  /* scratch */
    struct school *schools;
    uint32_t school_count;
    struct reports passes; /* at the share's gates, by whomever; in the order of arrival */
    uint32_t pass_at;
    int64_t slice_end_ms;
    struct reports slice;
    uint32_t *order, order_capacity; /* of the slice */
    uint32_t told;                   /* of the slice */
    uint32_t at_ms[SLICE_MS + 1];    /* scratch: how many reports arrive before */
    struct wire_event event;
};

int64_t load_day_midnight_ms(const struct load_day *options)
{
    return LOAD_DAY_1_MS + (int64_t)(options->day - 1) * DAY_MS;
}

enum status load_day_add_gates(const struct sim_city *city, struct load_cards *cards,
                               struct status_detail *detail)
{
    const uint32_t count_max = city->options.schools * SIM_GATES_MAX;
    struct load_gate *gates = arena_array(&cards->arena, count_max, sizeof *gates);
    uint32_t count = 0;
    for (uint32_t i = 0; i < count_max && gates != NULL; i++) {
        char school[32], id[32], topic[96];
        uint32_t gate = i % SIM_GATES_MAX;
        if (gate >= city->schools[i / SIM_GATES_MAX].gate_count) {
            continue;
        }
        int a = snprintf(school, sizeof school, "s%03u", i / SIM_GATES_MAX + 1);
        int b = snprintf(id, sizeof id, "%s-g%u", school, gate + 1);
        int c = snprintf(topic, sizeof topic, "campus/v1/%s/gate/%s/up", school, id);
        struct load_gate *one = &gates[count++];
        one->school = arena_copy_text(&cards->arena, school, (size_t)a);
        one->id = arena_copy_text(&cards->arena, id, (size_t)b);
        one->topic = arena_copy_text(&cards->arena, topic, (size_t)c);
        gates = one->school != NULL && one->id != NULL && one->topic != NULL ? gates : NULL;
    }
    if (gates == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the gates");
    }
    cards->gates = gates;
    cards->gate_count = count;
    return STATUS_OK;
}

static struct day_feed *day_of(struct load_feed *feed)
{
    struct day_feed *day = (struct day_feed *)(void *)feed; /* its first member */
    ASSERT(day->magic == DAY_MAGIC);
    return day;
}

static bool keep(struct reports *reports, const struct sim_report *report)
{
    if (reports->count == reports->capacity) {
        uint32_t capacity = reports->capacity == 0 ? 1024 : reports->capacity * 2;
        struct sim_report *items = realloc(reports->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        reports->items = items;
        reports->capacity = capacity;
    }
    reports->items[reports->count++] = *report;
    return true;
}

/* ---- some seconds of all schools ---- */

/* The next of its cards' reports; passes are known already. */
static enum status look_ahead(struct school *school)
{
    enum status status;
    do {
        status = sim_day_next(&school->day, &school->next);
    } while (status == STATUS_OK && school->next.kind == SIM_PASS);
    school->more = status == STATUS_OK;
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status gather(struct day_feed *day)
{
    day->slice.count = day->told = 0;
    for (uint32_t i = 0; i < day->school_count; i++) {
        struct school *school = &day->schools[i];
        while (school->more && school->next.arrival_ms < day->slice_end_ms) {
            if (!keep(&day->slice, &school->next) || look_ahead(school) != STATUS_OK) {
                return STATUS_NO_MEMORY;
            }
        }
    }
    while (day->pass_at < day->passes.count &&
           day->passes.items[day->pass_at].arrival_ms < day->slice_end_ms) {
        if (!keep(&day->slice, &day->passes.items[day->pass_at++])) {
            return STATUS_NO_MEMORY;
        }
    }
    return STATUS_OK;
}

/* By arrival, equal ones as they stand: counted, since there are only so many milliseconds. */
static enum status put_in_order(struct day_feed *day)
{
    const struct reports *slice = &day->slice;
    const int64_t begin_ms = day->slice_end_ms - SLICE_MS;
    if (slice->count > day->order_capacity) {
        uint32_t *order = realloc(day->order, slice->capacity * sizeof *order);
        if (order == NULL) {
            return STATUS_NO_MEMORY;
        }
        day->order = order;
        day->order_capacity = slice->capacity;
    }
    memset(day->at_ms, 0, sizeof day->at_ms);
    for (uint32_t i = 0; i < slice->count; i++) {
        ASSERT(slice->items[i].arrival_ms >= begin_ms);
        day->at_ms[slice->items[i].arrival_ms - begin_ms + 1]++;
    }
    for (uint32_t ms = 1; ms <= SLICE_MS; ms++) {
        day->at_ms[ms] += day->at_ms[ms - 1];
    }
    for (uint32_t i = 0; i < slice->count; i++) {
        day->order[day->at_ms[slice->items[i].arrival_ms - begin_ms]++] = i;
    }
    return STATUS_OK;
}

static bool is_over(const struct day_feed *day)
{
    bool more = day->pass_at < day->passes.count;
    for (uint32_t i = 0; i < day->school_count && !more; i++) {
        more = day->schools[i].more;
    }
    return !more;
}

/* ---- what it tells ---- */

static void tell(struct day_feed *day, const struct sim_report *report, struct load_feed_item *ret)
{
    uint32_t sender = day->card_of[report->pupil];
    day->event = (struct wire_event){.event = sim_event_of(report)};
    if (report->kind == SIM_PASS) {
        day->event.card = text_of(day->options.cards->items[sender].id);
        sender = day->gate_of[day->options.city->pupils[report->pupil].school] + report->gate;
    }
    bool sos = report->kind == SIM_SIGNAL && report->signal == SIM_SIGNAL_SOS;
    double after_us =
        (double)(report->arrival_ms - day->options.wall_ms) * 1000 / day->options.speed;
    *ret = (struct load_feed_item){.due_us = after_us > 0 ? (int64_t)after_us : 0,
                                   .sender = sender,
                                   .kind = sos ? LOAD_SOS : LOAD_FIX,
                                   .event_count = 1,
                                   .again_seq = report->again ? report->seq : 0,
                                   .events = &day->event};
}

static enum status next_of_day(struct load_feed *feed, struct load_feed_item *ret)
{
    struct day_feed *day = day_of(feed);
    while (day->told == day->slice.count) {
        if (is_over(day)) {
            return STATUS_END;
        }
        day->slice_end_ms += SLICE_MS;
        enum status status = gather(day);
        status = status == STATUS_OK ? put_in_order(day) : status;
        if (status != STATUS_OK) {
            return status;
        }
    }
    tell(day, &day->slice.items[day->order[day->told++]], ret);
    return STATUS_OK;
}

static void close_day(struct load_feed *feed)
{
    struct day_feed *day = day_of(feed);
    for (uint32_t i = 0; i < day->school_count; i++) {
        sim_day_release(&day->schools[i].day);
    }
    free(day->schools);
    free(day->card_of);
    free(day->gate_of);
    free(day->pupils);
    free(day->passes.items);
    free(day->slice.items);
    free(day->order);
    free(day);
}

/* ---- the start ---- */

static enum status make_day(const struct day_feed *day, uint32_t count, uint32_t interval_ms,
                            struct sim_day *ret, struct status_detail *detail)
{
    const struct load_day *options = &day->options;
    const struct sim_day_config config = {.city = options->city,
                                          .pupils = day->pupils,
                                          .seed = options->seed,
                                          .midnight_ms = load_day_midnight_ms(options),
                                          .day = options->day,
                                          .pupil_count = count,
                                          .interval_ms = interval_ms,
                                          .from_ms = options->from_ms,
                                          .to_ms = options->to_ms,
                                          .noise = true};
    return sim_day_init(ret, &config, detail);
}

static enum status add_cards(struct day_feed *day, uint32_t school, struct status_detail *detail)
{
    const struct sim_school *one = &day->options.city->schools[school];
    uint32_t count = 0;
    for (uint32_t i = 0; i < one->pupil_count; i++) {
        uint32_t card = day->card_of[one->pupil_first + i];
        if (card != LOAD_NONE && load_share_has(&day->share, card)) {
            day->pupils[count++] = one->pupil_first + i;
        }
    }
    if (count == 0) {
        return STATUS_OK;
    }
    struct school *fresh = &day->schools[day->school_count];
    enum status status = make_day(day, count, day->options.interval_ms, &fresh->day, detail);
    if (status != STATUS_OK) {
        return status;
    }
    day->school_count++;
    return look_ahead(fresh);
}

/* Who goes through a gate may have a card of another share, so the passes are looked up beforehand. They
 * do not depend on how often cards report: with few fixes that is quick. */
static enum status add_passes(struct day_feed *day, uint32_t school, struct status_detail *detail)
{
    const struct sim_school *one = &day->options.city->schools[school];
    uint32_t count = 0, ours = 0;
    for (uint32_t gate = 0; gate < one->gate_count; gate++) {
        ours += load_share_has(&day->share, day->gate_of[school] + gate);
    }
    for (uint32_t i = 0; i < one->pupil_count && ours > 0; i++) {
        day->pupils[count] = one->pupil_first + i;
        count += day->card_of[one->pupil_first + i] != LOAD_NONE;
    }
    if (count == 0) {
        return STATUS_OK;
    }
    struct sim_day lives;
    struct sim_report report;
    enum status status = make_day(day, count, PASSES_INTERVAL_MS, &lives, detail);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && (status = sim_day_next(&lives, &report)) == STATUS_OK) {
        if (report.kind == SIM_PASS &&
            load_share_has(&day->share, day->gate_of[school] + report.gate) &&
            !keep(&day->passes, &report)) {
            status = STATUS_NO_MEMORY;
        }
    }
    sim_day_release(&lives);
    return status == STATUS_END
               ? STATUS_OK
               : status_detail_set(detail, status, "no memory for the passes of a day");
}

static int by_arrival(const void *x, const void *y)
{
    const struct sim_report *a = x, *b = y;
    if (a->arrival_ms != b->arrival_ms) {
        return a->arrival_ms < b->arrival_ms ? -1 : 1;
    }
    return a->pupil != b->pupil ? (a->pupil < b->pupil ? -1 : 1)
                                : (a->seq > b->seq) - (a->seq < b->seq);
}

static enum status begin(struct day_feed *day, struct status_detail *detail)
{
    const struct sim_city *city = day->options.city;
    uint32_t gate = day->options.cards->count;
    for (uint32_t school = 0; school < city->options.schools; school++) {
        day->gate_of[school] = gate;
        gate += city->schools[school].gate_count;
    }
    for (uint32_t pupil = 0; pupil < city->options.pupils; pupil++) {
        char id[24];
        int length = snprintf(id, sizeof id, "c%06u", pupil + 1);
        day->card_of[pupil] =
            load_cards_find(day->options.cards, (struct text){id, (size_t)length});
    }
    enum status status = STATUS_OK;
    for (uint32_t school = 0; school < city->options.schools && status == STATUS_OK; school++) {
        status = add_cards(day, school, detail);
        status = status == STATUS_OK ? add_passes(day, school, detail) : status;
    }
    if (status == STATUS_OK && day->passes.count > 0) {
        qsort(day->passes.items, day->passes.count, sizeof *day->passes.items, by_arrival);
    }
    day->slice_end_ms = load_day_midnight_ms(&day->options) + day->options.from_ms;
    return status;
}

enum status load_feed_day(const struct load_day *options, struct load_share share,
                          struct load_feed **ret, struct status_detail *detail)
{
    ASSERT(options->speed > 0 && options->day > 0 && share.part < share.parts);
    struct day_feed *day = calloc(1, sizeof *day);
    if (day == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a day");
    }
    *day =
        (struct day_feed){.feed = {next_of_day, close_day},
                          .magic = DAY_MAGIC,
                          .options = *options,
                          .share = share,
                          .card_of = calloc(options->city->options.pupils, sizeof(uint32_t)),
                          .gate_of = calloc(options->city->options.schools, sizeof(uint32_t)),
                          .pupils = calloc(options->city->options.pupils, sizeof(uint32_t)),
                          .schools = calloc(options->city->options.schools, sizeof(struct school))};
    enum status status =
        day->card_of != NULL && day->gate_of != NULL && day->pupils != NULL && day->schools != NULL
            ? begin(day, detail)
            : status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the pupils of a day");
    if (status != STATUS_OK) {
        close_day(&day->feed);
        return status;
    }
    *ret = &day->feed;
    return STATUS_OK;
}
