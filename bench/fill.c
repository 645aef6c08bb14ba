/* campus-fill: rounds of a city's reports straight into a journal, as campusd would have written them. For
 * measuring a restart; campusd must not run meanwhile. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "core/record.h"
#include "storage/journal.h"
#include "storage/registry.h"

static const char usage[] =
    "campus-fill --journal DIR --cache FILE --from ROUND --rounds N --start MS\n"
    "  a round is a report of every card of the registry in FILE, a minute after the one before; --start is the\n"
    "  time of round 0. What a card does follows from its number and the round: at school, at home, on its way\n"
    "  out or back, silent, switched off, battery low. Tells how many reports that made.";

enum { KINDS = 16, AWAY_ROUNDS = 2, RECORD_ROOM = 256, ROUND_MS = 60000 };

struct fill {
    const struct directory *directory;
    struct geo_point *grounds; /* the middle of each school's first ground, by number */
    struct journal *journal;
    struct buffer record;
    int64_t start_ms;
    uint64_t first, rounds, next; /* the next report, over all rounds */
    uint64_t appended;
    bool failed;
};

/* What a card is doing, by its number. */
enum kind { AT_SCHOOL, AT_HOME, ON_THE_WAY, SILENT, OFF, LOW };

static enum kind kind_of(uint32_t card_no)
{
    static const enum kind kinds[KINDS] = {
        [0] = AT_HOME, [1] = AT_HOME, [2] = SILENT, [3] = OFF, [4] = LOW, [5] = ON_THE_WAY};
    return kinds[card_no % KINDS];
}

static bool is_away(const struct fill *fill, enum kind kind, uint64_t round)
{
    /* At the end of what comes before a snapshot some have just left, and are back before it is told. */
    return kind == AT_HOME ||
           (kind == ON_THE_WAY && round + AWAY_ROUNDS >= fill->first + fill->rounds);
}

/* Returns false where the card says nothing in this round. */
static bool event_of(const struct fill *fill, uint32_t card_no, uint64_t round, struct event *ret)
{
    enum kind kind = kind_of(card_no);
    const struct geo_point middle = fill->grounds[fill->directory->cards[card_no].school_no];
    bool begins = fill->first == 0;
    if ((kind == SILENT || kind == OFF) && (!begins || round > fill->rounds / 2)) {
        return false;
    }
    int32_t sway = (int32_t)(((uint64_t)card_no * 7 + round * 13) % 200) - 100; /* 1.1 m */
    *ret = (struct event){.time_ms = fill->start_ms + (int64_t)round * ROUND_MS + card_no % 60000,
                          .card_no = card_no,
                          .type = EVENT_FIX,
                          .kind = FIX_GNSS,
                          .datum = GEO_WGS84,
                          .flags = EVENT_HAS_ACCURACY | EVENT_HAS_BATTERY,
                          .accuracy_cm = 800,
                          .battery_pct = 80,
                          .point = {middle.lat_e7 + sway, middle.lon_e7 - sway}};
    if (is_away(fill, kind, round)) {
        ret->point.lat_e7 += 90000; /* a kilometre */
    }
    if (begins && round == fill->rounds / 2 && (kind == OFF || kind == LOW)) {
        ret->type = EVENT_SIGNAL;
        ret->kind = kind == OFF ? SIGNAL_POWERED_OFF : SIGNAL_LOW_BATTERY;
        ret->battery_pct = 5;
    }
    return true;
}

static bool append_report(struct fill *fill, uint32_t card_no, uint64_t round)
{
    struct event event;
    uint64_t end;
    if (!event_of(fill, card_no, round, &event)) {
        return true;
    }
    const struct report report = {.arrival_ms = event.time_ms + 100,
                                  .origin = {.kind = ORIGIN_CARD, .no = card_no, .seq = round + 1},
                                  .keep_from = round + 1,
                                  .event_count = 1,
                                  .events = &event};
    buffer_clear(&fill->record);
    record_put_report(&fill->record, &report);
    bool appended = journal_append(fill->journal, RECORD_REPORT, fill->record.data,
                                   fill->record.size, &end) == STATUS_OK;
    fill->appended += appended;
    return appended;
}

/* As many as there is room for; then the next on_durable goes on. */
static void append_more(struct fill *fill)
{
    uint32_t cards = fill->directory->card_end - 1;
    while (fill->next < fill->rounds * cards) {
        uint32_t card_no = (uint32_t)(fill->next % cards) + 1;
        if (fill->directory->cards[card_no].id != NULL &&
            !append_report(fill, card_no, fill->first + fill->next / cards)) {
            return;
        }
        fill->next++;
    }
    journal_close(fill->journal, NULL, NULL);
    fill->journal = NULL;
}

static void on_record(void *context, const struct journal_record *record)
{
    (void)context;
    (void)record;
}

static void on_durable(void *context, uint64_t pos)
{
    struct fill *fill = context;
    (void)pos;
    if (fill->journal != NULL) {
        append_more(fill);
    }
}

static void on_trouble(void *context, enum status status, const struct status_detail *detail)
{
    struct fill *fill = context;
    (void)status;
    (void)cli_fail("%s", detail->text);
    fill->failed = true;
    if (fill->journal != NULL) {
        journal_close(fill->journal, NULL, NULL);
        fill->journal = NULL;
    }
}

static bool find_grounds(struct fill *fill, const struct fence_set *fences)
{
    fill->grounds = calloc(fill->directory->school_end, sizeof *fill->grounds);
    for (uint32_t i = fences->count; fill->grounds != NULL && i-- > 0;) {
        const struct geo_shape *shape = &fences->shapes[i];
        if (fences->items[i].kind == FENCE_SCHOOL) {
            fill->grounds[fences->items[i].school_no] =
                (struct geo_point){shape->low.lat_e7 / 2 + shape->high.lat_e7 / 2,
                                   shape->low.lon_e7 / 2 + shape->high.lon_e7 / 2};
        }
    }
    return fill->grounds != NULL;
}

static int run(struct fill *fill, const char *directory)
{
    uv_loop_t loop;
    struct status_detail detail;
    const struct journal_options options = {.directory = directory, .replay_from = UINT64_MAX};
    const struct journal_callbacks callbacks = {fill, on_record, on_durable, on_trouble};
    if (uv_loop_init(&loop) != 0) {
        return cli_fail("no event loop");
    }
    if (journal_open(&loop, &options, &callbacks, &fill->journal, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    buffer_init(&fill->record, RECORD_ROOM);
    append_more(fill);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    buffer_release(&fill->record);
    if (!fill->failed) {
        (void)printf("%llu\n", (unsigned long long)fill->appended);
    }
    return fill->failed ? CLI_FAILED : CLI_OK;
}

static bool number(const char *text, uint64_t *ret)
{
    int64_t value;
    if (text == NULL || text_to_i64(text_of(text), &value) != STATUS_OK || value < 0) {
        return false;
    }
    *ret = (uint64_t)value;
    return true;
}

int main(int argc, char **argv)
{
    const char *journal = NULL, *cache = NULL, *from = NULL, *rounds = NULL, *start = NULL;
    const struct cli_option options[] = {{"--journal", &journal, NULL}, {"--cache", &cache, NULL},
                                         {"--from", &from, NULL},       {"--rounds", &rounds, NULL},
                                         {"--start", &start, NULL},     {0}};
    struct fill fill = {0};
    uint64_t start_ms;
    int words, outcome = cli_options(argc, argv, options, usage, &words);
    if (outcome != CLI_OK) {
        return outcome;
    }
    if (journal == NULL || cache == NULL || words > 1 || !number(from, &fill.first) ||
        !number(rounds, &fill.rounds) || !number(start, &start_ms)) {
        return cli_usage(usage, "all options are needed");
    }
    fill.start_ms = (int64_t)start_ms;
    struct directory *directory;
    struct fence_set *fences;
    struct registry_key key;
    struct status_detail detail;
    if (registry_cache_read(cache, &directory, &fences, &key, &detail) != STATUS_OK) {
        return cli_fail("%s", detail.text);
    }
    fill.directory = directory;
    outcome = find_grounds(&fill, fences) ? run(&fill, journal) : cli_fail("no memory");
    free(fill.grounds);
    directory_free(directory);
    fence_set_free(fences);
    return outcome;
}
