/* From the payload to the alert as campusd does it, on a clock of numbers: messages come twice, late,
 * in other orders, by devices whose clocks are wrong, while the registry changes and the receiver
 * dies. The same journal must give the same alerts, byte for byte.
 * SEED=n runs that seed alone, SEEDS=n so many from SEED (else 1) on. */
#include "tests/sim/pipe_world.h"

#include <inttypes.h>
#include <string.h>

#include "broker-bridge/ingest.h"
#include "core/engine.h"
#include "core/record.h"
#include "daemon/alert_flow.h"
#include "proto/cloudevent.h"

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS_DEFAULT = 250 }; /* four times as dear there */
#else
enum { SEEDS_DEFAULT = 1000 };
#endif

enum {
    TWIN_EVERY = 10, /* the world itself is made twice for every tenth seed: the dearest part */
    CHANGES_MAX = 8,
    UNACKED_MAX = 4096,
    DOWN_MS = 20000,
    KEEP_EVERY = 211, /* one sync in so many keeps the state */
    TICK_MS = 20000,  /* campusd has one a second; as many are as good */
};

/* A change of the registry is no record: it stands at a place of the journal. */
struct change {
    size_t pos;
    int64_t now_ms;
    enum item_kind kind;
    uint32_t number;
};

/* The state at a place of the journal, as campusd keeps it beside the segments. */
struct kept_state {
    size_t pos, needs; /* it counts when the journal is on disk to there */
    uint64_t replay_from, confirmed;
    size_t told;
    uint32_t changes_done;
    const struct directory *directory;
    const struct fence_set *fences;
    int64_t newest_ms, tick_ms;
    struct buffer engine, ingest;
    uint64_t alerts[ALERT_TYPE_COUNT];
};

struct counts {
    uint64_t records, letters, repeats, restarts, from_kept, torn, changes, ahead, sent_again,
        ticks;
    uint64_t alerts[ALERT_TYPE_COUNT];
};

struct receiver {
    const struct world *world;
    struct ingest *ingest;
    struct engine *engine;
    const struct directory *directory;
    const struct fence_set *fences;
    struct alert_flow *flow;
    struct buffer journal;    /* records, each behind its head */
    struct buffer told, sent; /* a line for each alert raised since the start; published, ever */
    size_t durable;           /* what lies before it is on disk and stepped */
    uint64_t published;       /* the end of the last alert record that went out */
    int64_t newest_ms;        /* of the arrivals and ticks stepped */
    int64_t tick_ms;          /* of the newest tick in the journal */
    int64_t ticked_ms;        /* true time up to which there were ticks */
    struct change changes[CHANGES_MAX];
    uint32_t change_count, changes_done;
    uint32_t unacked[UNACKED_MAX], unacked_count;
    bool keeps;      /* states, to restart from */
    bool busy, full; /* brokers, journal: neither takes an alert */
    bool replays;    /* nothing but the journal: no receiver, nothing goes out */
    struct counts counts;
    struct kept_state kept;
};

struct head {
    uint32_t type, size;
};

/* ---- records move the engine ---- */

static void check_alert(const struct receiver *receiver, const struct alert *alert)
{
    int64_t latest_ms = receiver->newest_ms + TIME_AHEAD_MS_TRUSTED;
    if (alert->time_ms > latest_ms || alert->latest_ms > latest_ms ||
        alert->earliest_ms > alert->time_ms || alert->time_ms > alert->latest_ms ||
        alert->raised_ms > receiver->newest_ms) {
        char id[ALERT_ID_MAX];
        alert_id(alert, id);
        fail_msg("SEED=%" PRIu64 ": %s at %" PRId64 " (%" PRId64 " to %" PRId64 "), raised %" PRId64
                 ", the clock stood at %" PRId64,
                 receiver->world->seed, id, alert->time_ms, alert->earliest_ms, alert->latest_ms,
                 alert->raised_ms, receiver->newest_ms);
    }
}

static void step(struct receiver *receiver, const struct engine_input *input, uint64_t end)
{
    static struct alert alerts[STEP_ALERTS_MAX];
    struct outbox outbox = {.alerts = alerts, .capacity = STEP_ALERTS_MAX};
    engine_step(receiver->engine, input, &outbox);
    for (uint32_t i = 0; i < outbox.count; i++) {
        char id[ALERT_ID_MAX];
        check_alert(receiver, &alerts[i]);
        alert_id(&alerts[i], id);
        buffer_printf(&receiver->told, "%s ", id);
        cloudevent_write(&receiver->told, &alerts[i], receiver->directory, receiver->fences);
        buffer_text(&receiver->told, "\n");
        if (receiver->flow != NULL) {
            assert_int_equal(alert_flow_raise(receiver->flow, end, &alerts[i], receiver->directory,
                                              receiver->fences),
                             STATUS_OK);
        }
        receiver->counts.alerts[alerts[i].type]++;
    }
}

static void apply(struct receiver *receiver, const struct change *change)
{
    struct engine_input input = {.now_ms = change->now_ms};
    if (change->kind == ITEM_DIRECTORY) {
        receiver->directory = receiver->world->directories[change->number];
        input.type = INPUT_DIRECTORY;
        input.u.directory = receiver->directory;
    } else {
        receiver->fences = receiver->world->fences[change->number];
        input.type = INPUT_FENCES;
        input.u.fences = receiver->fences;
    }
    step(receiver, &input, 0);
    if (receiver->ingest != NULL) {
        ingest_set_directory(receiver->ingest, receiver->directory);
    }
}

static void step_report(struct receiver *receiver, const struct report *report, uint64_t end)
{
    uint16_t order[REPORT_EVENTS_MAX] = {0};
    const struct event *first = report->events;
    report_order(report, order);
    if (report->arrival_ms > receiver->newest_ms) {
        receiver->newest_ms = report->arrival_ms;
    }
    if (receiver->replays && report->event_count > 0) {
        engine_expect(receiver->engine, &first, 1);
    }
    for (uint32_t i = 0; i < report->event_count; i++) {
        const struct event *event = &report->events[order[i]];
        const struct engine_input input = {.type = INPUT_EVENT,
                                           .now_ms = report->arrival_ms,
                                           .u.event = {.origin = &report->origin,
                                                       .event = event,
                                                       .index = order[i],
                                                       .more = i + 1 < report->event_count,
                                                       .keep_from = report->keep_from}};
        receiver->counts.ahead += (event->flags & EVENT_CLOCK_AHEAD) != 0;
        step(receiver, &input, end);
    }
    if (receiver->flow != NULL) {
        alert_flow_stepped(receiver->flow, end);
    }
}

static void step_tick(struct receiver *receiver, const char *data, const struct head *head,
                      uint64_t end)
{
    struct tick tick;
    assert_int_equal(record_get_tick(data, head->size, &tick), STATUS_OK);
    const struct engine_input input = {.type = INPUT_TICK, .now_ms = tick.now_ms};
    assert_true(receiver->tick_ms <= tick.now_ms || !receiver->replays);
    receiver->tick_ms = tick.now_ms > receiver->tick_ms ? tick.now_ms : receiver->tick_ms;
    if (tick.now_ms > receiver->newest_ms) {
        receiver->newest_ms = tick.now_ms;
    }
    step(receiver, &input, end);
    receiver->counts.ticks++;
    if (receiver->flow != NULL) {
        alert_flow_stepped(receiver->flow, end);
    }
}

/* Returns where the next record begins. */
static size_t record_at(const struct buffer *journal, size_t pos, struct head *ret,
                        struct report *report)
{
    assert_true(pos + sizeof *ret <= journal->size);
    memcpy(ret, journal->data + pos, sizeof *ret);
    pos += sizeof *ret;
    assert_true(pos + ret->size <= journal->size);
    if (ret->type == RECORD_REPORT) {
        assert_int_equal(record_get_report(journal->data + pos, ret->size, report), STATUS_OK);
    }
    return pos + ret->size;
}

static void apply_up_to(struct receiver *receiver, size_t pos)
{
    while (receiver->changes_done < receiver->change_count &&
           receiver->changes[receiver->changes_done].pos <= pos) {
        apply(receiver, &receiver->changes[receiver->changes_done++]);
    }
}

/* Alerts and marks of a former life. */
static void recall(struct receiver *receiver, const struct head *head, const char *data,
                   uint64_t end)
{
    struct alert_record alert;
    struct mark mark;
    if (head->type == RECORD_ALERT) {
        assert_int_equal(record_get_alert(data, head->size, &alert), STATUS_OK);
        assert_int_equal(alert_flow_replay_record(receiver->flow, end, &alert), STATUS_OK);
    } else if (head->type == RECORD_MARK) {
        assert_int_equal(record_get_mark(data, head->size, &mark), STATUS_OK);
        alert_flow_replay_mark(receiver->flow, &mark);
    }
}

static void step_records(struct receiver *receiver, size_t pos, size_t end, bool boots)
{
    while (pos < end) {
        struct head head;
        struct report report;
        apply_up_to(receiver, pos);
        size_t next = record_at(&receiver->journal, pos, &head, &report);
        if (head.type == RECORD_REPORT) {
            if (boots && !receiver->replays) {
                ingest_replay(receiver->ingest, &report);
            }
            step_report(receiver, &report, next);
        } else if (head.type == RECORD_TICK) {
            step_tick(receiver, receiver->journal.data + pos + sizeof head, &head, next);
        } else if (boots && !receiver->replays) {
            recall(receiver, &head, receiver->journal.data + pos + sizeof head, next);
        }
        pos = next;
    }
    apply_up_to(receiver, end);
}

/* ---- the receiver ---- */

static enum status append(void *context, uint32_t type, struct text record)
{
    struct receiver *receiver = context;
    struct head head = {type, (uint32_t)record.length};
    assert_int_equal(record.length % 8, 0);
    buffer_append(&receiver->journal, &head, sizeof head);
    buffer_append(&receiver->journal, record.at, record.length);
    return buffer_status(&receiver->journal);
}

static enum status append_alert(void *context, uint32_t type, struct text record, uint64_t *ret_end)
{
    struct receiver *receiver = context;
    if (receiver->full) {
        return STATUS_FULL;
    }
    assert_int_equal(append(context, type, record), STATUS_OK);
    *ret_end = receiver->journal.size;
    return STATUS_OK;
}

/* Whoever listens drops the ids that are known. */
static bool is_known(const struct buffer *sent, const char *id)
{
    size_t length = strlen(id);
    for (size_t at = 0; at < sent->size;) {
        const char *line = sent->data + at;
        if (strncmp(line, id, length) == 0 && line[length] == ' ') {
            return true;
        }
        at += (size_t)((const char *)memchr(line, '\n', sent->size - at) - line) + 1;
    }
    return false;
}

static enum status publish(void *context, uint64_t end, const struct alert *alert, struct text json)
{
    struct receiver *receiver = context;
    char id[ALERT_ID_MAX];
    if (receiver->busy) {
        return STATUS_FULL;
    }
    alert_id(alert, id);
    receiver->published = end;
    if (is_known(&receiver->sent, id)) {
        receiver->counts.sent_again++;
        return STATUS_OK;
    }
    buffer_printf(&receiver->sent, "%s %.*s\n", id, TEXT_FMT(json));
    return STATUS_OK;
}

static void want_receipt(void *context, const struct origin *origin)
{
    (void)context;
    (void)origin;
}

static void start_engine(struct receiver *receiver)
{
    const struct engine_limits limits = {.cards_max = WORLD_PUPILS + 1,
                                         .presences_max = receiver->world->presences_max};
    assert_int_equal(engine_new(&limits, &receiver->engine), STATUS_OK);
    receiver->changes_done = 0;
    receiver->newest_ms = receiver->tick_ms = 0;
    apply(receiver, &(struct change){.kind = ITEM_DIRECTORY});
    apply(receiver, &(struct change){.kind = ITEM_FENCES});
}

static void start(struct receiver *receiver)
{
    const struct ingest_options options = {.cards_max = WORLD_PUPILS + 1,
                                           .gates_max = WORLD_GATES + 1,
                                           .datum_default = GEO_WGS84,
                                           .append = append,
                                           .want_receipt = want_receipt,
                                           .context = receiver};
    const struct alert_flow_options alerts = {
        .waiting_max = 1000, .context = receiver, .append = append_alert, .publish = publish};
    assert_int_equal(ingest_new(&options, &receiver->ingest), STATUS_OK);
    assert_int_equal(alert_flow_new(&alerts, &receiver->flow), STATUS_OK);
    start_engine(receiver);
}

static void stop(struct receiver *receiver)
{
    struct ingest_stats stats;
    if (receiver->ingest != NULL) {
        ingest_stats(receiver->ingest, &stats);
        receiver->counts.repeats += stats.repeats;
    }
    ingest_free(receiver->ingest);
    engine_free(receiver->engine);
    alert_flow_free(receiver->flow);
    receiver->flow = NULL;
    receiver->ingest = NULL;
    receiver->engine = NULL;
}

static void receiver_init(struct receiver *receiver, const struct world *world)
{
    *receiver = (struct receiver){.world = world};
    buffer_init(&receiver->journal, 1u << 26);
    buffer_init(&receiver->told, 1u << 26);
    buffer_init(&receiver->sent, 1u << 26);
    buffer_init(&receiver->kept.engine, 1u << 26);
    buffer_init(&receiver->kept.ingest, 1u << 26);
}

static void receiver_release(struct receiver *receiver)
{
    stop(receiver);
    buffer_release(&receiver->journal);
    buffer_release(&receiver->told);
    buffer_release(&receiver->sent);
    buffer_release(&receiver->kept.engine);
    buffer_release(&receiver->kept.ingest);
}

static int64_t clock_ms(const struct world *world, int64_t true_ms)
{
    return true_ms + (true_ms >= world->jump_at_ms ? world->jump_ms : 0);
}

static void offer(struct receiver *receiver, uint32_t number, int64_t true_ms)
{
    const struct world *world = receiver->world;
    const struct message *message = &world->messages[number];
    const struct text payload = {world->payloads.data + message->at, message->size};
    assert_true(receiver->unacked_count < UNACKED_MAX);
    receiver->unacked[receiver->unacked_count++] = number;
    assert_int_equal(ingest_message(receiver->ingest, text_of(message->topic), payload,
                                    clock_ms(world, true_ms)),
                     STATUS_OK);
}

/* Ticks never go back, as in campusd. */
static void pass_time(struct receiver *receiver, int64_t true_ms)
{
    if (receiver->ticked_ms == 0) {
        receiver->ticked_ms = true_ms;
    }
    for (; receiver->ticked_ms < true_ms; receiver->ticked_ms += TICK_MS) {
        const struct tick tick = {clock_ms(receiver->world, receiver->ticked_ms)};
        char bytes[sizeof tick];
        if (tick.now_ms <= receiver->tick_ms) {
            continue;
        }
        memcpy(bytes, &tick, sizeof bytes);
        assert_int_equal(append(receiver, RECORD_TICK, (struct text){bytes, sizeof bytes}),
                         STATUS_OK);
        receiver->tick_ms = tick.now_ms;
    }
}

static void pump(struct receiver *receiver, const struct item *item)
{
    const struct world *world = receiver->world;
    receiver->busy = item->at_ms >= world->busy_from_ms && item->at_ms < world->busy_to_ms;
    receiver->full = item->full;
    alert_flow_pump(receiver->flow);
}

/* As daemon/recovery.c does. */
static void keep_state(struct receiver *receiver)
{
    struct kept_state *kept = &receiver->kept;
    struct alert_flow_stats flow;
    if (!alert_flow_recorded(receiver->flow)) {
        return;
    }
    alert_flow_stats(receiver->flow, &flow);
    kept->pos = receiver->durable;
    kept->needs = receiver->journal.size;
    kept->confirmed = flow.confirmed;
    kept->replay_from = flow.confirmed < kept->pos ? flow.confirmed : kept->pos;
    kept->told = receiver->told.size;
    kept->changes_done = receiver->changes_done;
    kept->directory = receiver->directory;
    kept->fences = receiver->fences;
    kept->newest_ms = receiver->newest_ms;
    kept->tick_ms = receiver->tick_ms;
    memcpy(kept->alerts, receiver->counts.alerts, sizeof kept->alerts);
    buffer_clear(&kept->engine);
    buffer_clear(&kept->ingest);
    void *engine = buffer_extend(&kept->engine, engine_image_bytes(receiver->engine));
    void *ingest = buffer_extend(&kept->ingest, ingest_image_bytes(receiver->ingest));
    assert_true(engine != NULL && ingest != NULL);
    engine_image_put(receiver->engine, engine);
    ingest_image_put(receiver->ingest, ingest);
}

/* Returns where the journal is to be replayed from. */
static size_t begin_at_kept_state(struct receiver *receiver, const struct buffer *before)
{
    const struct kept_state *kept = &receiver->kept;
    if (kept->pos == 0 || receiver->journal.size < kept->needs) {
        return 0;
    }
    assert_int_equal(ingest_image_get(receiver->ingest, kept->ingest.data, kept->ingest.size),
                     STATUS_OK);
    assert_int_equal(engine_image_get(receiver->engine, kept->engine.data, kept->engine.size,
                                      kept->directory, kept->fences),
                     STATUS_OK);
    receiver->directory = kept->directory;
    receiver->fences = kept->fences;
    ingest_set_directory(receiver->ingest, kept->directory);
    receiver->changes_done = kept->changes_done;
    receiver->newest_ms = kept->newest_ms;
    receiver->tick_ms = kept->tick_ms;
    memcpy(receiver->counts.alerts, kept->alerts, sizeof kept->alerts);
    buffer_append(&receiver->told, before->data, kept->told);
    alert_flow_replay_mark(receiver->flow, &(struct mark){kept->pos, kept->confirmed});
    for (size_t pos = kept->replay_from; pos < kept->pos;) {
        struct head head;
        struct report report;
        size_t next = record_at(&receiver->journal, pos, &head, &report);
        recall(receiver, &head, receiver->journal.data + pos + sizeof head, next);
        pos = next;
    }
    receiver->counts.from_kept++;
    return kept->pos;
}

static void sync_journal(struct receiver *receiver, const struct item *item)
{
    size_t from = receiver->durable;
    receiver->durable = receiver->journal.size;
    receiver->unacked_count = 0;
    step_records(receiver, from, receiver->durable, false);
    pump(receiver, item);
    if (item->marks) {
        alert_flow_confirmed(receiver->flow, receiver->published);
        receiver->full = false;
        alert_flow_mark(receiver->flow);
    }
    if (receiver->keeps && item->at_ms / 1000 % KEEP_EVERY == 0) {
        keep_state(receiver);
    }
}

static void fail_differing(const struct world *world, const char *what, const struct buffer *a,
                           const struct buffer *b)
{
    size_t shorter = a->size < b->size ? a->size : b->size, at = 0, line = 0;
    while (at < shorter && a->data[at] == b->data[at]) {
        line = a->data[at++] == '\n' ? at : line;
    }
    fail_msg("SEED=%" PRIu64 ": %s: %zu bytes and %zu, first differing at %zu:\n%.*s\n%.*s",
             world->seed, what, a->size, b->size, at,
             (int)(a->size - line < 600 ? a->size - line : 600), a->size > 0 ? a->data + line : "",
             (int)(b->size - line < 600 ? b->size - line : 600), b->size > 0 ? b->data + line : "");
}

static void check_same(const struct world *world, const char *what, const struct buffer *a,
                       const struct buffer *b)
{
    if (a->size != b->size || (a->size > 0 && memcmp(a->data, b->data, a->size) != 0)) {
        fail_differing(world, what, a, b);
    }
}

/* Where they differ may be no text. */
static void check_same_journal(const struct world *world, const char *what, const struct buffer *a,
                               const struct buffer *b)
{
    size_t shorter = a->size < b->size ? a->size : b->size, at = 0;
    while (at < shorter && a->data[at] == b->data[at]) {
        at++;
    }
    if (at < shorter || a->size != b->size) {
        fail_msg("SEED=%" PRIu64 ": %s: %zu bytes and %zu, first differing at %zu", world->seed,
                 what, a->size, b->size, at);
    }
}

/* Of what was on its way to the disk, the first `torn` records are there. */
static void tear(struct receiver *receiver, uint32_t torn)
{
    size_t end = receiver->durable;
    for (uint32_t i = 0; i < torn && end < receiver->journal.size; i++) {
        struct head head;
        struct report report;
        end = record_at(&receiver->journal, end, &head, &report);
        receiver->counts.torn++;
    }
    receiver->journal.size = end;
}

/* Dies and comes back: what is on disk is raised again as it was, what was not acknowledged comes
 * again. */
static void restart(struct receiver *receiver, const struct item *item)
{
    struct buffer before = receiver->told;
    uint32_t unacked[UNACKED_MAX], count = receiver->unacked_count;
    memcpy(unacked, receiver->unacked, count * sizeof *unacked);
    tear(receiver, item->torn);
    stop(receiver);
    buffer_init(&receiver->told, 1u << 26);
    receiver->durable = receiver->journal.size;
    receiver->unacked_count = 0;
    memset(receiver->counts.alerts, 0, sizeof receiver->counts.alerts);
    start(receiver);
    step_records(receiver, begin_at_kept_state(receiver, &before), receiver->durable, true);
    alert_flow_replay_done(receiver->flow);
    pump(receiver, item);
    if (receiver->told.size < before.size ||
        (before.size > 0 && memcmp(before.data, receiver->told.data, before.size) != 0)) {
        fail_differing(receiver->world, "raised before a restart and after it", &before,
                       &receiver->told);
    }
    buffer_release(&before);
    for (uint32_t i = 0; i < count; i++) {
        offer(receiver, unacked[i], item->at_ms + DOWN_MS);
    }
    receiver->counts.restarts++;
}

static void change_registry(struct receiver *receiver, const struct item *item)
{
    assert_true(receiver->change_count < CHANGES_MAX);
    receiver->changes[receiver->change_count++] =
        (struct change){.pos = receiver->durable,
                        .now_ms = clock_ms(receiver->world, item->at_ms),
                        .kind = item->kind,
                        .number = item->number};
    apply_up_to(receiver, receiver->durable);
    receiver->counts.changes++;
}

static void receive(struct receiver *receiver, bool repeats, bool restarts)
{
    const struct world *world = receiver->world;
    receiver->keeps = restarts;
    start(receiver);
    alert_flow_replay_done(receiver->flow);
    for (uint32_t i = 0; i < world->item_count; i++) {
        const struct item *item = &world->items[i];
        pass_time(receiver, item->at_ms);
        if (item->kind != ITEM_MESSAGE) {
            change_registry(receiver, item);
            continue;
        }
        if (item->again && !repeats) {
            continue;
        }
        offer(receiver, item->number, item->at_ms);
        if (item->again) {
            continue;
        }
        if (item->syncs) {
            sync_journal(receiver, item);
        }
        if (restarts && item->restarts) {
            restart(receiver, item);
        }
    }
    sync_journal(receiver, &(struct item){0});
    assert_int_equal(buffer_status(&receiver->told), STATUS_OK);
}

/* ---- what must hold ---- */

static void check_straight_replay(const struct receiver *receiver)
{
    struct receiver other;
    receiver_init(&other, receiver->world);
    buffer_append(&other.journal, receiver->journal.data, receiver->journal.size);
    memcpy(other.changes, receiver->changes, sizeof other.changes);
    other.change_count = receiver->change_count;
    other.replays = true;
    start_engine(&other);
    step_records(&other, 0, other.journal.size, true);
    check_same(receiver->world, "raised live and by the journal alone", &receiver->told,
               &other.told);
    check_same(receiver->world, "published and raised by the journal alone", &receiver->sent,
               &other.told);
    receiver_release(&other);
}

static int by_text(const void *a, const void *b)
{
    const struct text *one = a, *other = b;
    size_t shorter = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->at, other->at, shorter);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

static void check_all_differ(const struct world *world, const char *what, struct text *texts,
                             uint32_t count)
{
    if (count > 0) {
        qsort(texts, count, sizeof *texts, by_text);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (text_equal(texts[i - 1], texts[i])) {
            fail_msg("SEED=%" PRIu64 ": %s: %.*s", world->seed, what, TEXT_FMT(texts[i]));
        }
    }
}

static uint32_t check_ids(const struct receiver *receiver)
{
    static struct text ids[65536];
    uint32_t count = 0;
    for (size_t at = 0; at < receiver->told.size;) {
        const char *line = receiver->told.data + at;
        const char *space = memchr(line, ' ', receiver->told.size - at);
        const char *end = memchr(line, '\n', receiver->told.size - at);
        assert_true(space != NULL && end != NULL && count < 65536);
        ids[count++] = (struct text){line, (size_t)(space - line)};
        at += (size_t)(end - line) + 1;
    }
    check_all_differ(receiver->world, "an alert is raised twice", ids, count);
    return count;
}

/* The reports alone: a dead letter is written anew for each repeat of what is refused. */
static void put_reports(const struct receiver *receiver, struct buffer *out)
{
    struct head head;
    struct report report;
    size_t next;
    for (size_t pos = 0; pos < receiver->journal.size; pos = next) {
        next = record_at(&receiver->journal, pos, &head, &report);
        if (head.type == RECORD_REPORT) {
            buffer_append(out, receiver->journal.data + pos, next - pos);
        }
    }
}

static void check_repeats(const struct receiver *with, const struct receiver *without)
{
    struct buffer a, b;
    buffer_init(&a, 1u << 26);
    buffer_init(&b, 1u << 26);
    put_reports(with, &a);
    put_reports(without, &b);
    check_same_journal(with->world, "reports taken with repeats and without", &a, &b);
    check_same(with->world, "raised with repeats and without", &with->told, &without->told);
    buffer_release(&a);
    buffer_release(&b);
}

/* The archive takes alerts from their records: one for each. */
static void check_alert_records(const struct receiver *receiver, uint32_t raised)
{
    static struct text ids[65536];
    uint32_t count = 0;
    for (size_t pos = 0, next; pos < receiver->journal.size; pos = next) {
        struct head head;
        struct report report;
        struct alert_record alert;
        const char *data = receiver->journal.data + pos + sizeof head;
        next = record_at(&receiver->journal, pos, &head, &report);
        if (head.type == RECORD_ALERT) {
            assert_int_equal(record_get_alert(data, head.size, &alert), STATUS_OK);
            assert_true(count < 65536);
            ids[count++] = alert.id;
        }
    }
    check_all_differ(receiver->world, "an alert has two records", ids, count);
    if (count != raised) {
        fail_msg("SEED=%" PRIu64 ": %u alerts raised, %u recorded", receiver->world->seed, raised,
                 count);
    }
}

/* No report is taken twice, and none is lost where nobody may refuse it. */
static void check_reports(struct receiver *receiver)
{
    static struct text origins[65536];
    static char rooms[65536][64];
    const struct world *world = receiver->world;
    uint32_t count = 0, numbered = 0, sent = 0;
    bool refusable = world->epochs_rise;
    for (size_t pos = 0; pos < receiver->journal.size;) {
        struct head head;
        struct report report;
        pos = record_at(&receiver->journal, pos, &head, &report);
        receiver->counts.letters += head.type == RECORD_REFUSED;
        if (head.type == RECORD_REPORT) {
            assert_true(count < 65536);
            int length =
                snprintf(rooms[count], sizeof rooms[count], "%u %u %u %" PRIu64, report.origin.kind,
                         report.origin.no, report.origin.epoch, report.origin.seq);
            origins[count] = (struct text){rooms[count], (size_t)length};
            count++;
            numbered += report.origin.kind != ORIGIN_CARD || report.origin.no != WORLD_PUPILS;
        }
    }
    receiver->counts.records = count;
    check_all_differ(world, "a report is taken twice", origins, count);
    for (uint32_t i = 0; i < world->item_count; i++) {
        refusable = refusable || world->items[i].kind == ITEM_DIRECTORY;
    }
    for (uint32_t i = 0; i < world->message_count; i++) {
        sent += strncmp(world->messages[i].topic, "owntracks/", 10) != 0;
    }
    if (!refusable && numbered != sent) {
        fail_msg("SEED=%" PRIu64 ": of %u reports %u were taken", world->seed, sent, numbered);
    }
}

/* ---- seeds ---- */

static void add_counts(struct counts *sum, const struct counts *one)
{
    sum->records += one->records;
    sum->letters += one->letters;
    sum->repeats += one->repeats;
    sum->restarts += one->restarts;
    sum->from_kept += one->from_kept;
    sum->torn += one->torn;
    sum->changes += one->changes;
    sum->ahead += one->ahead;
    sum->sent_again += one->sent_again;
    sum->ticks += one->ticks;
    for (int type = 0; type < ALERT_TYPE_COUNT; type++) {
        sum->alerts[type] += one->alerts[type];
    }
}

static void run_seed(uint64_t seed, struct counts *sum)
{
    static struct receiver rough, again, calm, sparing;
    struct world world, twin = {0};
    bool anew = seed % TWIN_EVERY == 1;
    world_make(&world, seed);
    if (anew) {
        world_make(&twin, seed);
    }
    receiver_init(&rough, &world);
    receiver_init(&again, anew ? &twin : &world);
    receiver_init(&calm, &world);
    receiver_init(&sparing, &world);
    receive(&rough, true, true);
    receive(&again, true, true);
    receive(&calm, true, false);
    receive(&sparing, false, false);
    check_straight_replay(&rough);
    check_same_journal(&world, "journals of two runs", &rough.journal, &again.journal);
    check_same(&world, "raised in two runs", &rough.told, &again.told);
    check_repeats(&calm, &sparing);
    check_alert_records(&rough, check_ids(&rough));
    check_reports(&rough);
    stop(&rough);
    add_counts(sum, &rough.counts);
    receiver_release(&rough);
    receiver_release(&again);
    receiver_release(&calm);
    receiver_release(&sparing);
    world_release(&world);
    if (anew) {
        world_release(&twin);
    }
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void the_same_journal_gives_the_same_alerts(void **state)
{
    (void)state;
    uint64_t first = test_seed();
    uint64_t seeds = number_of("SEEDS", getenv("SEED") != NULL ? 1 : SEEDS_DEFAULT);
    struct counts sum = {0};
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        run_seed(seed, &sum);
    }
    print_message("%" PRIu64 " seeds: %" PRIu64 " reports, %" PRIu64 " repeats, %" PRIu64
                  " dead letters, %" PRIu64 " restarts (%" PRIu64 " from a kept state), %" PRIu64
                  " torn records, %" PRIu64 " changes of the registry, %" PRIu64
                  " clocks ahead, %" PRIu64 " alerts published again, %" PRIu64 " ticks\n",
                  seeds, sum.records, sum.repeats, sum.letters, sum.restarts, sum.from_kept,
                  sum.torn, sum.changes, sum.ahead, sum.sent_again, sum.ticks);
    for (int type = ALERT_NONE + 1; type < ALERT_TYPE_COUNT; type++) {
        print_message("  %s: %" PRIu64 "\n", alert_word((enum alert_type)type), sum.alerts[type]);
        assert_true(seeds < SEEDS_DEFAULT || sum.alerts[type] > 0);
    }
    assert_true(seeds < SEEDS_DEFAULT ||
                (sum.repeats > 0 && sum.letters > 0 && sum.restarts > sum.from_kept &&
                 sum.from_kept > 0 && sum.torn > 0 && sum.changes > 0 && sum.ahead > 0 &&
                 sum.sent_again > 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_journal_gives_the_same_alerts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
