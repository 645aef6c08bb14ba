/* campusctl replay: a file of fixes against a file of fences, through the engine that runs live. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/csv.h"
#include "cli/cli.h"
#include "cli/replay_why.h"
#include "cli/wanted.h"
#include "core/engine.h"
#include "geo/geojson.h"
#include "proto/cloudevent.h"

static const char usage[] =
    "campusctl replay --fences F.geojson --fixes F.csv --datum wgs84|gcj02|bd09\n"
    "  [--summary] [--explain] [--steps S.csv] [--silence] [--false-left RATE] [...]\n"
    "  F.csv: rows in the order of arrival (sorted by the column arrival where there is one), with a\n"
    "  header line naming the columns\n"
    "    card, time, lat, lon, accuracy_m   and, where known, arrival, source (gnss, wifi, cell)\n"
    "  times are Unix seconds or RFC 3339; an empty accuracy_m is unknown, an empty arrival is time\n"
    "  --datum  of the fixes, and of fences that name none\n"
    "  --explain  with each alert the steps of evidence that led to it: nats, see docs/presence.md\n"
    "  --silence  the clock goes on from arrival to arrival: tells also who falls silent on a school's ground\n"
    "  --steps  every step of evidence as a row, whether it led to an alert or not\n"
    "  prints one JSON object a line for each alert, in the order raised; - reads standard input\n" WANTED_USAGE;

#define TIME_MS_LAST 253402300799999 /* the end of 9999 */
enum { REFUSED_TOLD_MAX = 20, TICK_MS = 1000 };
/* By then every card is silent, and ticks tell nothing more until the next arrival. */
#define TICKS_MS_MAX ((SILENT_INTERVALS * INTERVAL_S_MAX + 2 * SILENT_LOOKS) * INT64_C(1000))

enum column { CARD, TIME, LAT, LON, ACCURACY, ARRIVAL, SOURCE, COLUMN_COUNT };
static const char *const column_names[COLUMN_COUNT + 1] = {"card",       "time",    "lat",    "lon",
                                                           "accuracy_m", "arrival", "source", NULL};

struct row {
    struct text card;
    int64_t arrival_ms;
    uint32_t line;
    struct event event;
};

struct replay {
    const char *fences_path, *fixes_path, *datum_name, *steps_path;
    bool summary, explain, silence, has_arrivals;
    int64_t tick_ms; /* the next one */
    enum geo_datum datum;
    struct wanted wanted;
    struct presence_rates rates;
    struct arena arena;
    struct text text; /* of the fixes */
    struct row *rows;
    uint32_t row_count, row_capacity, refused;
    struct fence_set *fences;
    struct directory *directory;
    struct engine *engine;
    struct why *why; /* with --explain */
    FILE *steps;     /* with --steps */
    struct buffer step;
    uint64_t alerts;
    struct status_detail detail;
};

static enum status fill_fence(struct replay *replay, uint32_t place,
                              const struct geo_feature *feature)
{
    enum fence_kind kind = FENCE_PLACE;
    enum severity severity = SEVERITY_INFO;
    if (fence_kind_parse(feature->kind, &kind) != STATUS_OK ||
        severity_parse(feature->severity, kind, &severity) != STATUS_OK) {
        return status_detail_set(
            &replay->detail, STATUS_INVALID,
            "%s: fence \"%s\": kind \"%s\" or severity \"%s\" is none: kinds are "
            "school, danger, place; severities info, warning, critical",
            replay->fences_path, feature->id, feature->kind, feature->severity);
    }
    replay->fences->items[place] = (struct fence){.id = feature->id,
                                                  .no = place + 1,
                                                  .version = 1,
                                                  .kind = (uint8_t)kind,
                                                  .severity = (uint8_t)severity};
    replay->fences->shapes[place] = feature->shape;
    return STATUS_OK;
}

static enum status read_fences(struct replay *replay)
{
    struct status_detail *detail = &replay->detail;
    struct text json;
    enum status status = cli_read_file(replay->fences_path, &replay->arena, &json, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct cli_warnings warnings = {.path = replay->fences_path};
    struct geo_geojson_options options = {
        .datum_default = replay->datum, .lenient = true, .warn = cli_warn, .context = &warnings};
    struct geo_features features = {0};
    status = geo_geojson_read(json, &options, &replay->arena, &features, detail);
    cli_warn_end(&warnings);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s", replay->fences_path);
    }
    if (features.count == 0) {
        return status_detail_set(detail, STATUS_INVALID, "%s: no fence in it", replay->fences_path);
    }
    status = fence_set_new(features.count, &replay->fences);
    if (status != STATUS_OK) {
        return status_detail_set(detail, status, "%s: %u fences: %s", replay->fences_path,
                                 features.count, status_words(status));
    }
    for (uint32_t i = 0; i < features.count && status == STATUS_OK; i++) {
        status = fill_fence(replay, i, &features.items[i]);
    }
    if (status == STATUS_OK) {
        status = fence_set_seal(replay->fences, detail);
        status = status == STATUS_OK
                     ? status
                     : status_detail_wrap(detail, status, "%s", replay->fences_path);
    }
    return status;
}

/* "fixes.csv: line 7: column lat: ..." */
static enum status bad_field(struct replay *replay, uint32_t line, enum column column,
                             struct text field, const char *wanted)
{
    int shown = field.length < 60 ? (int)field.length : 60;
    return status_detail_set(&replay->detail, STATUS_INVALID,
                             "%s: line %u: column %s: \"%.*s\" is %s", replay->fixes_path, line,
                             column_names[column], shown, field.length > 0 ? field.at : "", wanted);
}

static struct text field_of(const struct csv_row *csv_row, const int *places, enum column column)
{
    int place = places[column];
    if (place < 0 || (uint32_t)place >= csv_row->field_count) {
        return (struct text){"", 0};
    }
    return text_trim(csv_row->fields[place]);
}

static enum status read_time(struct replay *replay, uint32_t line, enum column column,
                             struct text field, int64_t *ret_ms)
{
    if (clock_parse(field.at, field.length, ret_ms) != STATUS_OK) {
        return bad_field(replay, line, column, field, "no time: Unix seconds or RFC 3339");
    }
    return STATUS_OK;
}

static enum status read_position(struct replay *replay, const struct csv_row *csv_row,
                                 const int *places, struct event *event)
{
    struct text lat_field = field_of(csv_row, places, LAT),
                lon_field = field_of(csv_row, places, LON);
    if (lat_field.length == 0 && lon_field.length == 0) {
        event->flags |= EVENT_NO_POSITION;
        return STATUS_OK;
    }
    double lat, lon;
    if (text_to_double(lat_field, &lat) != STATUS_OK || lat < -90 || lat > 90) {
        return bad_field(replay, csv_row->line, LAT, lat_field,
                         "no latitude from -90 to 90 degrees");
    }
    if (text_to_double(lon_field, &lon) != STATUS_OK || lon < -180 || lon > 180) {
        return bad_field(replay, csv_row->line, LON, lon_field,
                         "no longitude from -180 to 180 degrees");
    }
    if (lat == 0.0 && lon == 0.0) { /* what a receiver says that has no position */
        event->flags |= EVENT_NO_POSITION;
        return STATUS_OK;
    }
    geo_to_wgs84(replay->datum, &lat, &lon);
    if (geo_point_from_degrees(lat, lon, &event->point) != STATUS_OK) {
        return bad_field(replay, csv_row->line, LAT, lat_field,
                         "off the map after the datum shift");
    }
    return STATUS_OK;
}

static enum status read_accuracy(struct replay *replay, uint32_t line, struct text field,
                                 struct event *event)
{
    if (field.length == 0) {
        return STATUS_OK;
    }
    const double accuracy_m_max = 40075017; /* once around the earth */
    double accuracy_m;
    if (text_to_double(field, &accuracy_m) != STATUS_OK || accuracy_m < 0 ||
        accuracy_m > accuracy_m_max) {
        return bad_field(replay, line, ACCURACY, field, "no radius in metres");
    }
    event->flags |= EVENT_HAS_ACCURACY;
    event->accuracy_cm = (uint32_t)(accuracy_m * 100 + 0.5);
    return STATUS_OK;
}

static enum status read_source(struct replay *replay, uint32_t line, struct text field,
                               struct event *event)
{
    static const char *const words[] = {
        [FIX_UNKNOWN] = "unknown", [FIX_GNSS] = "gnss", [FIX_WIFI] = "wifi", [FIX_CELL] = "cell"};
    for (int kind = FIX_UNKNOWN; kind <= FIX_CELL; kind++) {
        if (text_is(field, words[kind]) || (kind == FIX_UNKNOWN && field.length == 0)) {
            event->kind = (uint8_t)kind;
            return STATUS_OK;
        }
    }
    return bad_field(replay, line, SOURCE, field, "no source: gnss, wifi, cell, or empty");
}

/* Live refuses such a fix and goes on with the next: so does the replay, and says so. */
static bool refuse(struct replay *replay, const struct row *row, const char *why)
{
    if (replay->refused++ < REFUSED_TOLD_MAX) {
        (void)fprintf(stderr,
                      "campusctl: %s: line %u: column time: %s: the fix is refused, as live\n",
                      replay->fixes_path, row->line, why);
    }
    return false;
}

/* As live: a clock a little ahead is believed, more is clamped, over a day is refused. */
static bool has_usable_time(struct replay *replay, struct row *row)
{
    if (row->event.time_ms < TIME_MS_MIN) {
        return refuse(replay, row, "before 2000");
    }
    if (row->arrival_ms < TIME_MS_MIN || row->event.time_ms > TIME_MS_LAST) {
        return refuse(replay, row, "after 9999, or its arrival before 2000 (times are in seconds)");
    }
    return event_take_time(&row->event, row->event.time_ms, row->arrival_ms) ||
           refuse(replay, row, "over a day after its arrival");
}

static enum status read_row(struct replay *replay, const struct csv_row *csv_row, const int *places)
{
    ASSERT(replay->row_count < replay->row_capacity);
    struct row *row = &replay->rows[replay->row_count];
    *row = (struct row){.line = csv_row->line, .card = field_of(csv_row, places, CARD)};
    row->event = (struct event){.type = EVENT_FIX, .datum = (uint8_t)replay->datum};
    if (row->card.length == 0) {
        return bad_field(replay, row->line, CARD, row->card, "empty: whose fix is it?");
    }
    enum status status =
        read_time(replay, row->line, TIME, field_of(csv_row, places, TIME), &row->event.time_ms);
    if (status != STATUS_OK) {
        return status;
    }
    row->arrival_ms = row->event.time_ms;
    struct text arrival = field_of(csv_row, places, ARRIVAL);
    if (arrival.length > 0) {
        status = read_time(replay, row->line, ARRIVAL, arrival, &row->arrival_ms);
    }
    if (status == STATUS_OK) {
        status = read_position(replay, csv_row, places, &row->event);
    }
    if (status == STATUS_OK) {
        status = read_accuracy(replay, row->line, field_of(csv_row, places, ACCURACY), &row->event);
    }
    if (status == STATUS_OK) {
        status = read_source(replay, row->line, field_of(csv_row, places, SOURCE), &row->event);
    }
    if (status == STATUS_OK && has_usable_time(replay, row)) {
        replay->row_count++;
    }
    return status;
}

static enum status make_rows(struct replay *replay)
{
    uint64_t lines = 2; /* a line more than ends of lines, whatever ends them */
    for (size_t i = 0; i < replay->text.length; i++) {
        lines += replay->text.at[i] == '\n' || replay->text.at[i] == '\r';
    }
    replay->rows =
        lines < UINT32_MAX ? arena_array(&replay->arena, lines, sizeof *replay->rows) : NULL;
    replay->row_capacity = (uint32_t)lines;
    if (replay->rows == NULL) {
        return status_detail_set(&replay->detail, STATUS_NO_MEMORY,
                                 "%s: no memory for %" PRIu64 " lines: cut the file by cards",
                                 replay->fixes_path, lines);
    }
    return STATUS_OK;
}

static enum status read_fixes(struct replay *replay)
{
    struct status_detail *detail = &replay->detail;
    enum status status = cli_read_file(replay->fixes_path, &replay->arena, &replay->text, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = make_rows(replay);
    if (status != STATUS_OK) {
        return status;
    }
    struct csv csv;
    csv_init(&csv, replay->text, &replay->arena);
    int places[COLUMN_COUNT];
    status = csv_header(&csv, column_names, places, detail);
    if (status != STATUS_OK) {
        return status_detail_wrap(detail, status, "%s", replay->fixes_path);
    }
    for (int column = CARD; column <= ACCURACY; column++) {
        if (places[column] < 0) {
            return status_detail_set(
                detail, STATUS_INVALID,
                "%s: line 1: no column %s: the header needs card, time, lat, lon, "
                "accuracy_m",
                replay->fixes_path, column_names[column]);
        }
    }
    replay->has_arrivals = places[ARRIVAL] >= 0;
    struct csv_row csv_row;
    while ((status = csv_next(&csv, &csv_row, detail)) == STATUS_OK) {
        status = read_row(replay, &csv_row, places);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (replay->refused > REFUSED_TOLD_MAX) {
        (void)fprintf(stderr, "campusctl: %s: %u fixes are refused for their times in all\n",
                      replay->fixes_path, replay->refused);
    }
    return status == STATUS_END ? STATUS_OK
                                : status_detail_wrap(detail, status, "%s", replay->fixes_path);
}

static int compare_arrivals(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->arrival_ms != y->arrival_ms) {
        return x->arrival_ms < y->arrival_ms ? -1 : 1;
    }
    return x->line < y->line ? -1 : x->line > y->line;
}

/* Rows with arrival times are taken in their order, whatever order they stand in. */
static void order_by_arrival(struct replay *replay)
{
    if (!replay->has_arrivals) {
        return;
    }
    for (uint32_t i = 1; i < replay->row_count; i++) {
        if (replay->rows[i].arrival_ms < replay->rows[i - 1].arrival_ms) {
            (void)fprintf(stderr,
                          "campusctl: %s: line %u: arrived before the line above it: the rows are "
                          "sorted by arrival\n",
                          replay->fixes_path, replay->rows[i].line);
            qsort(replay->rows, replay->row_count, sizeof *replay->rows, compare_arrivals);
            return;
        }
    }
}

static int compare_cards(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    size_t shorter = x->card.length < y->card.length ? x->card.length : y->card.length;
    int order = memcmp(x->card.at, y->card.at, shorter);
    if (order != 0) {
        return order;
    }
    return x->card.length < y->card.length ? -1 : x->card.length > y->card.length;
}

/* Numbers the cards 1, 2, ... in the order of their ids. Returns the number after the last. */
static uint32_t number_cards(struct row **sorted, uint32_t count)
{
    uint32_t no = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || !text_equal(sorted[i - 1]->card, sorted[i]->card)) {
            no++;
        }
        sorted[i]->event.card_no = no;
    }
    return no + 1;
}

/* One school, one pupil to each card. */
static enum status make_directory(struct replay *replay)
{
    struct row **sorted = arena_array(&replay->arena, replay->row_count, sizeof(struct row *));
    if (sorted == NULL) {
        return status_detail_set(&replay->detail, STATUS_NO_MEMORY, "no memory for the cards");
    }
    for (uint32_t i = 0; i < replay->row_count; i++) {
        sorted[i] = &replay->rows[i];
    }
    qsort(sorted, replay->row_count, sizeof(struct row *), compare_cards);
    uint32_t end = number_cards(sorted, replay->row_count);
    struct directory_ends ends = {.schools = 2, .pupils = end, .cards = end};
    enum status status = directory_new(&ends, &replay->directory);
    if (status != STATUS_OK) {
        return status_detail_set(&replay->detail, status, "%s: %u cards: %s", replay->fixes_path,
                                 end - 1, status_words(status));
    }
    struct directory *directory = replay->directory;
    directory->schools[1].id = "replay";
    for (uint32_t i = 0; i < replay->row_count; i++) {
        uint32_t no = sorted[i]->event.card_no;
        if (directory->cards[no].id != NULL) {
            continue;
        }
        const char *id =
            arena_copy_text(&directory->arena, sorted[i]->card.at, sorted[i]->card.length);
        if (id == NULL) {
            return status_detail_set(&replay->detail, STATUS_NO_MEMORY, "no memory for the cards");
        }
        directory->pupils[no] = (struct dir_pupil){.id = id, .school_no = 1};
        directory->cards[no] = (struct dir_card){.id = id, .pupil_no = no, .school_no = 1};
    }
    return directory_seal(directory, &replay->detail);
}

static void print_alert(const struct replay *replay, const struct alert *alert, struct buffer *line)
{
    const char *card = alert->card_no != 0 ? replay->directory->cards[alert->card_no].id : "";
    const struct fence *fence = fence_set_by_no(replay->fences, alert->fence_no);
    buffer_clear(line);
    buffer_text(line, "{\"card\":");
    buffer_json_string(line, card, strlen(card));
    if (fence != NULL) {
        buffer_text(line, ",\"fence\":");
        buffer_json_string(line, fence->id, strlen(fence->id));
    }
    buffer_printf(line, ",\"type\":\"%s\",\"time_ms\":%" PRId64 ",\"raised_ms\":%" PRId64,
                  alert_word((enum alert_type)alert->type), alert->time_ms, alert->raised_ms);
    cloudevent_doubts(line, alert);
    if (replay->why != NULL) {
        buffer_printf(line, ",\"earliest_ms\":%" PRId64 ",\"latest_ms\":%" PRId64 ",\"sure\":%.6f",
                      alert->earliest_ms, alert->latest_ms, 1 - alert->doubt_e6 / 1e6);
        why_write(line, replay->why, alert);
    }
    buffer_text(line, "}\n");
}

static enum status print_alerts(struct replay *replay, struct outbox *outbox, struct buffer *line)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        print_alert(replay, &outbox->alerts[i], line);
        if (buffer_status(line) != STATUS_OK ||
            fwrite(line->data, 1, line->size, stdout) != line->size) {
            return status_detail_set(&replay->detail, STATUS_IO, "standard output takes no more");
        }
    }
    replay->alerts += outbox->count;
    outbox->count = 0;
    return STATUS_OK;
}

/* What the steps from row `first` on will read, once for all that the engine takes at a time. */
static void expect_rows(const struct replay *replay, uint32_t first)
{
    const struct event *events[ENGINE_EXPECT_MAX];
    uint32_t count = 0;
    for (uint32_t i = first; i < replay->row_count && count < ENGINE_EXPECT_MAX; i++) {
        events[count++] = &replay->rows[i].event;
    }
    engine_expect(replay->engine, events, count);
}

/* As live, a tick each second up to the arrival. */
static enum status pass_time(struct replay *replay, int64_t arrival_ms, struct outbox *outbox,
                             struct buffer *line)
{
    enum status status = STATUS_OK;
    if (replay->tick_ms == 0) {
        replay->tick_ms = arrival_ms;
    }
    int64_t end_ms =
        arrival_ms - replay->tick_ms < TICKS_MS_MAX ? arrival_ms : replay->tick_ms + TICKS_MS_MAX;
    for (; replay->tick_ms < end_ms && status == STATUS_OK; replay->tick_ms += TICK_MS) {
        const struct engine_input input = {.type = INPUT_TICK, .now_ms = replay->tick_ms};
        engine_step(replay->engine, &input, outbox);
        status = print_alerts(replay, outbox, line);
    }
    if (end_ms < arrival_ms) {
        replay->tick_ms = arrival_ms;
    }
    return status;
}

static enum status run_engine(struct replay *replay)
{
    struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    struct engine_input input = {.type = INPUT_DIRECTORY, .u.directory = replay->directory};
    engine_step(replay->engine, &input, &outbox);
    input = (struct engine_input){.type = INPUT_FENCES, .u.fences = replay->fences};
    engine_step(replay->engine, &input, &outbox);
    struct buffer line;
    buffer_init(&line, 1u << 20);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < replay->row_count && status == STATUS_OK; i++) {
        const struct row *row = &replay->rows[i];
        if (i % ENGINE_EXPECT_MAX == 0) {
            expect_rows(replay, i);
        }
        if (replay->silence) {
            status = pass_time(replay, row->arrival_ms, &outbox, &line);
            if (status != STATUS_OK) {
                break;
            }
        }
        struct origin origin = {.kind = ORIGIN_CARD, .no = row->event.card_no, .seq = i + 1};
        input = (struct engine_input){
            .type = INPUT_EVENT,
            .now_ms = row->arrival_ms,
            .u.event = {.origin = &origin, .event = &row->event},
        };
        engine_step(replay->engine, &input, &outbox);
        status = print_alerts(replay, &outbox, &line);
    }
    buffer_release(&line);
    if (status == STATUS_OK && fflush(stdout) != 0) {
        status = status_detail_set(&replay->detail, STATUS_IO, "standard output takes no more");
    }
    return status;
}

static void take_step(void *context, const struct engine_reason *reason)
{
    struct replay *replay = context;
    if (replay->why != NULL) {
        why_take(replay->why, reason);
    }
    if (replay->steps != NULL) {
        const struct fence *fence = fence_set_by_no(replay->fences, reason->fence_no);
        buffer_clear(&replay->step);
        why_row(&replay->step, replay->directory->pupils[reason->pupil_no].id,
                fence != NULL ? fence->id : "", reason);
        (void)fwrite(replay->step.data, 1, replay->step.size, replay->steps); /* asked at its end */
    }
}

static enum status open_steps(struct replay *replay)
{
    if (replay->steps_path == NULL) {
        return STATUS_OK;
    }
    replay->steps = fopen(replay->steps_path, "we");
    if (replay->steps == NULL) {
        return status_detail_set(&replay->detail, STATUS_IO, "%s: %s", replay->steps_path,
                                 strerror(errno));
    }
    buffer_init(&replay->step, 1u << 16);
    (void)fputs(WHY_COLUMNS, replay->steps);
    return STATUS_OK;
}

/* Returns `status`, or what closing the file did where that was fine. */
static enum status close_steps(struct replay *replay, enum status status)
{
    if (replay->steps == NULL) {
        return status;
    }
    buffer_release(&replay->step);
    bool failed = ferror(replay->steps) != 0;
    failed = fclose(replay->steps) != 0 || failed;
    replay->steps = NULL;
    if (failed && status == STATUS_OK) {
        return status_detail_set(&replay->detail, STATUS_IO, "%s: takes no more",
                                 replay->steps_path);
    }
    return status;
}

static enum status make_engine(struct replay *replay)
{
    uint64_t presences = (uint64_t)replay->directory->card_end * 64;
    if (presences < 65536) {
        presences = 65536;
    }
    struct engine_limits limits = {.cards_max = replay->directory->card_end,
                                   .presences_max = presences < REGISTRY_NUMBER_MAX
                                                        ? (uint32_t)presences
                                                        : REGISTRY_NUMBER_MAX,
                                   .policy = policy_of_rates(&replay->rates)};
    enum status status = engine_new(&limits, &replay->engine);
    if (status == STATUS_OK && replay->explain) {
        status = why_new(limits.cards_max, &replay->why);
    }
    if (status == STATUS_OK && (replay->why != NULL || replay->steps != NULL)) {
        engine_explain(replay->engine, take_step, replay);
    }
    return status == STATUS_OK
               ? status
               : status_detail_set(&replay->detail, status, "%s: the engine for %u cards: %s",
                                   replay->fixes_path, limits.cards_max - 1, status_words(status));
}

static void print_summary(const struct replay *replay)
{
    struct engine_stats stats;
    engine_stats(replay->engine, &stats);
    (void)fprintf(stderr,
                  "cards=%u fences=%u fixes=%" PRIu64 " refused=%u no_position=%" PRIu64
                  " too_vague=%" PRIu64 " out_of_order=%" PRIu64 " repeats=%" PRIu64
                  " presences_evicted=%" PRIu64 " presences_refused=%" PRIu64 " alerts=%" PRIu64,
                  replay->directory->card_end - 1, replay->fences->count, stats.fixes,
                  replay->refused, stats.no_position, stats.too_vague, stats.out_of_order,
                  stats.repeats, stats.presences_evicted, stats.presences_refused, replay->alerts);
    for (int type = ALERT_ENTERED; type <= ALERT_DANGER; type++) {
        (void)fprintf(stderr, " %s=%" PRIu64, alert_word((enum alert_type)type),
                      stats.alerts[type]);
    }
    (void)fputc('\n', stderr);
}

static int run(struct replay *replay)
{
    enum status status = read_fences(replay);
    if (status == STATUS_OK) {
        status = read_fixes(replay);
    }
    if (status == STATUS_OK) {
        order_by_arrival(replay);
        status = make_directory(replay);
    }
    if (status == STATUS_OK) {
        status = open_steps(replay);
    }
    if (status == STATUS_OK) {
        status = make_engine(replay);
    }
    if (status == STATUS_OK) {
        status = run_engine(replay);
    }
    status = close_steps(replay, status);
    if (status == STATUS_OK && replay->why != NULL && !why_is_whole(replay->why)) {
        status = status_detail_set(&replay->detail, STATUS_NO_MEMORY, "no memory for the steps");
    }
    if (status != STATUS_OK) {
        return cli_fail("%s", replay->detail.text);
    }
    if (replay->summary) {
        print_summary(replay);
    }
    return CLI_OK;
}

int cmd_replay(int argc, char **argv)
{
    struct replay replay = {0};
    bool help = false;
    const struct cli_option options[] = {{"--fences", &replay.fences_path, NULL},
                                         {"--fixes", &replay.fixes_path, NULL},
                                         {"--datum", &replay.datum_name, NULL},
                                         {"--summary", NULL, &replay.summary},
                                         {"--explain", NULL, &replay.explain},
                                         {"--silence", NULL, &replay.silence},
                                         {"--steps", &replay.steps_path, NULL},
                                         WANTED_OPTIONS(&replay.wanted),
                                         {"--help", NULL, &help},
                                         {0}};
    int words = 0;
    if (cli_options(argc, argv, options, usage, &words) != CLI_OK) {
        return CLI_USAGE;
    }
    if (help) {
        (void)printf("usage: %s\n", usage);
        return CLI_OK;
    }
    if (words > 1 || replay.fences_path == NULL || replay.fixes_path == NULL ||
        replay.datum_name == NULL) {
        return cli_usage(usage, "replay needs --fences, --fixes and --datum");
    }
    if (wanted_rates(&replay.wanted, &replay.rates, &replay.detail) != STATUS_OK) {
        return cli_usage(usage, "%s", replay.detail.text);
    }
    if (geo_datum_parse(text_of(replay.datum_name), &replay.datum) != STATUS_OK) {
        return cli_usage(usage, "no datum %s: wgs84, gcj02 or bd09", replay.datum_name);
    }
    if (strcmp(replay.fences_path, "-") == 0 && strcmp(replay.fixes_path, "-") == 0) {
        return cli_usage(usage, "only one of --fences and --fixes can be standard input");
    }
    arena_init_growing(&replay.arena, 1u << 20, SIZE_MAX / 2);
    int result = run(&replay);
    engine_free(replay.engine);
    why_free(replay.why);
    fence_set_free(replay.fences);
    directory_free(replay.directory);
    arena_release(&replay.arena);
    return result;
}
