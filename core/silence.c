/* Which cards are heard of, and which no more? docs/presence.md tells why, under "Silence". */
#include <string.h>

#include "base/assert.h"
#include "core/engine_internal.h"

enum {
    SAID_S = 4,            /* pupil_state.said counts these */
    SAID_SPAN_S = 131072,  /* and tells apart what is less than this away, either way */
    INTERVAL_S_FIRST = 60, /* as much is learned of the first gap */
    INTERVAL_STEPS = 64,   /* a part so small of what is too much is taken away by each report */
    TOLD_OVER = SILENT_TOLD_MAX / 2, /* so few silent ones are no outage any more */
};

static void set_hearing(struct pupil_state *pupil, unsigned set, unsigned clear)
{
    pupil->hearing = ((pupil->hearing & ~clear) | set) & PUPIL_HEARING;
}

/* ---- what is heard ---- */

static uint32_t limit_s(const struct pupil_state *pupil)
{
    uint32_t s = pupil->interval_s * SILENT_INTERVALS;
    return s > SILENT_S_MIN ? s : SILENT_S_MIN;
}

/* One long gap at most doubles it, so that a break of the network spoils nothing; reports that follow
 * each other sooner take it back slowly: who walks says more than who sits, and will sit again. */
static uint32_t learn_s(uint32_t interval_s, uint32_t gap_s)
{
    uint32_t less_s = interval_s - 1 - (interval_s - gap_s) / INTERVAL_STEPS;
    uint32_t most_s = interval_s * 2 > INTERVAL_S_FIRST ? interval_s * 2 : INTERVAL_S_FIRST;
    most_s = most_s < INTERVAL_S_MAX ? most_s : INTERVAL_S_MAX;
    uint32_t more_s = gap_s < most_s ? gap_s : most_s;
    return gap_s < interval_s ? less_s : more_s;
}

static bool is_switching_off(const struct event *event)
{
    return event->type == EVENT_SIGNAL && event->kind == SIGNAL_POWERED_OFF;
}

/* The first thing heard, something older, a silence or after one. */
static void hear_news(struct step *step, uint32_t now_s, uint16_t said, int32_t gap_s)
{
    const struct event *event = step->event;
    struct pupil_state *pupil = &step->engine->pupils[step->pupil_no];
    uint32_t before_s = pupil->heard_s;
    if (before_s == 0) {
        gap_s = 1;
        set_hearing(pupil, 0, PUPIL_HEARING);
    } else if (now_s > before_s + SAID_SPAN_S) {
        gap_s = SAID_SPAN_S;
    }
    pupil->heard_s = now_s;
    if (gap_s > 0) {
        bool was_off = (pupil->hearing & PUPIL_OFF) != 0;
        bool was_silent = (uint32_t)gap_s > limit_s(pupil);
        set_hearing(pupil, (was_off ? PUPIL_WAS_OFF : 0u) | (was_silent ? PUPIL_WAS_SILENT : 0u),
                    was_off ? PUPIL_OFF : 0u);
        pupil->said = said;
        pupil->interval_s =
            before_s != 0 ? learn_s(pupil->interval_s, (uint32_t)gap_s) & 0xfffu : 0u;
    }
    if (gap_s >= 0 && is_switching_off(event)) {
        set_hearing(pupil, PUPIL_OFF, 0);
    }
}

/* Gaps are of device time, where a backlog has them too; that a card is there is told by arrival. A
 * pass was said by the gate. Most fixes are the next of a card that is as it was. */
void step_hear(struct step *step)
{
    const struct engine *engine = step->engine;
    const struct event *event = step->event;
    struct pupil_state *pupil = &engine->pupils[step->pupil_no];
    if (event->type == EVENT_PASS) {
        return;
    }
    uint32_t now_s = (uint32_t)((uint64_t)step->input->now_ms / 1000);
    if (now_s < engine->silence.tick_s) {
        now_s = engine->silence.tick_s; /* the clock was set back */
    }
    uint16_t said = (uint16_t)((uint64_t)event->time_ms / (SAID_S * UINT64_C(1000)));
    int32_t gap_s = (int16_t)(uint16_t)(said - pupil->said) * SAID_S;
    if (event->type != EVENT_FIX || pupil->hearing != 0 || (uint32_t)gap_s - 1 >= SILENT_S_MIN ||
        now_s - pupil->heard_s > SAID_SPAN_S) {
        hear_news(step, now_s, said, gap_s);
        return;
    }
    pupil->heard_s = now_s;
    pupil->said = said;
    pupil->interval_s = learn_s(pupil->interval_s, (uint32_t)gap_s) & 0xfffu;
}
_Static_assert(INTERVAL_S_MAX <= 0xfff, "the bits of interval_s");

/* Where it was clear before this fix is where the next run begins. */
void step_heard(struct step *step)
{
    const struct event *event = step->event;
    struct pupil_state *pupil = &step->engine->pupils[step->pupil_no];
    if ((pupil->hearing & (PUPIL_TOLD | PUPIL_OFF)) == PUPIL_TOLD && event->type != EVENT_PASS &&
        step_has_room(step)) {
        set_hearing(pupil, 0, PUPIL_TOLD);
        (void)step_raise(step, ALERT_HEARD, SEVERITY_INFO, step->input->now_ms);
    }
    if (event->type == EVENT_FIX && pupil->last_ms == event->time_ms && pupil->clear_s == 0) {
        set_hearing(pupil, 0, PUPIL_WAS_SILENT | PUPIL_WAS_OFF);
    }
}

void step_told_off(struct step *step)
{
    struct pupil_state *pupil = &step->engine->pupils[step->pupil_no];
    set_hearing(pupil, (pupil->hearing & PUPIL_OFF) != 0 ? PUPIL_TOLD : 0u, 0);
}

void silence_forget(struct engine *engine, uint32_t pupil_no)
{
    struct pupil_state *pupil = &engine->pupils[pupil_no];
    pupil->heard_s = pupil->interval_s = 0;
    set_hearing(pupil, 0, PUPIL_HEARING);
}

/* ---- doubts ---- */

/* What a pass has dated is over, whatever is silent afterwards. */
void doubt_run(const struct step *step, struct presence *presence)
{
    unsigned hearing = step->engine->pupils[step->pupil_no].hearing;
    if (presence_run_ms(presence) == 0 || (presence->flags & PRESENCE_PASSED) != 0) {
        return;
    }
    presence->flags |= (hearing & PUPIL_WAS_SILENT) != 0 ? PRESENCE_SILENCE : 0u;
    presence->flags |= (hearing & PUPIL_WAS_OFF) != 0 ? PRESENCE_OFF : 0u;
}

uint32_t run_doubts(const struct step *step, const struct presence *presence)
{
    bool low = step->engine->owners[step->event->card_no].is_low != 0;
    uint32_t doubts = low ? ALERT_DOUBT_LOW_BATTERY : 0u;
    doubts |= (presence->flags & PRESENCE_SILENCE) != 0 ? ALERT_DOUBT_SILENCE : 0u;
    return doubts | ((presence->flags & PRESENCE_OFF) != 0 ? ALERT_DOUBT_OFF : 0u);
}

/* ---- ticks ---- */

static struct school_silence *school_of(const struct engine *engine,
                                        const struct pupil_state *pupil)
{
    return pupil->school_no < SCHOOL_NUMBERS_REMEMBERED ? &engine->silence.schools[pupil->school_no]
                                                        : NULL;
}

/* While nobody listened nothing was to be heard; what is known to be silent stays so. */
static bool is_silent(const struct engine *engine, const struct pupil_state *pupil)
{
    const struct silence *silence = &engine->silence;
    const struct school_silence *school = school_of(engine, pupil);
    uint32_t from_s = pupil->heard_s;
    bool known = (pupil->hearing & PUPIL_TOLD) != 0 || (school != NULL && school->told_s != 0);
    if (!known && silence->listening_s > from_s) {
        from_s = silence->listening_s;
    }
    return pupil->heard_s != 0 && silence->tick_s > from_s &&
           silence->tick_s - from_s > limit_s(pupil);
}

static bool is_on_ground(const struct engine *engine, const struct pupil_state *pupil)
{
    bool found = false;
    for (uint32_t place = pupil->first; place != 0 && engine->fences != NULL && !found;) {
        const struct presence *presence = &engine->presences.items[place];
        const struct fence *fence = fence_set_by_no(engine->fences, presence->fence_no);
        found = presence->state == PRESENCE_INSIDE && fence != NULL && fence->kind == FENCE_SCHOOL;
        place = presence->next;
    }
    return found;
}

/* A tick on its way. */
struct look {
    struct engine *engine;
    int64_t now_ms;
    struct outbox *outbox;
    uint32_t outbox_start;
};

static bool has_room(const struct look *look)
{
    return look->outbox->count - look->outbox_start < STEP_ALERTS_MAX;
}

static struct alert *raise_by_tick(struct look *look, enum alert_type type, int64_t time_ms,
                                   uint32_t school_no)
{
    ASSERT(has_room(look) && look->outbox->count < look->outbox->capacity);
    struct alert *alert = &look->outbox->alerts[look->outbox->count++];
    memset(alert, 0, sizeof *alert); /* padding too: equal alerts are equal bytes */
    alert->type = (uint8_t)type;
    alert->severity = SEVERITY_INFO;
    alert->battery_pct = UINT8_MAX;
    alert->school_no = school_no;
    alert->time_ms = alert->earliest_ms = alert->latest_ms = time_ms;
    alert->raised_ms = look->now_ms;
    alert->cause.kind = ORIGIN_TICK;
    look->engine->stats.alerts[type]++;
    return alert;
}

static void tell_school(struct look *look, enum alert_type type, uint32_t school_no)
{
    struct alert *alert = raise_by_tick(look, type, look->now_ms, school_no);
    alert->cause.epoch = school_no;
    alert->cause.seq = look->engine->silence.schools[school_no].told_s;
}

static void tell_pupil(struct look *look, uint32_t pupil_no, uint32_t card_no)
{
    struct pupil_state *pupil = &look->engine->pupils[pupil_no];
    struct alert *alert =
        raise_by_tick(look, ALERT_SILENT, pupil->heard_s * INT64_C(1000), pupil->school_no);
    set_hearing(pupil, PUPIL_TOLD, 0);
    alert->pupil_no = pupil_no;
    alert->card_no = alert->cause.no = card_no;
    alert->cause.seq = pupil->heard_s;
    if (pupil_has_position(pupil)) {
        alert->has_position = true;
        alert->point = pupil->point;
        alert->accuracy_cm = pupil->accuracy_cm;
    }
}

/* Whoever was told stays counted until heard: telling goes no further than the bound. */
static bool is_outage(struct look *look, uint32_t school_no)
{
    struct school_silence *school = &look->engine->silence.schools[school_no];
    bool many = school->count > SILENT_TOLD_MAX || school->last_count > SILENT_TOLD_MAX;
    if (school->told_s == 0 && many) {
        school->told_s = look->engine->silence.tick_s;
        tell_school(look, ALERT_SILENT, school_no);
    }
    return school->told_s != 0;
}

static void look_at(struct look *look, uint32_t card_no)
{
    struct engine *engine = look->engine;
    struct silence *silence = &engine->silence;
    uint32_t pupil_no = engine->owners[card_no].pupil_no;
    const struct pupil_state *pupil = &engine->pupils[pupil_no];
    if (pupil_no == 0) {
        return;
    }
    bool told = (pupil->hearing & PUPIL_TOLD) != 0, off = (pupil->hearing & PUPIL_OFF) != 0;
    bool silent = is_silent(engine, pupil);
    silence->cards_low += engine->owners[card_no].is_low;
    silence->cards_off += off;
    silence->cards_silent += silent && !off;
    if (!silent || (told && off) || (!told && !is_on_ground(engine, pupil))) {
        return;
    }
    struct school_silence *school = school_of(engine, pupil);
    if (school != NULL) {
        school->count = (uint16_t)(school->count + (school->count < UINT16_MAX));
    }
    if (!told && has_room(look) && (school == NULL || !is_outage(look, pupil->school_no))) {
        tell_pupil(look, pupil_no, card_no);
    }
}

/* After each card was looked at once: which outages are over? */
static void end_round(struct look *look)
{
    struct engine *engine = look->engine;
    struct silence *silence = &engine->silence;
    bool whole = silence->looks == SILENT_LOOKS;
    uint32_t end = engine->directory != NULL ? engine->directory->school_end : 0;
    for (uint32_t no = 1; no < end && no < SCHOOL_NUMBERS_REMEMBERED; no++) {
        struct school_silence *school = &silence->schools[no];
        if (whole && school->told_s != 0 && school->count <= TOLD_OVER && has_room(look)) {
            tell_school(look, ALERT_HEARD, no);
            school->told_s = 0;
        }
        school->last_count = whole ? school->count : school->last_count;
        school->count = 0;
    }
    if (whole) {
        engine->stats.cards_silent = silence->cards_silent;
        engine->stats.cards_off = silence->cards_off;
        engine->stats.cards_low = silence->cards_low;
    }
    silence->looks = silence->cards_silent = silence->cards_off = silence->cards_low = 0;
}

/* Which cards are looked at follows from the second alone, so that a replay of a part of the journal
 * looks at the same ones; a tick that was left out is made up for by the next. */
void silence_tick(struct engine *engine, int64_t now_ms, struct outbox *outbox)
{
    struct look look = {engine, now_ms, outbox, outbox->count};
    struct silence *silence = &engine->silence;
    uint32_t now_s = unix_seconds(now_ms), from_s = silence->tick_s + 1;
    if (now_s <= silence->tick_s) {
        return;
    }
    if (now_s - silence->tick_s > SILENT_DEAF_S) {
        silence->listening_s = now_s;
        silence->looks = SILENT_LOOKS + 1; /* no whole round */
    }
    from_s = now_s - from_s < SILENT_LOOKS ? from_s : now_s - SILENT_LOOKS + 1;
    silence->tick_s = now_s;
    uint32_t cards = engine->limits.cards_max, part = cards / SILENT_LOOKS + 1;
    for (uint32_t s = from_s; s <= now_s && s != 0; s++) {
        uint32_t first = s % SILENT_LOOKS * part;
        if (first == 0) {
            end_round(&look);
        }
        for (uint32_t no = first; no < first + part && no < cards; no++) {
            look_at(&look, no);
        }
        silence->looks++;
    }
}

void engine_card(const struct engine *engine, uint32_t card_no, struct engine_card *ret)
{
    *ret = (struct engine_card){.hearing = CARD_NEVER_HEARD};
    if (card_no >= engine->limits.cards_max || engine->owners[card_no].pupil_no == 0) {
        return;
    }
    const struct pupil_state *pupil = &engine->pupils[engine->owners[card_no].pupil_no];
    ret->low_battery = engine->owners[card_no].is_low != 0;
    ret->heard_ms = pupil->heard_s * INT64_C(1000);
    ret->interval_s = pupil->interval_s;
    if (pupil->heard_s != 0) {
        ret->hearing = (pupil->hearing & PUPIL_OFF) != 0 ? CARD_OFF
                       : is_silent(engine, pupil)        ? CARD_SILENT
                                                         : CARD_HEARD;
    }
}
