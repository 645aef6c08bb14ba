/* A generator process: its share of the connections, and the feed that tells it what to send when. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/fleet_internal.h"

enum { GENERATOR_MAGIC = 0x4c47454e, TELL_MS = 20, BURST_MAX = 4096, PAYLOAD_BYTES = 1 << 20 };
/* Connections under way at once to one broker, whose queue of the kernel holds a hundred. */
enum { CONNECTING_PER_BROKER = 64 };
/* Of 28,232 that the kernel gives one address by default. It tries those of one parity first, one after the other: where
 * they are used up each connect walks past all of them, a millisecond. */
enum { SOURCE_PORTS = 12000 };
/* A gateway's message is sent before one more report could make it longer than campusd takes. */
enum { BATCH_BYTES_MAX = 50000 };
static const int64_t turn_us = 2000; /* a wake-up costs as much as a report */
static const int64_t retry_us = 1000;
static const int64_t batch_hold_us = 10000000;
static const int64_t hold_max_us = 60000000; /* a connection that takes nothing */
static const int64_t drain_us = 5000000;

/* A gateway's reports until they are a message. */
struct batch {
    struct buffer payload;
    uint32_t count, newest; /* newest: report, the others follow by `with` */
    int64_t since_us;
};

struct generator {
    uint32_t magic;
    const struct fleet_setup *setup;
    const struct load_fleet_options *options;
    uv_loop_t loop;
    uv_poll_t commands, alarm;
    uv_timer_t teller; /* tells the first process how it is */
    int alarm_fd;
    struct conn_pool *pool;
    struct conn_place *places;
    struct batch *batches; /* of its gateways, or NULL */
    char **topics;         /* of the same */
    struct load_feed *feed;
    struct load_feed_item item;
    bool have_item, closing;
    int64_t base_us; /* of the feed's times */
    int64_t held_us; /* since when a full connection holds the feed; 0: none does */
    int64_t close_us;
    struct buffer payload;
    char client_prefix[32];
};

static struct generator *generator_of(void *context)
{
    struct generator *generator = context;
    MAGIC_CHECK(generator, GENERATOR_MAGIC);
    return generator;
}

static void fail(struct generator *generator, enum status status,
                 const struct status_detail *detail)
{
    struct fleet_part *shared = generator->setup->shared;
    if (atomic_load(&shared->failed) == 0) {
        shared->status = status;
        shared->detail = *detail;
        atomic_store(&shared->failed, 1);
    }
}

/* ---- messages ---- */

static const char *sender_topic(const struct generator *generator, uint32_t sender)
{
    const struct load_cards *cards = generator->options->cards;
    return sender < cards->count ? cards->items[sender].topic
                                 : generator->options->gates[sender - cards->count].topic;
}

static uint32_t conn_of_sender(const struct generator *generator, uint32_t sender)
{
    const struct fleet_plan *plan = generator->setup->plan;
    ASSERT(sender < plan->senders && plan->part_of[sender] == generator->setup->part);
    return plan->line_of[sender] / plan->parts;
}

static struct batch *batch_of(const struct generator *generator, uint32_t sender)
{
    const struct fleet_plan *plan = generator->setup->plan;
    return plan->line_of[sender] < plan->gateways
               ? &generator->batches[plan->line_of[sender] / plan->parts]
               : NULL;
}

static void publish(struct generator *generator, uint32_t conn, const char *topic,
                    const struct buffer *payload, uint32_t note)
{
    enum status status = buffer_status(payload);
    if (status == STATUS_OK) {
        status = conn_pool_publish(generator->pool, conn, text_of(topic),
                                   (struct text){payload->data, payload->size}, note);
    }
    if (status != STATUS_OK) {
        struct status_detail detail;
        (void)status_detail_set(&detail, status, "a message for %s: %s", topic,
                                status_words(status));
        fail(generator, status, &detail);
    }
}

/* false: its connection is full. */
static bool send_batch(struct generator *generator, uint32_t conn, int64_t due_us)
{
    struct batch *batch = &generator->batches[conn];
    if (batch->count == 0) {
        return true;
    }
    if (conn_pool_full(generator->pool, conn)) {
        return false;
    }
    struct load_report *reports = generator->options->ledger->reports;
    for (uint32_t no = batch->newest; no != LOAD_NONE; no = reports[no].with) {
        reports[no].due_us = due_us; /* a report in a batch has to leave when the batch has */
    }
    publish(generator, conn, generator->topics[conn], &batch->payload, batch->newest);
    buffer_clear(&batch->payload);
    batch->count = 0;
    batch->newest = LOAD_NONE;
    return true;
}

static struct wire_report wire_report_of(const struct generator *generator,
                                         const struct load_feed_item *item, uint32_t report)
{
    return (struct wire_report){.epoch = generator->options->ledger->epoch,
                                .seq = generator->options->ledger->reports[report].seq,
                                .event_count = item->event_count,
                                .events = item->events};
}

static void add_to_batch(struct generator *generator, const struct load_feed_item *item,
                         uint32_t report, int64_t due_us)
{
    struct batch *batch = batch_of(generator, item->sender);
    struct wire_report wire = wire_report_of(generator, item, report);
    wire.sender = text_of(generator->options->cards->items[item->sender].id);
    encode_gateway_report(&batch->payload, &(struct wire_reports){1, &wire});
    generator->options->ledger->reports[report].with = batch->newest;
    batch->since_us = batch->count == 0 ? due_us : batch->since_us;
    batch->newest = report;
    batch->count++;
    if (batch->count >= generator->options->batch || item->kind != LOAD_FIX) {
        /* full: the next report for it tries again, and is held */
        (void)send_batch(generator, conn_of_sender(generator, item->sender), due_us);
    }
}

/* A report of a card that the ledger does not get. */
static void send_unnoted(struct generator *generator, uint32_t card, struct wire_report *wire)
{
    uint32_t conn = conn_of_sender(generator, card);
    buffer_clear(&generator->payload);
    if (batch_of(generator, card) != NULL) {
        wire->sender = text_of(generator->options->cards->items[card].id);
        encode_gateway_report(&generator->payload, &(struct wire_reports){1, wire});
        publish(generator, conn, generator->topics[conn], &generator->payload, LOAD_NONE);
    } else {
        encode_card_report(&generator->payload, wire);
        publish(generator, conn, sender_topic(generator, card), &generator->payload, LOAD_NONE);
    }
}

/* What the network does twice: the ledger knows the report already. */
static void send_again(struct generator *generator, const struct load_feed_item *item)
{
    struct wire_report wire = {.epoch = generator->options->ledger->epoch,
                               .seq = item->again_seq,
                               .event_count = item->event_count,
                               .events = item->events};
    send_unnoted(generator, item->sender, &wire);
}

/* false: its connection is full, nothing happened. */
static bool send_item(struct generator *generator, const struct load_feed_item *item,
                      int64_t due_us)
{
    uint32_t conn = conn_of_sender(generator, item->sender);
    struct batch *batch = batch_of(generator, item->sender);
    if (conn_pool_full(generator->pool, conn)) {
        return false;
    }
    if (batch != NULL &&
        (batch->count >= generator->options->batch || batch->payload.size > BATCH_BYTES_MAX) &&
        !send_batch(generator, conn, due_us)) {
        return false;
    }
    if (item->again_seq != 0) { /* after what a gateway still holds of that card */
        bool room = batch == NULL ||
                    (send_batch(generator, conn, due_us) && !conn_pool_full(generator->pool, conn));
        if (room) {
            send_again(generator, item);
        }
        return room;
    }
    struct load_ledger *ledger = generator->options->ledger;
    uint32_t report = load_ledger_add(ledger, generator->setup->part, item->sender,
                                      (enum load_kind)item->kind, item->event_count, due_us);
    if (report == LOAD_NONE) {
        struct status_detail detail;
        (void)status_detail_set(&detail, STATUS_FULL, "the ledger is full: %u reports",
                                ledger->capacity);
        fail(generator, STATUS_FULL, &detail);
        return false;
    }
    if (batch != NULL) {
        add_to_batch(generator, item, report, due_us);
        return true;
    }
    struct wire_report wire = wire_report_of(generator, item, report);
    buffer_clear(&generator->payload);
    if (item->sender < generator->options->cards->count) {
        encode_card_report(&generator->payload, &wire);
    } else {
        encode_gate_report(&generator->payload, &wire);
    }
    publish(generator, conn, sender_topic(generator, item->sender), &generator->payload, report);
    return true;
}

static void send_batches(struct generator *generator, int64_t older_than_us)
{
    const struct fleet_plan *plan = generator->setup->plan;
    int64_t now_us = clock_mono_us();
    for (uint32_t i = 0; generator->batches != NULL; i++) {
        if (generator->setup->part + (uint64_t)i * plan->parts >= plan->gateways) {
            break;
        }
        if (generator->batches[i].since_us <= older_than_us) {
            (void)send_batch(generator, i, now_us);
        }
    }
}

/* ---- the feed ---- */

static void end_feed(struct generator *generator)
{
    if (generator->feed == NULL) {
        return;
    }
    generator->feed->close(generator->feed);
    generator->feed = NULL;
    generator->have_item = false;
    generator->held_us = 0;
    send_batches(generator, INT64_MAX);
    conn_pool_flush(generator->pool);
    atomic_fetch_add(&generator->setup->shared->runs_done, 1);
}

static void set_alarm(const struct generator *generator, int64_t mono_us)
{
    const struct itimerspec when = {
        .it_value = {(time_t)(mono_us / 1000000), (long)(mono_us % 1000000) * 1000}};
    ASSERT(timerfd_settime(generator->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static void note_lag(const struct generator *generator, int64_t lag_us)
{
    _Atomic int64_t *max = &generator->setup->shared->lag_max_us;
    int64_t before = atomic_load(max);
    while (lag_us > before && !atomic_compare_exchange_weak(max, &before, lag_us)) {
    }
}

static void note_held(struct generator *generator, int64_t now_us)
{
    generator->held_us = generator->held_us == 0 ? now_us : generator->held_us;
    if (now_us - generator->held_us > hold_max_us) {
        struct status_detail detail;
        const struct conn_target *targets = generator->setup->targets;
        uint32_t line = generator->setup->plan->line_of[generator->item.sender];
        (void)status_detail_set(&detail, STATUS_TIMEOUT,
                                "broker %s: a connection takes no more messages for 60 s: what it "
                                "has is not acknowledged",
                                targets[line % generator->options->broker_count].name);
        fail(generator, STATUS_TIMEOUT, &detail);
    }
}

/* false: the feed ended. */
static bool next_item(struct generator *generator, struct load_feed_item *ret)
{
    enum status status = generator->feed->next(generator->feed, ret);
    if (status != STATUS_OK && status != STATUS_END) {
        struct status_detail detail;
        (void)status_detail_set(&detail, status, "what to send next: %s", status_words(status));
        fail(generator, status, &detail);
    }
    return status == STATUS_OK;
}

/* Sends what is due, at most a burst. Returns when to come again; INT64_MAX: the feed ended. */
static int64_t send_due(struct generator *generator, int64_t now_us, int64_t *ret_oldest_us)
{
    for (uint32_t i = 0; i < BURST_MAX; i++) {
        struct load_feed_item *item = &generator->item;
        if (!generator->have_item && !next_item(generator, item)) {
            return INT64_MAX;
        }
        generator->have_item = true;
        int64_t due_us = generator->base_us + item->due_us;
        if (due_us > now_us) {
            return due_us > now_us + turn_us ? due_us : now_us + turn_us;
        }
        if (!send_item(generator, item, due_us)) {
            note_held(generator, now_us);
            return now_us + retry_us;
        }
        *ret_oldest_us = due_us < *ret_oldest_us ? due_us : *ret_oldest_us;
        generator->held_us = 0;
        generator->have_item = false;
    }
    return now_us;
}

static void on_alarm(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct generator *generator = generator_of(poll->data);
    uint64_t times;
    (void)!read(generator->alarm_fd, &times, sizeof times);
    if (generator->feed == NULL || atomic_load(&generator->setup->shared->failed) != 0) {
        return;
    }
    int64_t oldest_us = INT64_MAX;
    int64_t again_us = send_due(generator, clock_mono_us(), &oldest_us);
    conn_pool_flush(generator->pool);
    if (oldest_us != INT64_MAX) {
        note_lag(generator, clock_mono_us() - oldest_us);
    }
    if (again_us == INT64_MAX) {
        end_feed(generator);
    } else {
        set_alarm(generator, again_us);
    }
}

/* ---- commands ---- */

static void probe(struct generator *generator, uint32_t no)
{
    const struct fleet_plan *plan = generator->setup->plan;
    if (plan->part_of[0] != generator->setup->part) {
        return;
    }
    struct wire_event event;
    (void)load_fill(generator->options->cards, 0, LOAD_SOS, clock_wall_ms(), &event);
    struct wire_report wire = {.epoch = generator->options->ledger->epoch - 1,
                               .seq = no,
                               .event_count = 1,
                               .events = &event};
    send_unnoted(generator, 0, &wire);
    conn_pool_flush(generator->pool);
}

static void begin_feed(struct generator *generator, const struct fleet_command *command)
{
    const struct load_feed_source *source = &generator->options->feeds[command->number];
    const struct load_share share = {generator->setup->part, generator->setup->plan->parts,
                                     generator->setup->plan->part_of};
    struct status_detail detail = {""};
    ASSERT(generator->feed == NULL);
    enum status status =
        source->make(source->context, share, command->wall_ms, &generator->feed, &detail);
    if (status != STATUS_OK) {
        fail(generator, status, &detail);
        return;
    }
    generator->base_us = command->start_us;
    generator->have_item = false;
    set_alarm(generator, command->start_us);
}

static void close_all(struct generator *generator)
{
    if (generator->closing) {
        return;
    }
    generator->closing = true;
    end_feed(generator);
    uv_close((uv_handle_t *)&generator->commands, NULL);
    uv_close((uv_handle_t *)&generator->alarm, NULL);
    uv_close((uv_handle_t *)&generator->teller, NULL);
    conn_pool_close(generator->pool);
}

static void obey(struct generator *generator, const struct fleet_command *command)
{
    switch ((enum fleet_order)command->order) {
    case FLEET_CONNECT:
        conn_pool_connect(generator->pool);
        break;
    case FLEET_PROBE:
        probe(generator, command->number);
        break;
    case FLEET_RUN:
        begin_feed(generator, command);
        break;
    case FLEET_STOP:
        end_feed(generator);
        break;
    case FLEET_CLOSE:
        generator->close_us = clock_mono_us() + drain_us;
        break;
    }
}

static void on_command(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct generator *generator = generator_of(poll->data);
    struct fleet_command command;
    ssize_t got = recv(generator->setup->commands, &command, sizeof command, 0);
    if (got == (ssize_t)sizeof command) {
        obey(generator, &command);
    } else if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
        close_all(generator); /* the first process is gone */
    }
}

static void on_teller(uv_timer_t *timer)
{
    struct generator *generator = generator_of(timer->data);
    struct fleet_part *shared = generator->setup->shared;
    struct conn_pool_counts counts;
    struct status_detail detail;
    conn_pool_counts(generator->pool, &counts);
    atomic_store(&shared->up, counts.up);
    atomic_store(&shared->losses, counts.losses);
    atomic_store(&shared->pings, counts.pings);
    atomic_store(&shared->messages, counts.messages);
    enum status status = conn_pool_status(generator->pool, &detail);
    if (status != STATUS_OK) {
        fail(generator, status, &detail);
    }
    send_batches(generator, clock_mono_us() - batch_hold_us);
    conn_pool_flush(generator->pool);
    if (generator->close_us != 0 && (counts.waiting == 0 || atomic_load(&shared->failed) != 0 ||
                                     clock_mono_us() > generator->close_us)) {
        close_all(generator);
    }
}

static void on_acked(void *context, uint32_t note)
{
    struct generator *generator = generator_of(context);
    if (note != LOAD_NONE) {
        load_ledger_acked(generator->options->ledger, generator->setup->part, note);
    }
}

/* ---- beginning and end ---- */

static bool is_loopback(const struct sockaddr_storage *address)
{
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    return address->ss_family == AF_INET && ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static struct conn_place place_of(const struct fleet_setup *setup, uint32_t line)
{
    const uint32_t brokers = setup->options->broker_count;
    struct conn_place place = {.number = line, .target = (uint16_t)(line % brokers)};
    if (setup->plan->lines / brokers > SOURCE_PORTS &&
        is_loopback(&setup->targets[place.target].address)) {
        place.source_no = (uint16_t)(1 + line / brokers / SOURCE_PORTS);
    }
    return place;
}

static bool make_batches(struct generator *generator, uint32_t lines)
{
    const struct fleet_plan *plan = generator->setup->plan;
    if (plan->gateways == 0) {
        return true;
    }
    generator->batches = calloc(lines, sizeof *generator->batches);
    generator->topics = calloc(lines, sizeof *generator->topics);
    if (generator->batches == NULL || generator->topics == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < lines; i++) {
        uint32_t line = generator->setup->part + i * plan->parts;
        buffer_init(&generator->batches[i].payload, PAYLOAD_BYTES);
        generator->batches[i].newest = LOAD_NONE;
        if (line < plan->gateways &&
            asprintf(&generator->topics[i], "campus/v1/%s/gateway/load-%u/up",
                     plan->gateway_school[line], line) < 0) {
            generator->topics[i] = NULL;
            return false;
        }
    }
    return true;
}

static enum status make_pool(struct generator *generator, struct status_detail *detail)
{
    const struct fleet_setup *setup = generator->setup;
    const struct load_fleet_options *options = generator->options;
    uint32_t lines = fleet_plan_lines(setup->plan, setup->part);
    generator->places = calloc(lines, sizeof *generator->places);
    if (generator->places == NULL || !make_batches(generator, lines)) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for %u connections", lines);
    }
    for (uint32_t i = 0; i < lines; i++) {
        generator->places[i] = place_of(setup, setup->part + i * setup->plan->parts);
    }
    (void)snprintf(generator->client_prefix, sizeof generator->client_prefix, "campus-load-%ld",
                   (long)getppid());
    const uint32_t parts = setup->plan->parts;
    const struct conn_pool_options pool = {
        .targets = setup->targets,
        .target_count = options->broker_count,
        .places = generator->places,
        .count = lines,
        .client_prefix = generator->client_prefix,
        .connects_per_s = options->connects_per_s / parts + 1,
        .connecting_max = CONNECTING_PER_BROKER * options->broker_count / parts + 1,
        .keepalive_s = options->keepalive_s,
        .qos = options->qos,
        .context = generator,
        .on_acked = on_acked};
    return conn_pool_open(&generator->loop, &pool, &generator->pool, detail);
}

static void open_handles(struct generator *generator)
{
    generator->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ASSERT(generator->alarm_fd >= 0);
    ASSERT(uv_poll_init(&generator->loop, &generator->alarm, generator->alarm_fd) == 0);
    ASSERT(uv_poll_init(&generator->loop, &generator->commands, generator->setup->commands) == 0);
    ASSERT(uv_timer_init(&generator->loop, &generator->teller) == 0);
    generator->alarm.data = generator->commands.data = generator->teller.data = generator;
    ASSERT(uv_poll_start(&generator->alarm, UV_READABLE, on_alarm) == 0);
    ASSERT(uv_poll_start(&generator->commands, UV_READABLE, on_command) == 0);
    ASSERT(uv_timer_start(&generator->teller, on_teller, TELL_MS, TELL_MS) == 0);
}

static void release(struct generator *generator)
{
    if (generator->pool != NULL) {
        conn_pool_free(generator->pool);
    }
    uint32_t lines = fleet_plan_lines(generator->setup->plan, generator->setup->part);
    for (uint32_t i = 0; i < lines; i++) {
        if (generator->batches != NULL) {
            buffer_release(&generator->batches[i].payload);
        }
        if (generator->topics != NULL) {
            free(generator->topics[i]);
        }
    }
    free(generator->batches);
    free((void *)generator->topics);
    free(generator->places);
    buffer_release(&generator->payload);
    if (generator->alarm_fd >= 0) {
        (void)close(generator->alarm_fd);
    }
}

/* While a feed is told the loop runs once a turn: what came meanwhile is taken together. */
static void run_loop(struct generator *generator)
{
    int64_t turn_end_us = 0;
    while (uv_run(&generator->loop, UV_RUN_ONCE) != 0) {
        int64_t now_us = clock_mono_us();
        if (generator->feed == NULL) {
            continue;
        }
        if (now_us < turn_end_us) {
            const struct timespec nap = {0, (long)(turn_end_us - now_us) * 1000};
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
            now_us = clock_mono_us();
        }
        turn_end_us = now_us + turn_us;
    }
}

void generator_main(const struct fleet_setup *setup)
{
    struct generator generator = {
        .magic = GENERATOR_MAGIC, .setup = setup, .options = setup->options, .alarm_fd = -1};
    struct status_detail detail = {""};
    (void)signal(SIGINT, SIG_IGN); /* the first process tells when to end */
    (void)signal(SIGTERM, SIG_IGN);
    buffer_init(&generator.payload, PAYLOAD_BYTES);
    ASSERT(uv_loop_init(&generator.loop) == 0);
    enum status status = make_pool(&generator, &detail);
    if (status == STATUS_OK) {
        open_handles(&generator);
        run_loop(&generator);
    } else {
        fail(&generator, status, &detail);
    }
    ASSERT(uv_loop_close(&generator.loop) == 0);
    release(&generator);
}
