#include <errno.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/load.h"
#include "core/event.h"
#include "proto/codec.h"

enum { SENDER_MAGIC = 0x4c534e44, MIDS = 65536, IN_FLIGHT_MAX = 60000, KEEPALIVE_S = 30 };
enum { CONNECT_WAIT_MS = 10000, ROOM_WAIT_MS = 60000, WARM_UP_STEP_MS = 5000 };

struct sender {
    uint32_t magic;
    struct mosquitto *client;
    struct load_ledger *ledger;
    pthread_mutex_t lock;
    uint32_t report_of[MIDS]; /* what was published under a message id, or LOAD_NONE */
    uint32_t in_flight, losses;
    bool up;
    int refused; /* CONNACK's reason, 0: none */
};

struct load_senders {
    struct sender *items;
    uint32_t count;
    const struct load_cards *cards;
    struct load_ledger *ledger;
    struct buffer payload;
    struct wire_event events[LOAD_EVENTS_MAX];
};

static struct sender *sender_of(void *context)
{
    struct sender *sender = context;
    MAGIC_CHECK(sender, SENDER_MAGIC);
    return sender;
}

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    (void)client;
    struct sender *sender = sender_of(context);
    (void)pthread_mutex_lock(&sender->lock);
    sender->up = reason == 0;
    sender->refused = reason;
    (void)pthread_mutex_unlock(&sender->lock);
}

static void on_disconnect(struct mosquitto *client, void *context, int reason)
{
    (void)client;
    struct sender *sender = sender_of(context);
    (void)pthread_mutex_lock(&sender->lock);
    sender->up = false;
    sender->losses += reason != 0;
    (void)pthread_mutex_unlock(&sender->lock);
}

static void on_publish(struct mosquitto *client, void *context, int mid)
{
    (void)client;
    struct sender *sender = sender_of(context);
    ASSERT(mid > 0 && mid < MIDS);
    (void)pthread_mutex_lock(&sender->lock);
    uint32_t report = sender->report_of[mid];
    if (report != LOAD_NONE) {
        sender->report_of[mid] = LOAD_NONE;
        sender->in_flight--;
    }
    (void)pthread_mutex_unlock(&sender->lock);
    if (report != LOAD_NONE) {
        load_ledger_acked(sender->ledger, report);
    }
}

static void nap_ms(uint32_t ms)
{
    struct timespec nap = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&nap, NULL);
}

static enum status connect_one(struct sender *sender, const struct load_broker *broker, uint32_t no,
                               struct status_detail *detail)
{
    char id[64];
    (void)snprintf(id, sizeof id, "campus-load-%ld-%u", (long)getpid(), no);
    sender->client = mosquitto_new(id, true, sender);
    if (sender->client == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    if (broker->url.user[0] != '\0' &&
        mosquitto_username_pw_set(sender->client, broker->url.user, broker->password) != 0) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    mosquitto_connect_callback_set(sender->client, on_connect);
    mosquitto_disconnect_callback_set(sender->client, on_disconnect);
    mosquitto_publish_callback_set(sender->client, on_publish);
    (void)mosquitto_reconnect_delay_set(sender->client, 1, 4, true);
    (void)mosquitto_max_inflight_messages_set(sender->client,
                                              0); /* open loop: no waiting for acks */
    int error = mosquitto_connect(sender->client, broker->url.host, broker->url.port, KEEPALIVE_S);
    if (error != MOSQ_ERR_SUCCESS) {
        const char *words = error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error);
        return status_detail_set(detail, STATUS_UNAVAILABLE, "broker %s:%d: %s", broker->url.host,
                                 broker->url.port, words);
    }
    error = mosquitto_loop_start(sender->client);
    return error == MOSQ_ERR_SUCCESS
               ? STATUS_OK
               : status_detail_set(detail, STATUS_UNAVAILABLE, "%s", mosquitto_strerror(error));
}

static enum status wait_up(struct sender *sender, const struct load_broker *broker,
                           struct status_detail *detail)
{
    for (uint32_t waited_ms = 0; waited_ms < CONNECT_WAIT_MS; waited_ms += 10) {
        (void)pthread_mutex_lock(&sender->lock);
        bool up = sender->up;
        int refused = sender->refused;
        (void)pthread_mutex_unlock(&sender->lock);
        if (up) {
            return STATUS_OK;
        }
        if (refused != 0) {
            return status_detail_set(detail, STATUS_DENIED, "broker %s:%d: %s", broker->url.host,
                                     broker->url.port, mosquitto_connack_string(refused));
        }
        nap_ms(10);
    }
    return status_detail_set(detail, STATUS_TIMEOUT, "broker %s:%d: no answer for %d s",
                             broker->url.host, broker->url.port, CONNECT_WAIT_MS / 1000);
}

enum status load_senders_open(const struct load_broker *broker, uint32_t connections,
                              const struct load_cards *cards, struct load_ledger *ledger,
                              struct load_senders **ret, struct status_detail *detail)
{
    struct load_senders *senders = calloc(1, sizeof *senders);
    struct sender *items = calloc(connections, sizeof *items);
    if (senders == NULL || items == NULL) {
        free(senders);
        free(items);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    senders->items = items;
    senders->cards = cards;
    senders->ledger = ledger;
    buffer_init(&senders->payload, 1u << 20);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < connections && status == STATUS_OK; i++) {
        struct sender *sender = &items[i];
        sender->magic = SENDER_MAGIC;
        sender->ledger = ledger;
        memset(sender->report_of, 0xff, sizeof sender->report_of); /* LOAD_NONE */
        ASSERT(pthread_mutex_init(&sender->lock, NULL) == 0);
        senders->count++;
        status = connect_one(sender, broker, i, detail);
    }
    for (uint32_t i = 0; i < connections && status == STATUS_OK; i++) {
        status = wait_up(&items[i], broker, detail);
    }
    if (status != STATUS_OK) {
        load_senders_close(senders);
        return status;
    }
    *ret = senders;
    return STATUS_OK;
}

void load_senders_close(struct load_senders *senders)
{
    for (uint32_t i = 0; i < senders->count; i++) {
        struct sender *sender = &senders->items[i];
        if (sender->client != NULL) {
            (void)mosquitto_disconnect(sender->client);
            (void)mosquitto_loop_stop(sender->client, true);
            mosquitto_destroy(sender->client);
        }
        (void)pthread_mutex_destroy(&sender->lock);
    }
    buffer_release(&senders->payload);
    free(senders->items);
    free(senders);
}

uint32_t load_senders_losses(struct load_senders *senders)
{
    uint32_t losses = 0;
    for (uint32_t i = 0; i < senders->count; i++) {
        (void)pthread_mutex_lock(&senders->items[i].lock);
        losses += senders->items[i].losses;
        (void)pthread_mutex_unlock(&senders->items[i].lock);
    }
    return losses;
}

static void fill_event(const struct load_cards *cards, const struct load_card *card,
                       enum load_kind kind, int64_t time_ms, struct wire_event *ret)
{
    *ret = (struct wire_event){.event = {.time_ms = time_ms,
                                         .type = kind == LOAD_SOS ? EVENT_SIGNAL : EVENT_FIX,
                                         .kind = kind == LOAD_SOS ? SIGNAL_SOS : FIX_GNSS,
                                         .flags = EVENT_HAS_ACCURACY,
                                         .datum = GEO_WGS84,
                                         .point = load_card_place(cards, card, time_ms),
                                         .accuracy_cm = 500}};
}

/* A card that comes back into reach: where it was during the last two periods, so that the engine
 * knows the state in which the run finds it. Else a short run would see no alerts at all. */
static uint16_t fill_warm_up(const struct load_cards *cards, const struct load_card *card,
                             int64_t now_ms, struct wire_event *events)
{
    int64_t step_ms = cards->period_ms * 2 / LOAD_EVENTS_MAX;
    step_ms = step_ms > WARM_UP_STEP_MS ? step_ms : WARM_UP_STEP_MS;
    uint16_t count = 0;
    for (int64_t ago_ms = cards->period_ms * 2 - step_ms; ago_ms >= 0; ago_ms -= step_ms) {
        ASSERT(count < LOAD_EVENTS_MAX);
        fill_event(cards, card, LOAD_WARM_UP, now_ms - ago_ms, &events[count++]);
    }
    return count;
}

uint16_t load_fill(const struct load_cards *cards, uint32_t card, enum load_kind kind,
                   int64_t now_ms, struct wire_event *events)
{
    if (kind == LOAD_WARM_UP) {
        return fill_warm_up(cards, &cards->items[card], now_ms, events);
    }
    fill_event(cards, &cards->items[card], kind, now_ms, &events[0]);
    return 1;
}

/* Waits for room among the message ids: they are 16 bits. That is late then, and told as lag. */
static enum status wait_room(struct sender *sender, struct status_detail *detail)
{
    for (uint32_t waited_ms = 0; waited_ms < ROOM_WAIT_MS; waited_ms++) {
        (void)pthread_mutex_lock(&sender->lock);
        bool room = sender->in_flight < IN_FLIGHT_MAX;
        (void)pthread_mutex_unlock(&sender->lock);
        if (room) {
            return STATUS_OK;
        }
        nap_ms(1);
    }
    return status_detail_set(detail, STATUS_TIMEOUT,
                             "the broker has not acknowledged %d messages of one connection for "
                             "%d s",
                             IN_FLIGHT_MAX, ROOM_WAIT_MS / 1000);
}

static enum status publish(struct sender *sender, const char *topic, const struct buffer *payload,
                           uint32_t report, struct status_detail *detail)
{
    enum status status = wait_room(sender, detail);
    if (status != STATUS_OK) {
        return status;
    }
    int mid = 0;
    /* Held over the call: the acknowledgement may come before it returns. */
    (void)pthread_mutex_lock(&sender->lock);
    int error =
        mosquitto_publish(sender->client, &mid, topic, (int)payload->size, payload->data, 1, false);
    /* NO_CONN: the client keeps it and sends it when it is connected again */
    bool taken = error == MOSQ_ERR_SUCCESS || error == MOSQ_ERR_NO_CONN;
    if (taken && report != LOAD_NONE) {
        ASSERT(mid > 0 && mid < MIDS && sender->report_of[mid] == LOAD_NONE);
        sender->report_of[mid] = report;
        sender->in_flight++;
    }
    (void)pthread_mutex_unlock(&sender->lock);
    return taken ? STATUS_OK
                 : status_detail_set(detail, STATUS_UNAVAILABLE, "publish to %s: %s", topic,
                                     mosquitto_strerror(error));
}

static enum status publish_report(struct load_senders *senders, uint32_t card_no,
                                  const struct wire_report *wire, uint32_t report,
                                  struct status_detail *detail)
{
    buffer_clear(&senders->payload);
    encode_card_report(&senders->payload, wire);
    if (buffer_status(&senders->payload) != STATUS_OK) {
        return status_detail_set(detail, buffer_status(&senders->payload), "no room for a report");
    }
    /* a card keeps to one connection, so that its reports keep their order */
    struct sender *sender = &senders->items[card_no % senders->count];
    return publish(sender, senders->cards->items[card_no].topic, &senders->payload, report, detail);
}

enum status load_send(struct load_senders *senders, uint32_t card_no, enum load_kind kind,
                      int64_t due_us, struct status_detail *detail)
{
    uint16_t events = load_fill(senders->cards, card_no, kind, clock_wall_ms(), senders->events);
    uint32_t report = load_ledger_add(senders->ledger, card_no, kind, events, due_us);
    struct wire_report wire = {.epoch = senders->ledger->epoch,
                               .seq = senders->ledger->reports[report].seq,
                               .event_count = events,
                               .events = senders->events};
    return publish_report(senders, card_no, &wire, report, detail);
}

enum status load_send_probe(struct load_senders *senders, uint32_t no, struct status_detail *detail)
{
    (void)load_fill(senders->cards, 0, LOAD_SOS, clock_wall_ms(), senders->events);
    struct wire_report wire = {.epoch = senders->ledger->epoch - 1,
                               .seq = no,
                               .event_count = 1,
                               .events = senders->events};
    return publish_report(senders, 0, &wire, LOAD_NONE, detail);
}
