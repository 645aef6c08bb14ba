/* scenario FILE: plays a story of one pupil of school 1 to the engine and says where it went another way.
 * README.md has the lines that a story may have. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/check.h"
#include "tests/core/town.h"

enum { WORDS_MAX = 24, FENCES_IN_STORY = 16, CARD = 1, START_OF_TOWN_S = 8 * 3600 };

struct story_fence {
    char name[TEXT_ID_MAX + 1];
    uint32_t version;
    enum fence_kind kind;
    bool gone, is_box;
    double north_m, east_m, radius_m, height_m, width_m;
};

struct story {
    const char *path;
    uint32_t line;
    char text[512];
    char *words[WORDS_MAX];
    uint32_t count, next; /* words: how many, the next to read */
    struct story_fence fences[FENCES_IN_STORY];
    uint32_t fence_count;
    bool fences_changed;
    struct town town;
    uint32_t told; /* alerts of the log that an expect has taken */
    double
        ticked_s; /* there were ticks up to here, each second; before the first event there are none */
    bool ticks;
};

__attribute__((noreturn, format(printf, 2, 3))) static void fail_at(const struct story *story,
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%s:%u: ", story->path, story->line);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* ---- words ---- */

static bool more(const struct story *story)
{
    return story->next < story->count;
}

static const char *take(struct story *story, const char *what)
{
    if (!more(story)) {
        fail_at(story, "%s is missing at the end", what);
    }
    return story->words[story->next++];
}

static bool take_if(struct story *story, const char *word)
{
    bool is = more(story) && strcmp(story->words[story->next], word) == 0;
    story->next += is;
    return is;
}

static void need(struct story *story, const char *word)
{
    if (!take_if(story, word)) {
        fail_at(story, "\"%s\" instead of \"%s\"",
                more(story) ? story->words[story->next] : "nothing", word);
    }
}

static double number(struct story *story, struct text text)
{
    double value;
    if (text_to_double(text, &value) != STATUS_OK) {
        fail_at(story, "\"%.*s\" is no number", TEXT_FMT(text));
    }
    return value;
}

static double take_number(struct story *story)
{
    return number(story, text_of(take(story, "a number")));
}

/* hh:mm or hh:mm:ss, in seconds since the town began. */
static double seconds(const struct story *story, const char *clock, size_t length)
{
    unsigned hours, minutes, s = 0;
    char text[16] = {0};
    int end = 0;
    if (length < sizeof text) {
        memcpy(text, clock, length);
    }
    if ((sscanf(text, "%2u:%2u%n:%2u%n", &hours, &minutes, &end, &s, &end) < 2) || /* NOLINT */
        text[end] != '\0' || hours > 23 || minutes > 59 || s > 59) {
        fail_at(story, "\"%.*s\" is no time of day", (int)length, clock);
    }
    return hours * 3600.0 + minutes * 60.0 + s - START_OF_TOWN_S;
}

/* One time, or "from..to". */
static void take_times(struct story *story, double *ret_from, double *ret_to)
{
    const char *word = take(story, "a time");
    const char *dots = strstr(word, "..");
    *ret_from = seconds(story, word, dots != NULL ? (size_t)(dots - word) : strlen(word));
    *ret_to = dots != NULL ? seconds(story, dots + 2, strlen(dots + 2)) : *ret_from;
}

static void clock_of(int64_t time_ms, char ret[16])
{
    long s = (long)((time_ms - TOWN_START_MS) / 1000) + START_OF_TOWN_S;
    (void)snprintf(ret, 16, "%02ld:%02ld:%02ld", s / 3600 % 24, s / 60 % 60, s % 60);
}

/* ---- fences ---- */

static struct story_fence *fence_named(struct story *story, const char *name)
{
    for (uint32_t i = 0; i < story->fence_count; i++) {
        if (strcmp(story->fences[i].name, name) == 0) {
            return &story->fences[i];
        }
    }
    return NULL;
}

static struct story_fence *take_fence(struct story *story)
{
    const char *name = take(story, "a fence");
    struct story_fence *fence = fence_named(story, name);
    if (fence == NULL) {
        fail_at(story, "no fence is named \"%s\"", name);
    }
    return fence;
}

/* fence NAME KIND circle RADIUS at NORTH,EAST | fence NAME KIND box HEIGHT x WIDTH at NORTH,EAST */
static void line_fence(struct story *story)
{
    const char *name = take(story, "a name");
    struct story_fence *fence = fence_named(story, name);
    if (fence == NULL) {
        if (story->fence_count == FENCES_IN_STORY || strlen(name) > TEXT_ID_MAX) {
            fail_at(story, "too many fences, or too long a name");
        }
        fence = &story->fences[story->fence_count++];
        (void)snprintf(fence->name, sizeof fence->name, "%s", name);
    }
    fence->version++;
    fence->gone = false;
    const char *kind = take(story, "a kind");
    if (fence_kind_parse(kind, &fence->kind) != STATUS_OK) {
        fail_at(story, "\"%s\" is neither place, school nor danger", kind);
    }
    fence->is_box = take_if(story, "box");
    if (fence->is_box) {
        fence->height_m = take_number(story);
        need(story, "x");
        fence->width_m = take_number(story);
    } else {
        need(story, "circle");
        fence->radius_m = take_number(story);
    }
    need(story, "at");
    const char *at = take(story, "north,east");
    const char *comma = strchr(at, ',');
    if (comma == NULL) {
        fail_at(story, "\"%s\" is no place north,east", at);
    }
    fence->north_m = number(story, (struct text){at, (size_t)(comma - at)});
    fence->east_m = number(story, text_of(comma + 1));
    story->fences_changed = true;
}

static void draw(const struct story_fence *fence, struct arena *arena, struct geo_shape *shape)
{
    struct geo_point *points = arena_array(arena, 4, sizeof *points);
    uint32_t *end = arena_alloc(arena, sizeof *end);
    assert_true(points != NULL && end != NULL);
    if (fence->is_box) {
        static const double corners[4][2] = {{-.5, -.5}, {-.5, .5}, {.5, .5}, {.5, -.5}};
        for (uint32_t i = 0; i < 4; i++) {
            points[i] = town_point(fence->north_m + corners[i][0] * fence->height_m,
                                   fence->east_m + corners[i][1] * fence->width_m);
        }
        *end = 4;
        *shape = (struct geo_shape){.kind = GEO_POLYGON,
                                    .point_count = 4,
                                    .ring_count = 1,
                                    .points = points,
                                    .ring_ends = end};
    } else {
        points[0] = town_point(fence->north_m, fence->east_m);
        *shape = (struct geo_shape){
            .kind = GEO_CIRCLE, .point_count = 1, .points = points, .radius_m = fence->radius_m};
    }
    geo_shape_set_bounds(shape);
}

static void bring_fences(struct story *story)
{
    if (!story->fences_changed) {
        return;
    }
    story->fences_changed = false;
    struct fence_set *set;
    uint32_t count = 0;
    for (uint32_t i = 0; i < story->fence_count; i++) {
        count += !story->fences[i].gone;
    }
    assert_int_equal(fence_set_new(count, &set), STATUS_OK);
    count = 0;
    for (uint32_t i = 0; i < story->fence_count; i++) {
        const struct story_fence *fence = &story->fences[i];
        if (fence->gone) {
            continue;
        }
        set->items[count] =
            (struct fence){.id = arena_copy_text(&set->arena, fence->name, strlen(fence->name)),
                           .no = i + 1,
                           .version = fence->version,
                           .school_no = fence->kind == FENCE_SCHOOL ? 1 : 0,
                           .kind = (uint8_t)fence->kind};
        draw(fence, &set->arena, &set->shapes[count++]);
    }
    struct status_detail detail = {0};
    if (fence_set_seal(set, &detail) != STATUS_OK) {
        fail_at(story, "%s", detail.text);
    }
    town_take_fences(&story->town, set);
}

/* ---- time ---- */

/* Late events come while later ones are already there: time never goes back. */
static void pass_time(struct story *story, double to_s)
{
    if (!story->ticks) {
        story->ticks = true;
        story->ticked_s = to_s;
    }
    for (; story->ticked_s < to_s; story->ticked_s++) {
        (void)town_tick(&story->town, story->ticked_s);
    }
}

static void play(struct story *story, const struct event *event, double at_s, double late_s)
{
    pass_time(story, at_s + late_s);
    (void)town_step(&story->town, event, late_s);
}

/* ---- events ---- */

/* { NUMBER m north|south|east|west } */
static struct geo_point take_place(struct story *story)
{
    double north_m = 0, east_m = 0;
    do {
        double m = take_number(story);
        need(story, "m");
        if (take_if(story, "north")) {
            north_m += m;
        } else if (take_if(story, "south")) {
            north_m -= m;
        } else if (take_if(story, "east")) {
            east_m += m;
        } else {
            need(story, "west");
            east_m -= m;
        }
    } while (story->next + 1 < story->count && strcmp(story->words[story->next + 1], "m") == 0);
    return town_point(north_m, east_m);
}

/* fix PLACE|nowhere [accuracy METRES] [wifi|cell] [arriving TIME] [report NUMBER keeping NUMBER] */
static void line_fix(struct story *story, double from_s, double to_s, double every_s)
{
    struct event fix = {.card_no = CARD, .type = EVENT_FIX, .kind = FIX_GNSS};
    if (take_if(story, "nowhere")) {
        fix.flags |= EVENT_NO_POSITION;
    } else {
        fix.point = take_place(story);
    }
    double arriving_s = 0;
    bool arrives = false;
    while (more(story)) {
        if (take_if(story, "accuracy")) {
            fix.flags |= EVENT_HAS_ACCURACY;
            fix.accuracy_cm = (uint32_t)lround(take_number(story) * 100);
        } else if (take_if(story, "wifi")) {
            fix.kind = FIX_WIFI;
        } else if (take_if(story, "cell")) {
            fix.kind = FIX_CELL;
        } else if (take_if(story, "report")) {
            story->town.seq = (uint64_t)take_number(story) - 1;
            need(story, "keeping");
            story->town.keep_from = (uint64_t)take_number(story);
        } else {
            need(story, "arriving");
            const char *clock = take(story, "a time");
            arriving_s = seconds(story, clock, strlen(clock));
            arrives = true;
        }
    }
    for (uint32_t i = 0; from_s + every_s * i <= to_s; i++) {
        double at_s = from_s + every_s * i;
        fix.time_ms = town_ms(at_s);
        play(story, &fix, at_s, arrives ? arriving_s - at_s : 1);
    }
}

/* switched off; low battery; nothing more: the time goes on until then. Is the line one of these? */
static bool take_state(struct story *story, double at_s)
{
    struct event signal = {.time_ms = town_ms(at_s),
                           .card_no = CARD,
                           .type = EVENT_SIGNAL,
                           .flags = EVENT_NO_POSITION};
    if (take_if(story, "nothing")) {
        pass_time(story, at_s + 1);
        return true;
    }
    if (take_if(story, "switched")) {
        need(story, "off");
        signal.kind = SIGNAL_POWERED_OFF;
    } else if (take_if(story, "low")) {
        need(story, "battery");
        signal.kind = SIGNAL_LOW_BATTERY;
    } else {
        return false;
    }
    play(story, &signal, at_s, 1);
    return true;
}

/* TIME gate in|out; TIME switched off|low battery|nothing; TIME fix ...; FROM..TO every SECONDS s fix ... */
static void line_event(struct story *story)
{
    double from_s, to_s, every_s = 1;
    take_times(story, &from_s, &to_s);
    bring_fences(story);
    if (from_s == to_s && take_if(story, "gate")) {
        bool in = take_if(story, "in");
        if (!in) {
            need(story, "out");
        }
        pass_time(story, from_s + 1);
        (void)town_pass(&story->town, CARD, from_s, 1, in ? PASS_IN : PASS_OUT);
        return;
    }
    if (from_s == to_s && take_state(story, from_s)) {
        return;
    }
    bool many = take_if(story, "every");
    if (many) {
        every_s = take_number(story);
        need(story, "s");
    }
    if (every_s < 1 || (many ? to_s < from_s : to_s != from_s)) {
        fail_at(story, "times that are many want \"every N s\", and time goes forward");
    }
    need(story, "fix");
    line_fix(story, from_s, to_s, every_s);
}

/* ---- what is expected ---- */

/* The next alert that nothing has expected yet; a gate's own pass is no news here. */
static const struct alert *next_alert(struct story *story)
{
    const struct town *town = &story->town;
    while (story->told < town->log_count && town->log[story->told].type == ALERT_GATE_PASS) {
        story->told++;
    }
    return story->told < town->log_count ? &town->log[story->told] : NULL;
}

static void describe(const struct story *story, const struct alert *alert, char ret[160])
{
    if (alert == NULL) {
        (void)snprintf(ret, 160, "nothing");
        return;
    }
    char clock[16];
    clock_of(alert->time_ms, clock);
    int length = snprintf(ret, 160, "%s %s at %s%s", alert_word((enum alert_type)alert->type),
                          alert->fence_no != 0 ? story->fences[alert->fence_no - 1].name : "-",
                          clock, alert->late ? " late" : "");
    for (uint32_t doubt = 1; doubt < ALERT_DOUBTS; doubt <<= 1) {
        if ((alert->doubts & doubt) != 0 && length < 160) {
            length += snprintf(ret + length, 160 - (size_t)length, " doubt %s",
                               alert_doubt_word((enum alert_doubt)doubt));
        }
    }
}

static void expect_nothing(struct story *story)
{
    const struct alert *alert = next_alert(story);
    if (alert != NULL) {
        char is[160];
        describe(story, alert, is);
        fail_at(story, "expected nothing more, got: %s", is);
    }
}

static void expect_presence(struct story *story, enum presence_state wanted)
{
    static const char *const words[] = {"unknown", "outside", "inside"};
    const struct story_fence *fence = take_fence(story);
    uint32_t fence_no = (uint32_t)(fence - story->fences) + 1;
    enum presence_state is = engine_presence(story->town.engine, CARD, fence_no);
    if (is != wanted) {
        fail_at(story, "expected %s of %s, is %s", words[wanted], fence->name, words[is]);
    }
}

static uint32_t take_doubts(struct story *story)
{
    uint32_t doubts = 0;
    while (take_if(story, "doubt")) {
        const char *word = take(story, "silence, off or low_battery");
        uint32_t doubt = 1;
        while (doubt < ALERT_DOUBTS &&
               strcmp(alert_doubt_word((enum alert_doubt)doubt), word) != 0) {
            doubt <<= 1;
        }
        if (doubt > ALERT_DOUBTS) {
            fail_at(story, "\"%s\" is no doubt", word);
        }
        doubts |= doubt;
    }
    return doubts;
}

static bool is_of_a_card(const char *word)
{
    static const enum alert_type types[] = {ALERT_SILENT, ALERT_HEARD, ALERT_POWERED_OFF,
                                            ALERT_LOW_BATTERY};
    bool found = false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        found = found || strcmp(alert_word(types[i]), word) == 0;
    }
    return found;
}

/* expect entered|left|danger FENCE at TIME[..TIME] [late] {doubt WORD}
 * expect silent|heard|powered_off|low_battery at TIME[..TIME] */
static void expect_alert(struct story *story)
{
    const char *word = take(story, "what is expected");
    uint32_t fence_no = is_of_a_card(word) ? 0 : (uint32_t)(take_fence(story) - story->fences) + 1;
    double from_s, to_s;
    need(story, "at");
    take_times(story, &from_s, &to_s);
    bool late = take_if(story, "late");
    uint32_t doubts = take_doubts(story);
    const struct alert *alert = next_alert(story);
    char is[160];
    describe(story, alert, is);
    if (alert == NULL || strcmp(alert_word((enum alert_type)alert->type), word) != 0 ||
        alert->fence_no != fence_no || alert->late != late || alert->doubts != doubts ||
        alert->time_ms < town_ms(from_s) || alert->time_ms > town_ms(to_s)) {
        fail_at(story, "got: %s", is);
    }
    story->told++;
}

/* expect card heard|silent|off */
static void expect_card(struct story *story)
{
    static const char *const words[] = {"never heard", "heard", "silent", "off"};
    struct engine_card card;
    engine_card(story->town.engine, CARD, &card);
    const char *word = take(story, "heard, silent or off");
    if (strcmp(words[card.hearing], word) != 0) {
        fail_at(story, "expected the card %s, is %s", word, words[card.hearing]);
    }
}

static void line_expect(struct story *story)
{
    bring_fences(story);
    if (take_if(story, "nothing")) {
        need(story, "more");
        expect_nothing(story);
    } else if (take_if(story, "card")) {
        expect_card(story);
    } else if (take_if(story, "unknown")) {
        expect_presence(story, PRESENCE_UNKNOWN);
    } else if (take_if(story, "outside")) {
        expect_presence(story, PRESENCE_OUTSIDE);
    } else if (take_if(story, "inside")) {
        expect_presence(story, PRESENCE_INSIDE);
    } else {
        expect_alert(story);
    }
}

/* ---- the file ---- */

static void split(struct story *story)
{
    story->count = story->next = 0;
    char *at = story->text;
    at[strcspn(at, "#\n")] = '\0';
    while (*(at += strspn(at, " \t")) != '\0') {
        if (story->count == WORDS_MAX) {
            fail_at(story, "too many words");
        }
        story->words[story->count++] = at;
        at += strcspn(at, " \t");
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
}

static void play_line(struct story *story)
{
    split(story);
    if (!more(story)) {
        return;
    }
    if (take_if(story, "fence")) {
        line_fence(story);
    } else if (take_if(story, "remove")) {
        take_fence(story)->gone = story->fences_changed = true;
    } else if (take_if(story, "expect")) {
        line_expect(story);
    } else {
        line_event(story);
    }
    if (more(story)) {
        fail_at(story, "\"%s\" is too much", story->words[story->next]);
    }
}

int main(int argc, char **argv)
{
    static struct story story;
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        (void)fprintf(stderr, "usage: scenario FILE\n");
        return 2;
    }
    story.path = argv[1];
    town_init(&story.town, 100);
    story.fences_changed = true; /* none of the town's own */
    while (fgets(story.text, sizeof story.text, file) != NULL) {
        story.line++;
        play_line(&story);
    }
    (void)fclose(file);
    expect_nothing(&story);
    town_release(&story.town);
    return 0;
}
