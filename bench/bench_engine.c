/*
 * bench-engine: one step of the engine, from payload bytes to decided state. The city of bench-geo,
 * 134,000 cards of which each pupil stays about a school or goes elsewhere, fixes of cards at random.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "bench/figures.h"
#include "bench/geo_city.h"
#include "bench/geo_race.h"
#include "bench/numbered.h"
#include "cli/cli.h"
#include "core/engine.h"
#include "core/record.h"
#include "proto/codec.h"

static const char usage[] = "bench-engine [--quick] [--json FILE] [--count decode|step]";

enum {
    SEED = 1,
    CARDS = CITY_HOMES,
    ROUND = 1 << 18, /* fixes between two looks at the clock: two a card */
    ROUNDS_FULL = 40,
    ROUNDS_QUICK = 8,
    WARM_ROUNDS = 8, /* until nearly every pupil's surroundings are known */
    WARM_ROUNDS_COUNTED = 5,
    BATCH = ENGINE_EXPECT_MAX,
    PRESENCES_A_CARD = 4,
    PAYLOAD_ROOM = 64,
    INTERVAL_MS = 30000,
    DAY_MINUTES = 1440,
    DAY_INTERVAL_MS = 60000,
    JITTERS = 1 << 10, /* a power of two */
};
#define START_MS  1764201600000
#define SEQ_START 1000000u /* of each card: it has reported for years */

struct bench {
    struct arena arena, decode_arena;
    struct city city;
    struct directory *directory;
    struct fence_set *fences;
    struct engine *engine;
    struct geo_point *homes; /* where each card is about, by card */
    unsigned char (*payloads)[PAYLOAD_ROOM];
    uint8_t *lengths;
    uint32_t *cards; /* of each payload */
    uint32_t *sent;  /* how many reports, by card */
    int64_t now_ms;
    uint64_t checksum, alerts;
    double decode_ns[ROUNDS_FULL], step_ns[ROUNDS_FULL], both_ns[ROUNDS_FULL];
};

/* ---- the city ---- */

static uint32_t school_of(const void *unused, uint32_t pupil_no)
{
    (void)unused;
    return pupil_no % CITY_SCHOOLS + 1;
}

static bool make_directory(struct bench *bench, struct status_detail *detail)
{
    const struct numbered numbered = {
        .schools = CITY_SCHOOLS, .pupils = CARDS, .school_of = school_of};
    return numbered_directory(&numbered, &bench->directory, detail) == STATUS_OK;
}

static bool make_fences(struct bench *bench, struct status_detail *detail)
{
    if (fence_set_new(CITY_FENCES, &bench->fences) != STATUS_OK) {
        return false;
    }
    struct fence_set *set = bench->fences;
    for (uint32_t i = 0; i < CITY_FENCES; i++) {
        bool is_school = i < CITY_SCHOOLS * CITY_SCHOOL_FENCES;
        enum fence_kind kind = i % CITY_SCHOOL_FENCES == 0 ? FENCE_SCHOOL : FENCE_PLACE;
        set->shapes[i] = bench->city.shapes[i];
        set->items[i] = (struct fence){.id = numbered_id(&set->arena, 'f', i + 1),
                                       .no = i + 1,
                                       .version = 1,
                                       .school_no = is_school ? i / CITY_SCHOOL_FENCES + 1 : 0,
                                       .kind = (uint8_t)(is_school ? kind : FENCE_DANGER)};
    }
    return fence_set_seal(set, detail) == STATUS_OK;
}

/* Seven of ten cards are about their own school, two in a town, one anywhere. */
static bool make_homes(struct bench *bench)
{
    struct geo_point *points;
    if (!city_points(&bench->city, SEED + 1, CARDS + 1, &bench->arena, &points)) {
        return false;
    }
    struct city_random random = {SEED + 2};
    for (uint32_t card = 1; card <= CARDS; card++) {
        if (city_random_below(&random, 10) < 7) {
            struct geo_point school = bench->city.schools[card % CITY_SCHOOLS];
            points[card] = city_offset(school, city_random_between(&random, -200, 200),
                                       city_random_between(&random, -200, 200));
        }
    }
    bench->homes = points;
    return true;
}

static bool take(struct bench *bench, const struct engine_input *input)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    engine_step(bench->engine, input, &outbox);
    return outbox.count == 0;
}

static bool make(struct bench *bench, struct status_detail *detail)
{
    const struct engine_limits limits = {.cards_max = CARDS + 1,
                                         .presences_max = CARDS * PRESENCES_A_CARD};
    arena_init_growing(&bench->arena, 1u << 20, (size_t)4 << 30);
    bench->payloads = arena_array(&bench->arena, ROUND, sizeof *bench->payloads);
    bench->lengths = arena_array(&bench->arena, ROUND, sizeof *bench->lengths);
    bench->cards = arena_array(&bench->arena, ROUND, sizeof *bench->cards);
    bench->sent = arena_array(&bench->arena, CARDS + 1, sizeof *bench->sent);
    bench->now_ms = START_MS;
    return bench->payloads != NULL && bench->sent != NULL && bench->lengths != NULL &&
           bench->cards != NULL &&
           arena_init_fixed(&bench->decode_arena, DECODE_ARENA_BYTES) == STATUS_OK &&
           city_make(SEED, &bench->arena, &bench->city) && make_homes(bench) &&
           make_directory(bench, detail) && make_fences(bench, detail) &&
           engine_new(&limits, &bench->engine) == STATUS_OK &&
           take(bench,
                &(struct engine_input){.type = INPUT_DIRECTORY, .u.directory = bench->directory}) &&
           take(bench, &(struct engine_input){.type = INPUT_FENCES, .u.fences = bench->fences});
}

/* ---- the reports ---- */

/* Payloads of cards at random, each some metres from where it is about. */
static void write_payloads(struct bench *bench, struct city_random *random)
{
    struct buffer out;
    buffer_init(&out, PAYLOAD_ROOM);
    for (uint32_t i = 0; i < ROUND; i++) {
        uint32_t card = 1 + city_random_below(random, CARDS);
        struct wire_event event = {
            .event = {.time_ms = bench->now_ms + (int64_t)i * INTERVAL_MS / ROUND,
                      .type = EVENT_FIX,
                      .kind = FIX_GNSS,
                      .flags = EVENT_HAS_ACCURACY | EVENT_HAS_BATTERY,
                      .accuracy_cm = 500 + city_random_below(random, 3000),
                      .battery_pct = 80,
                      .point = city_offset(bench->homes[card], city_random_between(random, -20, 20),
                                           city_random_between(random, -20, 20))}};
        const struct wire_report report = {
            .seq = SEQ_START + ++bench->sent[card], .event_count = 1, .events = &event};
        buffer_clear(&out);
        encode_card_report(&out, &report);
        memcpy(bench->payloads[i], out.data, out.size);
        bench->lengths[i] = (uint8_t)out.size;
        bench->cards[i] = card;
    }
    bench->now_ms += INTERVAL_MS;
    buffer_release(&out);
}

/* ---- the work ---- */

/* Decodes the payloads of a batch; the events stay in the arena. */
static void decode_batch(struct bench *bench, uint32_t first, struct wire_report reports[BATCH])
{
    const struct decode_context context = {&bench->decode_arena, bench->now_ms, GEO_WGS84};
    arena_reset(&bench->decode_arena);
    for (uint32_t i = 0; i < BATCH; i++) {
        struct text payload = {(const char *)bench->payloads[first + i], bench->lengths[first + i]};
        bench->checksum += decode_card_report(&context, payload, &reports[i], NULL);
        bench->checksum += reports[i].event_count;
        reports[i].events[0].event.card_no = bench->cards[first + i];
    }
}

static void step_events(struct bench *bench, const struct event *const *events,
                        const uint64_t *seqs, uint32_t count)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    engine_expect(bench->engine, events, count);
    for (uint32_t i = 0; i < count; i++) {
        struct origin origin = {.kind = ORIGIN_CARD, .no = events[i]->card_no, .seq = seqs[i]};
        struct engine_input input = {.type = INPUT_EVENT,
                                     .now_ms = bench->now_ms,
                                     .u.event = {.origin = &origin, .event = events[i]}};
        struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
        engine_step(bench->engine, &input, &outbox);
        bench->alerts += outbox.count;
    }
}

static void step_batch(struct bench *bench, const struct wire_report reports[BATCH])
{
    const struct event *events[BATCH];
    uint64_t seqs[BATCH];
    for (uint32_t i = 0; i < BATCH; i++) {
        events[i] = &reports[i].events[0].event;
        seqs[i] = reports[i].seq;
    }
    step_events(bench, events, seqs, BATCH);
}

static void run_decode(struct bench *bench)
{
    struct wire_report reports[BATCH];
    for (uint32_t i = 0; i < ROUND; i += BATCH) {
        decode_batch(bench, i, reports);
    }
}

static void run_both(struct bench *bench)
{
    struct wire_report reports[BATCH];
    for (uint32_t i = 0; i < ROUND; i += BATCH) {
        decode_batch(bench, i, reports);
        step_batch(bench, reports);
    }
}

/* ---- a day of the city: a fix a minute and card, in the records that a journal holds ---- */

struct day {
    struct buffer records;
    size_t record_bytes;
    struct geo_point jitters[JITTERS]; /* from where a card is about */
};

/* One report a card, the cards at random; a minute later it is the same ones again. */
static bool make_day(struct bench *bench, struct city_random *random, struct day *ret)
{
    uint32_t *cards = arena_array(&bench->arena, CARDS, sizeof *cards);
    if (cards == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < CARDS; i++) { /* shuffled as it grows */
        uint32_t other = city_random_below(random, i + 1);
        cards[i] = cards[other];
        cards[other] = i + 1;
    }
    for (uint32_t i = 0; i < JITTERS; i++) {
        ret->jitters[i] =
            city_offset((struct geo_point){0, 0}, city_random_between(random, -20, 20),
                        city_random_between(random, -20, 20));
    }
    buffer_init(&ret->records, (size_t)CARDS * 1024);
    for (uint32_t i = 0; i < CARDS; i++) {
        const struct event event = {.card_no = cards[i],
                                    .type = EVENT_FIX,
                                    .kind = FIX_GNSS,
                                    .datum = GEO_WGS84,
                                    .flags = EVENT_HAS_ACCURACY | EVENT_HAS_BATTERY,
                                    .accuracy_cm = 500 + city_random_below(random, 3000),
                                    .battery_pct = 80};
        const struct report report = {
            .origin = {.kind = ORIGIN_CARD, .no = cards[i]}, .event_count = 1, .events = &event};
        record_put_report(&ret->records, &report);
    }
    ret->record_bytes = ret->records.size / CARDS;
    return buffer_status(&ret->records) == STATUS_OK;
}

/* The record of another minute in the place of the last one's. */
static void write_record(const struct bench *bench, const struct day *day, uint32_t minute,
                         uint32_t i)
{
    struct event *event =
        (struct event *)(void *)(day->records.data + (i + 1) * day->record_bytes) - 1;
    struct geo_point home = bench->homes[event->card_no];
    struct geo_point jitter = day->jitters[(event->card_no * 7 + minute * 13) & (JITTERS - 1)];
    event->time_ms = bench->now_ms + (int64_t)i * DAY_INTERVAL_MS / CARDS;
    event->point = (struct geo_point){home.lat_e7 + jitter.lat_e7, home.lon_e7 + jitter.lon_e7};
}

static void run_minute(struct bench *bench, const struct day *day, uint32_t minute)
{
    const struct event *events[BATCH];
    uint64_t seqs[BATCH];
    for (uint32_t first = 0; first < CARDS; first += BATCH) {
        uint32_t count = CARDS - first < BATCH ? CARDS - first : BATCH;
        for (uint32_t i = 0; i < count; i++) {
            struct report report = {0};
            write_record(bench, day, minute, first + i);
            bench->checksum += record_get_report(
                day->records.data + (first + i) * day->record_bytes, day->record_bytes, &report);
            events[i] = report.events;
            seqs[i] = minute + 1;
        }
        step_events(bench, events, seqs, count);
    }
}

/* Seconds. */
static double run_day(struct bench *bench, const struct day *day)
{
    double start_ns = bench_now_ns();
    for (uint32_t minute = 0; minute < DAY_MINUTES; minute++) {
        run_minute(bench, day, minute);
        bench->now_ms += DAY_INTERVAL_MS;
    }
    return (bench_now_ns() - start_ns) / 1e9;
}

/* Inside of it tools count instructions. */
__attribute__((noinline)) void engine_counted(struct bench *bench, void (*run)(struct bench *));
void engine_counted(struct bench *bench, void (*run)(struct bench *))
{
    run(bench);
}

static void tell(struct bench *bench, uint32_t rounds, struct figures *figures)
{
    struct engine_stats stats;
    engine_stats(bench->engine, &stats);
    double both_ns = bench_median(bench->both_ns, rounds);
    double decode_ns = bench_median(bench->decode_ns, rounds);
    double bytes = (double)engine_bytes(bench->engine) / CARDS;
    (void)printf("payload to decided state  %8.1f ns (best %.1f)\n", both_ns, bench->both_ns[0]);
    (void)printf("of it decoding, alone     %8.1f ns (best %.1f)\n", decode_ns,
                 bench->decode_ns[0]);
    (void)printf("%.0f bytes a card; %llu presences, %llu alerts of %llu fixes\n", bytes,
                 (unsigned long long)stats.presences, (unsigned long long)bench->alerts,
                 (unsigned long long)stats.fixes);
    figures_add(figures, "engine.step_ns", both_ns);
    figures_add(figures, "engine.decode_ns", decode_ns);
    figures_add(figures, "engine.bytes_per_card", bytes);
}

int main(int argc, char **argv)
{
    const char *json = NULL, *counted = NULL;
    bool quick = false;
    const struct cli_option options[] = {
        {"--json", &json, NULL}, {"--count", &counted, NULL}, {"--quick", NULL, &quick}, {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    if (words > 1 ||
        (counted != NULL && strcmp(counted, "decode") != 0 && strcmp(counted, "step") != 0)) {
        return cli_usage(usage, words > 1 ? "no word is expected" : "what is to be counted?");
    }
    static struct bench bench;
    static struct figures figures;
    struct status_detail detail = {"no memory"};
    if (!make(&bench, &detail)) {
        return cli_fail("%s", detail.text);
    }
    struct city_random random = {SEED + 3};
    uint32_t rounds = quick ? ROUNDS_QUICK : ROUNDS_FULL;
    for (uint32_t i = 0; i < (counted != NULL ? WARM_ROUNDS_COUNTED : WARM_ROUNDS); i++) {
        write_payloads(&bench, &random);
        run_both(&bench);
    }
    if (counted != NULL) {
        write_payloads(&bench, &random);
        engine_counted(&bench, strcmp(counted, "decode") == 0 ? run_decode : run_both);
        (void)printf("%d times\n", ROUND);
        return CLI_OK;
    }
    for (uint32_t i = 0; i < rounds; i++) {
        write_payloads(&bench, &random);
        double start_ns = bench_now_ns();
        run_decode(&bench);
        double middle_ns = bench_now_ns();
        run_both(&bench);
        bench.decode_ns[i] = (middle_ns - start_ns) / ROUND;
        bench.both_ns[i] = (bench_now_ns() - middle_ns) / ROUND;
    }
    tell(&bench, rounds, &figures);
    if (!quick) {
        static struct day day;
        if (!make_day(&bench, &random, &day)) {
            return cli_fail("no memory for a day of the city");
        }
        double day_s = run_day(&bench, &day);
        (void)printf("a day of the city, %.0f million fixes from journal records: %.1f s\n",
                     1e-6 * DAY_MINUTES * CARDS, day_s);
        figures_add(&figures, "engine.day_s", day_s);
        buffer_release(&day.records);
    }
    if (json != NULL && figures_write(&figures, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return CLI_OK;
}
