#include "tests/core/town.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

/* A degree of latitude, and of longitude at 36.2 north, in metres of the mean sphere. */
static const double lat_m = 111195.08, lon_m = 89731.5;
static const double middle_lat = 36.2, middle_lon = 113.1;

struct geo_point town_point(double north_m, double east_m)
{
    return (struct geo_point){(int32_t)lround((middle_lat + north_m / lat_m) * 1e7),
                              (int32_t)lround((middle_lon + east_m / lon_m) * 1e7)};
}

int64_t town_ms(double at_s)
{
    return TOWN_START_MS + (int64_t)(at_s * 1000);
}

static char *number_id(struct arena *arena, char letter, uint32_t no)
{
    char id[4] = {letter, (char)('0' + no / 10), (char)('0' + no % 10), '\0'};
    char *copy = arena_copy_text(arena, id, 3);
    assert_non_null(copy);
    return copy;
}

struct directory *town_directory(uint32_t pupil_1_school)
{
    struct directory *directory;
    struct directory_ends ends = {
        .schools = 3, .pupils = TOWN_PUPILS + 1, .cards = TOWN_PUPILS + 1, .gates = 3};
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    for (uint32_t no = 1; no <= 2; no++) {
        directory->schools[no].id = number_id(&directory->arena, 's', no);
        directory->gates[no] =
            (struct dir_gate){.id = number_id(&directory->arena, 'g', no), .school_no = no};
    }
    for (uint32_t no = 1; no <= TOWN_PUPILS; no++) {
        uint32_t school_no = no == 1 ? pupil_1_school : no % 2 == 1 ? 1 : 2;
        directory->pupils[no] =
            (struct dir_pupil){.id = number_id(&directory->arena, 'p', no), .school_no = school_no};
        directory->cards[no] = (struct dir_card){
            .id = number_id(&directory->arena, 'c', no), .pupil_no = no, .school_no = school_no};
    }
    struct status_detail detail;
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    return directory;
}

struct fence_set *town_fences(const struct town_fence *fences, uint32_t count)
{
    struct fence_set *set;
    assert_int_equal(fence_set_new(count, &set), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        const struct town_fence *fence = &fences[i];
        set->items[i] = (struct fence){.id = number_id(&set->arena, 'f', fence->no % 100),
                                       .no = fence->no,
                                       .version = fence->version,
                                       .school_no = fence->school_no,
                                       .kind = (uint8_t)fence->kind};
        struct geo_point *center = arena_alloc(&set->arena, sizeof *center);
        *center = town_point(fence->north_m, fence->east_m);
        double r = fence->radius_m * 1.01;
        set->shapes[i] =
            (struct geo_shape){.kind = GEO_CIRCLE,
                               .point_count = 1,
                               .points = center,
                               .radius_m = fence->radius_m,
                               .low = town_point(fence->north_m - r, fence->east_m - r),
                               .high = town_point(fence->north_m + r, fence->east_m + r)};
    }
    struct status_detail detail = {0};
    if (fence_set_seal(set, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return set;
}

void town_take_fences(struct town *town, struct fence_set *fences)
{
    struct outbox outbox = {.alerts = town->out, .capacity = STEP_ALERTS_MAX};
    struct engine_input input = {.type = INPUT_FENCES, .now_ms = 0, .u.fences = fences};
    engine_step(town->engine, &input, &outbox);
    assert_int_equal(outbox.count, 0);
    fence_set_free(town->fences);
    town->fences = fences;
}

void town_take_directory(struct town *town, struct directory *directory)
{
    struct outbox outbox = {.alerts = town->out, .capacity = STEP_ALERTS_MAX};
    struct engine_input input = {.type = INPUT_DIRECTORY, .now_ms = 0, .u.directory = directory};
    engine_step(town->engine, &input, &outbox);
    assert_int_equal(outbox.count, 0);
    directory_free(town->directory);
    town->directory = directory;
}

void town_init(struct town *town, uint32_t presences_max)
{
    const struct presence_policy initial = {0};
    town_init_with(town, presences_max, &initial);
}

void town_init_with(struct town *town, uint32_t presences_max, const struct presence_policy *policy)
{
    static const struct town_fence fences[] = {
        {TOWN_SCHOOL_FENCE, 1, 1, FENCE_SCHOOL, 0, 0, 100},
        {TOWN_POND_FENCE, 1, 0, FENCE_DANGER, 0, 600, 40},
        {TOWN_PARK_FENCE, 1, 0, FENCE_PLACE, 1000, 0, 80},
        {TOWN_OTHER_FENCE, 1, 2, FENCE_SCHOOL, 0, 0, 100},
    };
    *town = (struct town){0};
    struct engine_limits limits = {
        .cards_max = TOWN_PUPILS + 1, .presences_max = presences_max, .policy = *policy};
    assert_int_equal(engine_new(&limits, &town->engine), STATUS_OK);
    town->log = calloc(TOWN_ALERTS_MAX, sizeof *town->log);
    town->out = calloc(STEP_ALERTS_MAX, sizeof *town->out);
    town_take_directory(town, town_directory(1));
    town_take_fences(town, town_fences(fences, sizeof fences / sizeof fences[0]));
}

void town_release(struct town *town)
{
    engine_free(town->engine);
    fence_set_free(town->fences);
    directory_free(town->directory);
    free(town->log);
    free(town->out);
}

uint32_t town_input(struct town *town, const struct engine_input *input)
{
    struct outbox outbox = {.alerts = town->out, .capacity = STEP_ALERTS_MAX};
    engine_step(town->engine, input, &outbox);
    assert_true(town->log_count + outbox.count <= TOWN_ALERTS_MAX);
    for (uint32_t i = 0; i < outbox.count; i++) {
        memcpy(&town->log[town->log_count++], &town->out[i], sizeof town->out[i]);
    }
    return outbox.count;
}

int town_setup(void **state)
{
    static struct town town;
    town_init(&town, 1000);
    *state = &town;
    return 0;
}

int town_teardown(void **state)
{
    town_release(*state);
    return 0;
}

uint32_t town_step(struct town *town, const struct event *event, double late_s)
{
    struct origin origin = {.kind = event->type == EVENT_PASS ? ORIGIN_GATE : ORIGIN_CARD,
                            .no = event->type == EVENT_PASS ? event->gate_no : event->card_no,
                            .seq = ++town->seq};
    struct engine_input input = {
        .type = INPUT_EVENT,
        .now_ms = event->time_ms + (int64_t)(late_s * 1000),
        .u.event = {.origin = &origin, .event = event, .keep_from = town->keep_from}};
    if (!town->expects_nothing) {
        engine_expect(town->engine, &event, 1);
    }
    return town_input(town, &input);
}

uint32_t town_tick(struct town *town, double at_s)
{
    const struct engine_input input = {.type = INPUT_TICK, .now_ms = town_ms(at_s)};
    return town_input(town, &input);
}

uint32_t town_ticks(struct town *town, double from_s, double to_s)
{
    uint32_t raised = 0;
    for (uint32_t i = 0; from_s + i <= to_s; i++) {
        raised += town_tick(town, from_s + i);
    }
    return raised;
}

struct event town_fix_at(uint32_t card_no, double at_s, double north_m, double east_m,
                         double accuracy_m)
{
    struct event event = {.time_ms = town_ms(at_s),
                          .card_no = card_no,
                          .type = EVENT_FIX,
                          .kind = FIX_GNSS,
                          .point = town_point(north_m, east_m)};
    if (accuracy_m >= 0) {
        event.flags = EVENT_HAS_ACCURACY;
        event.accuracy_cm = (uint32_t)lround(accuracy_m * 100);
    }
    return event;
}

uint32_t town_fix(struct town *town, uint32_t card_no, double at_s, double north_m, double east_m,
                  double accuracy_m)
{
    struct event event = town_fix_at(card_no, at_s, north_m, east_m, accuracy_m);
    return town_step(town, &event, 1);
}

uint32_t town_stay(struct town *town, uint32_t card_no, double at_s, uint32_t count, double every_s,
                   double north_m, double east_m)
{
    uint32_t raised = 0;
    for (uint32_t i = 0; i < count; i++) {
        raised += town_fix(town, card_no, at_s + i * every_s, north_m, east_m, 8);
    }
    return raised;
}

uint32_t town_pass(struct town *town, uint32_t card_no, double at_s, uint32_t gate_no,
                   enum pass_direction direction)
{
    struct event event = {.time_ms = town_ms(at_s),
                          .card_no = card_no,
                          .type = EVENT_PASS,
                          .kind = (uint8_t)direction,
                          .gate_no = gate_no};
    return town_step(town, &event, 1);
}

uint32_t town_signal(struct town *town, uint32_t card_no, double at_s, enum signal_kind kind)
{
    struct event event = {.time_ms = town_ms(at_s),
                          .card_no = card_no,
                          .type = EVENT_SIGNAL,
                          .kind = (uint8_t)kind,
                          .flags = EVENT_NO_POSITION};
    return town_step(town, &event, 1);
}

const struct alert *town_last(const struct town *town)
{
    assert_true(town->log_count > 0);
    return &town->log[town->log_count - 1];
}
