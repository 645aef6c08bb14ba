#include "broker-bridge/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "broker-bridge/mqtt_uv.h"
#include "broker-bridge/topic.h"
#include "core/limits.h"
#include "proto/codec.h"

#define HUB_MAGIC 0x53484255u /* "SHUB" */
#define TICK_MS   250
#define NOBODY    UINT32_MAX

/* A report, encoded; it is in its sender's queue until nothing can ask for it any more. */
struct sent_report {
    struct sent_report *next;
    uint64_t seq;
    size_t size;
    bool sent, urgent;
    char bytes[];
};

struct sender {
    char *school, *id; /* one block */
    uint8_t kind;
    uint32_t epoch;
    uint64_t last_seq, highest_sent;
    struct sent_report *first, *last, *next_to_send;
    struct sent_report *urgent; /* the first that waits for no other, NULL: none has to go */
    uint32_t kept;
    uint32_t window; /* reports on the way at most */
    uint64_t retry_at_ms;
    uint32_t retry_ms;
    bool ready, conflict;
    uint32_t next_ready; /* in the hub's queue of senders that may send */
};

struct sender_hub {
    uint32_t magic;
    uv_loop_t *loop;
    struct sender_callbacks callbacks;
    struct mqtt_link *link;
    struct sender *senders;
    uint32_t count;
    uint32_t *table; /* open addressing by kind and id; NOBODY = free */
    uint32_t table_size;
    bool no_receipts;
    uint32_t queue_max, retry_min_ms, retry_max_ms;
    uint32_t ready_first, ready_last;
    bool pumping, closing;
    uint64_t kept, inflight; /* inflight: without receipts, not acknowledged by the broker */
    struct buffer payload;
    struct wire_event *scratch; /* REPORT_EVENTS_MAX */
    uv_timer_t tick, settle;
    uint32_t handles;
    struct sender_stats stats;
    void (*on_closed)(void *context);
    void *closed_context;
};

static struct sender_hub *hub_of(void *data)
{
    struct sender_hub *hub = data;
    MAGIC_CHECK(hub, HUB_MAGIC);
    return hub;
}

/* ---- who is who ---- */

static uint32_t *table_place(const struct sender_hub *hub, uint8_t kind, struct text id)
{
    uint32_t place = (uint32_t)(text_hash(id) + kind) & (hub->table_size - 1);
    for (;; place = (place + 1) & (hub->table_size - 1)) {
        uint32_t no = hub->table[place];
        if (no == NOBODY || (hub->senders[no].kind == kind && text_is(id, hub->senders[no].id))) {
            return &hub->table[place];
        }
    }
}

/* campus/v1/{school}/card/{card}/down, .../gate/{gate}/down */
static uint32_t sender_of_topic(const struct sender_hub *hub, struct text topic)
{
    struct text levels[6] = {{0}};
    uint32_t count = 0;
    const char *at = topic.at, *end = topic.at + topic.length;
    while (at <= end && count < 6) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        slash = slash != NULL ? slash : end;
        levels[count++] = (struct text){at, (size_t)(slash - at)};
        at = slash + 1;
    }
    if (count != 6 || at <= end || !text_is(levels[0], "campus") || !text_is(levels[1], "v1") ||
        !text_is(levels[5], "down")) {
        return NOBODY;
    }
    bool card = text_is(levels[3], "card");
    if (!card && !text_is(levels[3], "gate")) {
        return NOBODY;
    }
    return *table_place(hub, card ? ORIGIN_CARD : ORIGIN_GATE, levels[4]);
}

/* ---- sending ---- */

static void make_ready(struct sender_hub *hub, uint32_t no)
{
    struct sender *sender = &hub->senders[no];
    if (sender->ready) {
        return;
    }
    sender->ready = true;
    sender->next_ready = NOBODY;
    if (hub->ready_first == NOBODY) {
        hub->ready_first = no;
    } else {
        hub->senders[hub->ready_last].next_ready = no;
    }
    hub->ready_last = no;
}

static void on_settle(uv_timer_t *timer)
{
    struct sender_hub *hub = hub_of(timer->data);
    if (hub->kept == 0 && hub->inflight == 0 && hub->callbacks.on_settled != NULL) {
        hub->callbacks.on_settled(hub->callbacks.context);
    }
}

/* From the loop, since the caller of sender_add may not expect it. */
static void check_settled(struct sender_hub *hub)
{
    if (hub->kept == 0 && hub->inflight == 0 && !hub->closing) {
        int failed = uv_timer_start(&hub->settle, on_settle, 0, 0);
        ASSERT(failed == 0);
    }
}

static struct sent_report *next_urgent(struct sent_report *report)
{
    while (report != NULL && !report->urgent) {
        report = report->next;
    }
    return report;
}

static void drop_first(struct sender_hub *hub, struct sender *sender)
{
    struct sent_report *report = sender->first;
    sender->first = report->next;
    if (sender->urgent == report) {
        sender->urgent = next_urgent(report->next);
    }
    if (sender->next_to_send == report) {
        sender->next_to_send = report->next;
    }
    sender->kept--;
    hub->kept--;
    free(report);
}

static void tell_progress(struct sender_hub *hub, uint32_t no)
{
    if (hub->callbacks.on_progress != NULL) {
        hub->callbacks.on_progress(hub->callbacks.context, no);
    }
    check_settled(hub);
}

/* What the sender may send now, NULL: nothing. */
static struct sent_report *pick(const struct sender_hub *hub, const struct sender *sender)
{
    const struct sent_report *first = sender->first;
    if (first == NULL || sender->conflict) {
        return NULL;
    }
    if (sender->urgent != NULL && sender->urgent->seq - first->seq < SEQUENCE_WINDOW) {
        return sender->urgent;
    }
    struct sent_report *next = sender->next_to_send;
    return next != NULL && (hub->no_receipts || next->seq - first->seq < sender->window) ? next
                                                                                         : NULL;
}

static void note_sent(struct sender_hub *hub, struct sender *sender, struct sent_report *report)
{
    if (report->sent) {
        hub->stats.resent++;
    } else {
        hub->stats.sent++;
    }
    if (report == sender->first) {
        sender->retry_at_ms = uv_now(hub->loop) + sender->retry_ms;
    }
    report->sent = true;
    sender->highest_sent = report->seq > sender->highest_sent ? report->seq : sender->highest_sent;
    if (report == sender->urgent) {
        sender->urgent = next_urgent(report->next);
    }
    if (report == sender->next_to_send) {
        sender->next_to_send = report->next;
    }
}

/* One report of the first sender that is ready. false: the connection takes no more now. */
static bool send_next(struct sender_hub *hub)
{
    uint32_t no = hub->ready_first;
    struct sender *sender = &hub->senders[no];
    struct sent_report *report = pick(hub, sender);
    if (report != NULL) {
        char topic[TOPIC_BYTES_MAX];
        struct text payload = {report->bytes, report->size};
        (void)snprintf(topic, sizeof topic, "campus/v1/%s/%s/%s/up", sender->school,
                       sender->kind == ORIGIN_CARD ? "card" : "gate", sender->id);
        enum status status = mqtt_link_publish(hub->link, topic, payload, 1, NULL);
        if (status != STATUS_OK) {
            ASSERT(status != STATUS_INVALID); /* ids were checked when the hub was opened */
            return false;
        }
        note_sent(hub, sender, report);
        if (hub->no_receipts) {
            hub->inflight++;
            drop_first(hub, sender);
        }
    }
    hub->ready_first = sender->next_ready;
    sender->ready = false;
    if (pick(hub, sender) != NULL) {
        make_ready(hub, no);
    }
    if (hub->no_receipts) {
        tell_progress(hub, no);
    }
    return true;
}

static void pump(struct sender_hub *hub)
{
    if (hub->pumping || hub->closing) {
        return;
    }
    hub->pumping = true;
    while (hub->ready_first != NOBODY && mqtt_link_is_up(hub->link) && send_next(hub)) {
    }
    hub->pumping = false;
}

/* From the oldest, which asks alone: its receipt covers what is there already, and when nobody is in
 * time to answer, what is sent again must not be more than what waits anyway. */
static void resend(struct sender_hub *hub, uint32_t no)
{
    struct sender *sender = &hub->senders[no];
    sender->next_to_send = sender->first;
    sender->urgent = next_urgent(sender->first);
    if (sender->first != NULL) {
        sender->window = sender->first->sent ? 1 : sender->window;
        make_ready(hub, no);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct sender_hub *hub = hub_of(timer->data);
    uint64_t now = uv_now(hub->loop);
    if (hub->no_receipts || !mqtt_link_is_up(hub->link)) {
        return;
    }
    for (uint32_t no = 0; no < hub->count; no++) {
        struct sender *sender = &hub->senders[no];
        if (sender->first != NULL && sender->first->sent && now >= sender->retry_at_ms) {
            uint64_t doubled = 2 * (uint64_t)sender->retry_ms;
            sender->retry_ms = doubled < hub->retry_max_ms ? (uint32_t)doubled : hub->retry_max_ms;
            sender->retry_at_ms = now + sender->retry_ms;
            resend(hub, no);
        }
    }
    pump(hub);
}

/* ---- receipts ---- */

static void take_receipt(struct sender_hub *hub, uint32_t no, const struct receipt *receipt)
{
    struct sender *sender = &hub->senders[no];
    if (receipt->epoch < sender->epoch) {
        return; /* of an earlier life of this sender */
    }
    if (receipt->epoch > sender->epoch || receipt->durable_to > sender->highest_sent) {
        if (!sender->conflict) {
            sender->conflict = true;
            if (hub->callbacks.on_conflict != NULL) {
                hub->callbacks.on_conflict(hub->callbacks.context, no, receipt->epoch);
            }
        }
        return;
    }
    uint64_t before = hub->kept;
    while (sender->first != NULL && sender->first->seq <= receipt->durable_to) {
        drop_first(hub, sender);
    }
    if (hub->kept == before) {
        return;
    }
    hub->stats.receipts++;
    hub->stats.receipted += before - hub->kept;
    sender->retry_ms = hub->retry_min_ms;
    sender->retry_at_ms = uv_now(hub->loop) + sender->retry_ms;
    sender->window = sender->window < SEQUENCE_WINDOW / 2 ? 2 * sender->window : SEQUENCE_WINDOW;
    if (pick(hub, sender) != NULL) {
        make_ready(hub, no);
    }
    tell_progress(hub, no);
}

static void on_message(void *context, struct mqtt_link *link, struct text topic,
                       struct text payload)
{
    struct sender_hub *hub = hub_of(context);
    struct receipt receipt;
    (void)link;
    uint32_t no = sender_of_topic(hub, topic);
    if (no != NOBODY && !hub->closing && decode_receipt(payload, &receipt) == STATUS_OK) {
        take_receipt(hub, no, &receipt);
    }
}

static void on_burst(void *context, struct mqtt_link *link)
{
    mqtt_link_release(link); /* a receipt that is lost comes again */
    pump(hub_of(context));
}

static void on_published(void *context, struct mqtt_link *link, int mid)
{
    struct sender_hub *hub = hub_of(context);
    (void)link;
    (void)mid;
    if (hub->no_receipts) {
        ASSERT(hub->inflight > 0);
        hub->inflight--;
        hub->stats.receipted++;
        check_settled(hub);
    }
    pump(hub);
}

static void on_up(void *context, struct mqtt_link *link, bool session_present)
{
    struct sender_hub *hub = hub_of(context);
    (void)link;
    (void)session_present;
    hub->stats.up = true;
    hub->stats.connects++;
    for (uint32_t no = 0; no < hub->count; no++) {
        resend(hub, no);
    }
    if (hub->callbacks.on_link != NULL) {
        hub->callbacks.on_link(hub->callbacks.context, true, NULL);
    }
    pump(hub);
}

static void on_down(void *context, struct mqtt_link *link, const struct status_detail *detail)
{
    struct sender_hub *hub = hub_of(context);
    (void)link;
    hub->stats.losses += hub->stats.up ? 1 : 0;
    hub->stats.up = false;
    if (hub->callbacks.on_link != NULL) {
        hub->callbacks.on_link(hub->callbacks.context, false, detail);
    }
}

/* ---- reports in ---- */

uint32_t sender_room(const struct sender_hub *hub, uint32_t no)
{
    ASSERT(no < hub->count);
    uint32_t kept = hub->senders[no].kept;
    return kept < hub->queue_max ? hub->queue_max - kept : 0;
}

static enum status encode(struct sender_hub *hub, struct sender *sender, const struct event *events,
                          const char *const *cards, uint32_t event_count)
{
    uint64_t seq = sender->last_seq + 1;
    uint64_t lowest = sender->first != NULL ? sender->first->seq : seq;
    struct wire_report report = {.sender = text_of(sender->id),
                                 .epoch = sender->epoch,
                                 .seq = seq,
                                 .keep_from = hub->no_receipts ? 0 : lowest,
                                 .want_receipt = !hub->no_receipts,
                                 .event_count = event_count,
                                 .events = hub->scratch};
    for (uint32_t i = 0; i < event_count; i++) {
        hub->scratch[i] = (struct wire_event){
            .event = events[i], .card = cards != NULL ? text_of(cards[i]) : (struct text){"", 0}};
    }
    buffer_clear(&hub->payload);
    if (sender->kind == ORIGIN_CARD) {
        encode_card_report(&hub->payload, &report);
    } else {
        encode_gate_report(&hub->payload, &report);
    }
    return buffer_status(&hub->payload);
}

static bool is_urgent(const struct event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (events[i].type == EVENT_SIGNAL && events[i].kind == SIGNAL_SOS) {
            return true;
        }
    }
    return false;
}

enum status sender_add(struct sender_hub *hub, uint32_t no, const struct event *events,
                       const char *const *cards, uint32_t event_count)
{
    hub = hub_of(hub);
    ASSERT(no < hub->count && event_count > 0 && event_count <= REPORT_EVENTS_MAX);
    struct sender *sender = &hub->senders[no];
    ASSERT((sender->kind == ORIGIN_GATE) == (cards != NULL));
    if (sender->kept >= hub->queue_max) {
        return STATUS_FULL;
    }
    enum status status = encode(hub, sender, events, cards, event_count);
    if (status != STATUS_OK) {
        return status;
    }
    struct sent_report *report = malloc(sizeof *report + hub->payload.size);
    if (report == NULL) {
        return STATUS_NO_MEMORY;
    }
    *report = (struct sent_report){.seq = ++sender->last_seq,
                                   .size = hub->payload.size,
                                   .urgent = !hub->no_receipts && is_urgent(events, event_count)};
    memcpy(report->bytes, hub->payload.data, hub->payload.size);
    if (sender->first == NULL) {
        sender->first = report;
    } else {
        sender->last->next = report;
    }
    sender->last = report;
    if (sender->next_to_send == NULL) {
        sender->next_to_send = report;
    }
    if (sender->urgent == NULL && report->urgent) {
        sender->urgent = report;
    }
    sender->kept++;
    hub->kept++;
    hub->stats.reports++;
    make_ready(hub, no);
    pump(hub);
    return STATUS_OK;
}

/* ---- opening and closing ---- */

static void free_hub(struct sender_hub *hub)
{
    for (uint32_t no = 0; hub->senders != NULL && no < hub->count; no++) {
        while (hub->senders[no].first != NULL) {
            drop_first(hub, &hub->senders[no]);
        }
        free(hub->senders[no].school);
    }
    free(hub->senders);
    free(hub->table);
    free(hub->scratch);
    buffer_release(&hub->payload);
    hub->magic = 0;
    free(hub);
}

static void on_part_closed(void *context)
{
    struct sender_hub *hub = hub_of(context);
    if (--hub->handles > 0) {
        return;
    }
    void (*on_closed)(void *closed_context) = hub->on_closed;
    void *closed_context = hub->closed_context;
    free_hub(hub);
    if (on_closed != NULL) {
        on_closed(closed_context);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void sender_close(struct sender_hub *hub, void (*on_closed)(void *context), void *context)
{
    hub = hub_of(hub);
    ASSERT(!hub->closing);
    hub->closing = true;
    hub->on_closed = on_closed;
    hub->closed_context = context;
    uv_close((uv_handle_t *)&hub->tick, on_timer_closed);
    uv_close((uv_handle_t *)&hub->settle, on_timer_closed);
    mqtt_link_close(hub->link, on_part_closed, hub);
}

static enum status copy_identity(struct sender_hub *hub, uint32_t no,
                                 const struct sender_identity *identity,
                                 struct status_detail *detail)
{
    struct sender *sender = &hub->senders[no];
    ASSERT(identity->kind == ORIGIN_CARD || identity->kind == ORIGIN_GATE);
    if (!text_is_id(text_of(identity->school)) || !text_is_id(text_of(identity->id))) {
        return status_detail_set(
            detail, STATUS_INVALID,
            "\"%.70s\" of school \"%.70s\" cannot be in a topic: ids have 1-64 "
            "of A-Z a-z 0-9 . _ : -",
            identity->id, identity->school);
    }
    uint32_t *place = table_place(hub, identity->kind, text_of(identity->id));
    if (*place != NOBODY) {
        return status_detail_set(detail, STATUS_EXISTS, "%s is there twice", identity->id);
    }
    size_t school_size = strlen(identity->school) + 1, id_size = strlen(identity->id) + 1;
    sender->school = malloc(school_size + id_size);
    if (sender->school == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the senders");
    }
    memcpy(sender->school, identity->school, school_size);
    sender->id = sender->school + school_size;
    memcpy(sender->id, identity->id, id_size);
    sender->kind = identity->kind;
    sender->epoch = identity->epoch;
    sender->retry_ms = hub->retry_min_ms;
    sender->window = SEQUENCE_WINDOW;
    sender->next_ready = NOBODY;
    *place = no;
    return STATUS_OK;
}

static enum status open_senders(struct sender_hub *hub, const struct sender_options *options,
                                struct status_detail *detail)
{
    hub->table_size = 16;
    while (hub->table_size < 2 * options->count) {
        hub->table_size *= 2;
    }
    hub->senders = calloc(options->count, sizeof *hub->senders);
    hub->table = malloc(hub->table_size * sizeof *hub->table);
    hub->scratch = calloc(REPORT_EVENTS_MAX, sizeof *hub->scratch);
    if (hub->senders == NULL || hub->table == NULL || hub->scratch == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the senders");
    }
    hub->count = options->count;
    for (uint32_t i = 0; i < hub->table_size; i++) {
        hub->table[i] = NOBODY;
    }
    enum status status = STATUS_OK;
    for (uint32_t no = 0; status == STATUS_OK && no < options->count; no++) {
        status = copy_identity(hub, no, &options->identities[no], detail);
    }
    return status;
}

/* The down topics of all, or two filters for a fleet; one block with the array first. */
static char **make_subscriptions(const struct sender_hub *hub, bool fleet)
{
    static const char *const all[] = {"campus/v1/+/card/+/down", "campus/v1/+/gate/+/down"};
    uint32_t count = hub->no_receipts ? 0 : fleet ? 2 : hub->count;
    size_t array_size = ((size_t)count + 1) * sizeof(char *);
    char *block = calloc(1, array_size + (size_t)count * TOPIC_BYTES_MAX);
    if (block == NULL) {
        return NULL;
    }
    char **topics = (char **)(void *)block;
    for (uint32_t i = 0; i < count; i++) {
        topics[i] = block + array_size + (size_t)i * TOPIC_BYTES_MAX;
        if (fleet) {
            (void)snprintf(topics[i], TOPIC_BYTES_MAX, "%s", all[i]);
        } else if (hub->senders[i].kind == ORIGIN_CARD) {
            topic_card_down(topics[i], hub->senders[i].school, hub->senders[i].id);
        } else {
            topic_gate_down(topics[i], hub->senders[i].school, hub->senders[i].id);
        }
    }
    return topics;
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static enum status open_link(struct sender_hub *hub, const struct sender_options *options,
                             struct status_detail *detail)
{
    char **subscriptions = make_subscriptions(hub, options->fleet);
    if (subscriptions == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the subscriptions");
    }
    const struct mqtt_link_options link = {
        .url = options->url,
        .client_id = options->client_id,
        .password = options->password,
        .subscriptions = (const char *const *)subscriptions,
        .clean_session = true, /* what counts is kept here */
        .keepalive_s = or_default(options->keepalive_s, 30),
        .connect_timeout_ms = or_default(options->connect_timeout_ms, 5000),
        .backoff_min_ms = or_default(options->backoff_min_ms, 200),
        .backoff_max_ms = or_default(options->backoff_max_ms, 5000),
        .burst_max = 1024,
        .inflight_max = or_default(options->inflight_max, 512)};
    const struct mqtt_link_callbacks callbacks = {hub,          on_message, on_burst,
                                                  on_published, on_up,      on_down};
    enum status status = mqtt_link_open(hub->loop, &link, &callbacks, &hub->link, detail);
    free(subscriptions);
    return status;
}

enum status sender_open(uv_loop_t *loop, const struct sender_options *options,
                        const struct sender_callbacks *callbacks, struct sender_hub **ret,
                        struct status_detail *detail)
{
    ASSERT(options->count > 0 && options->count < UINT32_MAX / 4);
    struct sender_hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the senders");
    }
    hub->magic = HUB_MAGIC;
    hub->loop = loop;
    hub->callbacks = *callbacks;
    hub->no_receipts = options->no_receipts;
    hub->queue_max = or_default(options->queue_max, SEQUENCE_WINDOW);
    hub->retry_min_ms = or_default(options->retry_min_ms, 5000);
    hub->retry_max_ms = or_default(options->retry_max_ms, 30000);
    hub->ready_first = hub->ready_last = NOBODY;
    buffer_init(&hub->payload, PAYLOAD_BYTES_MAX);
    enum status status = open_senders(hub, options, detail);
    if (status == STATUS_OK) {
        status = open_link(hub, options, detail);
    }
    if (status != STATUS_OK) {
        free_hub(hub);
        return status;
    }
    int failed = uv_timer_init(loop, &hub->tick);
    ASSERT(failed == 0);
    failed = uv_timer_init(loop, &hub->settle);
    ASSERT(failed == 0);
    hub->tick.data = hub->settle.data = hub;
    hub->handles = 3;
    failed = uv_timer_start(&hub->tick, on_tick, TICK_MS, TICK_MS);
    ASSERT(failed == 0);
    *ret = hub;
    return STATUS_OK;
}

void sender_stats(const struct sender_hub *hub, struct sender_stats *ret)
{
    *ret = hub->stats;
}
