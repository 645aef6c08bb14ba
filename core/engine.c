#include "core/engine.h"

#include <string.h>

#include "base/assert.h"
#include "base/touch.h"
#include "core/engine_internal.h"

enum { ENGINE_MAGIC = 0x656e67 };

enum status engine_new(const struct engine_limits *limits, struct engine **ret)
{
    struct presence_policy policy = limits->policy;
    if (limits->cards_max == 0 || limits->cards_max > REGISTRY_NUMBER_MAX ||
        limits->presences_max == 0 || limits->presences_max > REGISTRY_NUMBER_MAX ||
        !policy_fill(&policy)) {
        return STATUS_INVALID;
    }
    const size_t rounding = 256;
    size_t card_bytes =
        sizeof(struct pupil_state) + sizeof(struct card_state) + sizeof *(*ret)->owners;
    size_t bytes = sizeof(struct engine) + card_bytes * limits->cards_max +
                   sizeof(struct fence_memory) * FENCE_NUMBERS_REMEMBERED +
                   sizeof(struct school_silence) * SCHOOL_NUMBERS_REMEMBERED +
                   presences_bytes(limits->presences_max) + order_bytes(limits->cards_max) +
                   rounding;
    struct arena arena;
    enum status status = arena_init_fixed(&arena, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    struct engine *engine = arena_alloc(&arena, sizeof *engine);
    ASSERT(engine != NULL);
    engine->magic = ENGINE_MAGIC;
    engine->limits = *limits;
    engine->limits.policy = policy;
    engine->sum_max_mn = policy_sum_max_mn(&policy);
    engine->used_end = 1;
    engine->pupils = arena_lines(&arena, limits->cards_max, sizeof *engine->pupils);
    engine->owners = arena_array(&arena, limits->cards_max, sizeof *engine->owners);
    engine->cards = arena_array(&arena, limits->cards_max, sizeof *engine->cards);
    engine->fence_memory =
        arena_array(&arena, FENCE_NUMBERS_REMEMBERED, sizeof *engine->fence_memory);
    engine->silence.schools =
        arena_array(&arena, SCHOOL_NUMBERS_REMEMBERED, sizeof *engine->silence.schools);
    status = presences_init(&engine->presences, &arena, engine->pupils, limits->presences_max);
    status = status == STATUS_OK ? order_init(&engine->order, &arena, limits->cards_max) : status;
    /* The sum above is ours: it fits, or it is wrong. */
    ASSERT(status == STATUS_OK && engine->pupils != NULL && engine->cards != NULL &&
           engine->owners != NULL && engine->fence_memory != NULL &&
           engine->silence.schools != NULL);
    engine->arena = arena;
    *ret = engine;
    return STATUS_OK;
}

void engine_free(struct engine *engine)
{
    if (engine != NULL) {
        MAGIC_CHECK(engine, ENGINE_MAGIC);
        struct arena arena = engine->arena; /* it holds the engine itself */
        arena_release(&arena);
    }
}

size_t engine_bytes(const struct engine *engine)
{
    return engine->arena.bytes;
}

bool step_has_room(const struct step *step)
{
    return step->outbox->count - step->outbox_start < STEP_ALERTS_MAX;
}

/* Where it happened: the event's own position, else the pupil's last. */
static void put_position(const struct step *step, struct alert *alert)
{
    const struct event *event = step->event;
    bool carries = event->type == EVENT_FIX || event->type == EVENT_SIGNAL;
    if (carries && (event->flags & EVENT_NO_POSITION) == 0) {
        alert->has_position = true;
        alert->point = event->point;
        alert->accuracy_cm = (event->flags & EVENT_HAS_ACCURACY) != 0 ? event->accuracy_cm : 0;
    } else if (step->pupil_no != 0 && pupil_has_position(&step->engine->pupils[step->pupil_no])) {
        const struct pupil_state *pupil = &step->engine->pupils[step->pupil_no];
        alert->has_position = true;
        alert->point = pupil->point;
        alert->accuracy_cm = pupil->accuracy_cm;
    }
}

struct alert *step_raise(struct step *step, enum alert_type type, enum severity severity,
                         int64_t time_ms)
{
    ASSERT(step_has_room(step) && step->outbox->count < step->outbox->capacity);
    struct alert *alert = &step->outbox->alerts[step->outbox->count++];
    memset(alert, 0, sizeof *alert); /* padding too: equal alerts are equal bytes */
    alert->type = (uint8_t)type;
    alert->severity = (uint8_t)severity;
    alert->index = step->input->u.event.index;
    alert->battery_pct =
        (step->event->flags & EVENT_HAS_BATTERY) != 0 ? step->event->battery_pct : UINT8_MAX;
    alert->school_no = step->school_no;
    alert->pupil_no = step->pupil_no;
    alert->card_no = step->event->card_no;
    alert->time_ms = alert->earliest_ms = alert->latest_ms = time_ms;
    alert->raised_ms = step->input->now_ms;
    alert->late = alert->raised_ms - time_ms > TIME_LATE_MS;
    alert->cause = *step->input->u.event.origin;
    put_position(step, alert);
    step->engine->stats.alerts[type]++;
    return alert;
}

static const struct dir_pupil *pupil_in(const struct directory *directory, uint32_t pupil_no)
{
    if (directory == NULL || pupil_no == 0 || pupil_no >= directory->pupil_end ||
        directory->pupils[pupil_no].id == NULL) {
        return NULL;
    }
    return &directory->pupils[pupil_no];
}

static uint32_t owner_of(const struct engine *engine, uint32_t card_no)
{
    return card_no < engine->limits.cards_max ? engine->owners[card_no].pupil_no : 0;
}

/* Whose card is it? Journals outlive registries: a card may have gone since. */
static void find_pupil(struct step *step)
{
    struct engine *engine = step->engine;
    const struct directory *directory = engine->directory;
    uint32_t card_no = step->event->card_no;
    step->pupil_no = owner_of(engine, card_no);
    if (step->pupil_no != 0) {
        step->school_no = engine->pupils[step->pupil_no].school_no;
        return;
    }
    if (directory == NULL || card_no >= directory->card_end ||
        directory->cards[card_no].id == NULL) {
        return;
    }
    const struct dir_card *card = &directory->cards[card_no];
    step->school_no = card->school_no; /* of nobody, as far as the engine's tables go */
}

/* How long after it happened an alert is worth raising. */
static int64_t worth_ms(enum alert_type type)
{
    return type == ALERT_DANGER                       ? DANGER_WORTH_MS
           : type == ALERT_SOS || type == ALERT_HEARD ? INT64_MAX
                                                      : ALERT_WORTH_MS;
}

/* Of those from `first` on. By when the event happened that settled it: what a fresh one tells of hours
 * ago is news. */
static void drop_stale(const struct step *step, uint32_t first)
{
    struct outbox *outbox = step->outbox;
    const int64_t late_ms = step->input->now_ms - step->event->time_ms;
    uint32_t kept = first;
    for (uint32_t i = first; i < outbox->count; i++) {
        enum alert_type type = (enum alert_type)outbox->alerts[i].type;
        if (late_ms > worth_ms(type)) {
            step->engine->stats.stale++;
            step->engine->stats.alerts[type]--;
            continue;
        }
        if (kept < i) {
            memcpy(&outbox->alerts[kept], &outbox->alerts[i], sizeof outbox->alerts[i]);
        }
        kept++;
    }
    outbox->count = kept;
}

static inline void step_one(struct engine *engine, const struct engine_input *input,
                            struct outbox *outbox, uint32_t outbox_start)
{
    struct step step = {.engine = engine,
                        .input = input,
                        .event = input->u.event.event,
                        .outbox = outbox,
                        .outbox_start = outbox_start};
    const uint32_t first = outbox->count;
    engine->stats.events++;
    find_pupil(&step);
    if (step.pupil_no == 0) {
        engine->stats.unassigned++;
    } else {
        step_hear(&step);
    }
    step_battery(&step);
    switch (step.event->type) {
    case EVENT_FIX:
        step_fix(&step);
        break;
    case EVENT_PASS:
        step_pass(&step);
        break;
    case EVENT_SIGNAL:
        step_signal(&step);
        break;
    case EVENT_CALL:
        engine->stats.calls++;
        break;
    default: /* a type of a later version, in a journal that is read by this one */
        break;
    }
    if (step.pupil_no != 0 && engine->pupils[step.pupil_no].hearing != 0) {
        step_heard(&step);
    }
    if (outbox->count > first) {
        drop_stale(&step, first);
    }
}

void step_event(struct engine *engine, const struct engine_input *input, struct outbox *outbox,
                uint32_t outbox_start)
{
    step_one(engine, input, outbox, outbox_start);
}

void engine_tell_sos(struct engine *engine, const struct engine_input *input, struct outbox *outbox)
{
    const struct event *event = input->u.event.event;
    ASSERT(event->type == EVENT_SIGNAL && event->kind == SIGNAL_SOS);
    struct step step = {.engine = engine,
                        .input = input,
                        .event = event,
                        .outbox = outbox,
                        .outbox_start = outbox->count};
    find_pupil(&step);
    (void)step_raise(&step, ALERT_SOS, SEVERITY_CRITICAL, event->time_ms);
    engine->stats.alerts[ALERT_SOS]--; /* counted when it is durable */
}

/* Nearly every report is the next one of a card that waits for nothing. */
static void step_input(struct engine *engine, const struct engine_input *input,
                       struct outbox *outbox)
{
    const struct origin *origin = input->u.event.origin;
    struct pupil_state *pupil = &engine->pupils[owner_of(engine, origin->no)];
    if (origin->kind == ORIGIN_CARD && !pupil->waits &&
        pupil->card == (origin->no & PUPIL_CARD_BITS) && pupil_misses(pupil, origin->seq) == 0) {
        step_one(engine, input, outbox, outbox->count);
        pupil->next_seq = (uint16_t)(origin->seq + !input->u.event.more);
    } else {
        step_in_turn(engine, input, outbox);
    }
}

/* Whose is each card, and where does each pupil go to school? */
static void number_pupils(struct engine *engine)
{
    const struct directory *directory = engine->directory;
    uint32_t end = engine->limits.cards_max;
    for (uint32_t no = 1; no < end; no++) {
        engine->owners[no].pupil_no = 0;
    }
    for (uint32_t no = 1; directory != NULL && no < end; no++) {
        const struct dir_pupil *pupil = pupil_in(directory, no);
        engine->pupils[no].school_no = pupil != NULL ? pupil->school_no : 0;
        const struct dir_card *card = no < directory->card_end ? &directory->cards[no] : NULL;
        if (card != NULL && card->id != NULL && card->pupil_no < end &&
            pupil_in(directory, card->pupil_no) != NULL) {
            engine->owners[no].pupil_no = card->pupil_no & 0xffffffu;
        }
    }
}

static void note_used(struct engine *engine, const struct directory *directory)
{
    if (directory != NULL) {
        uint32_t end =
            directory->card_end > directory->pupil_end ? directory->card_end : directory->pupil_end;
        end = end < engine->limits.cards_max ? end : engine->limits.cards_max;
        engine->used_end = end > engine->used_end ? end : engine->used_end;
    }
}

/* A pupil who changed school has other fences now; one who is gone has none. */
static void take_directory(struct engine *engine, const struct directory *directory)
{
    const struct directory *before = engine->directory;
    engine->directory = directory;
    note_used(engine, directory);
    for (uint32_t no = 1; before != NULL && no < before->pupil_end; no++) {
        const struct dir_pupil *old = pupil_in(before, no), *now = pupil_in(directory, no);
        if (old != NULL && no < engine->limits.cards_max &&
            (now == NULL || now->school_no != old->school_no)) {
            pupil_rebase(engine, no);
            silence_forget(engine, no);
        }
    }
    number_pupils(engine);
}

/* Which fences are as they were? The states of all others are forgotten. */
static void take_fences(struct engine *engine, const struct fence_set *fences)
{
    uint32_t before = engine->set;
    uint32_t set = ++engine->set;
    engine->fences = fences;
    engine->expected_count = 0;
    for (uint32_t no = 1; no < engine->limits.cards_max; no++) {
        engine->pupils[no].quiet = 0;
    }
    for (uint32_t i = 0; fences != NULL && i < fences->count; i++) {
        const struct fence *fence = &fences->items[i];
        if (fence->no >= FENCE_NUMBERS_REMEMBERED) {
            continue;
        }
        struct fence_memory *memory = &engine->fence_memory[fence->no];
        if (memory->version != fence->version || memory->last_set != before || before == 0) {
            memory->version = fence->version;
            memory->since_set = set;
        }
        memory->last_set = set;
    }
    for (uint32_t place = 1; place <= engine->limits.presences_max; place++) {
        uint32_t no = engine->presences.items[place].fence_no; /* 0: a free place */
        if (no == 0) {
            continue;
        }
        if (no >= FENCE_NUMBERS_REMEMBERED || engine->fence_memory[no].last_set != set ||
            engine->fence_memory[no].since_set == set) {
            presences_drop(&engine->presences, place);
        }
    }
}

/* Sums are cut to the new bounds as they move. */
static void take_policy(struct engine *engine, const struct presence_policy *policy)
{
    struct presence_policy whole = *policy;
    bool valid = policy_fill(&whole);
    ASSERT(valid);
    engine->limits.policy = whole;
    engine->sum_max_mn = policy_sum_max_mn(&whole);
}

/* What is weighed of those pupils: most have one or two places. */
static void expect_presences(const struct engine *engine, const uint32_t *firsts, uint32_t count)
{
    const struct presence *items = engine->presences.items;
    uint32_t numbers[2 * ENGINE_EXPECT_MAX], shapes[2 * ENGINE_EXPECT_MAX], found = 0;
    for (uint32_t i = 0; i < count; i++) {
        touch(&items[firsts[i]]);
    }
    for (uint32_t i = 0; i < count; i++) {
        touch(&items[items[firsts[i]].next]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t places[2] = {firsts[i], items[firsts[i]].next};
        for (uint32_t k = 0; k < 2 && places[k] != 0 && firsts[i] != 0; k++) {
            numbers[found++] = items[places[k]].fence_no;
        }
    }
    found = fence_set_expect(engine->fences, numbers, found, shapes);
    geo_index_expect_shapes(engine->fences->index, shapes, found);
}

void engine_expect(struct engine *engine, const struct event *const *events, uint32_t count)
{
    uint32_t pupils[ENGINE_EXPECT_MAX], sets[ENGINE_EXPECT_MAX];
    uint32_t firsts[ENGINE_EXPECT_MAX], fresh[ENGINE_EXPECT_MAX];
    struct geo_point points[ENGINE_EXPECT_MAX];
    ASSERT(count <= ENGINE_EXPECT_MAX);
    engine->expected_next = engine->expected_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        pupils[i] = owner_of(engine, events[i]->card_no);
        points[i] = events[i]->point;
        touch(&engine->pupils[pupils[i]].school_no);
    }
    if (engine->fences == NULL || engine->fences->count == 0) {
        return;
    }
    geo_index_find_batch(engine->fences->index, points, count, sets);
    uint32_t awake = 0; /* those who are not where nothing is new */
    for (uint32_t i = 0; i < count; i++) {
        const struct pupil_state *pupil = &engine->pupils[pupils[i]];
        engine->expected[i] = (struct expected){points[i], sets[i]};
        firsts[awake] = pupil->first;
        fresh[awake] = sets[i];
        awake += pupil->quiet != sets[i] + 1;
    }
    engine->expected_count = count;
    geo_index_expect_sets(engine->fences->index, fresh, awake);
    expect_presences(engine, firsts, awake);
}

void engine_step(struct engine *engine, const struct engine_input *input, struct outbox *outbox)
{
    MAGIC_CHECK(engine, ENGINE_MAGIC);
    ASSERT(input->type >= INPUT_EVENT && input->type <= INPUT_POLICY);
    ASSERT(outbox->capacity - outbox->count >= STEP_ALERTS_MAX);
    const uint32_t outbox_start = outbox->count;
    switch (input->type) {
    case INPUT_EVENT:
        step_input(engine, input, outbox);
        break;
    case INPUT_DIRECTORY:
        take_directory(engine, input->u.directory);
        return; /* changes raise nothing */
    case INPUT_FENCES:
        take_fences(engine, input->u.fences);
        return;
    case INPUT_POLICY:
        take_policy(engine, input->u.policy);
        return;
    case INPUT_TICK:
        silence_tick(engine, input->now_ms, outbox);
        break;
    }
    if (order_oldest(&engine->order) != NULL) {
        step_overdue(engine, input->now_ms, outbox, outbox_start);
    }
}

void engine_stats(const struct engine *engine, struct engine_stats *ret)
{
    *ret = engine->stats;
    ret->presences = engine->presences.count;
    ret->presences_evicted = engine->presences.evicted;
    ret->presences_refused = engine->presences.refused;
}

void engine_explain(struct engine *engine, engine_tell *tell, void *context)
{
    engine->tell = tell;
    engine->tell_context = context;
}

enum presence_state engine_presence(const struct engine *engine, uint32_t pupil_no,
                                    uint32_t fence_no)
{
    if (pupil_no >= engine->limits.cards_max || engine->fences == NULL) {
        return PRESENCE_UNKNOWN;
    }
    const struct fence *fence = fence_set_by_no(engine->fences, fence_no);
    const struct dir_pupil *pupil = pupil_in(engine->directory, pupil_no);
    if (fence == NULL || pupil == NULL ||
        (fence->school_no != 0 && fence->school_no != pupil->school_no)) {
        return PRESENCE_UNKNOWN;
    }
    uint32_t place = presences_find(&engine->presences, pupil_no, fence_no);
    if (place != 0) {
        return (enum presence_state)engine->presences.items[place].state;
    }
    return fence_is_known(engine, pupil_no, fence_no) ? PRESENCE_OUTSIDE : PRESENCE_UNKNOWN;
}
