#include "storage/pg_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buffer.h"

enum {
    PG_MAGIC = 0x50475556,
    POLL_MAGIC = 0x5047504c,
    CONNECT_DEADLINE_MS = 10000,
    BACKOFF_MS_MIN = 100,
    BACKOFF_MS_MAX = 10000,
    COPY_CHUNK_BYTES = 65536,
    COPY_CHUNKS_PER_WAKE = 64,
    HOSTS_MAX = 16,
    KEYWORDS_MAX = 80,
    LIST_BYTES_MAX = 8192,
};

enum pg_state {
    PG_WAITING,    /* next: RESOLVING when the back-off is over */
    PG_RESOLVING,  /* next: CONNECTING; WAITING when no name resolves */
    PG_CONNECTING, /* next: IDLE; WAITING when refused or late */
    PG_IDLE,       /* next: BUSY when asked; WAITING when lost */
    PG_BUSY, /* next: COPYING when the server wants data; IDLE when answered; WAITING when lost */
    PG_COPYING, /* next: BUSY when all is sent; WAITING when lost */
    PG_CLOSING,
};

/* Its own allocation: libpq changes its socket between two polls, and a closed handle must outlive
 * the loop turn. */
struct pg_poll {
    uint32_t magic;
    struct pg_uv *pg;
    uv_poll_t handle;
    int fd;
};

struct pg_uv {
    uint32_t magic;
    enum pg_state state;
    uint32_t generation; /* of the connection: tells whether a callback dropped it */
    uv_loop_t *loop;
    struct pg_uv_callbacks callbacks;
    uint32_t connect_deadline_ms, backoff_ms_max, backoff_ms;
    char *application_name;

    PQconninfoOption *info;
    char *hosts, *hostaddrs, *ports;               /* lists as given; NULL: absent */
    uint32_t host_at;                              /* which of the list is being resolved */
    struct buffer host_list, addr_list, port_list; /* what libpq gets */
    uint32_t list_count;
    char resolve_error[160];
    uv_getaddrinfo_t resolve;

    PGconn *conn;
    struct pg_poll *poll;
    uv_timer_t timer; /* back-off, connect deadline, query deadline: by state */
    uint32_t handles; /* still open: timer, polls, resolve */

    struct pg_uv_query query;
    size_t copy_at;
    PGresult *result;
    struct status_detail last_words; /* of the server, before it ended the connection */

    void (*on_closed)(void *context);
    void *closed_context;
};

static void start_attempt(struct pg_uv *pg);
static void resolve_next(struct pg_uv *pg);

/* One line of libpq's words. */
static void take_words(const char *words, struct status_detail *ret)
{
    size_t used = 0;
    for (; *words != '\0' && used + 2 < sizeof ret->text; words++) {
        if (*words != '\n') {
            ret->text[used++] = *words == '\t' ? ' ' : *words;
        } else if (words[1] != '\0' && used + 3 < sizeof ret->text) {
            ret->text[used++] = ';';
            ret->text[used++] = ' ';
        }
    }
    ret->text[used] = '\0';
}

void pg_uv_words(const PGresult *result, struct status_detail *ret)
{
    take_words(PQresultErrorMessage(result), ret);
}

/* ---- poll handles ---- */

static void release_if_closed(struct pg_uv *pg)
{
    if (pg->state != PG_CLOSING || pg->handles > 0) {
        return;
    }
    void (*on_closed)(void *) = pg->on_closed;
    void *context = pg->closed_context;
    PQconninfoFree(pg->info);
    free(pg->hosts);
    free(pg->hostaddrs);
    free(pg->ports);
    free(pg->application_name);
    buffer_release(&pg->host_list);
    buffer_release(&pg->addr_list);
    buffer_release(&pg->port_list);
    pg->magic = 0;
    free(pg);
    on_closed(context);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct pg_poll *poll = handle->data;
    MAGIC_CHECK(poll, POLL_MAGIC);
    struct pg_uv *pg = poll->pg;
    free(poll);
    pg->handles--;
    release_if_closed(pg);
}

static void poll_close(struct pg_uv *pg)
{
    if (pg->poll != NULL) {
        (void)uv_poll_stop(&pg->poll->handle);
        uv_close((uv_handle_t *)&pg->poll->handle, on_poll_closed);
        pg->poll = NULL;
    }
}

/* ---- losing a connection ---- */

static void on_timer(uv_timer_t *timer);

static void drop_connection(struct pg_uv *pg)
{
    poll_close(pg); /* before PQfinish: the descriptor must be open while libuv lets go of it */
    PQclear(pg->result);
    pg->result = NULL;
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->generation++;
}

static uint32_t jittered(uint32_t ms)
{
    uint32_t random = 0;
    if (uv_random(NULL, NULL, &random, sizeof random, 0, NULL) != 0) {
        random = (uint32_t)uv_hrtime();
    }
    return ms / 2 + random % (ms / 2 + 1);
}

static void lost(struct pg_uv *pg, const struct status_detail *detail)
{
    ASSERT(pg->state != PG_CLOSING);
    struct status_detail copy = *detail; /* it may lie in what drop_connection frees */
    drop_connection(pg);
    pg->state = PG_WAITING;
    pg->backoff_ms = pg->backoff_ms == 0 ? BACKOFF_MS_MIN : pg->backoff_ms * 2;
    if (pg->backoff_ms > pg->backoff_ms_max) {
        pg->backoff_ms = pg->backoff_ms_max;
    }
    ASSERT(uv_timer_start(&pg->timer, on_timer, jittered(pg->backoff_ms), 0) == 0);
    pg->callbacks.on_down(pg->callbacks.context, &copy);
}

static void lost_conn(struct pg_uv *pg)
{
    struct status_detail detail;
    take_words(PQerrorMessage(pg->conn), &detail);
    if (pg->last_words.text[0] != '\0') {
        detail = pg->last_words;
    }
    if (detail.text[0] == '\0') {
        (void)status_detail_set(&detail, STATUS_UNAVAILABLE, "connection lost");
    }
    lost(pg, &detail);
}

static void lost_words(struct pg_uv *pg, const char *words)
{
    struct status_detail detail;
    (void)status_detail_set(&detail, STATUS_UNAVAILABLE, "%s", words);
    lost(pg, &detail);
}

void pg_uv_drop(struct pg_uv *pg, const struct status_detail *detail)
{
    MAGIC_CHECK(pg, PG_MAGIC);
    if (pg->conn != NULL) {
        lost(pg, detail);
    }
}

/* ---- reading and writing ---- */

static void on_poll(uv_poll_t *handle, int status, int events);

static bool poll_start(struct pg_uv *pg, int events)
{
    int fd = PQsocket(pg->conn);
    if (fd < 0) {
        return false;
    }
    if (pg->poll != NULL && pg->poll->fd != fd) {
        poll_close(pg);
    }
    if (pg->poll == NULL) {
        struct pg_poll *poll = calloc(1, sizeof *poll);
        if (poll == NULL) {
            return false;
        }
        *poll = (struct pg_poll){.magic = POLL_MAGIC, .pg = pg, .fd = fd};
        if (uv_poll_init(pg->loop, &poll->handle, fd) != 0) {
            free(poll);
            return false;
        }
        poll->handle.data = poll;
        pg->handles++;
        pg->poll = poll;
    }
    return uv_poll_start(&pg->poll->handle, events, on_poll) == 0;
}

/* Sends what it can. Returns -1: lost; 0: all of it is with the kernel; 1: the socket is full, or
 * there is more for the next turn of the loop. */
static int copy_step(struct pg_uv *pg)
{
    const struct text *copy = pg->query.copy;
    for (int i = 0; i < COPY_CHUNKS_PER_WAKE && pg->copy_at < copy->length; i++) {
        size_t left = copy->length - pg->copy_at;
        size_t bytes = left < COPY_CHUNK_BYTES ? left : COPY_CHUNK_BYTES;
        /* It never says 0, however full the socket: PQflush knows. */
        if (PQputCopyData(pg->conn, copy->at + pg->copy_at, (int)bytes) != 1) {
            return -1;
        }
        pg->copy_at += bytes;
        int flushed = PQflush(pg->conn);
        if (flushed != 0) {
            return flushed;
        }
    }
    if (pg->copy_at < copy->length) {
        return 1;
    }
    if (PQputCopyEnd(pg->conn, NULL) != 1) {
        return -1;
    }
    pg->state = PG_BUSY;
    return PQflush(pg->conn);
}

static void answer(struct pg_uv *pg)
{
    PGresult *result = pg->result;
    pg->result = NULL;
    pg->state = PG_IDLE;
    (void)uv_timer_stop(&pg->timer);
    pg->query.on_answer(pg->callbacks.context, result);
    PQclear(result);
}

/* Keeps the first error, else the last result. */
static void keep_result(struct pg_uv *pg, PGresult *result)
{
    if (pg->result != NULL && PQresultStatus(pg->result) == PGRES_FATAL_ERROR) {
        PQclear(result);
        return;
    }
    PQclear(pg->result);
    pg->result = result;
}

/* What libpq has ready. Returns -1: lost; else as copy_step. An answer ends it: the caller of the
 * query may have asked the next one. */
static int results_step(struct pg_uv *pg)
{
    while (PQisBusy(pg->conn) == 0) {
        PGresult *result = PQgetResult(pg->conn);
        if (result == NULL) {
            answer(pg);
            return 0;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COPY_IN) {
            PQclear(result);
            ASSERT(pg->query.copy != NULL);
            pg->state = PG_COPYING;
            pg->copy_at = 0;
            int sent = copy_step(pg);
            if (sent != 0 || pg->state == PG_COPYING) {
                return sent;
            }
        } else if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(result);
            return -1;
        } else {
            keep_result(pg, result);
        }
    }
    return 0;
}

/* false: a callback dropped or closed the connection. */
static bool give_notifies(struct pg_uv *pg)
{
    uint32_t generation = pg->generation;
    PGnotify *notify;
    while ((notify = PQnotifies(pg->conn)) != NULL) {
        if (pg->callbacks.on_notify != NULL) {
            pg->callbacks.on_notify(pg->callbacks.context, notify->relname, notify->extra);
        }
        PQfreemem(notify);
        if (pg->generation != generation) {
            return false;
        }
    }
    return true;
}

static void watch(struct pg_uv *pg, bool more_to_send)
{
    if (!poll_start(pg, UV_READABLE | (more_to_send ? UV_WRITABLE : 0))) {
        lost_words(pg, "cannot watch the connection: out of memory");
    }
}

static void io_step(struct pg_uv *pg, bool readable)
{
    uint32_t generation = pg->generation;
    if (readable && PQconsumeInput(pg->conn) == 0) {
        lost_conn(pg);
        return;
    }
    if (!give_notifies(pg)) {
        return;
    }
    int sent = PQflush(pg->conn);
    if (sent == 0 && pg->state == PG_COPYING) {
        sent = copy_step(pg);
    }
    if (sent >= 0 && pg->state == PG_BUSY) {
        int next = results_step(pg);
        if (pg->generation != generation) {
            return;
        }
        sent = next != 0 ? next : PQflush(pg->conn);
    }
    if (sent < 0) {
        lost_conn(pg);
        return;
    }
    if (pg->state == PG_BUSY || pg->state == PG_COPYING) {
        (void)uv_timer_again(&pg->timer);
    }
    watch(pg, sent > 0 || pg->state == PG_COPYING);
}

void pg_uv_query(struct pg_uv *pg, const struct pg_uv_query *query)
{
    MAGIC_CHECK(pg, PG_MAGIC);
    ASSERT(pg->state == PG_IDLE && query->deadline_ms > 0 && query->on_answer != NULL);
    pg->query = *query;
    pg->state = PG_BUSY;
    /* repeat = timeout, so that uv_timer_again puts the deadline off by as much */
    ASSERT(uv_timer_start(&pg->timer, on_timer, query->deadline_ms, query->deadline_ms) == 0);
    if (PQsendQuery(pg->conn, query->sql) == 0 || PQflush(pg->conn) < 0) {
        /* Told from the loop, never from inside the caller's call: the socket is watched still, and
         * a deadline of no time ends it. */
        ASSERT(uv_timer_start(&pg->timer, on_timer, 0, 0) == 0);
        return;
    }
    (void)uv_poll_start(&pg->poll->handle, UV_READABLE | UV_WRITABLE, on_poll);
}

/* ---- connecting ---- */

static void connected(struct pg_uv *pg)
{
    if (PQsetnonblocking(pg->conn, 1) != 0) {
        lost_conn(pg);
        return;
    }
    pg->state = PG_IDLE;
    pg->backoff_ms = 0;
    (void)uv_timer_stop(&pg->timer);
    if (!poll_start(pg, UV_READABLE)) {
        lost_words(pg, "cannot watch the connection: out of memory");
        return;
    }
    pg->callbacks.on_up(pg->callbacks.context);
}

static void connect_step(struct pg_uv *pg)
{
    if (pg->poll != NULL) {
        /* libpq may close this socket and open another: libuv must have let go of it */
        (void)uv_poll_stop(&pg->poll->handle);
    }
    int events;
    switch (PQconnectPoll(pg->conn)) {
    case PGRES_POLLING_READING:
        events = UV_READABLE;
        break;
    case PGRES_POLLING_WRITING:
        events = UV_WRITABLE;
        break;
    case PGRES_POLLING_OK:
        connected(pg);
        return;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        lost_conn(pg);
        return;
    }
    if (!poll_start(pg, events)) {
        lost_words(pg, "cannot watch the connection: out of memory");
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct pg_poll *poll = handle->data;
    MAGIC_CHECK(poll, POLL_MAGIC);
    struct pg_uv *pg = poll->pg;
    MAGIC_CHECK(pg, PG_MAGIC);
    if (pg->state == PG_CONNECTING) {
        connect_step(pg);
    } else {
        /* on a poll error libpq shall find out itself what the socket has */
        io_step(pg, status < 0 || (events & UV_READABLE) != 0);
    }
}

/* A server that ends an idle connection says why as if it were a notice. */
static void on_notice(void *context, const PGresult *notice)
{
    struct pg_uv *pg = context;
    MAGIC_CHECK(pg, PG_MAGIC);
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) {
        take_words(PQresultErrorMessage(notice), &pg->last_words);
    }
}

struct keyword_list {
    const char *keywords[KEYWORDS_MAX], *values[KEYWORDS_MAX];
    size_t count;
};

static void add_keyword(struct keyword_list *list, const char *keyword, const char *value)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->keywords[i], keyword) == 0) {
            return; /* what the operator says stands first */
        }
    }
    ASSERT(list->count + 1 < KEYWORDS_MAX);
    list->keywords[list->count] = keyword;
    list->values[list->count++] = value;
}

static PGconn *start_connection(struct pg_uv *pg)
{
    struct keyword_list list = {.count = 0};
    if (pg->list_count > 0) {
        add_keyword(&list, "host", buffer_cstr(&pg->host_list));
        add_keyword(&list, "hostaddr", buffer_cstr(&pg->addr_list));
        add_keyword(&list, "port", buffer_cstr(&pg->port_list));
    }
    for (const PQconninfoOption *option = pg->info; option->keyword != NULL; option++) {
        if (option->val != NULL && option->val[0] != '\0') {
            add_keyword(&list, option->keyword, option->val);
        }
    }
    add_keyword(&list, "application_name", pg->application_name);
    add_keyword(&list, "client_encoding", "UTF8");
    /* looking for Kerberos tickets may ask the network, synchronously */
    add_keyword(&list, "gssencmode", "disable");
    add_keyword(&list, "keepalives_idle", "10");
    add_keyword(&list, "keepalives_interval", "5");
    add_keyword(&list, "keepalives_count", "3");
    add_keyword(&list, "tcp_user_timeout", "30000");
    list.keywords[list.count] = NULL;
    return PQconnectStartParams(list.keywords, list.values, 0);
}

static void connect_now(struct pg_uv *pg)
{
    pg->state = PG_CONNECTING;
    pg->conn = start_connection(pg);
    if (pg->conn == NULL) {
        lost_words(pg, "out of memory");
        return;
    }
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        lost_conn(pg);
        return;
    }
    (void)PQsetNoticeReceiver(pg->conn, on_notice, pg);
    pg->last_words.text[0] = '\0';
    ASSERT(uv_timer_start(&pg->timer, on_timer, pg->connect_deadline_ms, 0) == 0);
    if (!poll_start(pg, UV_WRITABLE)) {
        lost_words(pg, "cannot watch the connection: out of memory");
    }
}

/* ---- resolving ---- */

/* Element `at` of a comma separated list; of a list of one, that one. false: beyond the end. */
static bool list_element(const char *list, uint32_t at, bool one_for_all, struct text *ret)
{
    if (list == NULL) {
        *ret = TEXT("");
        return false;
    }
    bool single = strchr(list, ',') == NULL;
    for (uint32_t i = 0; i < at && !(single && one_for_all); i++) {
        list = strchr(list, ',');
        if (list == NULL) {
            *ret = TEXT("");
            return false;
        }
        list++;
    }
    *ret = (struct text){list, strcspn(list, ",")};
    return true;
}

static void add_host(struct pg_uv *pg, struct text host, struct text addr)
{
    struct text port;
    (void)list_element(pg->ports, pg->host_at, true, &port);
    if (pg->list_count++ > 0) {
        buffer_text(&pg->host_list, ",");
        buffer_text(&pg->addr_list, ",");
        buffer_text(&pg->port_list, ",");
    }
    buffer_append(&pg->host_list, host.at, host.length);
    buffer_append(&pg->addr_list, addr.at, addr.length);
    buffer_append(&pg->port_list, port.at, port.length);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct pg_uv *pg = request->data;
    MAGIC_CHECK(pg, PG_MAGIC);
    pg->handles--;
    if (pg->state == PG_CLOSING) {
        uv_freeaddrinfo(found);
        release_if_closed(pg);
        return;
    }
    struct text host;
    (void)list_element(pg->hosts, pg->host_at, false, &host);
    if (status != 0) {
        struct status_detail words;
        (void)status_detail_set(&words, STATUS_UNAVAILABLE, "host %.*s: %s", TEXT_FMT(host),
                                uv_strerror(status));
        words.text[sizeof pg->resolve_error - 1] = '\0';
        memcpy(pg->resolve_error, words.text, sizeof pg->resolve_error);
    }
    for (struct addrinfo *at = found; at != NULL && pg->list_count < HOSTS_MAX; at = at->ai_next) {
        char name[64];
        if (uv_ip_name(at->ai_addr, name, sizeof name) == 0) {
            add_host(pg, host, text_of(name));
        }
    }
    uv_freeaddrinfo(found);
    pg->host_at++;
    resolve_next(pg);
}

static bool is_numeric(const char *host)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    return uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
}

/* true: the answer comes in on_resolved. */
static bool resolve_host(struct pg_uv *pg, struct text host)
{
    char name[256];
    if (host.length >= sizeof name) {
        return false;
    }
    memcpy(name, host.at, host.length);
    name[host.length] = '\0';
    if (is_numeric(name)) {
        add_host(pg, host, host);
        return false;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    pg->resolve.data = pg;
    if (uv_getaddrinfo(pg->loop, &pg->resolve, on_resolved, name, NULL, &hints) != 0) {
        return false;
    }
    pg->handles++;
    return true;
}

static void resolve_next(struct pg_uv *pg)
{
    struct text host, addr;
    while (list_element(pg->hosts, pg->host_at, false, &host) && pg->list_count < HOSTS_MAX) {
        (void)list_element(pg->hostaddrs, pg->host_at, false, &addr);
        bool local = host.length == 0 || host.at[0] == '/' || host.at[0] == '@';
        if (addr.length > 0 || local) {
            add_host(pg, host, addr);
        } else if (resolve_host(pg, host)) {
            return;
        }
        pg->host_at++;
    }
    if (pg->hosts != NULL && pg->list_count == 0) {
        lost_words(pg, pg->resolve_error[0] != '\0' ? pg->resolve_error : "no host resolves");
        return;
    }
    connect_now(pg);
}

static void start_attempt(struct pg_uv *pg)
{
    pg->state = PG_RESOLVING;
    pg->host_at = 0;
    pg->list_count = 0;
    pg->resolve_error[0] = '\0';
    buffer_clear(&pg->host_list);
    buffer_clear(&pg->addr_list);
    buffer_clear(&pg->port_list);
    resolve_next(pg);
}

static void on_timer(uv_timer_t *timer)
{
    struct pg_uv *pg = timer->data;
    MAGIC_CHECK(pg, PG_MAGIC);
    switch (pg->state) {
    case PG_WAITING:
        start_attempt(pg);
        break;
    case PG_CONNECTING:
        lost_words(pg, "no answer to the connection attempt");
        break;
    case PG_BUSY:
    case PG_COPYING:
        if (timer->repeat == 0) { /* pg_uv_query could not send */
            lost_conn(pg);
        } else {
            lost_words(pg, "no answer to a query");
        }
        break;
    case PG_RESOLVING: /* the resolver has its own time-out */
    case PG_IDLE:
    case PG_CLOSING:
        break;
    }
}

/* ---- lifecycle ---- */

static const char *setting(const PQconninfoOption *info, const char *keyword)
{
    for (; info != NULL && info->keyword != NULL; info++) {
        if (strcmp(info->keyword, keyword) == 0 && info->val != NULL && info->val[0] != '\0') {
            return info->val;
        }
    }
    return NULL;
}

/* false: no memory. */
static bool copy_setting(const char *value, char **ret)
{
    *ret = value != NULL ? strdup(value) : NULL;
    return value == NULL || *ret != NULL;
}

/* What the operator says of the place, else what the environment says, as libpq would read it. */
static bool copy_place(struct pg_uv *pg, const PQconninfoOption *defaults)
{
    const char *hostaddr = setting(pg->info, "hostaddr"), *host = setting(pg->info, "host");
    const char *port = setting(pg->info, "port");
    if (host == NULL && hostaddr == NULL) {
        hostaddr = setting(defaults, "hostaddr");
        host = setting(defaults, "host");
    }
    port = port != NULL ? port : setting(defaults, "port");
    return copy_setting(hostaddr, &pg->hostaddrs) && copy_setting(host, &pg->hosts) &&
           copy_setting(port, &pg->ports);
}

static enum status read_conninfo(struct pg_uv *pg, const char *conninfo,
                                 struct status_detail *detail)
{
    char *words = NULL;
    pg->info = PQconninfoParse(conninfo, &words);
    if (pg->info == NULL) {
        enum status status =
            status_detail_set(detail, STATUS_INVALID, "conninfo: %s", words != NULL ? words : "");
        PQfreemem(words);
        return status;
    }
    if (setting(pg->info, "service") != NULL) {
        return status_detail_set(
            detail, STATUS_INVALID,
            "conninfo: service= is not taken here: write host, port and dbname");
    }
    PQconninfoOption *defaults = PQconndefaults();
    bool copied = defaults != NULL && copy_place(pg, defaults);
    PQconninfoFree(defaults);
    return copied ? STATUS_OK
                  : status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a connection");
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct pg_uv *pg = handle->data;
    MAGIC_CHECK(pg, PG_MAGIC);
    pg->handles--;
    release_if_closed(pg);
}

static void ignore_closed(void *context)
{
    (void)context;
}

enum status pg_uv_open(uv_loop_t *loop, const struct pg_uv_options *options,
                       const struct pg_uv_callbacks *callbacks, struct pg_uv **ret,
                       struct status_detail *detail)
{
    struct pg_uv *pg = calloc(1, sizeof *pg);
    if (pg == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a connection");
    }
    pg->magic = PG_MAGIC;
    pg->loop = loop;
    pg->callbacks = *callbacks;
    pg->connect_deadline_ms =
        options->connect_deadline_ms > 0 ? options->connect_deadline_ms : CONNECT_DEADLINE_MS;
    pg->backoff_ms_max = options->backoff_ms_max > 0 ? options->backoff_ms_max : BACKOFF_MS_MAX;
    buffer_init(&pg->host_list, LIST_BYTES_MAX);
    buffer_init(&pg->addr_list, LIST_BYTES_MAX);
    buffer_init(&pg->port_list, LIST_BYTES_MAX);
    enum status status = read_conninfo(pg, options->conninfo, detail);
    pg->application_name = strdup(options->application_name);
    if (status == STATUS_OK && pg->application_name == NULL) {
        status = status_detail_set(detail, STATUS_NO_MEMORY, "no memory for a connection");
    }
    if (status != STATUS_OK) {
        pg->state = PG_CLOSING; /* no handle is open yet: this frees it */
        pg->on_closed = ignore_closed;
        release_if_closed(pg);
        return status;
    }
    ASSERT(uv_timer_init(loop, &pg->timer) == 0);
    pg->timer.data = pg;
    pg->handles = 1;
    pg->state = PG_WAITING;
    ASSERT(uv_timer_start(&pg->timer, on_timer, 0, 0) == 0);
    *ret = pg;
    return STATUS_OK;
}

void pg_uv_close(struct pg_uv *pg, void (*on_closed)(void *context), void *context)
{
    MAGIC_CHECK(pg, PG_MAGIC);
    ASSERT(pg->state != PG_CLOSING);
    if (pg->state == PG_RESOLVING) {
        (void)uv_cancel((uv_req_t *)&pg->resolve); /* on_resolved comes either way */
    }
    drop_connection(pg);
    pg->state = PG_CLOSING;
    pg->on_closed = on_closed;
    pg->closed_context = context;
    uv_close((uv_handle_t *)&pg->timer, on_timer_closed);
}
