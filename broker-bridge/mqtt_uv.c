#include "broker-bridge/mqtt_uv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "broker-bridge/mqtt_url.h"

#define LINK_MAGIC    0x4d514c4bu /* "MQLK" */
#define RESOLVE_MAGIC 0x4d515253u /* "MQRS" */

/* loop_misc sends PINGREQ and sees that a peer fell silent; its clock has seconds. */
#define UPKEEP_MS 1000
/* QoS 0 publishes that the socket has not taken: beyond, a broker that does not read costs memory.
 */
#define UNSENT_MAX    8192u
#define MIDS          65536u
#define ADDRESSES_MAX 8u

/* Where the connection stands. What the owner wants stands apart: `closing` and `pauses`. */
enum link_state {
    /* Back-off, timer runs. next: RESOLVING when it ends and nobody pauses us; CLOSED by close */
    LINK_WAITING,
    /* Paused while not connected. next: RESOLVING by resume; CLOSED by close */
    LINK_PARKED,
    /* Name to addresses, deadline runs. next: CONNECTING if found; WAITING if not or at the
     * deadline; CLOSED by close */
    LINK_RESOLVING,
    /* TCP and CONNECT are on their way, same deadline. next: SUBSCRIBING at CONNACK; WAITING if
     * refused, lost or at the deadline; CLOSED by close */
    LINK_CONNECTING,
    /* SUBSCRIBE is on its way, same deadline. next: UP at SUBACK (at once without subscriptions);
     * WAITING if refused, lost or at the deadline; CLOSED by close */
    LINK_SUBSCRIBING,
    /* next: WAITING when lost; CLOSED by close */
    LINK_UP,
    /* Handles are closing. next: none */
    LINK_CLOSED,
};

/* One uv_getaddrinfo: it may outlive the attempt and the link that wanted it. */
struct resolve {
    uint32_t magic;
    uv_getaddrinfo_t request;
    struct mqtt_link *link; /* NULL: nobody wants it any more */
};

struct mqtt_link {
    uint32_t magic;
    uv_loop_t *loop;
    struct mqtt_link_callbacks callbacks;
    struct mqtt_url url;
    char name[MQTT_NAME_MAX];
    char **subscriptions;
    uint32_t subscription_count;
    uint32_t keepalive_s, connect_timeout_ms, backoff_min_ms, backoff_max_ms;
    uint32_t burst_max, backlog_max, inflight_max;

    enum link_state state;
    uint32_t pauses;
    bool closing, session_present, subscribed;
    bool lost; /* on_disconnect came, or a reason to give up was found: lost_words */
    bool held; /* a burst waits for its release: nothing is read; nothing is written */
    uint16_t last_mid;
    struct mosquitto *mosq;
    struct resolve *resolve;
    char addresses[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    uint32_t address_count, address_next;
    uint32_t failures; /* attempts since the connection last held for a while */
    uint64_t up_since_ms;

    uv_timer_t timer; /* RESOLVING to SUBSCRIBING: deadline; WAITING: back-off */
    uv_timer_t upkeep;
    uv_poll_t *poll; /* NULL without a socket; own memory, since it closes after the link lost it */
    int poll_events;
    uint32_t handles; /* open ones, polls included */

    /* Inside a call of libmosquitto: what callbacks ask for is done when it has returned. */
    uint32_t inside;
    struct status_detail lost_words;
    /* Packets that had an effect, ever, and at the last look at the deadline. */
    uint64_t progress, deadline_progress;

    uint32_t burst;                /* messages delivered since the last release */
    uint8_t unconfirmed[MIDS / 8]; /* bit = mid of a QoS 1 publish of ours without PUBACK */
    uint32_t inflight, unsent;

    struct mqtt_link_stats stats;
    void (*on_closed)(void *context);
    void *closed_context;
};

static void start_attempt(struct mqtt_link *link);
static void lose(struct mqtt_link *link);

static struct mqtt_link *link_of(void *data)
{
    struct mqtt_link *link = data;
    MAGIC_CHECK(link, LINK_MAGIC);
    return link;
}

/* ---- our own publishes by mid ---- */

static bool is_unconfirmed(const struct mqtt_link *link, uint32_t mid)
{
    return (link->unconfirmed[mid / 8] >> (mid % 8) & 1) != 0;
}

static void set_unconfirmed(struct mqtt_link *link, uint32_t mid, bool on)
{
    uint8_t bit = (uint8_t)(1u << (mid % 8));
    if (on) {
        link->unconfirmed[mid / 8] |= bit;
    } else {
        link->unconfirmed[mid / 8] &= (uint8_t)~bit;
    }
}

/* libmosquitto counts 1..65535 and does not look whether the number is still in use. */
static bool next_mid_is_free(const struct mqtt_link *link)
{
    uint16_t next = (uint16_t)(link->last_mid + 1);
    return !is_unconfirmed(link, next == 0 ? 1 : next);
}

/* ---- the socket on the loop ---- */

static void finish_close(struct mqtt_link *link)
{
    if (link->handles > 0) {
        return;
    }
    void (*on_closed)(void *context) = link->on_closed;
    void *context = link->closed_context;
    for (uint32_t i = 0; i < link->subscription_count; i++) {
        free(link->subscriptions[i]);
    }
    free(link->subscriptions);
    mosquitto_destroy(link->mosq);
    (void)mosquitto_lib_cleanup();
    link->magic = 0;
    free(link);
    if (on_closed != NULL) {
        on_closed(context);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct mqtt_link *link = link_of(handle->data);
    link->handles--;
    finish_close(link);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct mqtt_link *link = link_of(handle->data);
    free(handle);
    link->handles--;
    if (link->state == LINK_CLOSED) {
        finish_close(link);
    }
}

static void drop_poll(struct mqtt_link *link)
{
    if (link->poll != NULL) {
        (void)uv_poll_stop(link->poll);
        uv_close((uv_handle_t *)link->poll, on_poll_closed);
        link->poll = NULL;
    }
    (void)uv_timer_stop(&link->upkeep);
}

/* Remembers the first reason; acted upon by `settle`. */
static void give_up(struct mqtt_link *link, const char *words)
{
    if (!link->lost) {
        link->lost = true;
        (void)status_detail_set(&link->lost_words, STATUS_UNAVAILABLE, "%s", words);
    }
}

/* libmosquitto's outcome in words; error is errno as it was right behind the call. */
static void give_up_with(struct mqtt_link *link, int outcome, int error)
{
    give_up(link, outcome == MOSQ_ERR_KEEPALIVE   ? "the broker fell silent"
                  : outcome != MOSQ_ERR_ERRNO     ? mosquitto_strerror(outcome)
                  : error != 0 && error != EAGAIN ? strerror(error)
                                                  : "connection lost");
}

static bool is_connected(const struct mqtt_link *link)
{
    return link->state == LINK_CONNECTING || link->state == LINK_SUBSCRIBING ||
           link->state == LINK_UP;
}

/* A pause does not keep us from hearing the CONNACK. */
static bool is_paused(const struct mqtt_link *link)
{
    return link->pauses > 0 && link->state != LINK_CONNECTING;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void update_poll(struct mqtt_link *link)
{
    if (link->poll == NULL) {
        return;
    }
    int events = UV_DISCONNECT;
    if (!link->held) {
        events |= is_paused(link) ? 0 : UV_READABLE;
        events |= link->burst == 0 && mosquitto_want_write(link->mosq) ? UV_WRITABLE : 0;
    }
    if (events != link->poll_events) {
        link->poll_events = events;
        int failed = uv_poll_start(link->poll, events, on_poll);
        ASSERT(failed == 0);
    }
}

/* Writes what is queued, acknowledgements included: never while a burst is read or held. */
static void flush(struct mqtt_link *link)
{
    if (link->held || link->burst > 0 || link->lost || link->inside > 0 || !is_connected(link)) {
        return;
    }
    link->inside++;
    errno = 0;
    int failed = mosquitto_loop_write(link->mosq, 1);
    int error = errno;
    link->inside--;
    if (failed != MOSQ_ERR_SUCCESS) {
        give_up_with(link, failed, error);
    }
}

static void become_up(struct mqtt_link *link)
{
    link->state = LINK_UP;
    link->up_since_ms = uv_now(link->loop);
    link->stats.connects++;
    (void)uv_timer_stop(&link->timer);
    if (link->callbacks.on_up != NULL) {
        link->inside++; /* what it publishes or closes is seen to by our caller */
        link->callbacks.on_up(link->callbacks.context, link, link->session_present);
        link->inside--;
    }
}

static void end_burst(struct mqtt_link *link)
{
    if (link->burst == 0 || link->held || link->lost || link->closing) {
        return;
    }
    link->held = true;
    link->stats.bursts++;
    if (link->callbacks.on_burst != NULL) {
        link->inside++;
        link->callbacks.on_burst(link->callbacks.context, link);
        link->inside--;
    }
}

/* After every entry from outside: follow up what callbacks left, then wait for the right events. */
static void settle(struct mqtt_link *link)
{
    if (link->inside > 0 || link->state == LINK_CLOSED) {
        return;
    }
    bool answered = link->subscribed || link->subscription_count == 0;
    if (link->state == LINK_SUBSCRIBING && answered && !link->lost && !link->closing) {
        become_up(link);
    }
    if (is_paused(link)) {
        end_burst(link); /* nothing is read that would end it */
    }
    if (!link->lost && !link->closing && mosquitto_want_write(link->mosq)) {
        flush(link);
    }
    if (link->lost && !link->closing) {
        lose(link);
        return;
    }
    update_poll(link);
}

/* Does more wait? What TLS has read already is not seen: then the burst ends earlier. */
static bool is_readable(const struct mqtt_link *link)
{
    int bytes = 0;
    return ioctl(mosquitto_socket(link->mosq), FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Reads until nothing comes, the turn is over, or the owner has had enough. EAGAIN alone does not say
 * that nothing came: libmosquitto's internal pair leaves it behind after packets that had an effect. */
static void read_burst(struct mqtt_link *link)
{
    const uint32_t most = link->backlog_max > link->burst_max ? link->backlog_max : link->burst_max;
    bool goes_on = true;
    link->inside++;
    for (uint32_t i = 0; i < link->burst_max && goes_on; i++) {
        uint64_t before = link->progress;
        errno = 0;
        int failed = mosquitto_loop_read(link->mosq, 1);
        int error = errno;
        if (failed != MOSQ_ERR_SUCCESS) {
            give_up_with(link, failed, error);
        }
        goes_on = !link->lost && !link->closing && !is_paused(link) && link->burst < most &&
                  (link->progress != before || (error != EAGAIN && error != EWOULDBLOCK));
    }
    link->inside--;
    if (!goes_on || most == link->burst_max || !is_readable(link)) {
        end_burst(link);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct mqtt_link *link = link_of(poll->data);
    if (poll != link->poll || link->lost) {
        return;
    }
    if (status < 0) {
        int error = 0;
        socklen_t size = sizeof error;
        (void)getsockopt(mosquitto_socket(link->mosq), SOL_SOCKET, SO_ERROR, &error, &size);
        give_up(link, error != 0 ? strerror(error) : "connection lost");
    } else if (link->held || is_paused(link)) {
        if ((events & UV_WRITABLE) != 0) {
            flush(link);
        }
        if ((events & UV_DISCONNECT) != 0) {
            give_up(link, "closed by the broker");
        }
    } else {
        if ((events & UV_WRITABLE) != 0) {
            flush(link);
        }
        if (!link->lost && (events & (UV_READABLE | UV_DISCONNECT)) != 0) {
            read_burst(link);
        }
    }
    settle(link);
}

static void on_upkeep(uv_timer_t *timer)
{
    struct mqtt_link *link = link_of(timer->data);
    link->inside++;
    int failed = mosquitto_loop_misc(link->mosq);
    int error = errno;
    link->inside--;
    if (failed != MOSQ_ERR_SUCCESS) {
        give_up_with(link, failed, error);
    }
    settle(link);
}

static bool open_poll(struct mqtt_link *link)
{
    int fd = mosquitto_socket(link->mosq);
    uv_poll_t *poll = fd >= 0 ? calloc(1, sizeof *poll) : NULL;
    if (poll == NULL || uv_poll_init(link->loop, poll, fd) != 0) {
        free(poll);
        return false;
    }
    poll->data = link;
    link->poll = poll;
    link->poll_events = 0;
    link->handles++;
    int failed = uv_timer_start(&link->upkeep, on_upkeep, UPKEEP_MS, UPKEEP_MS);
    ASSERT(failed == 0);
    return true;
}

/* ---- losing and trying again ---- */

static void on_timer(uv_timer_t *timer);

static void wait_backoff(struct mqtt_link *link)
{
    uint64_t delay_ms = link->backoff_min_ms;
    for (uint32_t i = 0; i < link->failures && delay_ms < link->backoff_max_ms; i++) {
        delay_ms *= 2;
    }
    delay_ms = delay_ms < link->backoff_max_ms ? delay_ms : link->backoff_max_ms;
    uint32_t random = 0;
    (void)uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
    delay_ms -= delay_ms / 2 * (random % 1024) / 1024; /* the half to the whole of it */
    link->failures++;
    link->state = LINK_WAITING;
    int failed = uv_timer_start(&link->timer, on_timer, delay_ms, 0);
    ASSERT(failed == 0);
}

/* The connection or the attempt is over. Its descriptor may be closed already. */
static void lose(struct mqtt_link *link)
{
    const struct status_detail words = link->lost_words;
    drop_poll(link);
    int fd = mosquitto_socket(link->mosq);
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR); /* libmosquitto closes it at the next attempt */
    }
    if (link->resolve != NULL) {
        link->resolve->link = NULL;
        (void)uv_cancel((uv_req_t *)&link->resolve->request);
        link->resolve = NULL;
    }
    if (link->state == LINK_UP) {
        link->stats.losses++;
        if (uv_now(link->loop) - link->up_since_ms > link->backoff_max_ms) {
            link->failures = 0;
        }
    }
    link->lost = link->held = false;
    link->burst = link->unsent = 0;
    wait_backoff(link);
    if (link->callbacks.on_down != NULL) {
        link->inside++;
        link->callbacks.on_down(link->callbacks.context, link, &words);
        link->inside--;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct mqtt_link *link = link_of(timer->data);
    if (link->state == LINK_WAITING) {
        start_attempt(link);
        return;
    }
    bool moving = link->progress != link->deadline_progress;
    if (link->held || is_paused(link) || (link->state == LINK_SUBSCRIBING && moving)) {
        /* Not the broker keeps us waiting but we it, or the SUBACK stands behind a long backlog. */
        link->deadline_progress = link->progress;
        (void)uv_timer_start(&link->timer, on_timer, link->connect_timeout_ms, 0);
        return;
    }
    give_up(link, link->state == LINK_RESOLVING    ? "no address within the connect deadline"
                  : link->state == LINK_CONNECTING ? "no answer within the connect deadline"
                                                   : "no answer to SUBSCRIBE within the deadline");
    settle(link);
}

static void start_connecting(struct mqtt_link *link)
{
    const char *address = link->addresses[link->address_next++ % link->address_count];
    link->state = LINK_CONNECTING;
    link->inside++;
    int failed =
        mosquitto_connect_async(link->mosq, address, link->url.port, (int)link->keepalive_s);
    int error = errno;
    link->inside--;
    if (failed > MOSQ_ERR_SUCCESS) {
        give_up_with(link, failed, error);
    } else if (!open_poll(link)) {
        give_up(link, "the socket cannot be watched (too many open files?)");
    }
    settle(link);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct resolve *resolve = request->data;
    MAGIC_CHECK(resolve, RESOLVE_MAGIC);
    struct mqtt_link *link = resolve->link;
    free(resolve);
    if (link == NULL) {
        uv_freeaddrinfo(found);
        return;
    }
    link = link_of(link);
    ASSERT(link->state == LINK_RESOLVING);
    link->resolve = NULL;
    link->address_count = 0;
    for (const struct addrinfo *at = found; at != NULL && link->address_count < ADDRESSES_MAX;
         at = at->ai_next) {
        char *text = link->addresses[link->address_count];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, INET6_ADDRSTRLEN, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            link->address_count++;
        }
    }
    uv_freeaddrinfo(found);
    if (link->address_count > 0) {
        start_connecting(link);
        return;
    }
    give_up(link, status < 0 ? uv_strerror(status) : "the name has no address");
    settle(link);
}

static void start_resolving(struct mqtt_link *link)
{
    unsigned char numeric[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, link->url.host, numeric) == 1 ||
        inet_pton(AF_INET6, link->url.host, numeric) == 1) {
        link->address_count = 1;
        (void)snprintf(link->addresses[0], INET6_ADDRSTRLEN, "%.*s", INET6_ADDRSTRLEN - 1,
                       link->url.host);
        start_connecting(link);
        return;
    }
    struct resolve *resolve = calloc(1, sizeof *resolve);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int failed = UV_ENOMEM;
    if (resolve != NULL) {
        resolve->magic = RESOLVE_MAGIC;
        resolve->link = link;
        resolve->request.data = resolve;
        failed = uv_getaddrinfo(link->loop, &resolve->request, on_resolved, link->url.host, NULL,
                                &hints);
    }
    if (failed == 0) {
        link->resolve = resolve;
        return;
    }
    free(resolve);
    give_up(link, uv_strerror(failed));
    settle(link);
}

static void start_attempt(struct mqtt_link *link)
{
    if (link->pauses > 0) {
        link->state = LINK_PARKED;
        return;
    }
    link->state = LINK_RESOLVING;
    link->lost = link->subscribed = false;
    link->deadline_progress = link->progress;
    int failed = uv_timer_start(&link->timer, on_timer, link->connect_timeout_ms, 0);
    ASSERT(failed == 0);
    start_resolving(link);
}

/* ---- libmosquitto's callbacks: they only note; `settle` acts ---- */

static void subscribe(struct mqtt_link *link)
{
    link->state = LINK_SUBSCRIBING;
    if (link->subscription_count == 0) {
        return;
    }
    int mid = 0;
    int failed = mosquitto_subscribe_multiple(link->mosq, &mid, (int)link->subscription_count,
                                              link->subscriptions, 1, 0, NULL);
    link->last_mid = (uint16_t)mid;
    if (failed != MOSQ_ERR_SUCCESS) {
        give_up(link, mosquitto_strerror(failed));
    }
}

static void on_connect(struct mosquitto *mosq, void *data, int code, int flags)
{
    struct mqtt_link *link = link_of(data);
    (void)mosq;
    link->progress++;
    if (code != 0) {
        give_up(link, mosquitto_connack_string(code));
        return;
    }
    link->session_present = (flags & 1) != 0;
    subscribe(link);
}

static void on_subscribe(struct mosquitto *mosq, void *data, int mid, int count, const int *granted)
{
    struct mqtt_link *link = link_of(data);
    (void)mosq;
    (void)mid;
    link->progress++;
    for (int i = 0; i < count; i++) {
        if (granted[i] > 2) {
            (void)status_detail_set(&link->lost_words, STATUS_DENIED,
                                    "the broker refuses the subscription %s",
                                    link->subscriptions[i]);
            link->lost = true;
            return;
        }
    }
    link->subscribed = true;
}

static void on_disconnect(struct mosquitto *mosq, void *data, int code)
{
    struct mqtt_link *link = link_of(data);
    int error = errno;
    (void)mosq;
    give_up_with(link, code, error);
    drop_poll(link); /* the descriptor is closed by now and its number may be used again soon */
}

static void on_message(struct mosquitto *mosq, void *data, const struct mosquitto_message *message)
{
    struct mqtt_link *link = link_of(data);
    (void)mosq;
    link->progress++;
    link->burst++;
    link->stats.received++;
    link->stats.received_bytes += (uint64_t)message->payloadlen;
    if (link->callbacks.on_message != NULL && !link->closing) {
        const struct text payload = {message->payload != NULL ? message->payload : "",
                                     (size_t)message->payloadlen};
        link->callbacks.on_message(link->callbacks.context, link, text_of(message->topic), payload);
    }
}

static void on_publish(struct mosquitto *mosq, void *data, int mid)
{
    struct mqtt_link *link = link_of(data);
    (void)mosq;
    link->progress++;
    if (mid < 0 || (uint32_t)mid >= MIDS || !is_unconfirmed(link, (uint32_t)mid)) {
        link->unsent -= link->unsent > 0 ? 1 : 0; /* QoS 0: written to the socket */
        return;
    }
    set_unconfirmed(link, (uint32_t)mid, false);
    ASSERT(link->inflight > 0);
    link->inflight--;
    link->stats.confirmed++;
    if (link->callbacks.on_published != NULL && !link->closing) {
        link->callbacks.on_published(link->callbacks.context, link, mid);
    }
}

/* ---- opening ---- */

static enum status copy_subscriptions(struct mqtt_link *link, const char *const *subscriptions)
{
    uint32_t count = 0;
    while (subscriptions != NULL && subscriptions[count] != NULL) {
        count++;
    }
    link->subscriptions = calloc((size_t)count + 1, sizeof *link->subscriptions);
    for (uint32_t i = 0; link->subscriptions != NULL && i < count; i++) {
        link->subscriptions[i] = strdup(subscriptions[i]);
        if (link->subscriptions[i] == NULL) {
            return STATUS_NO_MEMORY;
        }
        link->subscription_count++;
    }
    return link->subscriptions != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status open_mosquitto(struct mqtt_link *link, const struct mqtt_link_options *options)
{
    (void)mosquitto_lib_init();
    link->mosq = mosquitto_new(options->client_id, options->clean_session, link);
    if (link->mosq == NULL) {
        return STATUS_NO_MEMORY;
    }
    /* Acknowledgements stay queued until loop_write: the whole point of this file. */
    int failed = mosquitto_threaded_set(link->mosq, true);
    failed = failed != 0 ? failed
                         : mosquitto_max_inflight_messages_set(link->mosq, options->inflight_max);
    if (failed == 0 && link->url.user[0] != '\0') {
        failed = mosquitto_username_pw_set(link->mosq, link->url.user, options->password);
    }
    mosquitto_connect_with_flags_callback_set(link->mosq, on_connect);
    mosquitto_disconnect_callback_set(link->mosq, on_disconnect);
    mosquitto_subscribe_callback_set(link->mosq, on_subscribe);
    mosquitto_message_callback_set(link->mosq, on_message);
    mosquitto_publish_callback_set(link->mosq, on_publish);
    return failed == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

static void open_timers(struct mqtt_link *link)
{
    int failed = uv_timer_init(link->loop, &link->timer);
    ASSERT(failed == 0);
    failed = uv_timer_init(link->loop, &link->upkeep);
    ASSERT(failed == 0);
    link->timer.data = link->upkeep.data = link;
    link->handles = 2;
}

enum status mqtt_link_open(uv_loop_t *loop, const struct mqtt_link_options *options,
                           const struct mqtt_link_callbacks *callbacks, struct mqtt_link **ret,
                           struct status_detail *detail)
{
    ASSERT(options->burst_max > 0 && options->inflight_max > 0 && options->inflight_max < MIDS / 2);
    ASSERT(options->keepalive_s >= 5 && options->backoff_min_ms <= options->backoff_max_ms);
    struct mqtt_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a broker's connection");
    }
    link->magic = LINK_MAGIC;
    link->loop = loop;
    link->callbacks = *callbacks;
    link->keepalive_s = options->keepalive_s;
    link->connect_timeout_ms = options->connect_timeout_ms;
    link->backoff_min_ms = options->backoff_min_ms;
    link->backoff_max_ms = options->backoff_max_ms;
    link->burst_max = options->burst_max;
    link->backlog_max = options->backlog_max;
    link->inflight_max = options->inflight_max;
    enum status status = mqtt_url_parse(options->url, &link->url, detail);
    if (status != STATUS_OK) {
        free(link);
        return status;
    }
    mqtt_url_name(&link->url, link->name);
    status = copy_subscriptions(link, options->subscriptions);
    if (status == STATUS_OK) {
        status = open_mosquitto(link, options);
    }
    if (status != STATUS_OK) {
        link->on_closed = NULL;
        finish_close(link);
        return status_detail_set(detail, status, "%s: %s", options->url, status_words(status));
    }
    open_timers(link);
    link->state = LINK_WAITING; /* the first attempt starts from the loop, never inside this call */
    int failed = uv_timer_start(&link->timer, on_timer, 0, 0);
    ASSERT(failed == 0);
    *ret = link;
    return STATUS_OK;
}

/* ---- what the owner asks for ---- */

static void say_goodbye(struct mqtt_link *link)
{
    if (link->state != LINK_UP || link->held || link->burst > 0 || link->lost) {
        return; /* writing would acknowledge what is not durable */
    }
    link->inside++;
    if (mosquitto_disconnect(link->mosq) == MOSQ_ERR_SUCCESS) {
        (void)mosquitto_loop_write(link->mosq, 1);
    }
    link->inside--;
}

static void on_close_now(uv_timer_t *timer)
{
    struct mqtt_link *link = link_of(timer->data);
    ASSERT(link->inside == 0 && link->state != LINK_CLOSED);
    say_goodbye(link);
    drop_poll(link);
    if (link->resolve != NULL) {
        link->resolve->link = NULL;
        (void)uv_cancel((uv_req_t *)&link->resolve->request);
        link->resolve = NULL;
    }
    link->state = LINK_CLOSED;
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
    uv_close((uv_handle_t *)&link->upkeep, on_handle_closed);
}

void mqtt_link_close(struct mqtt_link *link, void (*on_closed)(void *context), void *context)
{
    link = link_of(link);
    ASSERT(!link->closing);
    link->closing = true;
    link->on_closed = on_closed;
    link->closed_context = context;
    /* From the loop, since we may be inside a callback of libmosquitto. */
    int failed = uv_timer_start(&link->timer, on_close_now, 0, 0);
    ASSERT(failed == 0);
}

void mqtt_link_release(struct mqtt_link *link)
{
    link = link_of(link);
    if (!link->held) {
        return; /* the burst went with its connection */
    }
    link->held = false;
    link->burst = 0;
    flush(link);
    settle(link);
}

void mqtt_link_pause(struct mqtt_link *link)
{
    link = link_of(link);
    link->pauses++;
    settle(link);
}

void mqtt_link_resume(struct mqtt_link *link)
{
    link = link_of(link);
    ASSERT(link->pauses > 0);
    link->pauses--;
    if (link->pauses == 0 && link->state == LINK_PARKED && !link->closing) {
        start_attempt(link);
        return;
    }
    settle(link);
}

void mqtt_link_drop(struct mqtt_link *link, const char *reason)
{
    link = link_of(link);
    if (is_connected(link)) {
        give_up(link, reason);
        settle(link);
    }
}

enum status mqtt_link_publish(struct mqtt_link *link, const char *topic, struct text payload,
                              int qos, int *ret_mid)
{
    link = link_of(link);
    ASSERT(qos == 0 || qos == 1);
    if (link->state != LINK_UP || link->lost || link->closing) {
        return STATUS_UNAVAILABLE;
    }
    bool full = qos == 1 ? link->inflight >= link->inflight_max : link->unsent >= UNSENT_MAX;
    if (full || !next_mid_is_free(link)) {
        return STATUS_FULL;
    }
    int mid = 0;
    int failed =
        mosquitto_publish(link->mosq, &mid, topic, (int)payload.length, payload.at, qos, false);
    if (failed != MOSQ_ERR_SUCCESS) {
        return failed == MOSQ_ERR_NOMEM     ? STATUS_FULL
               : failed == MOSQ_ERR_NO_CONN ? STATUS_UNAVAILABLE
                                            : STATUS_INVALID;
    }
    link->last_mid = (uint16_t)mid;
    link->stats.published++;
    if (qos == 1) {
        set_unconfirmed(link, (uint32_t)mid, true);
        link->inflight++;
    } else {
        link->unsent++;
    }
    if (ret_mid != NULL) {
        *ret_mid = mid;
    }
    update_poll(link); /* leaves with the next turn of the loop, together with others */
    return STATUS_OK;
}

bool mqtt_link_is_up(const struct mqtt_link *link)
{
    return link->state == LINK_UP && !link->lost && !link->closing;
}

const char *mqtt_link_name(const struct mqtt_link *link)
{
    return link->name;
}

void mqtt_link_stats(const struct mqtt_link *link, struct mqtt_link_stats *ret)
{
    *ret = link->stats;
}
