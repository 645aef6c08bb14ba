/*
 * bench-micro: the steps of an event's way one by one: index, presence step, decoding, ingest, journal,
 * rows of the archive. The city of bench-geo, 134,000 cards at random.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "bench/figures.h"
#include "bench/folder.h"
#include "bench/geo_race.h"
#include "bench/intake_load.h"
#include "broker-bridge/topic.h"
#include "cli/cli.h"
#include "core/record.h"
#include "proto/codec.h"
#include "storage/archive_rows.h"

static const char usage[] =
    "bench-micro [--quick] [--json FILE] [--directory DIR] [--count KIND]\n"
    "  --directory  where the journal lies (default: the working directory)\n"
    "  --count      one of batch single distance step decode gateway ingest append rows";

enum {
    CARDS = CITY_HOMES,
    ROUND = INTAKE_ROUND,
    /* what tools count runs fifty times as slowly: as many fixes a card, of fewer cards */
    COUNTED_CARDS = 8192,
    COUNTED_ROUND = 1 << 14,
    ROUNDS_FULL = 20,
    ROUNDS_QUICK = 5,
    WARM_ROUNDS = 5,
    PRESENCES_A_CARD = 4,
    LOOKUPS = 256, /* points a call of the batches */
    NEAR_A_POINT = 16,
    STEPS = ENGINE_EXPECT_MAX,
    PENDING_BYTES = 64 << 20,
};

struct micro {
    uint32_t cards, round; /* events of a round */
    struct intake_city city;
    struct intake_load load, gateways;
    uint32_t gateway_messages;
    struct directory *directory;
    struct fence_set *fences;
    struct engine *engine;
    struct ingest *ingest;
    struct arena arena, decode_arena;
    struct event *events; /* of the round's reports */
    uint64_t *seqs;
    struct geo_point *points;
    struct buffer records;
    size_t record_bytes;
    struct archive_rows rows;
    uv_loop_t loop;
    struct journal *journal;
    char path[BENCH_FOLDER_BYTES];
    bool failed;
    uint64_t checksum, alerts;
    struct status_detail detail;
};

/* ---- the kinds: each goes once through the round ---- */

static void run_batch(struct micro *micro)
{
    uint32_t sets[LOOKUPS];
    for (uint32_t i = 0; i < micro->round; i += LOOKUPS) {
        geo_index_find_batch(micro->fences->index, micro->points + i, LOOKUPS, sets);
        for (uint32_t k = 0; k < LOOKUPS; k++) {
            micro->checksum += sets[k];
        }
    }
}

static void run_single(struct micro *micro)
{
    uint32_t found[GEO_FOUND_MAX];
    for (uint32_t i = 0; i < micro->round; i++) {
        uint32_t count = geo_index_find(micro->fences->index, micro->points[i], found);
        micro->checksum += count > 0 ? found[count - 1] + count : 0;
    }
}

static void run_distance(struct micro *micro)
{
    static struct geo_near near[LOOKUPS * NEAR_A_POINT];
    uint32_t sets[LOOKUPS], ends[LOOKUPS];
    float reaches[LOOKUPS];
    for (uint32_t k = 0; k < LOOKUPS; k++) {
        reaches[k] = RACE_REACH_M;
    }
    for (uint32_t i = 0; i < micro->round;) {
        const uint32_t count = micro->round - i < LOOKUPS ? micro->round - i : LOOKUPS;
        const uint32_t done = geo_index_near_batch(micro->fences->index, micro->points + i, reaches,
                                                   count, sets, near, LOOKUPS * NEAR_A_POINT, ends);
        ASSERT(done > 0);
        micro->checksum += ends[done - 1] + sets[done - 1];
        i += done;
    }
}

static void run_step(struct micro *micro)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    const struct event *events[STEPS];
    for (uint32_t first = 0; first < micro->round; first += STEPS) {
        for (uint32_t i = 0; i < STEPS; i++) {
            events[i] = &micro->events[first + i];
        }
        engine_expect(micro->engine, events, STEPS);
        for (uint32_t i = 0; i < STEPS; i++) {
            const struct origin origin = {
                .kind = ORIGIN_CARD, .no = events[i]->card_no, .seq = micro->seqs[first + i]};
            const struct engine_input input = {.type = INPUT_EVENT,
                                               .now_ms = events[i]->time_ms,
                                               .u.event = {.origin = &origin, .event = events[i]}};
            struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
            engine_step(micro->engine, &input, &outbox);
            micro->alerts += outbox.count;
        }
    }
}

static void run_decode(struct micro *micro)
{
    for (uint32_t i = 0; i < micro->round; i++) {
        const struct broker_message *message = &micro->load.messages[i];
        const struct decode_context context = {&micro->decode_arena, message->arrival_ms,
                                               GEO_WGS84};
        struct wire_report report;
        arena_reset(&micro->decode_arena);
        micro->checksum += decode_card_report(&context, message->payload, &report, NULL);
        micro->checksum += (uint64_t)report.events[0].event.time_ms;
    }
}

static void run_gateway(struct micro *micro)
{
    for (uint32_t i = 0; i < micro->gateway_messages; i++) {
        const struct broker_message *message = &micro->gateways.messages[i];
        const struct decode_context context = {&micro->decode_arena, message->arrival_ms,
                                               GEO_WGS84};
        struct wire_reports reports;
        arena_reset(&micro->decode_arena);
        micro->checksum += decode_gateway_report(&context, message->payload, &reports, NULL);
        micro->checksum += reports.count + reports.items[0].seq;
    }
}

static enum status take_record(void *context, uint32_t type, struct text record)
{
    struct micro *micro = context;
    micro->checksum += type + record.length;
    return STATUS_OK;
}

static void want_receipt(void *context, const struct origin *origin)
{
    (void)context;
    (void)origin;
}

static void run_ingest(struct micro *micro)
{
    for (uint32_t i = 0; i < micro->round; i++) {
        const struct broker_message *message = &micro->load.messages[i];
        enum status status =
            ingest_message(micro->ingest, message->topic, message->payload, message->arrival_ms);
        micro->failed = micro->failed || status != STATUS_OK;
    }
}

static void run_append(struct micro *micro)
{
    for (uint32_t i = 0; i < micro->round; i++) {
        uint64_t end = 0;
        enum status status = journal_append(micro->journal, RECORD_REPORT,
                                            micro->records.data + i * micro->record_bytes,
                                            micro->record_bytes, &end);
        micro->failed = micro->failed || status != STATUS_OK;
        micro->checksum += end;
    }
}

static void run_rows(struct micro *micro)
{
    for (uint32_t i = 0; i < micro->round; i++) {
        const struct journal_record record = {.pos = i,
                                              .end = i + 1,
                                              .type = RECORD_REPORT,
                                              .data = micro->records.data + i * micro->record_bytes,
                                              .size = micro->record_bytes};
        archive_rows_add(&micro->rows, &record, 0);
    }
    micro->checksum += micro->rows.count;
}

static const struct kind {
    const char *name, *words;
    void (*run)(struct micro *micro);
} kinds[] = {
    {"batch", "which fences hold a point, 256 a call", run_batch},
    {"single", "the same one by one", run_single},
    {"distance", "and distances within 20 m, 256 a call", run_distance},
    {"step", "presence and all else of a fix, 64 a call", run_step},
    {"decode", "a card's payload of one fix", run_decode},
    {"gateway", "a report in a gateway's payload of 16", run_gateway},
    {"ingest", "topic, payload, claim, sequence, record", run_ingest},
    {"append", "a record of 96 bytes into the journal", run_append},
    {"rows", "a fix as a row of binary COPY", run_rows},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- a round ---- */

/* What the kinds after decoding begin with. */
static bool fill_round(struct micro *micro)
{
    ASSERT(micro->round > 0);
    buffer_clear(&micro->records);
    for (uint32_t i = 0; i < micro->round; i++) {
        const struct broker_message *message = &micro->load.messages[i];
        const struct decode_context context = {&micro->decode_arena, message->arrival_ms,
                                               GEO_WGS84};
        struct wire_report from;
        struct topic topic;
        arena_reset(&micro->decode_arena);
        if (decode_card_report(&context, message->payload, &from, NULL) != REFUSAL_NONE ||
            topic_parse(message->topic, &topic) != STATUS_OK) {
            return false;
        }
        struct event *event = &micro->events[i];
        *event = from.events[0].event;
        event->card_no = directory_card(micro->directory, topic.sender);
        micro->seqs[i] = from.seq;
        micro->points[i] = event->point;
        const struct report report = {
            .arrival_ms = message->arrival_ms,
            .origin = {.kind = ORIGIN_CARD, .no = event->card_no, .seq = from.seq},
            .event_count = 1,
            .events = event};
        record_put_report(&micro->records, &report);
    }
    ASSERT(micro->round > 0);
    micro->record_bytes = micro->records.size / micro->round;
    return buffer_status(&micro->records) == STATUS_OK;
}

/* What was appended becomes durable, and the rows are forgotten: none of it is measured. */
static bool settle(struct micro *micro)
{
    (void)uv_run(&micro->loop, UV_RUN_DEFAULT);
    (void)journal_trim(micro->journal, journal_durable_pos(micro->journal));
    archive_rows_clear(&micro->rows);
    return !micro->failed;
}

static bool next_round(struct micro *micro)
{
    return settle(micro) && intake_load_cards(&micro->load, micro->round) > 0 && fill_round(micro);
}

/* ---- lifecycle ---- */

static void on_record(void *context, const struct journal_record *record)
{
    struct micro *micro = context;
    micro->checksum += record->end;
}

static void on_durable(void *context, uint64_t pos)
{
    (void)context;
    (void)pos;
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct micro *micro = context;
    (void)status;
    micro->detail = *detail;
    micro->failed = true;
    uv_stop(&micro->loop);
}

static bool make_state(struct micro *micro)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    const struct engine_limits limits = {.cards_max = micro->cards + 1,
                                         .presences_max = micro->cards * PRESENCES_A_CARD};
    const struct ingest_options ingest = {.cards_max = micro->cards + 1,
                                          .gates_max = CITY_SCHOOLS + 1,
                                          .datum_default = GEO_WGS84,
                                          .append = take_record,
                                          .want_receipt = want_receipt,
                                          .context = micro};
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    if (intake_city_directory(&micro->city, &micro->directory, &micro->detail) != STATUS_OK ||
        intake_city_fences(&micro->city, &micro->fences, &micro->detail) != STATUS_OK ||
        engine_new(&limits, &micro->engine) != STATUS_OK ||
        ingest_new(&ingest, &micro->ingest) != STATUS_OK) {
        return false;
    }
    ingest_set_directory(micro->ingest, micro->directory);
    engine_step(micro->engine,
                &(struct engine_input){.type = INPUT_DIRECTORY, .u.directory = micro->directory},
                &outbox);
    engine_step(micro->engine,
                &(struct engine_input){.type = INPUT_FENCES, .u.fences = micro->fences}, &outbox);
    return true;
}

static bool open_journal(struct micro *micro, const char *directory)
{
    const struct journal_options options = {.directory = micro->path,
                                            .pending_bytes_max = PENDING_BYTES};
    const struct journal_callbacks callbacks = {micro, on_record, on_durable, on_trouble};
    return bench_folder_make(directory, "campus-micro", micro->path, &micro->detail) == STATUS_OK &&
           uv_loop_init(&micro->loop) == 0 &&
           journal_open(&micro->loop, &options, &callbacks, &micro->journal, &micro->detail) ==
               STATUS_OK;
}

static bool make(struct micro *micro, const char *directory)
{
    arena_init_growing(&micro->arena, 1u << 20, (size_t)1 << 30);
    buffer_init(&micro->records, (size_t)micro->round * 256);
    archive_rows_init(&micro->rows);
    micro->events = arena_array(&micro->arena, micro->round, sizeof *micro->events);
    micro->seqs = arena_array(&micro->arena, micro->round, sizeof *micro->seqs);
    micro->points = arena_array(&micro->arena, micro->round, sizeof *micro->points);
    if (micro->events == NULL || micro->seqs == NULL || micro->points == NULL ||
        arena_init_fixed(&micro->decode_arena, DECODE_ARENA_BYTES) != STATUS_OK ||
        !intake_city_make(&micro->city, micro->cards, CITY_SCHOOLS, CITY_ZONES) ||
        !intake_load_make(&micro->load, &micro->city) ||
        !intake_load_make(&micro->gateways, &micro->city) || !make_state(micro) ||
        !open_journal(micro, directory)) {
        return false;
    }
    micro->gateway_messages = intake_load_gateways(&micro->gateways, micro->round);
    return micro->gateway_messages > 0;
}

static void release(struct micro *micro)
{
    if (micro->journal != NULL) {
        journal_close(micro->journal, NULL, NULL);
        (void)uv_run(&micro->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&micro->loop);
    }
    bench_folder_remove(micro->path);
    engine_free(micro->engine);
    ingest_free(micro->ingest);
    directory_free(micro->directory);
    fence_set_free(micro->fences);
    archive_rows_release(&micro->rows);
    buffer_release(&micro->records);
    intake_load_release(&micro->load);
    intake_load_release(&micro->gateways);
    intake_city_release(&micro->city);
    arena_release(&micro->decode_arena);
    arena_release(&micro->arena);
}

/* ---- measuring ---- */

/* Inside of it tools count instructions. */
__attribute__((noinline)) void micro_counted(struct micro *micro, void (*run)(struct micro *));
void micro_counted(struct micro *micro, void (*run)(struct micro *))
{
    run(micro);
}

static bool run_rounds(struct micro *micro, uint32_t rounds, struct figures *figures)
{
    static double ns[KINDS][ROUNDS_FULL];
    for (uint32_t i = 0; i < rounds; i++) {
        if (!next_round(micro)) {
            return false;
        }
        for (uint32_t k = 0; k < KINDS; k++) {
            const double start_ns = bench_now_ns();
            micro_counted(micro, kinds[k].run);
            ns[k][i] = (bench_now_ns() - start_ns) / micro->round;
        }
    }
    (void)printf("%-10s %-42s %9s %9s\n", "ns", "", "best", "median");
    for (uint32_t k = 0; k < KINDS; k++) {
        char key[FIGURE_KEY_BYTES_MAX];
        const double median_ns = bench_median(ns[k], rounds); /* sorts */
        (void)printf("%-10s %-42s %9.1f %9.1f\n", kinds[k].name, kinds[k].words, ns[k][0],
                     median_ns);
        (void)snprintf(key, sizeof key, "micro.%s_ns", kinds[k].name);
        figures_add(figures, key, ns[k][0]);
    }
    return settle(micro);
}

/* Every kind once before, so that what it needs is there. */
static bool warm(struct micro *micro)
{
    for (uint32_t i = 0; i < WARM_ROUNDS; i++) {
        if (!next_round(micro)) {
            return false;
        }
        run_step(micro);
        run_ingest(micro);
    }
    run_append(micro);
    run_rows(micro);
    return next_round(micro);
}

static const struct kind *kind_of(const char *name)
{
    for (uint32_t k = 0; k < KINDS; k++) {
        if (strcmp(kinds[k].name, name) == 0) {
            return &kinds[k];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *counted = NULL, *directory = ".";
    bool quick = false;
    const struct cli_option options[] = {{"--json", &json, NULL},
                                         {"--count", &counted, NULL},
                                         {"--directory", &directory, NULL},
                                         {"--quick", NULL, &quick},
                                         {0}};
    int words;
    int outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    const struct kind *kind = counted != NULL ? kind_of(counted) : NULL;
    if (words > 1 || (counted != NULL && kind == NULL)) {
        return cli_usage(usage, words > 1 ? "no word is expected" : "what is to be counted?");
    }
    static struct micro micro = {.detail = {"no memory"}};
    static struct figures figures;
    micro.cards = kind != NULL ? COUNTED_CARDS : CARDS;
    micro.round = kind != NULL ? COUNTED_ROUND : ROUND;
    bool good = make(&micro, directory) && warm(&micro);
    if (good && kind != NULL) {
        micro_counted(&micro, kind->run);
        (void)printf("%u times\n", micro.round);
    } else if (good) {
        good = run_rounds(&micro, quick ? ROUNDS_QUICK : ROUNDS_FULL, &figures);
        (void)printf("%llu alerts, checksum %016llx\n", (unsigned long long)micro.alerts,
                     (unsigned long long)micro.checksum);
    }
    outcome = good ? CLI_OK : cli_fail("%s", micro.detail.text);
    release(&micro);
    struct status_detail detail;
    if (outcome == CLI_OK && json != NULL && figures_write(&figures, json, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    return outcome;
}
