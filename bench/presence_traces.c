#include "bench/presence_traces.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "bench/numbered.h"
#include "cli/cli.h"
#include "core/limits.h"
#include "tests/geo/data_folder.h"

enum {
    FIXES_PER_TRACE_MAX = 20000,
    FAR_FIXES = 10,
    FAR_EVERY_MS = 60000,
    FAR_AFTER_MS = 7200000, /* two hours for 111 km */
    FAR_E7 = 10000000,      /* a degree of latitude */
    FAR_ACCURACY_CM = 1000,
    FOUND_SLACK_MS = 600000,
    ALERTS_MAX = 100000,
};
#define TRACES_FILE "traces/emission_daytrips_fixes.csv.gz"

/* ---- reading ---- */

enum { AT_DEVICE, AT_FIX, AT_WRITE, AT_LAT, AT_LON, AT_ACCURACY, COLUMNS };
static const char *const column_names[COLUMNS + 1] = {"dev", "fix_ts",     "write_ts", "lat",
                                                      "lon", "accuracy_m", NULL};

/* The trace of that name: rows of a trace stand together. */
static struct trace *trace_of(struct traces *traces, struct text name)
{
    struct trace *last = traces->count > 0 ? &traces->items[traces->count - 1] : NULL;
    if (last != NULL && text_is(name, last->name)) {
        return last;
    }
    if (traces->count == TRACES_MAX) {
        return NULL;
    }
    struct trace *trace = &traces->items[traces->count];
    trace->name = arena_copy_text(&traces->arena, name.at, name.length);
    trace->fixes = arena_array(&traces->arena, FIXES_PER_TRACE_MAX, sizeof *trace->fixes);
    if (trace->name == NULL || trace->fixes == NULL) {
        return NULL;
    }
    traces->count++;
    return trace;
}

static int64_t ms_of(double seconds)
{
    return (int64_t)llround(seconds * 1000);
}

/* As live; false: refused. */
static bool take_times(struct trace_fix *fix)
{
    struct event event = {0};
    bool taken = event_take_time(&event, fix->fix.time_ms, fix->arrival_ms);
    fix->fix.time_ms = event.time_ms;
    return taken;
}

static enum status read_row(struct traces *traces, const struct csv_row *row, const int *places)
{
    double numbers[COLUMNS] = {0};
    for (int i = AT_FIX; i < COLUMNS; i++) {
        enum status status = text_to_double(row->fields[places[i]], &numbers[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct trace_fix fix = {.arrival_ms = ms_of(numbers[AT_WRITE]),
                            .fix = {.time_ms = ms_of(numbers[AT_FIX])}};
    enum status status = geo_point_from_degrees(numbers[AT_LAT], numbers[AT_LON], &fix.fix.point);
    if (status != STATUS_OK || numbers[AT_ACCURACY] < 0 || numbers[AT_ACCURACY] > 1e6) {
        return STATUS_INVALID;
    }
    fix.fix.accuracy_cm = (uint32_t)lround(numbers[AT_ACCURACY] * 100);
    struct trace *trace = trace_of(traces, row->fields[places[AT_DEVICE]]);
    if (trace == NULL || trace->fix_count == FIXES_PER_TRACE_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (take_times(&fix)) {
        trace->fixes[trace->fix_count++] = fix;
    }
    return STATUS_OK;
}

static enum status read_rows(struct traces *traces, struct text text, struct status_detail *detail)
{
    struct csv csv;
    csv_init(&csv, text, &traces->arena);
    int places[COLUMNS];
    enum status status = csv_header(&csv, column_names, places, detail);
    for (int i = 0; i < COLUMNS && status == STATUS_OK; i++) {
        if (places[i] < 0) {
            return status_detail_set(detail, STATUS_INVALID, "no column %s", column_names[i]);
        }
    }
    struct csv_row row;
    while (status == STATUS_OK && (status = csv_next(&csv, &row, detail)) == STATUS_OK) {
        for (int i = 0; i < COLUMNS; i++) {
            if ((uint32_t)places[i] >= row.field_count) {
                return status_detail_set(detail, STATUS_INVALID, "line %u: too short", row.line);
            }
        }
        status = read_row(traces, &row, places);
        if (status != STATUS_OK) {
            return status_detail_set(detail, status, "line %u", row.line);
        }
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---- truth ---- */

static int by_arrival(const void *a, const void *b)
{
    const struct trace_fix *x = a, *y = b;
    if (x->arrival_ms != y->arrival_ms) {
        return x->arrival_ms < y->arrival_ms ? -1 : 1;
    }
    return (x->fix.time_ms > y->fix.time_ms) - (x->fix.time_ms < y->fix.time_ms);
}

static enum status find_stays(struct traces *traces)
{
    static struct stay all[TRACES_MAX * TRACE_STAYS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < traces->count; i++) {
        struct trace *trace = &traces->items[i];
        qsort(trace->fixes, trace->fix_count, sizeof *trace->fixes, by_arrival);
        trace->usable = arena_array(&traces->arena, trace->fix_count, sizeof *trace->usable);
        if (trace->usable == NULL) {
            return STATUS_NO_MEMORY;
        }
        for (uint32_t k = 0; k < trace->fix_count; k++) {
            trace->usable[k] = trace->fixes[k].fix;
        }
        trace->usable_count = stays_usable(trace->usable, trace->fix_count);
        trace->stay_count =
            stays_find(trace->usable, trace->usable_count, &all[count], TRACE_STAYS_MAX);
        count += trace->stay_count;
    }
    traces->place_count = stays_places(all, count, traces->places);
    const struct stay *from = all;
    for (uint32_t i = 0; i < traces->count; i++) {
        struct trace *trace = &traces->items[i];
        memcpy(trace->stays, from, trace->stay_count * sizeof *from);
        from += trace->stay_count;
        trace->stay_count =
            stays_join(trace->stays, trace->stay_count, trace->usable, traces->places);
    }
    return STATUS_OK;
}

/* ---- the engine and the rules ---- */

static uint32_t school_of(const void *unused, uint32_t pupil_no)
{
    (void)unused, (void)pupil_no;
    return 1;
}

static enum status make_directory(struct traces *traces, struct status_detail *detail)
{
    const struct numbered numbered = {
        .schools = 1, .pupils = traces->count, .school_of = school_of};
    return numbered_directory(&numbered, &traces->directory, detail);
}

static enum status make_fences(struct traces *traces, struct status_detail *detail)
{
    enum status status = fence_set_new(traces->place_count, &traces->fences);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "fences");
    }
    struct fence_set *set = traces->fences;
    for (uint32_t i = 0; i < traces->place_count; i++) {
        set->shapes[i] = (struct geo_shape){.kind = GEO_CIRCLE,
                                            .point_count = 1,
                                            .points = &traces->places[i],
                                            .radius_m = STAY_RADIUS_M};
        geo_shape_set_bounds(&set->shapes[i]);
        set->items[i] = (struct fence){.id = numbered_id(&set->arena, 'f', i + 1),
                                       .no = i + 1,
                                       .version = 1,
                                       .kind = FENCE_PLACE};
    }
    return fence_set_seal(set, detail);
}

static void take_alert(struct traces *traces, const struct trace_alert *alert)
{
    traces->items[alert->trace].raised[alert->rule]++;
    if (traces->alert_count < ALERTS_MAX) {
        traces->alerts[traces->alert_count++] = *alert;
    }
}

static void step(struct traces *traces, const struct engine_input *input)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    engine_step(traces->engine, input, &outbox);
    for (uint32_t i = 0; i < outbox.count; i++) {
        if (alerts[i].type == ALERT_ENTERED || alerts[i].type == ALERT_LEFT) {
            take_alert(traces, &(struct trace_alert){.trace = alerts[i].pupil_no - 1,
                                                     .place = alerts[i].fence_no - 1,
                                                     .entered = alerts[i].type == ALERT_ENTERED,
                                                     .time_ms = alerts[i].time_ms,
                                                     .raised_ms = alerts[i].raised_ms});
        }
    }
}

static enum status make(struct traces *traces, struct status_detail *detail)
{
    enum status status = make_directory(traces, detail);
    status = status == STATUS_OK ? make_fences(traces, detail) : status;
    if (status != STATUS_OK) {
        return status;
    }
    struct engine_limits limits = {.cards_max = traces->count + 1,
                                   .presences_max = (traces->count + 1) * TRACE_STAYS_MAX};
    traces->alerts = arena_array(&traces->arena, ALERTS_MAX, sizeof *traces->alerts);
    status = traces->alerts != NULL ? engine_new(&limits, &traces->engine) : STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < RULES && status == STATUS_OK; i++) {
        status = rule_init(&traces->rules[i], &rule_kinds[i], traces->count + 1);
    }
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "engine and rules");
    }
    step(traces, &(struct engine_input){.type = INPUT_DIRECTORY, .u.directory = traces->directory});
    step(traces, &(struct engine_input){.type = INPUT_FENCES, .u.fences = traces->fences});
    return STATUS_OK;
}

static void step_rules(struct traces *traces, uint32_t trace, const struct event *event,
                       int64_t arrival_ms)
{
    struct rule_fix fix = {
        .event = event, .pupil_no = trace + 1, .school_no = 1, .arrival_ms = arrival_ms};
    rule_look(&fix, traces->fences);
    for (uint32_t i = 0; i < RULES; i++) {
        struct score_mark marks[RULE_PLACES_MAX];
        uint32_t count = rule_step(&traces->rules[i], traces->fences, &fix, marks, RULE_PLACES_MAX);
        for (uint32_t k = 0; k < count; k++) {
            take_alert(traces,
                       &(struct trace_alert){.trace = trace,
                                             .place = marks[k].fence_no - 1,
                                             .rule = i + 1,
                                             .entered = marks[k].type == SCORE_PLACE_ENTERED,
                                             .time_ms = marks[k].time_ms,
                                             .raised_ms = marks[k].raised_ms});
        }
    }
}

struct feed { /* of one trace */
    uint32_t trace;
    uint64_t seq;
    int64_t
        last_ms; /* of the last fix that peers took: they ignore older ones as the engine does */
};

static void feed_fix(struct traces *traces, struct feed *feed, const struct trace_fix *fix)
{
    struct event event = {.time_ms = fix->fix.time_ms,
                          .card_no = feed->trace + 1,
                          .type = EVENT_FIX,
                          .kind = FIX_UNKNOWN,
                          .point = fix->fix.point,
                          .accuracy_cm = fix->fix.accuracy_cm};
    event.flags = event.accuracy_cm > 0 ? EVENT_HAS_ACCURACY : 0;
    struct origin origin = {
        .kind = ORIGIN_CARD, .no = event.card_no, .epoch = 1, .seq = ++feed->seq};
    step(traces, &(struct engine_input){.type = INPUT_EVENT,
                                        .now_ms = fix->arrival_ms,
                                        .u.event = {.origin = &origin, .event = &event}});
    if (event.time_ms > feed->last_ms) {
        step_rules(traces, feed->trace, &event, fix->arrival_ms);
        feed->last_ms = event.time_ms;
    }
}

/* Ten minutes far from all places of the trace, from that moment on. */
static void feed_far(struct traces *traces, struct feed *feed, struct geo_point place,
                     int64_t from_ms)
{
    for (int i = 0; i < FAR_FIXES; i++) {
        int64_t at_ms = from_ms + i * (int64_t)FAR_EVERY_MS;
        struct trace_fix fix = {.arrival_ms = at_ms,
                                .fix = {.time_ms = at_ms,
                                        .point = {place.lat_e7 + FAR_E7, place.lon_e7},
                                        .accuracy_cm = FAR_ACCURACY_CM}};
        feed_fix(traces, feed, &fix);
    }
}

static void run_trace(struct traces *traces, uint32_t trace)
{
    const struct trace *one = &traces->items[trace];
    if (one->fix_count == 0) {
        return;
    }
    struct feed feed = {.trace = trace};
    int64_t first_ms = one->fixes[0].fix.time_ms, last_ms = first_ms;
    for (uint32_t i = 0; i < one->fix_count; i++) {
        first_ms = one->fixes[i].fix.time_ms < first_ms ? one->fixes[i].fix.time_ms : first_ms;
        last_ms = one->fixes[i].fix.time_ms > last_ms ? one->fixes[i].fix.time_ms : last_ms;
    }
    feed_far(traces, &feed, one->fixes[0].fix.point, first_ms - FAR_AFTER_MS);
    for (uint32_t i = 0; i < one->fix_count; i++) {
        feed_fix(traces, &feed, &one->fixes[i]);
    }
    feed_far(traces, &feed, one->fixes[one->fix_count - 1].fix.point, last_ms + FAR_AFTER_MS);
}

static bool is_during(const struct stay *stay, int64_t time_ms)
{
    return time_ms >= stay->from_ms - FOUND_SLACK_MS && time_ms <= stay->to_ms + FOUND_SLACK_MS;
}

/* Dated into the stay, or raised in it: an arrival may be dated back over a long silence. */
static bool is_of(const struct trace_alert *alert, const struct stay *stay)
{
    return alert->place == stay->place &&
           (is_during(stay, alert->time_ms) || is_during(stay, alert->raised_ms));
}

/* Which rules found the stay? Raising nothing keeps every ratio low. */
static void count_found(const struct traces *traces, uint32_t trace, const struct stay *stay,
                        uint32_t found[RULES + 1])
{
    bool is_found[RULES + 1] = {false};
    for (uint32_t i = 0; i < traces->alert_count; i++) {
        const struct trace_alert *alert = &traces->alerts[i];
        is_found[alert->rule] |= alert->trace == trace && is_of(alert, stay);
    }
    for (uint32_t rule = 0; rule <= RULES; rule++) {
        found[rule] += is_found[rule] ? 1 : 0;
    }
}

static void run_all(struct traces *traces)
{
    for (uint32_t i = 0; i < traces->count; i++) {
        struct trace *trace = &traces->items[i];
        run_trace(traces, i);
        for (uint32_t k = 0; k < trace->stay_count; k++) {
            count_found(traces, i, &trace->stays[k], trace->found);
        }
    }
}

enum status traces_run(struct traces *traces, const char *path, struct status_detail *detail)
{
    memset(traces, 0, sizeof *traces);
    arena_init_growing(&traces->arena, 1u << 20, (size_t)256 << 20);
    struct text text;
    enum status status = cli_read_file(path, &traces->arena, &text, detail);
    if (status == STATUS_OK) {
        status = read_rows(traces, text, detail);
    }
    if (status == STATUS_OK) {
        status = find_stays(traces);
    }
    if (status == STATUS_OK) {
        status = make(traces, detail);
    }
    if (status != STATUS_OK) {
        traces_release(traces);
        return status;
    }
    run_all(traces);
    return STATUS_OK;
}

void traces_release(struct traces *traces)
{
    engine_free(traces->engine);
    fence_set_free(traces->fences);
    directory_free(traces->directory);
    for (uint32_t i = 0; i < RULES; i++) {
        rule_release(&traces->rules[i]);
    }
    arena_release(&traces->arena);
    memset(traces, 0, sizeof *traces);
}

/* ---- telling ---- */

static double ratio(uint32_t part, uint32_t whole)
{
    return whole == 0 ? 0 : (double)part / whole;
}

struct trace_sum {
    uint32_t stays, found[RULES + 1], raised[RULES + 1];
};

static void print_traces(const struct traces *traces)
{
    (void)printf("\ntrace   fixes  <=100 m  stays   true  evidence  its found  every fix\n");
    for (uint32_t i = 0; i < traces->count; i++) {
        const struct trace *trace = &traces->items[i];
        (void)printf("%-6s %6u %8u %6u %6u %9u %10u %10u\n", trace->name, trace->fix_count,
                     trace->usable_count, trace->stay_count, 2 * trace->stay_count,
                     trace->raised[0], trace->found[0], trace->raised[1]);
    }
}

static void print_rules(const struct trace_sum *sum)
{
    (void)printf("\nrule             raised   true  ratio  found%%  missed\n");
    for (uint32_t i = 0; i <= RULES; i++) {
        (void)printf("%-16s %6u %6u %6.2f %7.1f %7u\n",
                     i == 0 ? "evidence" : rule_kinds[i - 1].name, sum->raised[i], 2 * sum->stays,
                     ratio(sum->raised[i], 2 * sum->stays), 100 * ratio(sum->found[i], sum->stays),
                     sum->stays - sum->found[i]);
    }
}

static void tell(const struct traces *traces, struct figures *figures)
{
    struct trace_sum sum = {0};
    for (uint32_t i = 0; i < traces->count; i++) {
        sum.stays += traces->items[i].stay_count;
        for (uint32_t k = 0; k <= RULES; k++) {
            sum.found[k] += traces->items[i].found[k];
            sum.raised[k] += traces->items[i].raised[k];
        }
    }
    (void)printf(
        "\n%u day traces of phones, circles of 100 m round %u places, %u stays of over 10 "
        "min.\nTrue: stays x 2. Found: entered or left, dated or raised within 10 min of the stay.\n",
        traces->count, traces->place_count, sum.stays);
    print_traces(traces);
    print_rules(&sum);
    figures_add(figures, "presence.traces_stays", sum.stays);
    figures_add(figures, "presence.traces_found_pct", 100 * ratio(sum.found[0], sum.stays));
    figures_add(figures, "presence.traces_ratio", ratio(sum.raised[0], 2 * sum.stays));
    figures_add(figures, "presence.traces_naive_ratio", ratio(sum.raised[1], 2 * sum.stays));
}

int traces_bench(struct figures *figures)
{
    static struct traces traces;
    char path[1024];
    const char *folder = getenv("CAMPUS_DATA");
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : REAL_DATA_FOLDER,
                   TRACES_FILE);
    struct status_detail detail = {{0}};
    enum status status = traces_run(&traces, path, &detail);
    if (status == STATUS_NOT_FOUND) {
        (void)printf("\nskipped: no %s (set CAMPUS_DATA to the folder of real inputs)\n", path);
        return CLI_OK;
    }
    if (status != STATUS_OK) {
        return cli_fail("%s: %s", path, detail.text);
    }
    tell(&traces, figures);
    traces_release(&traces);
    return CLI_OK;
}
