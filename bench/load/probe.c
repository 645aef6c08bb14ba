#include "bench/load/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "core/event.h"
#include "proto/codec.h"

enum {
    AWAITED_MAX = 1 << 16,
    KEEPALIVE_S = 30,
    CONNECT_WAIT_MS = 10000,
    ANSWER_WAIT_MS = 30000,
    AGAIN_MS = 500
};

/* Where the question stands. */
enum pg_state {
    PG_AWAY,       /* next: CONNECTING after AGAIN_MS */
    PG_CONNECTING, /* next: PREPARING; AWAY if refused or at the deadline */
    PG_PREPARING,  /* next: IDLE; AWAY if lost, refused or at the deadline */
    PG_IDLE,       /* next: ASKED when a row is awaited */
    PG_ASKED       /* next: IDLE; AWAY if lost, refused or at the deadline */
};

struct awaited {
    uint64_t seq;
    int64_t due_us, time_ms;
};

struct load_probe {
    pthread_t thread;
    atomic_bool stop;
    struct mosquitto *client;
    char conninfo[1024], card[TEXT_ID_MAX + 1], topic[2 * TEXT_ID_MAX + 64];
    struct geo_point place;
    uint32_t epoch;
    int64_t every_us, start_us;
    /* the thread's */
    PGconn *pg;
    enum pg_state pg_state;
    PostgresPollingStatusType polling;
    int64_t pg_since_us; /* of the state */
    uint64_t due;        /* the next report, from 0 */
    struct buffer payload;
    /* under the lock */
    pthread_mutex_t lock;
    struct awaited *ring; /* of AWAITED_MAX; numbers rise */
    uint32_t first;
    struct load_probe_state state;
    struct histogram all, step;
};

/* ---- sending ---- */

static void send_report(struct load_probe *probe, const struct awaited *next)
{
    struct wire_event event = {.event = {.time_ms = next->time_ms,
                                         .type = EVENT_FIX,
                                         .kind = FIX_GNSS,
                                         .flags = EVENT_HAS_ACCURACY,
                                         .datum = GEO_WGS84,
                                         .point = probe->place,
                                         .accuracy_cm = 500}};
    struct wire_report report = {
        .epoch = probe->epoch, .seq = next->seq, .event_count = 1, .events = &event};
    buffer_clear(&probe->payload);
    encode_card_report(&probe->payload, &report);
    ASSERT(buffer_status(&probe->payload) == STATUS_OK);
    /* not connected: the client keeps it, and it is late then */
    (void)mosquitto_publish(probe->client, NULL, probe->topic, (int)probe->payload.size,
                            probe->payload.data, 1, false);
}

static void send_due(struct load_probe *probe, int64_t now_us)
{
    for (;; probe->due++) {
        int64_t due_us = probe->start_us + (int64_t)probe->due * probe->every_us;
        if (due_us > now_us) {
            return;
        }
        (void)pthread_mutex_lock(&probe->lock);
        struct awaited next = {probe->state.sent + 1, due_us, clock_wall_ms()};
        bool room = probe->state.awaited < AWAITED_MAX;
        if (room) {
            probe->ring[(probe->first + probe->state.awaited++) % AWAITED_MAX] = next;
            probe->state.sent++;
        } else {
            probe->state.skipped++;
        }
        (void)pthread_mutex_unlock(&probe->lock);
        if (room) {
            send_report(probe, &next);
        }
    }
}

/* Everything up to this number can be read: a card's reports are archived in their order. */
static void take_rows(struct load_probe *probe, uint64_t seq, int64_t now_us)
{
    (void)pthread_mutex_lock(&probe->lock);
    struct load_probe_state *state = &probe->state;
    while (state->awaited > 0 && probe->ring[probe->first].seq <= seq) {
        uint64_t took_us = (uint64_t)(now_us - probe->ring[probe->first].due_us);
        histogram_add(&probe->all, took_us);
        histogram_add(&probe->step, took_us);
        state->behind_ms = (double)took_us / 1000;
        state->archived++;
        state->awaited--;
        probe->first = (probe->first + 1) % AWAITED_MAX;
    }
    (void)pthread_mutex_unlock(&probe->lock);
}

/* ---- asking ---- */

static void enter(struct load_probe *probe, enum pg_state state, int64_t now_us)
{
    probe->pg_state = state;
    probe->pg_since_us = now_us;
}

static void lose(struct load_probe *probe, const char *words, int64_t now_us)
{
    (void)pthread_mutex_lock(&probe->lock);
    struct load_probe_state *state = &probe->state;
    (void)snprintf(state->trouble, sizeof state->trouble, "%s", words);
    state->trouble[strcspn(state->trouble, "\r\n")] = '\0';
    state->losses++;
    (void)pthread_mutex_unlock(&probe->lock);
    PQfinish(probe->pg);
    probe->pg = NULL;
    enter(probe, PG_AWAY, now_us);
}

static void connect_step(struct load_probe *probe, int64_t now_us)
{
    probe->polling = PQconnectPoll(probe->pg);
    if (probe->polling == PGRES_POLLING_FAILED) {
        lose(probe, PQerrorMessage(probe->pg), now_us);
    } else if (probe->polling == PGRES_POLLING_OK) {
        /* of the probe's epoch, and not older than what is awaited: an index and a day */
        int sent =
            PQsendPrepare(probe->pg, "newest",
                          "SELECT max(seq) FROM campus.fix WHERE card_no ="
                          " (SELECT no FROM campus.card WHERE id = $1::text AND valid LIMIT 1)"
                          " AND epoch = $2::bigint"
                          " AND \"time\" > to_timestamp($3::bigint / 1000) - interval '1 second'"
                          " AND arrived > to_timestamp($3::bigint / 1000) - interval '1 day'",
                          3, NULL);
        (void)pthread_mutex_lock(&probe->lock);
        probe->state.trouble[0] = '\0';
        (void)pthread_mutex_unlock(&probe->lock);
        enter(probe, PG_PREPARING, now_us);
        if (sent != 1) {
            lose(probe, PQerrorMessage(probe->pg), now_us);
        }
    }
}

static void ask(struct load_probe *probe, int64_t now_us)
{
    (void)pthread_mutex_lock(&probe->lock);
    int64_t oldest_ms = probe->state.awaited > 0 ? probe->ring[probe->first].time_ms : 0;
    (void)pthread_mutex_unlock(&probe->lock);
    if (oldest_ms == 0) {
        return;
    }
    char epoch[16], since[24];
    (void)snprintf(epoch, sizeof epoch, "%" PRIu32, probe->epoch);
    (void)snprintf(since, sizeof since, "%" PRId64, oldest_ms);
    const char *const values[] = {probe->card, epoch, since};
    if (PQsendQueryPrepared(probe->pg, "newest", 3, values, NULL, NULL, 0) != 1) {
        lose(probe, PQerrorMessage(probe->pg), now_us);
        return;
    }
    enter(probe, PG_ASKED, now_us);
}

static void take_answer(struct load_probe *probe, int64_t now_us)
{
    if (PQconsumeInput(probe->pg) != 1) {
        lose(probe, PQerrorMessage(probe->pg), now_us);
        return;
    }
    while (PQisBusy(probe->pg) == 0) {
        PGresult *result = PQgetResult(probe->pg);
        if (result == NULL) {
            enter(probe, PG_IDLE, now_us);
            return;
        }
        bool rows = PQresultStatus(result) == PGRES_TUPLES_OK;
        bool good = rows || PQresultStatus(result) == PGRES_COMMAND_OK;
        if (rows && PQntuples(result) == 1 && PQgetisnull(result, 0, 0) == 0) {
            take_rows(probe, strtoull(PQgetvalue(result, 0, 0), NULL, 10), now_us);
        }
        PQclear(result);
        if (!good) {
            lose(probe, PQerrorMessage(probe->pg), now_us);
            return;
        }
    }
}

static void pg_step(struct load_probe *probe, int64_t now_us)
{
    switch (probe->pg_state) {
    case PG_AWAY:
        if (now_us - probe->pg_since_us >= (int64_t)AGAIN_MS * 1000) {
            probe->pg = PQconnectStart(probe->conninfo);
            probe->polling = PGRES_POLLING_WRITING;
            enter(probe, PG_CONNECTING, now_us);
            if (PQstatus(probe->pg) == CONNECTION_BAD) {
                lose(probe, PQerrorMessage(probe->pg), now_us);
            }
        }
        return;
    case PG_CONNECTING:
        connect_step(probe, now_us);
        break;
    case PG_IDLE:
        ask(probe, now_us);
        break;
    case PG_PREPARING:
    case PG_ASKED:
        take_answer(probe, now_us);
        break;
    }
    bool owed = probe->pg_state != PG_IDLE && probe->pg_state != PG_AWAY;
    if (owed && now_us - probe->pg_since_us > (int64_t)ANSWER_WAIT_MS * 1000) {
        lose(probe, "no answer", now_us);
    }
}

/* Until the socket has something for us, or the next tick. */
static void wait_a_tick(const struct load_probe *probe, int64_t tick_us)
{
    int64_t left_ms = (tick_us - clock_mono_us() + 999) / 1000;
    int timeout = left_ms < 0 ? 0 : left_ms > PROBE_ASK_MS ? PROBE_ASK_MS : (int)left_ms;
    bool listens = probe->pg_state == PG_CONNECTING || probe->pg_state == PG_PREPARING ||
                   probe->pg_state == PG_ASKED;
    bool writes = probe->pg_state == PG_CONNECTING && probe->polling == PGRES_POLLING_WRITING;
    struct pollfd socket = {.fd = listens ? PQsocket(probe->pg) : -1,
                            .events = writes ? POLLOUT : POLLIN};
    (void)poll(&socket, 1, timeout);
}

static void *run(void *data)
{
    struct load_probe *probe = data;
    int64_t tick_us = clock_mono_us();
    while (!atomic_load(&probe->stop)) {
        int64_t now_us = clock_mono_us();
        send_due(probe, now_us);
        /* an answer is taken as it comes, a question is asked at ticks */
        if (probe->pg_state != PG_IDLE || now_us >= tick_us) {
            pg_step(probe, now_us);
        }
        if (now_us >= tick_us) {
            tick_us = now_us + (int64_t)PROBE_ASK_MS * 1000;
        }
        wait_a_tick(probe, tick_us);
    }
    return NULL;
}

/* ---- lifecycle ---- */

static enum status connect_broker(struct load_probe *probe, const struct load_broker *broker,
                                  struct status_detail *detail)
{
    char id[64];
    (void)snprintf(id, sizeof id, "campus-load-%ld-probe", (long)getpid());
    probe->client = mosquitto_new(id, true, NULL);
    if (probe->client == NULL ||
        (broker->url.user[0] != '\0' &&
         mosquitto_username_pw_set(probe->client, broker->url.user, broker->password) != 0)) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    (void)mosquitto_reconnect_delay_set(probe->client, 1, 4, true);
    int error = mosquitto_connect(probe->client, broker->url.host, broker->url.port, KEEPALIVE_S);
    if (error == MOSQ_ERR_SUCCESS) {
        error = mosquitto_loop_start(probe->client);
    }
    const char *words = error == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(error);
    return error == MOSQ_ERR_SUCCESS
               ? STATUS_OK
               : status_detail_set(detail, STATUS_UNAVAILABLE, "broker %s:%d: %s", broker->url.host,
                                   broker->url.port, words);
}

static enum status start(struct load_probe *probe, const struct load_probe_options *options,
                         struct status_detail *detail)
{
    enum status status = connect_broker(probe, options->broker, detail);
    if (status != STATUS_OK) {
        return status;
    }
    probe->start_us = clock_mono_us();
    if (pthread_create(&probe->thread, NULL, run, probe) != 0) {
        return status_detail_set(detail, STATUS_UNAVAILABLE, "no thread for the probe");
    }
    return STATUS_OK;
}

static void release(struct load_probe *probe)
{
    if (probe->client != NULL) {
        (void)mosquitto_disconnect(probe->client);
        (void)mosquitto_loop_stop(probe->client, true);
        mosquitto_destroy(probe->client);
    }
    PQfinish(probe->pg);
    buffer_release(&probe->payload);
    (void)pthread_mutex_destroy(&probe->lock);
    free(probe->ring);
    free(probe);
}

enum status load_probe_open(const struct load_probe_options *options, struct load_probe **ret,
                            struct status_detail *detail)
{
    struct load_probe *probe = calloc(1, sizeof *probe);
    struct awaited *ring = calloc(AWAITED_MAX, sizeof *ring);
    if (probe == NULL || ring == NULL) {
        free(probe);
        free(ring);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    ASSERT(options->per_s > 0);
    probe->ring = ring;
    probe->place = options->place;
    probe->epoch = options->epoch;
    probe->every_us = (int64_t)(1e6 / options->per_s);
    probe->pg_since_us = INT64_MIN / 2; /* connect at once */
    buffer_init(&probe->payload, 4096);
    ASSERT(pthread_mutex_init(&probe->lock, NULL) == 0);
    bool fits = strlen(options->conninfo) < sizeof probe->conninfo &&
                strlen(options->card) < sizeof probe->card &&
                strlen(options->topic) < sizeof probe->topic;
    (void)snprintf(probe->conninfo, sizeof probe->conninfo, "%s", options->conninfo);
    (void)snprintf(probe->card, sizeof probe->card, "%s", options->card);
    (void)snprintf(probe->topic, sizeof probe->topic, "%s", options->topic);
    enum status status = fits
                             ? start(probe, options, detail)
                             : status_detail_set(detail, STATUS_TOO_LARGE,
                                                 "--pg has over %zu bytes", sizeof probe->conninfo);
    if (status != STATUS_OK) {
        release(probe);
        return status;
    }
    *ret = probe;
    return STATUS_OK;
}

void load_probe_close(struct load_probe *probe)
{
    atomic_store(&probe->stop, true);
    (void)pthread_join(probe->thread, NULL);
    release(probe);
}

/* ---- what was found ---- */

void load_probe_look(struct load_probe *probe, struct load_probe_state *ret)
{
    int64_t now_us = clock_mono_us();
    (void)pthread_mutex_lock(&probe->lock);
    *ret = probe->state;
    double oldest_ms =
        ret->awaited > 0 ? (double)(now_us - probe->ring[probe->first].due_us) / 1000 : 0;
    (void)pthread_mutex_unlock(&probe->lock);
    ret->behind_ms = oldest_ms > ret->behind_ms ? oldest_ms : ret->behind_ms;
}

void load_probe_take(struct load_probe *probe, struct histogram *ret)
{
    int64_t now_us = clock_mono_us();
    (void)pthread_mutex_lock(&probe->lock);
    *ret = probe->step;
    probe->step = (struct histogram){0};
    for (uint32_t i = 0; i < probe->state.awaited; i++) {
        int64_t age_us = now_us - probe->ring[(probe->first + i) % AWAITED_MAX].due_us;
        histogram_add(ret, age_us > 0 ? (uint64_t)age_us : 0);
    }
    (void)pthread_mutex_unlock(&probe->lock);
}

void load_probe_begin(struct load_probe *probe)
{
    (void)pthread_mutex_lock(&probe->lock);
    probe->all = probe->step = (struct histogram){0};
    (void)pthread_mutex_unlock(&probe->lock);
}

void load_probe_all(struct load_probe *probe, struct histogram *ret)
{
    (void)pthread_mutex_lock(&probe->lock);
    *ret = probe->all;
    (void)pthread_mutex_unlock(&probe->lock);
}

/* ---- its card ---- */

enum status load_probe_card(const char *path, const struct load_cards *used,
                            struct load_cards *ret_file, struct load_probe_options *options,
                            struct status_detail *detail)
{
    struct load_cards file;
    enum status status = load_cards_read(&file, path, used->count + 1, 0, detail);
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < file.count; i++) {
        const struct load_card *card = &file.items[i];
        if (load_cards_find(used, text_of(card->id)) == LOAD_NONE) {
            options->card = card->id;
            options->topic = card->topic;
            options->place = card->inside;
            *ret_file = file;
            return STATUS_OK;
        }
    }
    load_cards_release(&file);
    return status_detail_set(detail, STATUS_NOT_FOUND, "%s: no card is left for the probe", path);
}
