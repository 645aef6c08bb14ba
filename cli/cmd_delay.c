/* campusctl delay: how soon whom is told of what, by wanted error rates. Asked of the engine itself, with one
 * pupil whose receiver tells the truth. */
#include <stdio.h>

#include "base/assert.h"
#include "cli/cli.h"
#include "cli/wanted.h"
#include "core/engine.h"

static const char usage[] =
    "campusctl delay [--interval SECONDS] [--false-left RATE] [...]\n"
    "  how long after a crossing it is told, where fixes are clear; vague ones and silence come on top\n"
    "  --interval 60  between two fixes, 5 to 3600; the first comes half of it after the crossing\n" WANTED_USAGE;

enum { RADIUS_M = 100, BEFORE_FIXES = 30, FIXES_MAX = 500, FIX_INTERVAL_S_MAX = 3600 };
#define MIDDLE_LAT_E7 360000000
#define START_MS      1772409600000

struct crossing {
    const char *words;
    enum fence_kind kind;
    bool leaves, passes;
    int32_t from_m, to_m; /* of the middle */
};

static const struct crossing crossings[] = {
    {"left, by a gate pass", FENCE_SCHOOL, true, true, 0, 200},
    {"left, 100 m away", FENCE_SCHOOL, true, false, 0, 200},
    {"left, 350 m away", FENCE_SCHOOL, true, false, 0, 450},
    {"entered a ground, by a pass", FENCE_SCHOOL, false, true, 400, 0},
    {"entered a ground", FENCE_SCHOOL, false, false, 400, 0},
    {"entered a place", FENCE_PLACE, false, false, 400, 0},
    {"danger zone", FENCE_DANGER, false, false, 400, 0},
};

struct walk {
    struct directory *directory;
    struct fence_set *fences;
    struct engine *engine;
    struct geo_point middle;
    uint64_t seq;
    struct status_detail *detail;
};

static enum status make_directory(struct walk *walk)
{
    const struct directory_ends ends = {
        .schools = 2, .pupils = 2, .cards = 2, .guardians = 1, .gates = 2};
    enum status status = directory_new(&ends, &walk->directory);
    if (status != STATUS_OK) {
        return status;
    }
    walk->directory->schools[1].id = "school";
    walk->directory->pupils[1] = (struct dir_pupil){.id = "pupil", .school_no = 1};
    walk->directory->cards[1] = (struct dir_card){.id = "card", .pupil_no = 1, .school_no = 1};
    walk->directory->gates[1] = (struct dir_gate){.id = "gate", .school_no = 1};
    return directory_seal(walk->directory, walk->detail);
}

static enum status make_fences(struct walk *walk, enum fence_kind kind)
{
    enum status status = fence_set_new(1, &walk->fences);
    if (status != STATUS_OK) {
        return status;
    }
    walk->middle = (struct geo_point){.lat_e7 = MIDDLE_LAT_E7};
    walk->fences->shapes[0] = (struct geo_shape){
        .kind = GEO_CIRCLE, .point_count = 1, .points = &walk->middle, .radius_m = RADIUS_M};
    geo_shape_set_bounds(&walk->fences->shapes[0]);
    walk->fences->items[0] =
        (struct fence){.id = "fence", .no = 1, .version = 1, .school_no = 1, .kind = (uint8_t)kind};
    return fence_set_seal(walk->fences, walk->detail);
}

/* Is the crossing told by this event? */
static bool step(struct walk *walk, const struct event *event)
{
    struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    struct origin origin = {
        .kind = event->type == EVENT_PASS ? ORIGIN_GATE : ORIGIN_CARD, .no = 1, .seq = ++walk->seq};
    struct engine_input input = {.type = INPUT_EVENT,
                                 .now_ms = event->time_ms,
                                 .u.event = {.origin = &origin, .event = event}};
    engine_step(walk->engine, &input, &outbox);
    bool told = false; /* a pass is told as such, too */
    for (uint32_t i = 0; i < outbox.count; i++) {
        told = told || outbox.alerts[i].type <= ALERT_DANGER;
    }
    return told;
}

static bool fix(struct walk *walk, int64_t at_ms, int32_t north_m)
{
    const int32_t e7_a_m = 90;
    struct event event = {.time_ms = START_MS + at_ms,
                          .card_no = 1,
                          .type = EVENT_FIX,
                          .kind = FIX_GNSS,
                          .flags = EVENT_HAS_ACCURACY,
                          .accuracy_cm = 1000,
                          .point = {walk->middle.lat_e7 + north_m * e7_a_m, 0}};
    return step(walk, &event);
}

/* How many fixes does it take after the crossing? FIXES_MAX: that or more. */
static uint32_t count_fixes(struct walk *walk, const struct crossing *crossing, int64_t interval_ms)
{
    for (int64_t i = BEFORE_FIXES; i > 0; i--) {
        (void)fix(walk, -i * interval_ms, crossing->from_m);
    }
    if (crossing->passes) {
        struct event pass = {.time_ms = START_MS,
                             .card_no = 1,
                             .type = EVENT_PASS,
                             .kind = crossing->leaves ? PASS_OUT : PASS_IN,
                             .gate_no = 1};
        if (step(walk, &pass)) {
            return 0;
        }
    }
    for (uint32_t i = 0; i < FIXES_MAX; i++) {
        if (fix(walk, interval_ms / 2 + i * interval_ms, crossing->to_m)) {
            return i + 1;
        }
    }
    return FIXES_MAX;
}

static enum status measure(const struct crossing *crossing, const struct presence_policy *policy,
                           int64_t interval_ms, uint32_t *ret, struct status_detail *detail)
{
    struct walk walk = {.detail = detail};
    struct engine_limits limits = {.cards_max = 2, .presences_max = 8, .policy = *policy};
    enum status status = make_directory(&walk);
    if (status == STATUS_OK) {
        status = make_fences(&walk, crossing->kind);
    }
    if (status == STATUS_OK) {
        status = engine_new(&limits, &walk.engine);
    }
    if (status == STATUS_OK) {
        struct outbox none = {.alerts = (struct alert[STEP_ALERTS_MAX]){{0}},
                              .capacity = STEP_ALERTS_MAX};
        struct engine_input input = {.type = INPUT_DIRECTORY, .u.directory = walk.directory};
        engine_step(walk.engine, &input, &none);
        input = (struct engine_input){.type = INPUT_FENCES, .u.fences = walk.fences};
        engine_step(walk.engine, &input, &none);
        *ret = count_fixes(&walk, crossing, interval_ms);
    }
    engine_free(walk.engine);
    fence_set_free(walk.fences);
    directory_free(walk.directory);
    return status;
}

static int tell(const struct presence_rates *rates, int64_t interval_s)
{
    const struct presence_policy policy = policy_of_rates(rates);
    struct status_detail detail = {""};
    (void)printf(
        "needed nats: left %.3f, entered %.3f, danger %.3f; a lie that lasts: out %.3f, in %.3f\n"
        "a fix each %lld s\n\n%-30s %6s %8s\n",
        policy.leave_mn / 1000.0, policy.enter_mn / 1000.0, policy.danger_mn / 1000.0,
        policy.lasting_out_mn / 1000.0, policy.lasting_in_mn / 1000.0, (long long)interval_s,
        "crossing", "fixes", "seconds");
    for (size_t i = 0; i < sizeof crossings / sizeof crossings[0]; i++) {
        uint32_t fixes;
        enum status status = measure(&crossings[i], &policy, interval_s * 1000, &fixes, &detail);
        if (status != STATUS_OK) {
            return cli_fail("%s: %s", status_words(status), detail.text);
        }
        int64_t seconds = fixes == 0 ? 0 : interval_s / 2 + (fixes - INT64_C(1)) * interval_s;
        if (fixes == FIXES_MAX) {
            (void)printf("%-30s %6s %8s\n", crossings[i].words, "-", "-");
        } else {
            (void)printf("%-30s %6u %8lld\n", crossings[i].words, fixes, (long long)seconds);
        }
    }
    return CLI_OK;
}

int cmd_delay(int argc, char **argv)
{
    struct wanted wanted = {0};
    const char *interval = "60";
    bool help = false;
    const struct cli_option options[] = {
        WANTED_OPTIONS(&wanted), {"--interval", &interval, NULL}, {"--help", NULL, &help}, {0}};
    int words = 0;
    if (cli_options(argc, argv, options, usage, &words) != CLI_OK) {
        return CLI_USAGE;
    }
    if (help) {
        (void)printf("usage: %s\n", usage);
        return CLI_OK;
    }
    int64_t interval_s;
    if (words > 1 || text_to_i64(text_of(interval), &interval_s) != STATUS_OK || interval_s < 5 ||
        interval_s > FIX_INTERVAL_S_MAX) {
        return cli_usage(usage, "delay takes options, and an interval from 5 to 3600 s");
    }
    struct presence_rates rates;
    struct status_detail detail = {""};
    if (wanted_rates(&wanted, &rates, &detail) != STATUS_OK) {
        return cli_usage(usage, "%s", detail.text);
    }
    return tell(&rates, interval_s);
}
