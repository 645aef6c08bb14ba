#include "bench/load/conn_pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/mqtt_wire.h"
#include "bench/load/outbox.h"

enum { CONN_MAGIC = 0x4c434f4e, POOL_MAGIC = 0x4c504f4f, TICK_MS = 10, READ_BYTES = 4096 };
enum { FIRST_TRIES = 3, BACKOFF_MIN_MS = 250, BACKOFF_MAX_MS = 8000, CONNECT_BYTES_MAX = 1024 };
static const int64_t answer_us = 10000000; /* from connect to CONNACK */
static const int64_t second_us = 1000000;

/* idle -> connecting -> greeting -> up; each of them -> closing -> resting -> connecting, or gone */
enum conn_state {
    CONN_IDLE,       /* not begun */
    CONN_CONNECTING, /* no answer to SYN yet */
    CONN_GREETING,   /* no CONNACK yet */
    CONN_UP,
    CONN_CLOSING, /* the handle is being closed */
    CONN_RESTING, /* until due_us */
    CONN_GONE
};

struct conn {
    uint32_t magic;
    int fd;
    uv_poll_t poll;
    struct conn_pool *pool;
    struct outbox outbox;
    int64_t due_us;    /* connecting, greeting: at the latest; resting: the next try */
    int64_t active_us; /* up: when the last bytes left */
    uint32_t pending;  /* its place in pool->pending */
    struct mqtt_reader reader;
    uint8_t state, tries;
    bool dirty, writing, pinged, was_up;
};

struct conn_pool {
    uint32_t magic;
    struct conn_pool_options options;
    uv_loop_t *loop;
    uv_timer_t timer;
    struct conn *conns;
    uint32_t *pending; /* connecting to resting: those that the timer looks at */
    uint32_t *dirty;   /* published since the last flush */
    uint32_t pending_count, dirty_count, begun, connecting, up, unsent;
    int64_t began_us, looked_us, pinged_us;
    uint64_t losses, pings, messages;
    enum status status;
    struct status_detail detail;
    bool closing;
};

static struct conn *conn_of(void *context)
{
    struct conn *conn = context;
    MAGIC_CHECK(conn, CONN_MAGIC);
    return conn;
}

static uint32_t index_of(const struct conn *conn)
{
    return (uint32_t)(conn - conn->pool->conns);
}

static const struct conn_target *target_of(const struct conn *conn)
{
    const struct conn_pool_options *options = &conn->pool->options;
    return &options->targets[options->places[index_of(conn)].target];
}

static void pend(struct conn *conn)
{
    struct conn_pool *pool = conn->pool;
    conn->pending = pool->pending_count;
    pool->pending[pool->pending_count++] = index_of(conn);
}

static void unpend(struct conn *conn)
{
    struct conn_pool *pool = conn->pool;
    uint32_t last = pool->pending[--pool->pending_count];
    pool->pending[conn->pending] = last;
    pool->conns[last].pending = conn->pending;
}

/* ---- ends ---- */

static void fail(struct conn_pool *pool, enum status status, const char *words)
{
    if (pool->status == STATUS_OK) {
        pool->status = status_detail_set(&pool->detail, status, "%s", words);
    }
}

static int64_t backoff_us(const struct conn *conn)
{
    uint32_t shift = conn->tries < 6 ? conn->tries : 6;
    int64_t ms = (int64_t)BACKOFF_MIN_MS << shift;
    ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
    /* spread, so that the connections of a broker do not come back as one */
    return ms * 500 + (int64_t)(index_of(conn) * 2654435761u % 1000) * ms / 2;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = conn_of(handle->data);
    ASSERT(conn->state == CONN_CLOSING);
    if (conn->pool->closing) {
        conn->state = CONN_GONE;
        return;
    }
    conn->state = CONN_RESTING;
    conn->due_us = clock_mono_us() + backoff_us(conn);
    conn->tries = (uint8_t)(conn->tries < 100 ? conn->tries + 1 : conn->tries);
}

static void shut(struct conn *conn)
{
    struct conn_pool *pool = conn->pool;
    pool->connecting -= conn->state == CONN_CONNECTING || conn->state == CONN_GREETING;
    if (conn->state == CONN_UP) {
        pool->up--;
        pend(conn);
    }
    conn->state = CONN_CLOSING;
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    (void)close(conn->fd);
    conn->fd = -1;
}

/* error: errno; 0: the broker closed it. */
static const char *end_words(const struct conn *conn, int error)
{
    if (!conn->was_up && (error == 0 || error == ECONNRESET || error == EPIPE)) {
        return "it closed the connection before it answered: raise its limit of open files (ulimit "
               "-n, LimitNOFILE) or name more brokers";
    }
    return error == 0 ? "it closed the connection" : strerror(error);
}

/* A connection that never was up gets some tries, then the pool gives up with these words. */
static void lose(struct conn *conn, enum status status, const char *words)
{
    struct conn_pool *pool = conn->pool;
    if (conn->was_up) {
        pool->losses += conn->state == CONN_UP;
    } else if (conn->tries + 1 >= FIRST_TRIES || status == STATUS_DENIED) {
        char text[400];
        (void)snprintf(text, sizeof text, "broker %s: %s", target_of(conn)->name, words);
        fail(pool, status, text);
    }
    shut(conn);
    pool->unsent -= conn->outbox.sent < conn->outbox.end;
    outbox_rewind(&conn->outbox);
    pool->unsent += conn->outbox.sent < conn->outbox.end;
}

/* ---- up: bytes out and in ---- */

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct conn *conn, bool writing)
{
    conn->writing = writing;
    ASSERT(uv_poll_start(&conn->poll, writing ? UV_READABLE | UV_WRITABLE : UV_READABLE,
                         on_event) == 0);
}

static void write_out(struct conn *conn)
{
    struct text unsent = outbox_unsent(&conn->outbox);
    if (unsent.length == 0) {
        return;
    }
    ssize_t wrote = send(conn->fd, unsent.at, unsent.length, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
        lose(conn, STATUS_UNAVAILABLE, strerror(errno));
        return;
    }
    outbox_sent(&conn->outbox, wrote > 0 ? (size_t)wrote : 0);
    conn->active_us = conn->pool->looked_us;
    bool more = wrote < (ssize_t)unsent.length;
    conn->pool->unsent -= !more;
    if (more != conn->writing) {
        watch(conn, more);
    }
}

static void take_connack(struct conn *conn, const struct mqtt_answer *answer)
{
    struct conn_pool *pool = conn->pool;
    if (conn->state != CONN_GREETING) {
        lose(conn, STATUS_INVALID, "it sent a second CONNACK");
    } else if (answer->code != 0) {
        /* what is only unavailable may come; all else stays as it is */
        lose(conn, answer->code == 3 ? STATUS_UNAVAILABLE : STATUS_DENIED,
             mqtt_refusal_words(answer->code));
    } else {
        unpend(conn);
        pool->connecting--;
        pool->up++;
        conn->state = CONN_UP;
        conn->was_up = true;
        conn->pinged = false;
        conn->tries = 0;
        conn->active_us = pool->looked_us;
        write_out(conn);
    }
}

static void take_answer(struct conn *conn, const struct mqtt_answer *answer)
{
    uint32_t note = 0;
    switch (answer->type) {
    case MQTT_CONNACK:
        take_connack(conn, answer);
        break;
    case MQTT_PUBACK: {
        enum status status = conn->state == CONN_UP ? outbox_acked(&conn->outbox, answer->id, &note)
                                                    : STATUS_NOT_FOUND;
        if (status == STATUS_OK) {
            conn->pool->options.on_acked(conn->pool->options.context, note);
        } else if (status == STATUS_NOT_FOUND) {
            lose(conn, STATUS_INVALID, "it acknowledged a message that is not under way");
        }
        break;
    }
    case MQTT_PINGRESP:
        conn->pinged = false;
        break;
    }
}

static void read_in(struct conn *conn)
{
    uint8_t bytes[READ_BYTES];
    ssize_t got = recv(conn->fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        lose(conn, STATUS_UNAVAILABLE, end_words(conn, got < 0 ? errno : 0));
        return;
    }
    const uint8_t *at = bytes;
    struct mqtt_answer answer;
    struct status_detail detail;
    while (conn->state == CONN_GREETING || conn->state == CONN_UP) {
        enum status status = mqtt_read(&conn->reader, &at, bytes + got, &answer, &detail);
        if (status == STATUS_END) {
            return;
        }
        if (status != STATUS_OK) {
            lose(conn, status, detail.text);
            return;
        }
        take_answer(conn, &answer);
    }
}

/* ---- coming up ---- */

static void greet(struct conn *conn)
{
    const struct conn_pool_options *options = &conn->pool->options;
    const struct conn_target *target = target_of(conn);
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        lose(conn, STATUS_UNAVAILABLE, end_words(conn, error != 0 ? error : errno));
        return;
    }
    char id[64];
    (void)snprintf(id, sizeof id, "%s-%u", options->client_prefix,
                   options->places[index_of(conn)].number);
    struct mqtt_connect connect = {.client_id = text_of(id), .keepalive_s = options->keepalive_s};
    if (target->user != NULL) {
        connect.user = text_of(target->user);
        connect.password =
            target->password != NULL ? text_of(target->password) : (struct text){NULL, 0};
    }
    uint8_t packet[CONNECT_BYTES_MAX];
    size_t bytes = mqtt_connect_bytes(&connect);
    if (bytes == 0 || bytes > sizeof packet) {
        lose(conn, STATUS_DENIED, "user name and password are too long");
        return;
    }
    (void)mqtt_put_connect(&connect, packet);
    ssize_t sent = send(conn->fd, packet, bytes, MSG_NOSIGNAL);
    if (sent != (ssize_t)bytes) { /* a new socket has room for more than this */
        lose(conn, STATUS_UNAVAILABLE, end_words(conn, sent < 0 ? errno : EAGAIN));
        return;
    }
    conn->state = CONN_GREETING;
    watch(conn, false);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = conn_of(poll->data);
    if (conn->state == CONN_CONNECTING) {
        greet(conn);
        return;
    }
    if (status < 0 || (events & UV_READABLE) != 0) {
        read_in(conn); /* it names the error */
    }
    if (conn->state == CONN_UP && (events & UV_WRITABLE) != 0) {
        write_out(conn);
    }
}

static bool bind_source(int fd, uint16_t source_no)
{
    if (source_no == 0) {
        return true;
    }
    int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffu) + source_no);
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
           bind(fd, (const struct sockaddr *)&source, sizeof source) == 0;
}

/* A socket on its way to the broker, or -1 with errno. */
static int connect_socket(const struct conn_target *target, uint16_t source_no)
{
    int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    /* a report that waits for the acknowledgement of the last one would be late by our own doing */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!bind_source(fd, source_no) ||
        (connect(fd, (const struct sockaddr *)&target->address, target->address_bytes) != 0 &&
         errno != EINPROGRESS)) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static const char *connect_error_words(int error)
{
    return error == EMFILE || error == ENFILE ? "no more open files here: raise ulimit -n"
           : error == EADDRNOTAVAIL           ? "no source port is free for one more connection"
                                              : strerror(error);
}

static void begin(struct conn *conn)
{
    struct conn_pool *pool = conn->pool;
    conn->fd = connect_socket(target_of(conn), pool->options.places[index_of(conn)].source_no);
    if (conn->fd < 0) {
        char text[400];
        (void)snprintf(text, sizeof text, "broker %s: %s", target_of(conn)->name,
                       connect_error_words(errno));
        if (!conn->was_up && conn->tries + 1 >= FIRST_TRIES) {
            fail(pool, STATUS_UNAVAILABLE, text);
        }
        conn->state = CONN_RESTING;
        conn->due_us = pool->looked_us + backoff_us(conn);
        conn->tries = (uint8_t)(conn->tries < 100 ? conn->tries + 1 : conn->tries);
        return;
    }
    ASSERT(uv_poll_init(pool->loop, &conn->poll, conn->fd) == 0);
    conn->poll.data = conn;
    conn->state = CONN_CONNECTING;
    conn->reader = (struct mqtt_reader){.have = 0};
    conn->writing = false;
    conn->due_us = pool->looked_us + answer_us;
    pool->connecting++;
    ASSERT(uv_poll_start(&conn->poll, UV_WRITABLE, on_event) == 0);
}

static void begin_more(struct conn_pool *pool)
{
    const struct conn_pool_options *options = &pool->options;
    uint64_t allowed = (uint64_t)((double)(pool->looked_us - pool->began_us) *
                                  options->connects_per_s / (double)second_us);
    while (pool->begun < options->count && pool->begun < allowed &&
           pool->connecting < options->connecting_max) {
        struct conn *conn = &pool->conns[pool->begun++];
        pend(conn);
        begin(conn);
    }
}

static void look_at_pending(struct conn_pool *pool)
{
    for (uint32_t i = 0; i < pool->pending_count; i++) {
        struct conn *conn = &pool->conns[pool->pending[i]];
        if (conn->state == CONN_RESTING && conn->due_us <= pool->looked_us &&
            pool->connecting < pool->options.connecting_max) {
            begin(conn);
        } else if ((conn->state == CONN_CONNECTING || conn->state == CONN_GREETING) &&
                   conn->due_us <= pool->looked_us) {
            lose(conn, STATUS_TIMEOUT, "it did not answer for 10 s");
        }
    }
}

static void ping(struct conn *conn)
{
    uint8_t packet[MQTT_SHORT_BYTES];
    if (conn->pinged) {
        lose(conn, STATUS_TIMEOUT, "it did not answer a ping");
        return;
    }
    mqtt_put_pingreq(packet);
    if (conn->outbox.sent == conn->outbox.end && /* else bytes leave anyway */
        send(conn->fd, packet, sizeof packet, MSG_NOSIGNAL) == (ssize_t)sizeof packet) {
        conn->pinged = true;
        conn->active_us = conn->pool->looked_us;
        conn->pool->pings++;
    }
}

static void ping_idle(struct conn_pool *pool)
{
    pool->pinged_us = pool->looked_us;
    int64_t patience_us = (int64_t)pool->options.keepalive_s * second_us - second_us;
    for (uint32_t i = 0; i < pool->begun; i++) {
        struct conn *conn = &pool->conns[i];
        if (conn->state == CONN_UP && pool->looked_us - conn->active_us >= patience_us) {
            ping(conn);
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct conn_pool *pool = timer->data;
    MAGIC_CHECK(pool, POOL_MAGIC);
    pool->looked_us = clock_mono_us();
    begin_more(pool);
    look_at_pending(pool);
    if (pool->options.keepalive_s > 0 && pool->looked_us - pool->pinged_us >= second_us) {
        ping_idle(pool);
    }
}

/* ---- the pool ---- */

enum status conn_pool_open(uv_loop_t *loop, const struct conn_pool_options *options,
                           struct conn_pool **ret, struct status_detail *detail)
{
    struct conn_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    pool->conns = calloc(options->count, sizeof *pool->conns);
    pool->pending = calloc(options->count, sizeof *pool->pending);
    pool->dirty = calloc(options->count, sizeof *pool->dirty);
    if (pool->conns == NULL || pool->pending == NULL || pool->dirty == NULL) {
        conn_pool_free(pool);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %u connections",
                                 options->count);
    }
    pool->magic = POOL_MAGIC;
    pool->options = *options;
    pool->loop = loop;
    for (uint32_t i = 0; i < options->count; i++) {
        pool->conns[i].magic = CONN_MAGIC;
        pool->conns[i].pool = pool;
        pool->conns[i].fd = -1;
    }
    ASSERT(uv_timer_init(loop, &pool->timer) == 0);
    pool->timer.data = pool;
    *ret = pool;
    return STATUS_OK;
}

static void say_goodbye(const struct conn *conn)
{
    uint8_t packet[MQTT_SHORT_BYTES];
    if (conn->state == CONN_UP && conn->outbox.sent == conn->outbox.end) {
        mqtt_put_disconnect(packet);
        (void)send(conn->fd, packet, sizeof packet, MSG_NOSIGNAL);
    }
}

void conn_pool_close(struct conn_pool *pool)
{
    pool->closing = true;
    uv_close((uv_handle_t *)&pool->timer, NULL);
    for (uint32_t i = 0; i < pool->begun; i++) {
        struct conn *conn = &pool->conns[i];
        if (conn->fd >= 0) {
            say_goodbye(conn);
            shut(conn);
        }
    }
}

void conn_pool_free(struct conn_pool *pool)
{
    for (uint32_t i = 0; pool->conns != NULL && i < pool->options.count; i++) {
        outbox_release(&pool->conns[i].outbox);
    }
    free(pool->conns);
    free(pool->pending);
    free(pool->dirty);
    free(pool);
}

void conn_pool_connect(struct conn_pool *pool)
{
    pool->began_us = pool->looked_us = clock_mono_us();
    ASSERT(uv_timer_start(&pool->timer, on_timer, 1, TICK_MS) == 0);
}

enum status conn_pool_status(const struct conn_pool *pool, struct status_detail *detail)
{
    return pool->status == STATUS_OK
               ? STATUS_OK
               : status_detail_set(detail, pool->status, "%s", pool->detail.text);
}

bool conn_pool_full(const struct conn_pool *pool, uint32_t no)
{
    ASSERT(no < pool->options.count);
    return outbox_full(&pool->conns[no].outbox);
}

enum status conn_pool_publish(struct conn_pool *pool, uint32_t no, struct text topic,
                              struct text payload, uint32_t note)
{
    ASSERT(no < pool->options.count);
    struct conn *conn = &pool->conns[no];
    bool had = conn->outbox.sent < conn->outbox.end;
    enum status status = pool->options.qos == 0
                             ? outbox_tell(&conn->outbox, topic, payload)
                             : outbox_publish(&conn->outbox, topic, payload, note);
    if (status != STATUS_OK) {
        return status;
    }
    pool->messages++;
    pool->unsent += !had;
    if (!conn->dirty) {
        conn->dirty = true;
        pool->dirty[pool->dirty_count++] = no;
    }
    return STATUS_OK;
}

void conn_pool_flush(struct conn_pool *pool)
{
    pool->looked_us = pool->dirty_count > 0 ? clock_mono_us() : pool->looked_us;
    for (uint32_t i = 0; i < pool->dirty_count; i++) {
        struct conn *conn = &pool->conns[pool->dirty[i]];
        conn->dirty = false;
        if (conn->state == CONN_UP && !conn->writing) {
            write_out(conn);
        }
    }
    pool->dirty_count = 0;
}

void conn_pool_counts(const struct conn_pool *pool, struct conn_pool_counts *ret)
{
    *ret = (struct conn_pool_counts){.up = pool->up,
                                     .waiting = pool->options.count - pool->up + pool->unsent,
                                     .losses = pool->losses,
                                     .pings = pool->pings,
                                     .messages = pool->messages};
}
