#include <errno.h>
#include <jansson.h>
#include <mosquitto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/load.h"

enum { LINK_MAGIC = 0x4c4c534e, KEEPALIVE_S = 30, SUBSCRIBE_WAIT_MS = 10000 };
static const char filter[] = "campus/v1/guardian/+/alerts", schools[] = "campus/v1/+/alerts";

/* An alert that was heard: a hash of topic and id, 0 = free, and at which brokers. */
struct heard {
    uint64_t hash, brokers;
};

struct link {
    uint32_t magic;
    uint32_t no;
    struct load_listener *listener;
    const struct load_broker *broker;
    struct mosquitto *client;
    bool subscribed;
    int refused;
};

/* Alerts of reports that had to leave from then on, until the next. */
struct step {
    int64_t from_us;
    struct histogram took_us;
};

struct load_listener {
    struct link *links;
    uint32_t link_count, step_count;
    const struct load_cards *cards;
    struct load_ledger *ledger;
    pthread_mutex_t lock;
    struct load_alerts alerts;
    struct histogram recent_us;
    struct step *steps[LOAD_STEPS_MAX];
    struct heard *seen; /* open addressing, never over half full */
    size_t seen_size, seen_count;
    bool heard_probe;
    FILE *heard; /* or NULL */
    FILE *kept;  /* or NULL */
};

static struct link *link_of(void *context)
{
    struct link *link = context;
    MAGIC_CHECK(link, LINK_MAGIC);
    return link;
}

static struct heard *seen_place(struct heard *table, size_t size, uint64_t hash)
{
    size_t at = (size_t)hash & (size - 1);
    while (table[at].hash != 0 && table[at].hash != hash) {
        at = (at + 1) & (size - 1);
    }
    return &table[at];
}

static void seen_grow(struct load_listener *listener)
{
    size_t size = listener->seen_size == 0 ? 1u << 16 : listener->seen_size * 2;
    struct heard *table = calloc(size, sizeof *table);
    ASSERT(table != NULL); /* a load tester without memory has nothing more to say */
    for (size_t i = 0; i < listener->seen_size; i++) {
        if (listener->seen[i].hash != 0) {
            *seen_place(table, size, listener->seen[i].hash) = listener->seen[i];
        }
    }
    free(listener->seen);
    listener->seen = table;
    listener->seen_size = size;
}

/* Was this id on this topic before, at any broker? Notes it; the same broker once more is a repeat.
 * 64 bits of hash: a million alerts collide once in 40,000 runs. */
static bool seen_before(struct load_listener *listener, uint32_t broker, const char *topic,
                        const char *id)
{
    if (listener->seen_count * 2 >= listener->seen_size) {
        seen_grow(listener);
    }
    uint64_t hash = text_hash(text_of(id)) * 0x9e3779b97f4a7c15u ^ text_hash(text_of(topic));
    hash += hash == 0;
    struct heard *place = seen_place(listener->seen, listener->seen_size, hash);
    bool before = place->hash == hash;
    uint64_t bit = (uint64_t)1 << broker;
    listener->alerts.repeats += (place->brokers & bit) != 0;
    listener->seen_count += !before;
    place->hash = hash;
    place->brokers |= bit;
    return before;
}

static void time_alert(struct load_listener *listener, int64_t due_us, uint64_t took_us,
                       bool is_sos)
{
    histogram_add(&listener->alerts.all_us, took_us);
    histogram_add(&listener->recent_us, took_us);
    if (is_sos) {
        listener->alerts.sos++;
        histogram_add(&listener->alerts.sos_us, took_us);
    }
    for (uint32_t i = listener->step_count; i > 0; i--) {
        if (due_us >= listener->steps[i - 1]->from_us) {
            histogram_add(&listener->steps[i - 1]->took_us, took_us);
            return;
        }
    }
}

/* What is scored of it: a city's day has gigabytes of alerts. */
static void keep_alert(FILE *file, const json_t *json)
{
    static const char *const keys[] = {"type",        "card",      "fence",    "time_ms",
                                       "earliest_ms", "latest_ms", "raised_ms"};
    const json_t *data = json_object_get(json, "data");
    json_t *kept = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *value = json_object_get(data, keys[i]);
        if (value != NULL) {
            (void)json_object_set(kept, keys[i], value);
        }
    }
    (void)json_dumpf(kept, file, JSON_COMPACT);
    (void)fputc('\n', file);
    json_decref(kept);
}

static bool is_of_school(const char *topic)
{
    return strstr(topic, "/guardian/") == NULL;
}

static void note_alert(const struct link *link, const char *topic, const char *id,
                       const struct load_report *cause, const json_t *json, bool is_sos,
                       int64_t now_us)
{
    struct load_listener *listener = link->listener;
    struct load_alerts *alerts = &listener->alerts;
    if (seen_before(listener, link->no, topic, id)) {
        return;
    }
    if (listener->kept != NULL && is_of_school(topic)) {
        keep_alert(listener->kept, json);
    }
    alerts->alerts++;
    alerts->last_us = now_us;
    if (cause->kind == LOAD_WARM_UP) {
        alerts->warm_up++;
        return;
    }
    uint64_t took_us = now_us > cause->due_us ? (uint64_t)(now_us - cause->due_us) : 0;
    time_alert(listener, cause->due_us, took_us, is_sos);
}

static void take_alert(const struct link *link, const char *topic, json_t *json, struct text bytes,
                       int64_t now_us)
{
    struct load_listener *listener = link->listener;
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
        uint32_t card = load_sender_find(listener->cards, text_of(sender));
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
        note_alert(link, topic, id, &cause, json, strcmp(type, "sos") == 0, now_us);
    }
    (void)pthread_mutex_unlock(&listener->lock);
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    int64_t now_us = clock_mono_us();
    const struct link *link = link_of(context);
    struct text bytes = {message->payload, (size_t)message->payloadlen};
    json_t *json = bytes.length > 0 ? json_loadb(bytes.at, bytes.length, 0, NULL) : NULL;
    take_alert(link, message->topic, json, bytes, now_us);
    json_decref(json);
}

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    struct link *link = link_of(context);
    (void)pthread_mutex_lock(&link->listener->lock);
    link->refused = reason;
    (void)pthread_mutex_unlock(&link->listener->lock);
    if (reason == 0) {
        (void)mosquitto_subscribe(client, NULL, filter, 1);
        if (link->listener->heard != NULL || link->listener->kept != NULL) {
            (void)mosquitto_subscribe(client, NULL, schools, 1);
        }
    }
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int count,
                         const int *granted)
{
    (void)client;
    (void)mid;
    struct link *link = link_of(context);
    (void)pthread_mutex_lock(&link->listener->lock);
    link->subscribed = count == 1 && granted[0] <= 2;
    link->refused = link->subscribed ? 0 : 5; /* not authorised */
    (void)pthread_mutex_unlock(&link->listener->lock);
}

static void on_disconnect(struct mosquitto *client, void *context, int reason)
{
    (void)client;
    struct load_listener *listener = link_of(context)->listener;
    (void)pthread_mutex_lock(&listener->lock);
    listener->alerts.losses += reason != 0;
    (void)pthread_mutex_unlock(&listener->lock);
}

static enum status wait_subscribed(const struct link *link, struct status_detail *detail)
{
    const struct mqtt_url *url = &link->broker->url;
    for (uint32_t waited_ms = 0; waited_ms < SUBSCRIBE_WAIT_MS; waited_ms += 10) {
        (void)pthread_mutex_lock(&link->listener->lock);
        bool subscribed = link->subscribed;
        int refused = link->refused;
        (void)pthread_mutex_unlock(&link->listener->lock);
        if (subscribed) {
            return STATUS_OK;
        }
        if (refused != 0) {
            return status_detail_set(detail, STATUS_DENIED, "broker %s:%d: %s: %s", url->host,
                                     url->port, filter, mosquitto_connack_string(refused));
        }
        struct timespec nap = {0, 10000000};
        (void)nanosleep(&nap, NULL);
    }
    return status_detail_set(detail, STATUS_TIMEOUT, "broker %s:%d: %s was not confirmed for %d s",
                             url->host, url->port, filter, SUBSCRIBE_WAIT_MS / 1000);
}

static enum status start(struct link *link, struct status_detail *detail)
{
    const struct load_broker *broker = link->broker;
    char id[64];
    (void)snprintf(id, sizeof id, "campus-load-%ld-listener-%u", (long)getpid(), link->no);
    /* A listener that must hear everything has a session that outlives its connection. */
    link->client =
        mosquitto_new(id, link->listener->heard == NULL && link->listener->kept == NULL, link);
    if (link->client == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    if (broker->url.user[0] != '\0' &&
        mosquitto_username_pw_set(link->client, broker->url.user, broker->password) != 0) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    mosquitto_connect_callback_set(link->client, on_connect);
    mosquitto_disconnect_callback_set(link->client, on_disconnect);
    mosquitto_subscribe_callback_set(link->client, on_subscribe);
    mosquitto_message_callback_set(link->client, on_message);
    (void)mosquitto_reconnect_delay_set(link->client, 1, 4, true);
    int error = mosquitto_connect(link->client, broker->url.host, broker->url.port, KEEPALIVE_S);
    if (error != MOSQ_ERR_SUCCESS) {
        const char *words = error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error);
        return status_detail_set(detail, STATUS_UNAVAILABLE, "broker %s:%d: %s", broker->url.host,
                                 broker->url.port, words);
    }
    if (mosquitto_loop_start(link->client) != MOSQ_ERR_SUCCESS) {
        return status_detail_set(detail, STATUS_UNAVAILABLE, "no thread for the listener");
    }
    return wait_subscribed(link, detail);
}

static enum status start_all(struct load_listener *listener, const struct load_broker *brokers,
                             uint32_t broker_count, struct status_detail *detail)
{
    enum status status = STATUS_OK;
    listener->links = calloc(broker_count, sizeof *listener->links);
    if (listener->links == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    for (uint32_t i = 0; i < broker_count && status == STATUS_OK; i++) {
        listener->links[i] = (struct link){
            .magic = LINK_MAGIC, .no = i, .listener = listener, .broker = &brokers[i]};
        listener->link_count++;
        status = start(&listener->links[i], detail);
    }
    return status;
}

static enum status open_file(const char *path, FILE **ret, struct status_detail *detail)
{
    *ret = path != NULL ? fopen(path, "we") : NULL;
    return path == NULL || *ret != NULL
               ? STATUS_OK
               : status_detail_set(detail, STATUS_IO, "%s: %s", path, strerror(errno));
}

enum status load_listener_open(const struct load_broker *brokers, uint32_t broker_count,
                               const struct load_cards *cards, struct load_ledger *ledger,
                               const char *heard, const char *kept, struct load_listener **ret,
                               struct status_detail *detail)
{
    ASSERT(broker_count > 0 && broker_count <= 64); /* bits of struct heard */
    struct load_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    listener->cards = cards;
    listener->ledger = ledger;
    ASSERT(pthread_mutex_init(&listener->lock, NULL) == 0);
    enum status status = STATUS_OK;
    status = open_file(heard, &listener->heard, detail);
    if (status == STATUS_OK) {
        status = open_file(kept, &listener->kept, detail);
    }
    if (status == STATUS_OK) {
        status = start_all(listener, brokers, broker_count, detail);
    }
    if (status != STATUS_OK) {
        load_listener_close(listener);
        return status;
    }
    *ret = listener;
    return STATUS_OK;
}

void load_listener_kept(struct load_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    FILE *file = listener->kept;
    listener->kept = NULL;
    (void)pthread_mutex_unlock(&listener->lock);
    if (file != NULL) {
        (void)fclose(file);
    }
}

void load_listener_close(struct load_listener *listener)
{
    for (uint32_t i = 0; i < listener->link_count; i++) {
        struct mosquitto *client = listener->links[i].client;
        if (client != NULL) {
            (void)mosquitto_disconnect(client);
            (void)mosquitto_loop_stop(client, true);
            mosquitto_destroy(client);
        }
    }
    load_listener_kept(listener);
    if (listener->heard != NULL) {
        (void)fclose(listener->heard);
    }
    for (uint32_t i = 0; i < listener->step_count; i++) {
        free(listener->steps[i]);
    }
    (void)pthread_mutex_destroy(&listener->lock);
    free(listener->links);
    free(listener->seen);
    free(listener);
}

enum status load_listener_step(struct load_listener *listener, int64_t from_us)
{
    struct step *step = calloc(1, sizeof *step);
    if (step == NULL) {
        return STATUS_NO_MEMORY;
    }
    step->from_us = from_us;
    (void)pthread_mutex_lock(&listener->lock);
    bool full = listener->step_count == LOAD_STEPS_MAX;
    if (!full) {
        listener->steps[listener->step_count++] = step;
    }
    (void)pthread_mutex_unlock(&listener->lock);
    if (full) {
        free(step);
    }
    return full ? STATUS_FULL : STATUS_OK;
}

void load_listener_step_alerts(struct load_listener *listener, uint32_t step, struct histogram *ret)
{
    (void)pthread_mutex_lock(&listener->lock);
    ASSERT(step < listener->step_count);
    *ret = listener->steps[step]->took_us;
    (void)pthread_mutex_unlock(&listener->lock);
}

void load_listener_recent(struct load_listener *listener, struct histogram *ret)
{
    (void)pthread_mutex_lock(&listener->lock);
    *ret = listener->recent_us;
    listener->recent_us = (struct histogram){.max = 0};
    (void)pthread_mutex_unlock(&listener->lock);
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
