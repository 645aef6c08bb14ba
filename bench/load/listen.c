#include <errno.h>
#include <jansson.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/load.h"

enum { LISTENER_MAGIC = 0x4c4c534e, KEEPALIVE_S = 30, SUBSCRIBE_WAIT_MS = 10000 };
static const char filter[] = "campus/v1/guardian/+/alerts", schools[] = "campus/v1/+/alerts";

struct load_listener {
    uint32_t magic;
    struct mosquitto *client;
    const struct load_cards *cards;
    struct load_ledger *ledger;
    pthread_mutex_t lock;
    struct load_alerts alerts;
    uint64_t *seen; /* hashes of (topic, id), open addressing, 0 = free; never over half full */
    size_t seen_size, seen_count;
    bool subscribed, heard_probe;
    int refused;
    FILE *heard; /* or NULL */
};

static struct load_listener *listener_of(void *context)
{
    struct load_listener *listener = context;
    MAGIC_CHECK(listener, LISTENER_MAGIC);
    return listener;
}

static uint64_t *seen_place(uint64_t *table, size_t size, uint64_t hash)
{
    size_t at = (size_t)hash & (size - 1);
    while (table[at] != 0 && table[at] != hash) {
        at = (at + 1) & (size - 1);
    }
    return &table[at];
}

static void seen_grow(struct load_listener *listener)
{
    size_t size = listener->seen_size == 0 ? 1u << 16 : listener->seen_size * 2;
    uint64_t *table = calloc(size, sizeof *table);
    ASSERT(table != NULL); /* a load tester without memory has nothing more to say */
    for (size_t i = 0; i < listener->seen_size; i++) {
        if (listener->seen[i] != 0) {
            *seen_place(table, size, listener->seen[i]) = listener->seen[i];
        }
    }
    free(listener->seen);
    listener->seen = table;
    listener->seen_size = size;
}

/* Was this id on this topic before? Notes it. 64 bits of hash: a million alerts collide once in
 * 40,000 runs. */
static bool seen_before(struct load_listener *listener, const char *topic, const char *id)
{
    if (listener->seen_count * 2 >= listener->seen_size) {
        seen_grow(listener);
    }
    uint64_t hash = text_hash(text_of(id)) * 0x9e3779b97f4a7c15u ^ text_hash(text_of(topic));
    hash += hash == 0;
    uint64_t *place = seen_place(listener->seen, listener->seen_size, hash);
    if (*place == hash) {
        return true;
    }
    *place = hash;
    listener->seen_count++;
    return false;
}

static void note_alert(struct load_listener *listener, const char *topic, const char *id,
                       const struct load_report *cause, bool is_sos, int64_t now_us)
{
    struct load_alerts *alerts = &listener->alerts;
    if (seen_before(listener, topic, id)) {
        alerts->repeats++;
        return;
    }
    alerts->alerts++;
    alerts->last_us = now_us;
    if (cause->kind == LOAD_WARM_UP) {
        alerts->warm_up++;
        return;
    }
    uint64_t took_us = now_us > cause->due_us ? (uint64_t)(now_us - cause->due_us) : 0;
    histogram_add(&alerts->all_us, took_us);
    if (is_sos) {
        alerts->sos++;
        histogram_add(&alerts->sos_us, took_us);
    }
}

static void take_alert(struct load_listener *listener, const char *topic, json_t *json,
                       struct text bytes, int64_t now_us)
{
    const char *id = NULL, *type = NULL, *sender = NULL;
    json_int_t epoch = 0, seq = 0;
    struct load_report cause = {0};
    bool readable =
        json_unpack(json, "{s:s, s:{s:s, s:{s?s, s:I, s:I}}}", "id", &id, "data", "type", &type,
                    "cause", "sender", &sender, "epoch", &epoch, "seq", &seq) == 0;
    bool ours = false;
    if (readable && listener->heard != NULL) {
        (void)fprintf(listener->heard, "%s %016llx\n", id, (unsigned long long)text_hash(bytes));
    }
    if (readable && sender != NULL && epoch == (json_int_t)listener->ledger->epoch && seq > 0) {
        uint32_t card = load_cards_find(listener->cards, text_of(sender));
        ours =
            card != LOAD_NONE && load_ledger_alerted(listener->ledger, card, (uint64_t)seq, &cause);
    }
    (void)pthread_mutex_lock(&listener->lock);
    if (readable && epoch == (json_int_t)listener->ledger->epoch - 1) {
        listener->heard_probe = true;
    } else if (!readable) {
        listener->alerts.unreadable++;
    } else if (!ours) {
        listener->alerts.foreign++;
    } else {
        note_alert(listener, topic, id, &cause, strcmp(type, "sos") == 0, now_us);
    }
    (void)pthread_mutex_unlock(&listener->lock);
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    int64_t now_us = clock_mono_us();
    struct load_listener *listener = listener_of(context);
    struct text bytes = {message->payload, (size_t)message->payloadlen};
    json_t *json = bytes.length > 0 ? json_loadb(bytes.at, bytes.length, 0, NULL) : NULL;
    take_alert(listener, message->topic, json, bytes, now_us);
    json_decref(json);
}

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    struct load_listener *listener = listener_of(context);
    (void)pthread_mutex_lock(&listener->lock);
    listener->refused = reason;
    (void)pthread_mutex_unlock(&listener->lock);
    if (reason == 0) {
        (void)mosquitto_subscribe(client, NULL, filter, 1);
        if (listener->heard != NULL) {
            (void)mosquitto_subscribe(client, NULL, schools, 1);
        }
    }
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int count,
                         const int *granted)
{
    (void)client;
    (void)mid;
    struct load_listener *listener = listener_of(context);
    (void)pthread_mutex_lock(&listener->lock);
    listener->subscribed = count == 1 && granted[0] <= 2;
    listener->refused = listener->subscribed ? 0 : 5; /* not authorised */
    (void)pthread_mutex_unlock(&listener->lock);
}

static void on_disconnect(struct mosquitto *client, void *context, int reason)
{
    (void)client;
    struct load_listener *listener = listener_of(context);
    (void)pthread_mutex_lock(&listener->lock);
    listener->alerts.losses += reason != 0;
    (void)pthread_mutex_unlock(&listener->lock);
}

static enum status wait_subscribed(struct load_listener *listener, const struct load_broker *broker,
                                   struct status_detail *detail)
{
    for (uint32_t waited_ms = 0; waited_ms < SUBSCRIBE_WAIT_MS; waited_ms += 10) {
        (void)pthread_mutex_lock(&listener->lock);
        bool subscribed = listener->subscribed;
        int refused = listener->refused;
        (void)pthread_mutex_unlock(&listener->lock);
        if (subscribed) {
            return STATUS_OK;
        }
        if (refused != 0) {
            return status_detail_set(detail, STATUS_DENIED, "broker %s:%d: %s: %s",
                                     broker->url.host, broker->url.port, filter,
                                     mosquitto_connack_string(refused));
        }
        struct timespec nap = {0, 10000000};
        (void)nanosleep(&nap, NULL);
    }
    return status_detail_set(detail, STATUS_TIMEOUT, "broker %s:%d: %s was not confirmed for %d s",
                             broker->url.host, broker->url.port, filter, SUBSCRIBE_WAIT_MS / 1000);
}

static enum status start(struct load_listener *listener, const struct load_broker *broker,
                         struct status_detail *detail)
{
    char id[64];
    (void)snprintf(id, sizeof id, "campus-load-%ld-listener", (long)getpid());
    /* A listener that must hear everything has a session that outlives its connection. */
    listener->client = mosquitto_new(id, listener->heard == NULL, listener);
    if (listener->client == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    if (broker->url.user[0] != '\0' &&
        mosquitto_username_pw_set(listener->client, broker->url.user, broker->password) != 0) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    mosquitto_connect_callback_set(listener->client, on_connect);
    mosquitto_disconnect_callback_set(listener->client, on_disconnect);
    mosquitto_subscribe_callback_set(listener->client, on_subscribe);
    mosquitto_message_callback_set(listener->client, on_message);
    (void)mosquitto_reconnect_delay_set(listener->client, 1, 4, true);
    int error =
        mosquitto_connect(listener->client, broker->url.host, broker->url.port, KEEPALIVE_S);
    if (error != MOSQ_ERR_SUCCESS) {
        const char *words = error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error);
        return status_detail_set(detail, STATUS_UNAVAILABLE, "broker %s:%d: %s", broker->url.host,
                                 broker->url.port, words);
    }
    if (mosquitto_loop_start(listener->client) != MOSQ_ERR_SUCCESS) {
        return status_detail_set(detail, STATUS_UNAVAILABLE, "no thread for the listener");
    }
    return wait_subscribed(listener, broker, detail);
}

enum status load_listener_open(const struct load_broker *broker, const struct load_cards *cards,
                               struct load_ledger *ledger, const char *heard,
                               struct load_listener **ret, struct status_detail *detail)
{
    struct load_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    listener->magic = LISTENER_MAGIC;
    listener->cards = cards;
    listener->ledger = ledger;
    ASSERT(pthread_mutex_init(&listener->lock, NULL) == 0);
    enum status status = STATUS_OK;
    if (heard != NULL) {
        listener->heard = fopen(heard, "we");
        status = listener->heard != NULL
                     ? status
                     : status_detail_set(detail, STATUS_IO, "%s: %s", heard, strerror(errno));
    }
    if (status == STATUS_OK) {
        status = start(listener, broker, detail);
    }
    if (status != STATUS_OK) {
        load_listener_close(listener);
        return status;
    }
    *ret = listener;
    return STATUS_OK;
}

void load_listener_close(struct load_listener *listener)
{
    if (listener->client != NULL) {
        (void)mosquitto_disconnect(listener->client);
        (void)mosquitto_loop_stop(listener->client, true);
        mosquitto_destroy(listener->client);
    }
    if (listener->heard != NULL) {
        (void)fclose(listener->heard);
    }
    (void)pthread_mutex_destroy(&listener->lock);
    free(listener->seen);
    free(listener);
}

bool load_listener_heard_probe(struct load_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    bool heard = listener->heard_probe;
    (void)pthread_mutex_unlock(&listener->lock);
    return heard;
}

void load_listener_alerts(struct load_listener *listener, struct load_alerts *ret)
{
    (void)pthread_mutex_lock(&listener->lock);
    *ret = listener->alerts;
    (void)pthread_mutex_unlock(&listener->lock);
}
