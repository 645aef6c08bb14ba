/* Passes and signals: what is told as it comes, each once. */
#include "base/assert.h"
#include "core/engine_internal.h"

/* Is the time within `span_ms` of one that was told? Late events come from either side. */
static bool within(int64_t told_ms, int64_t time_ms, int64_t span_ms)
{
    return told_ms != 0 && time_ms - told_ms <= span_ms && told_ms - time_ms <= span_ms;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_double_read(const struct card_state *card, const struct event *pass)
{
    return card->pass_gate == pass->gate_no && card->pass_direction == pass->kind &&
           within(card->pass_s * INT64_C(1000), pass->time_ms, PASS_REPEAT_MS);
}

void step_pass(struct step *step)
{
    struct engine *engine = step->engine;
    const struct event *pass = step->event;
    engine->stats.passes++;
    if (step->pupil_no == 0) {
        return;
    }
    struct card_state *card = &engine->cards[pass->card_no];
    bool again = is_double_read(card, pass);
    /* A card that stays at the reader is read on and on: the window moves with each read. */
    uint32_t pass_s = unix_seconds(pass->time_ms);
    card->pass_s = again && card->pass_s > pass_s ? card->pass_s : pass_s;
    card->pass_gate = pass->gate_no & 0xffffffu; /* all are below REGISTRY_NUMBER_MAX */
    card->pass_direction = pass->kind;
    if (again) {
        engine->stats.double_reads++;
        return;
    }
    struct alert *alert = step_raise(step, ALERT_GATE_PASS, SEVERITY_INFO, pass->time_ms);
    alert->gate_no = pass->gate_no;
    alert->direction = pass->kind;
    const struct directory *directory = engine->directory;
    if (pass->gate_no < directory->gate_end && directory->gates[pass->gate_no].id != NULL) {
        step_weigh_pass(step, directory->gates[pass->gate_no].school_no);
    }
}

/* Raises unless the same was told within the span; remembers the newest. Did it raise? */
static bool raise_once(struct step *step, enum alert_type type, enum severity severity,
                       uint32_t *told_s, int64_t span_ms)
{
    int64_t time_ms = step->event->time_ms, told_ms = *told_s * INT64_C(1000);
    if (within(told_ms, time_ms, span_ms)) {
        step->engine->stats.held_signals++;
        return false;
    }
    *told_s = unix_seconds(later(told_ms, time_ms));
    (void)step_raise(step, type, severity, time_ms);
    return true;
}

void step_signal(struct step *step)
{
    struct engine *engine = step->engine;
    const struct event *signal = step->event;
    engine->stats.signals++;
    if (signal->kind == SIGNAL_SOS) { /* whoever's card it is, known or not */
        (void)step_raise(step, ALERT_SOS, SEVERITY_CRITICAL, signal->time_ms);
        return;
    }
    if (step->pupil_no == 0) {
        return;
    }
    struct card_state *card = &engine->cards[signal->card_no];
    switch (signal->kind) {
    case SIGNAL_LOW_BATTERY:
        (void)raise_once(step, ALERT_LOW_BATTERY, SEVERITY_INFO, &card->low_battery_s,
                         LOW_BATTERY_REPEAT_MS);
        engine->owners[signal->card_no].is_low |= card->low_battery_s != 0;
        break;
    case SIGNAL_REMOVED:
        (void)raise_once(step, ALERT_REMOVED, SEVERITY_WARNING, &card->removed_s, SIGNAL_REPEAT_MS);
        break;
    case SIGNAL_POWERED_OFF:
        if (raise_once(step, ALERT_POWERED_OFF, SEVERITY_WARNING, &card->powered_off_s,
                       SIGNAL_REPEAT_MS)) {
            step_told_off(step);
        }
        break;
    default: /* a kind of a later version, in a journal that is read by this one */
        break;
    }
}

void step_battery(struct step *step)
{
    const struct event *event = step->event;
    if (step->pupil_no == 0 || (event->flags & EVENT_HAS_BATTERY) == 0 ||
        event->battery_pct <= BATTERY_FULL_PCT ||
        step->engine->owners[event->card_no].is_low == 0) {
        return;
    }
    struct card_state *card = &step->engine->cards[event->card_no];
    if (card->low_battery_s != 0 && unix_seconds(event->time_ms) > card->low_battery_s) {
        card->low_battery_s = 0;
        step->engine->owners[event->card_no].is_low = 0;
    }
}
