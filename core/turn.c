/* Whose turn is it? docs/presence.md tells why, under "Out of order". */
#include "base/assert.h"
#include "core/engine_internal.h"

enum { ALERTS_OF_OVERDUE = STEP_ALERTS_MAX / 2 };

/* One engine_step on its way. */
struct turn {
    struct engine *engine;
    struct outbox *outbox;
    uint32_t outbox_start;
    int64_t now_ms;
};

static struct pupil_state *pupil_of(const struct engine *engine, uint32_t card_no)
{
    return &engine->pupils[engine->owners[card_no].pupil_no];
}

/* seq comes next in the card's sequence. The card of nobody has none. */
static void expect(struct engine *engine, uint32_t card_no, uint64_t seq)
{
    struct pupil_state *pupil = pupil_of(engine, card_no);
    if (pupil != engine->pupils) {
        pupil->card = card_no & PUPIL_CARD_BITS;
        pupil->next_seq = (uint16_t)seq;
        pupil->waits = order_first(&engine->order, card_no) != NULL;
    }
}

/* The first that waits; its report is the next one from here on, or the one after it. */
static bool let_go(struct turn *turn, uint32_t card_no)
{
    struct engine *engine = turn->engine;
    struct held held;
    order_take(&engine->order, card_no, &held);
    bool is_fix = held.event.type == EVENT_FIX;
    if (is_fix) {
        const struct engine_input input = {
            .type = INPUT_EVENT,
            .now_ms = turn->now_ms,
            .u.event = {.origin = &held.origin, .event = &held.event, .index = held.index}};
        step_event(engine, &input, turn->outbox, turn->outbox_start);
    }
    expect(engine, card_no, held.origin.seq + held.ends_report);
    return is_fix;
}

/* Nothing before seq comes any more: those that wait for it go, and those that follow them. */
static void go_on_from(struct turn *turn, uint32_t card_no, uint64_t seq)
{
    const struct order *order = &turn->engine->order;
    const struct pupil_state *pupil = pupil_of(turn->engine, card_no);
    const struct held *first = order_first(order, card_no);
    for (; first != NULL && first->origin.seq < seq; first = order_first(order, card_no)) {
        (void)let_go(turn, card_no);
    }
    expect(turn->engine, card_no, seq);
    for (; first != NULL && pupil_misses(pupil, first->origin.seq) <= 0;
         first = order_first(order, card_no)) {
        (void)let_go(turn, card_no);
    }
}

/* What waits goes in its order, whatever is missing between. */
static void give_up(struct turn *turn, uint32_t card_no)
{
    while (order_first(&turn->engine->order, card_no) != NULL) {
        turn->engine->stats.waited_in_vain += let_go(turn, card_no);
    }
}

/* The lowest that the sender still has to send, as far as it says. */
static uint64_t kept_from(const struct engine_input *input)
{
    const uint64_t seq = input->u.event.origin->seq, keep_from = input->u.event.keep_from;
    return keep_from != 0 && keep_from < seq ? keep_from : seq;
}

/* Of another card of the pupil, or another epoch, or far from what was expected is another sequence. */
static void begin_sequence(struct turn *turn, const struct engine_input *input)
{
    struct engine *engine = turn->engine;
    const struct origin *origin = input->u.event.origin;
    const struct pupil_state *pupil = pupil_of(engine, origin->no);
    const int32_t misses = pupil_misses(pupil, origin->seq), window = (int32_t)SEQUENCE_WINDOW;
    const struct held *first = order_first(&engine->order, origin->no);
    if (pupil->card != (origin->no & PUPIL_CARD_BITS) || misses > window || misses < -window ||
        (first != NULL && first->origin.epoch != origin->epoch)) {
        give_up(turn, origin->no);
        expect(engine, origin->no, kept_from(input));
    }
}

/* How many reports before this one does the card still send? Below 0: it is none of those that come. */
static int32_t worth_waiting_for(struct turn *turn, const struct engine_input *input)
{
    const struct origin *origin = input->u.event.origin;
    const struct pupil_state *pupil = pupil_of(turn->engine, origin->no);
    int32_t missing = pupil_misses(pupil, origin->seq);
    if (missing > 0 && origin->seq - kept_from(input) < (uint64_t)missing) {
        go_on_from(turn, origin->no, kept_from(input)); /* the first ones were given up, or all */
        missing = pupil_misses(pupil, origin->seq);
    }
    if (missing > 0 && order_is_full(&turn->engine->order)) {
        give_up(turn, order_oldest(&turn->engine->order)->origin.no);
        missing = pupil_misses(pupil, origin->seq);
    }
    return missing;
}

static void hold(struct turn *turn, const struct engine_input *input)
{
    struct engine *engine = turn->engine;
    const struct held held = {.event = *input->u.event.event,
                              .origin = *input->u.event.origin,
                              .since_ms = input->now_ms,
                              .index = input->u.event.index,
                              .ends_report = !input->u.event.more};
    order_hold(&engine->order, &held);
    pupil_of(engine, held.origin.no)->waits = true;
    engine->stats.waited += held.event.type == EVENT_FIX;
}

void step_in_turn(struct engine *engine, const struct engine_input *input, struct outbox *outbox)
{
    struct turn turn = {engine, outbox, outbox->count, input->now_ms};
    const struct origin *origin = input->u.event.origin;
    const bool is_fix = input->u.event.event->type == EVENT_FIX;
    if (!is_fix) { /* never waits; its report has its place all the same */
        step_event(engine, input, outbox, turn.outbox_start);
    }
    int32_t missing = -1;
    if (origin->kind == ORIGIN_CARD && origin->no < engine->limits.cards_max && origin->seq != 0 &&
        engine->owners[origin->no].pupil_no != 0) {
        begin_sequence(&turn, input);
        missing = worth_waiting_for(&turn, input);
    }
    if (missing > 0) {
        hold(&turn, input);
        return;
    }
    if (is_fix) {
        step_event(engine, input, outbox, turn.outbox_start);
    }
    if (missing == 0 && !input->u.event.more) {
        go_on_from(&turn, origin->no, origin->seq + 1);
    }
}

/* A clock that was set back makes nobody wait longer. */
void step_overdue(struct engine *engine, int64_t now_ms, struct outbox *outbox,
                  uint32_t outbox_start)
{
    struct turn turn = {engine, outbox, outbox_start, now_ms};
    const struct held *oldest = order_oldest(&engine->order);
    while (oldest != NULL && outbox->count - outbox_start < ALERTS_OF_OVERDUE &&
           (now_ms < oldest->since_ms || now_ms - oldest->since_ms >= ORDER_WAIT_MS)) {
        give_up(&turn, oldest->origin.no);
        oldest = order_oldest(&engine->order);
    }
}
