#include "tests/sim/pipe_world.h"

#include <inttypes.h>
#include <string.h>

#include "proto/codec.h"
#include "sim/day.h"
#include "tests/core/random.h"

#define MIDNIGHT_MS 1772380800000 /* 2026-03-02 00:00 in Shanghai */

enum {
    MINUTE_MS = 60000,
    HOUR_MS = 3600000,
    HOURS = 3,
    INTERVAL_MS = 60000,
    ZONES = 12,
    SENDERS = WORLD_PUPILS + WORLD_GATES,
    PHONE = WORLD_PUPILS - 1,
    BUNDLE_MAX = 4,
    EVENTS_MAX = 16, /* of a bundle, with the signals and calls beside it */
    MESSAGES_MAX = 65536,
};

/* A card or a gate: what it is about to send, and what is wrong with it. */
struct sender {
    uint64_t seq;
    uint32_t epoch, count, bundle;
    int64_t raised_at_ms; /* its counter is lost then */
    int64_t clock_at_ms, clock_ahead_ms;
    int64_t silent_from_ms, silent_to_ms; /* no network; all that waited comes at the end */
    bool by_gateway;
    struct wire_event events[EVENTS_MAX];
};

struct maker {
    struct world *world;
    uint64_t random;
    int64_t begin_ms;
    uint32_t pupils[WORLD_PUPILS]; /* places in the city */
    char cards[WORLD_PUPILS][8];
    struct sender senders[SENDERS]; /* cards, then gates */
};

static bool chance(struct maker *maker, uint32_t percent)
{
    return random_below(&maker->random, 100) < percent;
}

static int64_t moment(struct maker *maker)
{
    return maker->begin_ms + random_below(&maker->random, HOURS * HOUR_MS);
}

/* ---- the registry ---- */

static char *make_id(struct arena *arena, char letter, uint32_t no)
{
    char id[16];
    int length = snprintf(id, sizeof id, "%c%u", letter, no);
    char *copy = arena_copy_text(arena, id, (size_t)length);
    assert_non_null(copy);
    return copy;
}

static uint32_t school_of(const struct maker *maker, uint32_t i)
{
    return maker->world->city.pupils[maker->pupils[i]].school + 1;
}

/* In the second directory the first pupil may be at the other school, the second without a card. */
static struct directory *make_directory(const struct maker *maker, uint32_t variant)
{
    const struct directory_ends ends = {.schools = WORLD_SCHOOLS + 1,
                                        .pupils = WORLD_PUPILS + 1,
                                        .cards = WORLD_PUPILS + 1,
                                        .gates = WORLD_GATES + 1};
    struct directory *directory;
    struct status_detail detail;
    assert_int_equal(directory_new(&ends, &directory), STATUS_OK);
    struct arena *arena = &directory->arena;
    for (uint32_t no = 1; no <= WORLD_SCHOOLS; no++) {
        directory->schools[no].id = make_id(arena, 's', no);
    }
    for (uint32_t no = 1; no <= WORLD_GATES; no++) {
        directory->gates[no] = (struct dir_gate){.id = make_id(arena, 'g', no),
                                                 .school_no = (no - 1) / SIM_GATES_MAX + 1};
    }
    for (uint32_t no = 1; no <= WORLD_PUPILS; no++) {
        uint32_t school_no = school_of(maker, no - 1);
        if (variant == 1 && no == 1 && maker->world->pupils_move) {
            school_no = WORLD_SCHOOLS + 1 - school_no;
        }
        directory->pupils[no] =
            (struct dir_pupil){.id = make_id(arena, 'p', no), .school_no = school_no};
        directory->cards[no] = (struct dir_card){
            .id = make_id(arena, 'c', no), .pupil_no = no, .school_no = school_no};
    }
    if (variant == 1) {
        directory->cards[2].pupil_no = directory->cards[2].school_no = 0;
    }
    directory->cards[WORLD_PUPILS].owntracks = "walker/phone";
    assert_int_equal(directory_seal(directory, &detail), STATUS_OK);
    return directory;
}

/* With each set some fences change their shape, some are gone, some are back. */
static struct fence_set *make_fences(struct maker *maker, uint32_t versions[], bool changed)
{
    const struct sim_city *city = &maker->world->city;
    uint32_t of_schools = WORLD_SCHOOLS * SIM_SCHOOL_FENCES, all = sim_city_fence_count(city);
    uint32_t places[WORLD_SCHOOLS * SIM_SCHOOL_FENCES + ZONES], count = 0;
    for (uint32_t i = 0; i < all; i++) {
        versions[i] += changed && chance(maker, 30);
        if (!changed || !chance(maker, 20)) {
            places[count++] = i;
        }
    }
    struct fence_set *set;
    struct status_detail detail = {{0}};
    assert_int_equal(fence_set_new(count, &set), STATUS_OK);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i = places[k], shape = i;
        bool of_school = i < of_schools;
        if (of_school) {
            uint32_t within = (i + versions[i] - 1) % SIM_SCHOOL_FENCES;
            shape = i - i % SIM_SCHOOL_FENCES + within;
        }
        struct sim_fence fence;
        enum fence_kind kind;
        sim_city_fence(city, shape, &fence);
        set->shapes[k] = *fence.shape; /* its points stay the city's */
        sim_city_fence(city, i, &fence);
        assert_int_equal(fence_kind_parse(fence.kind, &kind), STATUS_OK);
        set->items[k] = (struct fence){.id = make_id(&set->arena, 'f', i + 1),
                                       .no = i + 1,
                                       .version = versions[i],
                                       .school_no = of_school ? i / SIM_SCHOOL_FENCES + 1 : 0,
                                       .kind = (uint8_t)kind};
    }
    if (fence_set_seal(set, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    return set;
}

static void make_registry(struct maker *maker)
{
    struct world *world = maker->world;
    uint32_t versions[WORLD_SCHOOLS * SIM_SCHOOL_FENCES + ZONES];
    for (uint32_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        versions[i] = 1;
    }
    for (uint32_t i = 0; i < WORLD_DIRECTORIES; i++) {
        world->directories[i] = make_directory(maker, i);
    }
    for (uint32_t i = 0; i < WORLD_FENCE_SETS; i++) {
        world->fences[i] = make_fences(maker, versions, i > 0);
    }
}

/* ---- what is sent ---- */

static struct item *add_item(struct world *world, enum item_kind kind, uint32_t number,
                             int64_t at_ms)
{
    if (world->item_count == world->capacity) {
        world->capacity = world->capacity == 0 ? 4096 : world->capacity * 2;
        world->items = realloc(world->items, world->capacity * sizeof *world->items);
        assert_non_null(world->items);
    }
    struct item *item = &world->items[world->item_count];
    *item =
        (struct item){.at_ms = at_ms, .order = world->item_count++, .kind = kind, .number = number};
    return item;
}

/* The message comes late, or after others that were sent later, or more than once. */
static void deliver(struct maker *maker, const struct sender *sender, uint32_t number,
                    int64_t at_ms)
{
    if (at_ms >= sender->silent_from_ms && at_ms < sender->silent_to_ms) {
        at_ms = sender->silent_to_ms;
    } else if (chance(maker, 8)) {
        at_ms += random_below(&maker->random, 4 * MINUTE_MS);
    }
    uint32_t times = chance(maker, 12) ? 2 + random_below(&maker->random, 2) : 1;
    for (uint32_t i = 0; i < times; i++) {
        struct item *item = add_item(maker->world, ITEM_MESSAGE, number, at_ms);
        item->syncs = chance(maker, 40);
        item->full = chance(maker, 10);
        item->marks = chance(maker, 30);
        item->restarts = random_below(&maker->random, 1000) < 3;
        item->torn = random_below(&maker->random, 4);
        at_ms += chance(maker, 50) ? 0 : random_below(&maker->random, 20 * MINUTE_MS);
    }
}

static struct message *add_message(struct world *world, const char *topic)
{
    assert_true(world->message_count < MESSAGES_MAX);
    struct message *message = &world->messages[world->message_count++];
    *message = (struct message){.at = world->payloads.size, .reports = 1};
    (void)snprintf(message->topic, sizeof message->topic, "%s", topic);
    return message;
}

static void encode(struct maker *maker, const struct sender *sender, uint32_t place)
{
    struct world *world = maker->world;
    char topic[WORLD_TOPIC_MAX];
    uint32_t gate = place - WORLD_PUPILS;
    bool is_gate = place >= WORLD_PUPILS;
    uint32_t school = is_gate ? gate / SIM_GATES_MAX + 1 : school_of(maker, place);
    const char *kind = is_gate ? "gate/g" : sender->by_gateway ? "gateway/w" : "card/c";
    (void)snprintf(topic, sizeof topic, "campus/v1/s%u/%s%u/up", school, kind,
                   is_gate ? gate + 1 : place + 1);
    struct message *message = add_message(world, topic);
    const uint64_t kept = SEQUENCE_WINDOW - 1;
    struct wire_report report = {.seq = sender->seq,
                                 .keep_from = place % 4 == 0       ? 0 /* keeps nothing */
                                              : sender->seq > kept ? sender->seq - kept
                                                                   : 1,
                                 .epoch = sender->epoch,
                                 .want_receipt = true,
                                 .event_count = sender->count,
                                 .events = maker->senders[place].events};
    if (is_gate) {
        encode_gate_report(&world->payloads, &report);
    } else if (!sender->by_gateway) {
        encode_card_report(&world->payloads, &report);
    } else { /* now and then a gateway has the same report twice */
        report.sender = text_of(maker->cards[place]);
        struct wire_report both[2] = {report, report};
        struct wire_reports reports = {.count = chance(maker, 10) ? 2 : 1, .items = both};
        encode_gateway_report(&world->payloads, &reports);
    }
    message->size = world->payloads.size - message->at;
}

static void send(struct maker *maker, uint32_t place, int64_t at_ms)
{
    struct sender *sender = &maker->senders[place];
    if (sender->count == 0) {
        return;
    }
    if (sender->raised_at_ms != 0 && at_ms >= sender->raised_at_ms) {
        sender->raised_at_ms = 0;
        sender->epoch++;
        sender->seq = 0;
    }
    sender->seq++;
    encode(maker, sender, place);
    sender->count = 0;
    sender->bundle = chance(maker, 75) ? 1 : 1 + random_below(&maker->random, BUNDLE_MAX);
    deliver(maker, sender, maker->world->message_count - 1, at_ms);
}

/* Old ones first, or the newest. */
static void put_event(struct maker *maker, struct sender *sender, const struct wire_event *event)
{
    assert_true(sender->count < EVENTS_MAX);
    uint32_t place = chance(maker, 50) ? sender->count : 0;
    memmove(&sender->events[place + 1], &sender->events[place],
            (sender->count - place) * sizeof *sender->events);
    sender->events[place] = *event;
    sender->count++;
}

static int64_t told_ms(const struct sender *sender, int64_t time_ms)
{
    bool wrong = sender->clock_at_ms != 0 && time_ms >= sender->clock_at_ms;
    return time_ms + (wrong ? sender->clock_ahead_ms : 0);
}

/* Keys and calls beside the fix. */
static void put_more(struct maker *maker, struct sender *sender, const struct event *fix)
{
    struct wire_event more = {.event = {.time_ms = fix->time_ms, .flags = EVENT_NO_POSITION}};
    if (chance(maker, 2)) {
        more.event.type = EVENT_SIGNAL;
        more.event.kind = (uint8_t)(SIGNAL_SOS + random_below(&maker->random, 4));
        more.event.flags |= EVENT_HAS_BATTERY;
        more.event.battery_pct = (uint8_t)random_below(&maker->random, 101);
        put_event(maker, sender, &more);
        if (more.event.kind == SIGNAL_SOS && chance(maker, 50)) { /* pressed twice */
            more.event.time_ms += 1000;
            put_event(maker, sender, &more);
        }
    } else if (chance(maker, 1)) {
        more.event.type = EVENT_CALL;
        more.event.kind = CALL_OUTGOING;
        more.event.outcome = CALL_ANSWERED;
        put_event(maker, sender, &more);
    }
}

static struct wire_event event_of(const struct sim_report *report)
{
    struct event event = {.time_ms = report->time_ms,
                          .type = report->kind,
                          .datum = GEO_WGS84,
                          .point = report->point,
                          .accuracy_cm = report->accuracy_cm,
                          .battery_pct = report->battery_pct};
    event.kind = report->kind == SIM_FIX    ? report->source
                 : report->kind == SIM_PASS ? report->direction
                                            : report->signal;
    if (report->kind != SIM_PASS) {
        event.flags = EVENT_HAS_BATTERY;
        event.flags |= report->has_position ? EVENT_HAS_ACCURACY : EVENT_NO_POSITION;
    }
    return (struct wire_event){.event = event};
}

static void send_by_phone(struct maker *maker, const struct sim_report *report)
{
    struct world *world = maker->world;
    struct sender *sender = &maker->senders[PHONE];
    if (report->kind != SIM_FIX || !report->has_position) {
        return;
    }
    struct message *message = add_message(world, "owntracks/walker/phone");
    buffer_printf(&world->payloads, "{\"_type\":\"location\",\"tst\":%" PRId64 ",\"lat\":",
                  told_ms(sender, report->time_ms) / 1000);
    buffer_degrees_e7(&world->payloads, report->point.lat_e7);
    buffer_text(&world->payloads, ",\"lon\":");
    buffer_degrees_e7(&world->payloads, report->point.lon_e7);
    buffer_printf(&world->payloads, ",\"acc\":%u}", report->accuracy_cm / 100);
    message->size = world->payloads.size - message->at;
    deliver(maker, sender, world->message_count - 1, report->arrival_ms);
}

static void take(struct maker *maker, const struct sim_report *report)
{
    uint32_t i = 0;
    while (maker->pupils[i] != report->pupil) {
        i++;
    }
    struct wire_event event = event_of(report);
    if (report->kind == SIM_PASS) {
        uint32_t place = WORLD_PUPILS + (school_of(maker, i) - 1) * SIM_GATES_MAX + report->gate;
        event.card = text_of(maker->cards[i]);
        event.event.time_ms = told_ms(&maker->senders[place], event.event.time_ms);
        put_event(maker, &maker->senders[place], &event);
        send(maker, place, report->arrival_ms);
    } else if (i == PHONE) {
        send_by_phone(maker, report);
    } else {
        struct sender *sender = &maker->senders[i];
        event.event.time_ms = told_ms(sender, event.event.time_ms);
        put_event(maker, sender, &event);
        put_more(maker, sender, &event.event);
        if (sender->count >= sender->bundle) {
            send(maker, i, report->arrival_ms);
        }
    }
}

/* ---- what goes wrong ---- */

static void make_sender(struct maker *maker, struct sender *sender, bool is_card)
{
    static const int64_t ahead_min[] = {-300, -60, -1, 40, 120, 1800};
    sender->bundle = 1;
    if (chance(maker, 30)) {
        sender->clock_at_ms = moment(maker);
        sender->clock_ahead_ms = ahead_min[random_below(&maker->random, 6)] * MINUTE_MS;
    }
    if (chance(maker, 35)) {
        sender->silent_from_ms = moment(maker);
        sender->silent_to_ms =
            sender->silent_from_ms + HOUR_MS / 2 + random_below(&maker->random, 2 * HOUR_MS);
    }
    if (chance(maker, 10)) {
        sender->raised_at_ms = moment(maker);
        maker->world->epochs_rise = true;
    }
    sender->by_gateway = is_card && chance(maker, 25);
}

static void make_changes(struct maker *maker)
{
    struct world *world = maker->world;
    if (chance(maker, 50)) {
        (void)add_item(world, ITEM_DIRECTORY, 1, moment(maker));
    }
    for (uint32_t i = random_below(&maker->random, 4); i > 0; i--) {
        uint32_t set = random_below(&maker->random, WORLD_FENCE_SETS);
        (void)add_item(world, ITEM_FENCES, set, moment(maker));
    }
    world->busy_from_ms = moment(maker);
    world->busy_to_ms = world->busy_from_ms + random_below(&maker->random, 2 * HOUR_MS);
    if (chance(maker, 25)) {
        world->jump_at_ms = moment(maker);
        world->jump_ms = chance(maker, 50) ? HOUR_MS : -2 * HOUR_MS;
    }
}

static int by_arrival(const void *a, const void *b)
{
    const struct item *one = a, *other = b;
    if (one->at_ms != other->at_ms) {
        return one->at_ms < other->at_ms ? -1 : 1;
    }
    return one->order < other->order ? -1 : one->order > other->order;
}

static void order_items(struct world *world)
{
    bool *came = calloc(world->message_count, sizeof *came);
    assert_non_null(came);
    qsort(world->items, world->item_count, sizeof *world->items, by_arrival);
    for (uint32_t i = 0; i < world->item_count; i++) {
        struct item *item = &world->items[i];
        if (item->kind == ITEM_MESSAGE) {
            item->again = came[item->number];
            came[item->number] = true;
        }
    }
    free(came);
}

static void make_day(struct maker *maker)
{
    uint32_t begin = (uint32_t)(maker->begin_ms - MIDNIGHT_MS);
    const struct sim_day_config config = {.city = &maker->world->city,
                                          .pupils = maker->pupils,
                                          .seed = maker->world->seed,
                                          .midnight_ms = MIDNIGHT_MS,
                                          .day = 1,
                                          .pupil_count = WORLD_PUPILS,
                                          .interval_ms = INTERVAL_MS,
                                          .from_ms = begin,
                                          .to_ms = begin + HOURS * HOUR_MS,
                                          .noise = true};
    struct sim_day day;
    struct sim_report report;
    assert_int_equal(sim_day_init(&day, &config, NULL), STATUS_OK);
    int64_t last_ms = maker->begin_ms;
    while (sim_day_next(&day, &report) == STATUS_OK) {
        if (!report.again) { /* repeats are made here */
            take(maker, &report);
        }
        last_ms = report.arrival_ms;
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        send(maker, i, last_ms);
    }
    sim_day_release(&day);
}

void world_make(struct world *world, uint64_t seed)
{
    static const int64_t begin_hours[] = {6, 11, 16}; /* to school, to lunch, home */
    struct maker maker = {.world = world, .random = seed};
    *world = (struct world){.seed = seed};
    world->pupils_move = chance(&maker, 50);
    world->presences_max = 8 + random_below(&maker.random, 100);
    maker.begin_ms = MIDNIGHT_MS + begin_hours[random_below(&maker.random, 3)] * HOUR_MS +
                     random_below(&maker.random, HOUR_MS);
    buffer_init(&world->payloads, 1u << 26);
    world->messages = calloc(MESSAGES_MAX, sizeof *world->messages);
    assert_non_null(world->messages);
    make_city(&world->city, seed, WORLD_SCHOOLS, WORLD_SCHOOLS * SIM_SCHOOL_SIZE_MIN, ZONES);
    uint32_t stride = world->city.options.pupils / WORLD_PUPILS;
    for (uint32_t i = 0; i < WORLD_PUPILS; i++) {
        maker.pupils[i] = i * stride + random_below(&maker.random, stride);
        (void)snprintf(maker.cards[i], sizeof maker.cards[i], "c%u", i + 1);
    }
    make_registry(&maker);
    for (uint32_t i = 0; i < SENDERS; i++) {
        make_sender(&maker, &maker.senders[i], i < WORLD_PUPILS);
    }
    make_changes(&maker);
    make_day(&maker);
    assert_int_equal(buffer_status(&world->payloads), STATUS_OK);
    order_items(world);
}

void world_release(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_FENCE_SETS; i++) {
        fence_set_free(world->fences[i]);
    }
    for (uint32_t i = 0; i < WORLD_DIRECTORIES; i++) {
        directory_free(world->directories[i]);
    }
    sim_city_release(&world->city);
    buffer_release(&world->payloads);
    free(world->messages);
    free(world->items);
}
