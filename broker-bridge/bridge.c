#include "broker-bridge/bridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker-bridge/bridge_internal.h"
#include "broker-bridge/mqtt_url.h"
#include "broker-bridge/topic.h"

static struct bridge *bridge_of(void *data)
{
    struct bridge *bridge = data;
    MAGIC_CHECK(bridge, BRIDGE_MAGIC);
    return bridge;
}

static struct bridge_link *link_of(void *data)
{
    struct bridge_link *link = data;
    MAGIC_CHECK(link, BRIDGE_LINK_MAGIC);
    return link;
}

/* ---- messages in ---- */

/* A copy in `bytes`, which has room for it. */
static struct broker_message copy_message(char *bytes, struct text topic, struct text payload)
{
    memcpy(bytes, topic.at, topic.length);
    memcpy(bytes + topic.length, payload.at, payload.length);
    return (struct broker_message){
        {bytes, topic.length}, {bytes + topic.length, payload.length}, 0};
}

static void keep(struct bridge_link *link, const struct broker_message *message)
{
    const size_t bytes = message->topic.length + message->payload.length;
    struct kept_message *kept = malloc(sizeof *kept + bytes);
    if (kept == NULL) {
        mqtt_link_drop(link->in, "no memory for a message that waits"); /* it comes again */
        return;
    }
    kept->message = copy_message(kept->bytes, message->topic, message->payload);
    kept->next = NULL;
    if (link->kept_first == NULL) {
        link->kept_first = kept;
        mqtt_link_pause(link->in);
    } else {
        link->kept_last->next = kept;
    }
    link->kept_last = kept;
}

/* Returns how many were taken. */
static uint32_t offer(struct bridge_link *link, struct broker_message *messages, uint32_t count)
{
    const struct bridge_callbacks *callbacks = &link->bridge->callbacks;
    const int64_t now_ms = clock_wall_ms();
    uint64_t end = 0;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        messages[i].arrival_ms = now_ms;
    }
    callbacks->on_messages(callbacks->context, link->index, messages, count, &taken, &end);
    link->burst_end = end > link->burst_end ? end : link->burst_end;
    return taken;
}

/* What came first is taken first. */
static void take(struct bridge_link *link, struct broker_message *messages, uint32_t count)
{
    uint32_t taken = link->kept_first == NULL ? offer(link, messages, count) : 0;
    for (; taken < count; taken++) {
        keep(link, &messages[taken]);
    }
}

static void clear_tray(struct bridge_link *link)
{
    struct tray *tray = &link->tray;
    if (tray->count > 0) {
        take(link, tray->messages, tray->count);
        tray->count = tray->used = 0;
    }
}

static void on_message(void *context, struct mqtt_link *mqtt, struct text topic,
                       struct text payload)
{
    struct bridge_link *link = link_of(context);
    struct tray *tray = &link->tray;
    const size_t bytes = topic.length + payload.length;
    (void)mqtt;
    if (tray->count == BRIDGE_TRAY_MESSAGES || bytes > TRAY_BYTES - tray->used) {
        clear_tray(link);
    }
    if (bytes > TRAY_BYTES) {
        take(link, &(struct broker_message){topic, payload, 0}, 1);
        return;
    }
    tray->messages[tray->count++] = copy_message(tray->bytes + tray->used, topic, payload);
    tray->used += (uint32_t)bytes;
}

static void try_release(struct bridge_link *link)
{
    if (link->burst_open && link->kept_first == NULL && link->burst_end <= link->bridge->durable) {
        link->burst_open = false;
        mqtt_link_release(link->in);
    }
}

static void on_burst(void *context, struct mqtt_link *mqtt)
{
    struct bridge_link *link = link_of(context);
    (void)mqtt;
    clear_tray(link);
    link->burst_open = true;
    try_release(link);
}

void bridge_durable(struct bridge *bridge, uint64_t pos)
{
    bridge = bridge_of(bridge);
    bridge->durable = pos > bridge->durable ? pos : bridge->durable;
    for (uint32_t i = 0; i < bridge->link_count && !bridge->closing; i++) {
        try_release(&bridge->links[i]);
    }
}

static void drop_first_kept(struct bridge_link *link)
{
    struct kept_message *kept = link->kept_first;
    link->kept_first = kept->next;
    free(kept);
}

void bridge_resume(struct bridge *bridge)
{
    bridge = bridge_of(bridge);
    for (uint32_t i = 0; i < bridge->link_count && !bridge->closing; i++) {
        struct bridge_link *link = &bridge->links[i];
        bool waited = link->kept_first != NULL;
        while (link->kept_first != NULL && offer(link, &link->kept_first->message, 1) == 1) {
            drop_first_kept(link);
        }
        if (waited && link->kept_first == NULL) {
            try_release(link);
            mqtt_link_resume(link->in);
        }
    }
}

/* ---- links ---- */

static void note_up(struct bridge_link *link)
{
    bool up = link->in_up && link->out_up;
    if (up && !link->up) {
        log_event(LOG_INFO, "broker.connected", LOG_STR("broker", mqtt_link_name(link->in)));
        link->told.text[0] = '\0';
    }
    link->up = up;
}

static void note_down(struct bridge_link *link, const struct status_detail *detail)
{
    if (link->up) {
        link->up = false;
        link->bridge->stats.losses++;
        link->told = *detail;
        log_event(LOG_WARN, "broker.lost", LOG_STR("broker", mqtt_link_name(link->in)),
                  LOG_STR("reason", detail->text));
    } else if (strcmp(link->told.text, detail->text) != 0) {
        link->told = *detail; /* each reason once: attempts repeat for as long as it takes */
        log_event(LOG_WARN, "broker.unreachable", LOG_STR("broker", mqtt_link_name(link->in)),
                  LOG_STR("reason", detail->text));
    }
}

static void on_in_up(void *context, struct mqtt_link *mqtt, bool session_present)
{
    struct bridge_link *link = link_of(context);
    if (!session_present && link->had_session) {
        link->bridge->stats.sessions_lost++;
        log_event(LOG_ERROR, "broker.session_lost", LOG_STR("broker", mqtt_link_name(mqtt)),
                  LOG_STR("reason", "what it kept for campusd is gone; cards with receipts send it "
                                    "again"));
    }
    link->had_session = true;
    link->in_up = true;
    note_up(link);
}

static void on_in_down(void *context, struct mqtt_link *mqtt, const struct status_detail *detail)
{
    struct bridge_link *link = link_of(context);
    (void)mqtt;
    clear_tray(link); /* it may hold what the broker does not send again (QoS 0) */
    link->in_up = false;
    link->burst_open = false; /* the broker sends it again */
    note_down(link, detail);
}

static void on_out_up(void *context, struct mqtt_link *mqtt, bool session_present)
{
    struct bridge_link *link = link_of(context);
    (void)mqtt;
    (void)session_present;
    link->out_up = true;
    note_up(link);
    alerts_up(link);
}

static void on_out_down(void *context, struct mqtt_link *mqtt, const struct status_detail *detail)
{
    struct bridge_link *link = link_of(context);
    (void)mqtt;
    if (link->out_up) {
        link->out_up = false;
        alerts_down(link);
    }
    note_down(link, detail);
}

static void on_out_burst(void *context, struct mqtt_link *mqtt)
{
    (void)link_of(context);
    mqtt_link_release(mqtt); /* nothing is subscribed here; whatever came is of no use */
}

static void on_out_published(void *context, struct mqtt_link *mqtt, int mid)
{
    struct bridge_link *link = link_of(context);
    (void)mqtt;
    alerts_published(link, mid);
}

void bridge_send_receipt(struct bridge *bridge, uint32_t broker, const char *topic,
                         struct text payload)
{
    bridge = bridge_of(bridge);
    ASSERT(broker < bridge->link_count);
    if (!bridge->closing &&
        mqtt_link_publish(bridge->links[broker].out, topic, payload, 0, NULL) == STATUS_OK) {
        bridge->stats.receipts++;
    }
}

/* ---- lifecycle ---- */

static void on_part_closed(void *context)
{
    struct bridge *bridge = bridge_of(context);
    if (--bridge->handles > 0) {
        return;
    }
    void (*on_closed)(void *closed_context) = bridge->on_closed;
    void *closed_context = bridge->closed_context;
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        while (bridge->links[i].kept_first != NULL) {
            drop_first_kept(&bridge->links[i]);
        }
    }
    alerts_release(bridge);
    free(bridge->links);
    bridge->magic = 0;
    free(bridge);
    if (on_closed != NULL) {
        on_closed(closed_context);
    }
}

/* ---- watching ---- */

static void on_watch_message(void *context, struct mqtt_link *mqtt, struct text topic,
                             struct text payload)
{
    const struct bridge *bridge = link_of(context)->bridge;
    (void)mqtt;
    if (!bridge->closing) {
        bridge->callbacks.on_watched(bridge->callbacks.context, topic, payload);
    }
}

static void on_watch_burst(void *context, struct mqtt_link *mqtt)
{
    (void)link_of(context);
    mqtt_link_release(mqtt); /* it is another session's: nothing of ours is acknowledged by it */
}

static void open_watch(struct bridge_link *link)
{
    char id[CLIENT_ID_MAX + 8];
    (void)snprintf(id, sizeof id, "%s-watch", link->id);
    struct mqtt_link_options options = link->bridge->link_options;
    options.url = link->url;
    options.password = link->password;
    options.client_id = id;
    options.clean_session = true;
    const struct mqtt_link_callbacks callbacks = {
        .context = link, .on_message = on_watch_message, .on_burst = on_watch_burst};
    struct status_detail detail = {""};
    if (mqtt_link_open(link->bridge->loop, &options, &callbacks, &link->watch, &detail) ==
        STATUS_OK) {
        link->bridge->handles++;
    } else {
        log_event(LOG_ERROR, "broker.unwatched", LOG_STR("reason", detail.text));
    }
}

void bridge_watch(struct bridge *bridge, bool on)
{
    bridge = bridge_of(bridge);
    ASSERT(bridge->callbacks.on_watched != NULL);
    for (uint32_t i = 0; i < bridge->link_count && !bridge->closing; i++) {
        struct bridge_link *link = &bridge->links[i];
        if (on && link->watch == NULL) {
            open_watch(link);
        } else if (!on && link->watch != NULL) {
            mqtt_link_close(link->watch, on_part_closed, bridge);
            link->watch = NULL;
        }
    }
}

/* ---- opening and closing ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void bridge_close(struct bridge *bridge, void (*on_closed)(void *context), void *context)
{
    bridge = bridge_of(bridge);
    ASSERT(!bridge->closing);
    bridge->closing = true;
    bridge->on_closed = on_closed;
    bridge->closed_context = context;
    uv_close((uv_handle_t *)&bridge->tell, on_timer_closed);
    uv_close((uv_handle_t *)&bridge->tick, on_timer_closed);
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        struct mqtt_link *all[] = {bridge->links[i].in, bridge->links[i].out,
                                   bridge->links[i].watch};
        for (uint32_t k = 0; k < 3; k++) {
            if (all[k] != NULL) {
                mqtt_link_close(all[k], on_part_closed, bridge);
            }
        }
    }
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum status open_link(struct bridge *bridge, uint32_t index,
                             const struct bridge_options *options, struct status_detail *detail)
{
    struct bridge_link *link = &bridge->links[index];
    const struct bridge_broker *broker = &options->brokers[index];
    const uint32_t share = lesser(BRIDGE_BURST_MAX, BRIDGE_WAITING_MAX / options->broker_count);
    char id[CLIENT_ID_MAX + 8];
    struct mqtt_link_options mqtt = {.url = broker->url,
                                     .client_id = link->id,
                                     .password = broker->password,
                                     .subscriptions = topic_filters,
                                     .clean_session = false,
                                     .keepalive_s = options->keepalive_s,
                                     .connect_timeout_ms = options->connect_timeout_ms,
                                     .backoff_min_ms = options->backoff_min_ms,
                                     .backoff_max_ms = options->backoff_max_ms,
                                     .burst_max = lesser(options->burst_max, share),
                                     .backlog_max = share,
                                     .inflight_max = 1};
    const struct mqtt_link_callbacks in = {link, on_message, on_burst, NULL, on_in_up, on_in_down};
    const struct mqtt_link_callbacks out = {link,      NULL,       on_out_burst, on_out_published,
                                            on_out_up, on_out_down};
    *link = (struct bridge_link){
        .magic = BRIDGE_LINK_MAGIC, .bridge = bridge, .index = index, .alerts = broker->alerts};
    link->url = broker->url;
    link->password = broker->password;
    (void)snprintf(link->id, sizeof link->id, "%s-%u", options->client_id, index);
    bridge->link_options = mqtt;
    link->lost_since_up = link->had_session = options->alerts_before != 0;
    link->runs_left = link->lost_since_up ? 2 : 0;
    enum status status = mqtt_link_open(bridge->loop, &mqtt, &in, &link->in, detail);
    if (status != STATUS_OK) {
        return status;
    }
    bridge->handles++;
    (void)snprintf(id, sizeof id, "%s-out", link->id);
    mqtt.client_id = id;
    mqtt.subscriptions = NULL;
    mqtt.clean_session = true;
    mqtt.burst_max = 64;
    mqtt.backlog_max = 0;
    mqtt.inflight_max = FLIGHTS_MAX;
    status = mqtt_link_open(bridge->loop, &mqtt, &out, &link->out, detail);
    bridge->handles += status == STATUS_OK ? 1 : 0;
    bridge->alert_links += broker->alerts ? 1 : 0;
    return status;
}

static void init_bridge(struct bridge *bridge, uv_loop_t *loop,
                        const struct bridge_options *options,
                        const struct bridge_callbacks *callbacks)
{
    bridge->magic = BRIDGE_MAGIC;
    bridge->loop = loop;
    bridge->callbacks = *callbacks;
    bridge->alerts_max = options->alerts_max;
    bridge->alerts_before = options->alerts_before;
    bridge->repeat_window_ms = options->repeat_window_ms;
    bridge->repeat_first_ms = options->repeat_first_ms != 0 ? options->repeat_first_ms : 3000;
    bridge->repeat_second_ms = options->repeat_second_ms != 0 ? options->repeat_second_ms : 15000;
    bridge->repeat_meanwhile_ms =
        options->repeat_meanwhile_ms != 0 ? options->repeat_meanwhile_ms : 10000;
    uv_timer_t *timers[] = {&bridge->tell, &bridge->tick};
    for (uint32_t i = 0; i < 2; i++) {
        int failed = uv_timer_init(loop, timers[i]);
        ASSERT(failed == 0);
        timers[i]->data = bridge;
        bridge->handles++;
    }
}

enum status bridge_open(uv_loop_t *loop, const struct bridge_options *options,
                        const struct bridge_callbacks *callbacks, struct bridge **ret,
                        struct status_detail *detail)
{
    ASSERT(options->broker_count > 0 && options->alerts_max > 0);
    for (uint32_t i = 0; i < options->broker_count; i++) {
        struct mqtt_url url;
        enum status status = mqtt_url_parse(options->brokers[i].url, &url, detail);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct bridge *bridge = calloc(1, sizeof *bridge);
    if (bridge == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the bridge");
    }
    bridge->links = calloc(options->broker_count, sizeof *bridge->links);
    if (bridge->links == NULL) {
        free(bridge);
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory for the brokers' links");
    }
    init_bridge(bridge, loop, options, callbacks);
    enum status status = alerts_open(bridge);
    for (uint32_t i = 0; status == STATUS_OK && i < options->broker_count; i++) {
        bridge->link_count++;
        status = open_link(bridge, i, options, detail);
    }
    if (status != STATUS_OK) {
        bridge_close(bridge, NULL, NULL); /* goes away with the loop's next turns */
        return status;
    }
    *ret = bridge;
    return STATUS_OK;
}

void bridge_stats(const struct bridge *bridge, struct bridge_stats *ret)
{
    *ret = bridge->stats;
    ret->links = bridge->link_count;
    ret->alerts_waiting = bridge->next_no - bridge->confirmed_no;
    ret->alerts_kept = bridge->next_no - bridge->first_no;
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        struct mqtt_link_stats in;
        mqtt_link_stats(bridge->links[i].in, &in);
        ret->links_up += bridge->links[i].up ? 1 : 0;
        ret->received += in.received;
        ret->received_bytes += in.received_bytes;
        ret->bursts += in.bursts;
    }
}
