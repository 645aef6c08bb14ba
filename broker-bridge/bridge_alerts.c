/* The ring of alerts: first_no .. confirmed_no are kept for repeats, confirmed_no .. next_no wait
 * for confirmations; each broker's cursor runs through it in order. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker-bridge/bridge_internal.h"

#define TICK_MS 250

static struct bridge *bridge_of(void *data)
{
    struct bridge *bridge = data;
    MAGIC_CHECK(bridge, BRIDGE_MAGIC);
    return bridge;
}

static struct ring_alert *alert_at(struct bridge *bridge, uint64_t no)
{
    ASSERT(no >= bridge->first_no && no < bridge->next_no);
    return &bridge->ring[no % bridge->ring_size];
}

static const char *topic_at(const struct ring_alert *alert, uint32_t index)
{
    const char *at = alert->bytes + alert->payload_length;
    for (uint32_t i = 0; i < index; i++) {
        at += strlen(at) + 1;
    }
    return at;
}

/* ---- confirmations ---- */

static void on_tell(uv_timer_t *timer)
{
    struct bridge *bridge = bridge_of(timer->data);
    if (!bridge->closing && bridge->anything_confirmed) {
        bridge->anything_confirmed = false;
        bridge->callbacks.on_alerts_confirmed(bridge->callbacks.context, bridge->confirmed_end);
    }
}

static void advance(struct bridge *bridge)
{
    uint64_t before = bridge->confirmed_no;
    while (bridge->confirmed_no < bridge->next_no &&
           alert_at(bridge, bridge->confirmed_no)->outstanding == 0) {
        bridge->confirmed_end = alert_at(bridge, bridge->confirmed_no)->end;
        bridge->confirmed_no++;
    }
    if (bridge->confirmed_no != before) {
        bridge->stats.alerts_confirmed += bridge->confirmed_no - before;
        bridge->anything_confirmed = true;
        if (!uv_is_active((uv_handle_t *)&bridge->tell)) {
            int failed = uv_timer_start(&bridge->tell, on_tell, 0, 0);
            ASSERT(failed == 0);
        }
    }
}

static void confirm(struct bridge *bridge, uint64_t no)
{
    struct ring_alert *alert = alert_at(bridge, no);
    ASSERT(alert->outstanding > 0);
    alert->outstanding--;
    alert->touched_ms = uv_now(bridge->loop);
    if (no == bridge->confirmed_no && alert->outstanding == 0) {
        advance(bridge);
    }
}

/* ---- sending ---- */

static bool step_cursor(struct bridge *bridge, struct alert_cursor *cursor)
{
    if (++cursor->topic < alert_at(bridge, cursor->no)->topic_count) {
        return false;
    }
    cursor->no++;
    cursor->topic = 0;
    return true;
}

/* One topic of one alert; the cursor moves on. false: not now. */
static bool send_one(struct bridge_link *link, struct alert_cursor *cursor, bool repeat)
{
    struct bridge *bridge = link->bridge;
    struct ring_alert *alert = alert_at(bridge, cursor->no);
    int mid = 0;
    if (link->flight_count == FLIGHTS_MAX) {
        return false;
    }
    enum status status =
        mqtt_link_publish(link->out, topic_at(alert, cursor->topic),
                          (struct text){alert->bytes, alert->payload_length}, 1, &mid);
    if (status == STATUS_INVALID) {
        /* It can never be sent; waiting for it would stop all others. */
        log_event(LOG_ERROR, "alert.unsendable", LOG_INT("topic_index", cursor->topic));
        if (!repeat) {
            confirm(bridge, cursor->no);
        }
        (void)step_cursor(bridge, cursor);
        return true;
    }
    if (status != STATUS_OK) {
        return false;
    }
    uint32_t place = (link->flight_first + link->flight_count++) % FLIGHTS_MAX;
    link->flights[place] = (struct flight){cursor->no, mid, repeat};
    alert->touched_ms = uv_now(bridge->loop);
    bool whole = step_cursor(bridge, cursor);
    bridge->stats.alerts_repeated += repeat && whole ? 1 : 0;
    return true;
}

/* Moves to the next alert that is to be repeated; false: none is left. */
static bool find_repeat(struct bridge_link *link)
{
    struct bridge *bridge = link->bridge;
    struct alert_cursor *cursor = &link->repeat;
    if (cursor->no < bridge->first_no) {
        *cursor = (struct alert_cursor){bridge->first_no, 0};
    }
    uint64_t end = link->repeat_end < link->next.no ? link->repeat_end : link->next.no;
    while (cursor->no < end) {
        const struct ring_alert *alert = alert_at(bridge, cursor->no);
        if (alert->topic_count > 0 && (cursor->topic > 0 || alert->touched_ms >= link->since_ms)) {
            return true;
        }
        cursor->no++;
    }
    return false;
}

static void pump(struct bridge_link *link)
{
    struct bridge *bridge = link->bridge;
    if (!link->alerts || bridge->closing) {
        return;
    }
    while (mqtt_link_is_up(link->out)) {
        if (link->next.no < bridge->next_no) {
            if (alert_at(bridge, link->next.no)->topic_count == 0) {
                link->next.no++;
            } else if (!send_one(link, &link->next, false)) {
                return;
            }
        } else if (link->old.no < bridge->old_end) {
            if (alert_at(bridge, link->old.no)->topic_count == 0) {
                link->old.no++;
            } else if (!send_one(link, &link->old, false)) {
                return;
            }
        } else if (link->repeating) {
            link->repeating = find_repeat(link);
            if (link->repeating && !send_one(link, &link->repeat, true)) {
                return;
            }
        } else {
            return;
        }
    }
}

void alerts_published(struct bridge_link *link, int mid)
{
    struct bridge *bridge = link->bridge;
    for (uint32_t i = 0; i < link->flight_count; i++) {
        struct flight *flight = &link->flights[(link->flight_first + i) % FLIGHTS_MAX];
        if (flight->mid == mid) {
            flight->mid = 0;
            if (!flight->repeat) {
                confirm(bridge, flight->no);
            } else if (flight->no >= bridge->first_no) {
                alert_at(bridge, flight->no)->touched_ms = uv_now(bridge->loop);
            }
            break;
        }
    }
    while (link->flight_count > 0 && link->flights[link->flight_first].mid == 0) {
        link->flight_first = (link->flight_first + 1) % FLIGHTS_MAX;
        link->flight_count--;
    }
    pump(link);
}

/* ---- repeats ---- */

void alerts_up(struct bridge_link *link)
{
    if (link->lost_since_up) {
        link->lost_since_up = false;
        link->up_ms = uv_now(link->bridge->loop);
        link->meanwhile_known = false;
        link->runs_left = 2;
    }
    pump(link);
}

void alerts_down(struct bridge_link *link)
{
    uint64_t now = uv_now(link->bridge->loop), window = link->bridge->repeat_window_ms;
    bool settled = link->runs_left == 0 && !link->repeating;
    if (settled) { /* else the older loss's alerts are still owed */
        link->since_ms = now > window ? now - window : 0;
    }
    link->lost_since_up = true;
    link->repeating = false;
    link->runs_left = 2; /* keeps since_ms until the runs after the reconnect are done */
}

static void tick_link(struct bridge_link *link)
{
    struct bridge *bridge = link->bridge;
    if (!link->out_up || link->runs_left == 0 || link->lost_since_up) {
        return;
    }
    uint64_t up_for = uv_now(bridge->loop) - link->up_ms;
    if (!link->meanwhile_known && up_for >= bridge->repeat_meanwhile_ms) {
        link->meanwhile_known = true;
        link->meanwhile_no = bridge->next_no;
    }
    uint64_t due = link->runs_left == 2 ? bridge->repeat_first_ms : bridge->repeat_second_ms;
    if (!link->repeating && up_for >= due) {
        link->repeat = (struct alert_cursor){bridge->first_no, 0};
        link->repeat_end =
            link->runs_left == 1 && link->meanwhile_known ? link->meanwhile_no : bridge->next_no;
        link->runs_left--;
        link->repeating = true;
        pump(link);
    }
}

static void forget_oldest(struct bridge *bridge)
{
    struct ring_alert *alert = alert_at(bridge, bridge->first_no);
    ASSERT(bridge->first_no < bridge->confirmed_no);
    bridge->settled_end = alert->end;
    free(alert->bytes);
    *alert = (struct ring_alert){0};
    bridge->first_no++;
}

/* Alerts that no loss, past or to come, will ask for again. */
static void forget(struct bridge *bridge)
{
    uint64_t now = uv_now(bridge->loop), window = bridge->repeat_window_ms;
    uint64_t horizon = now > window ? now - window : 0;
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        const struct bridge_link *link = &bridge->links[i];
        if ((link->runs_left > 0 || link->repeating) && link->since_ms < horizon) {
            horizon = link->since_ms;
        }
    }
    while (bridge->first_no < bridge->confirmed_no &&
           alert_at(bridge, bridge->first_no)->touched_ms < horizon) {
        forget_oldest(bridge);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct bridge *bridge = bridge_of(timer->data);
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        tick_link(&bridge->links[i]);
    }
    forget(bridge);
    if (bridge->settled_told != bridge->settled_end) {
        bridge->settled_told = bridge->settled_end;
        if (bridge->callbacks.on_alerts_settled != NULL) {
            bridge->callbacks.on_alerts_settled(bridge->callbacks.context, bridge->settled_end);
        }
    }
}

/* ---- in and out ---- */

enum status alerts_open(struct bridge *bridge)
{
    bridge->ring_size = 2 * (uint64_t)bridge->alerts_max;
    bridge->ring = calloc(bridge->ring_size, sizeof *bridge->ring);
    if (bridge->ring == NULL) {
        return STATUS_NO_MEMORY;
    }
    int failed = uv_timer_start(&bridge->tick, on_tick, TICK_MS, TICK_MS);
    ASSERT(failed == 0);
    return STATUS_OK;
}

void alerts_release(struct bridge *bridge)
{
    for (uint64_t no = bridge->first_no; no < bridge->next_no; no++) {
        free(alert_at(bridge, no)->bytes);
    }
    free(bridge->ring);
}

uint32_t bridge_alert_room(const struct bridge *bridge)
{
    return bridge->alerts_max - (uint32_t)(bridge->next_no - bridge->confirmed_no);
}

static enum status copy_alert(const struct bridge_alert *alert, struct ring_alert *ret)
{
    size_t size = alert->payload.length;
    for (uint32_t i = 0; i < alert->topic_count; i++) {
        size += strlen(alert->topics[i]) + 1;
    }
    char *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    char *at = bytes;
    memcpy(at, alert->payload.at, alert->payload.length);
    at += alert->payload.length;
    for (uint32_t i = 0; i < alert->topic_count; i++) {
        size_t length = strlen(alert->topics[i]) + 1;
        memcpy(at, alert->topics[i], length);
        at += length;
    }
    ret->bytes = bytes;
    ret->payload_length = alert->payload.length;
    ret->topic_count = alert->topic_count;
    ret->end = alert->end;
    return STATUS_OK;
}

/* The one that is being added is old: each link's cursor of new ones leaves it out. */
static void pass_over(struct bridge *bridge)
{
    bridge->old_end = bridge->next_no + 1;
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        ASSERT(bridge->links[i].next.no == bridge->next_no);
        bridge->links[i].next.no++;
    }
}

enum status bridge_add_alert(struct bridge *bridge, const struct bridge_alert *alert)
{
    bridge = bridge_of(bridge);
    ASSERT(alert->end >= bridge->last_end);
    if (bridge_alert_room(bridge) == 0) {
        return STATUS_FULL;
    }
    struct ring_alert copy = {.touched_ms = uv_now(bridge->loop)};
    enum status status = copy_alert(alert, &copy);
    if (status != STATUS_OK) {
        return STATUS_FULL; /* memory comes back as alerts are confirmed */
    }
    if (bridge->next_no - bridge->first_no == bridge->ring_size) {
        forget_oldest(bridge);
        bridge->stats.alerts_forgotten++;
    }
    copy.outstanding = alert->topic_count * bridge->alert_links;
    bridge->ring[bridge->next_no % bridge->ring_size] = copy;
    if (alert->end <= bridge->alerts_before) {
        pass_over(bridge);
    }
    bridge->next_no++;
    bridge->last_end = alert->end;
    bridge->stats.alerts_added++;
    if (copy.outstanding == 0) {
        advance(bridge);
    }
    for (uint32_t i = 0; i < bridge->link_count; i++) {
        pump(&bridge->links[i]);
    }
    return STATUS_OK;
}
