#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "broker-bridge/bridge.h"
#include "broker-bridge/bridge_internal.h"
#include "broker-bridge/mqtt_uv.h"
#include "tests/bridge/broker_fixture.h"
#include "tests/check.h"

#define MESSAGES_MAX 2000
#define BROKERS      2

/* An ordinary client: a card that publishes, a guardian who listens. */
struct client {
    struct mqtt_link *link;
    uint32_t received, published, wanted;
    char payloads[MESSAGES_MAX][16];
    bool closed;
};

/* The owner of the bridge. */
struct owner {
    struct bridge *bridge;
    uint32_t received, wanted;
    int numbers[MESSAGES_MAX];
    uint32_t brokers[MESSAGES_MAX];
    uint32_t full_from; /* says FULL from this many on; 0: never */
    uint32_t refusals;  /* how often it said so */
    bool needs_disk;    /* message i is durable at position 10 * i, else at once */
    uint64_t confirmed, confirmations, wanted_confirmed, settled, wanted_settled;
    uint32_t watched;
    uint64_t alerts_before; /* for the next bridge_at, with its window; 0: a minute */
    uint32_t repeat_window_ms;
    bool closed;
};

static uv_loop_t loop;
static struct broker_fixture brokers[BROKERS];
static struct client card, guardian;
static struct owner owner;

/* ---- the client ---- */

static void on_client_message(void *context, struct mqtt_link *link, struct text topic,
                              struct text payload)
{
    struct client *client = context;
    (void)link;
    (void)topic;
    assert_true(client->received < MESSAGES_MAX);
    (void)snprintf(client->payloads[client->received++], sizeof client->payloads[0], "%.*s",
                   TEXT_FMT(payload));
}

static void on_client_burst(void *context, struct mqtt_link *link)
{
    (void)context;
    mqtt_link_release(link);
}

static void on_client_published(void *context, struct mqtt_link *link, int mid)
{
    struct client *client = context;
    (void)link;
    (void)mid;
    client->published++;
}

static bool client_is_up(void *context)
{
    return mqtt_link_is_up(((struct client *)context)->link);
}

static bool client_has_received(void *context)
{
    const struct client *client = context;
    return client->received >= client->wanted;
}

static bool client_has_published(void *context)
{
    const struct client *client = context;
    return client->published >= client->wanted;
}

static void client_open(struct client *client, uint32_t broker, const char *id)
{
    static const char *const filters[] = {"campus/v1/+/alerts", "campus/v1/guardian/+/alerts",
                                          "campus/v1/+/card/+/down", NULL};
    const struct mqtt_link_options options = {.url = brokers[broker].url,
                                              .client_id = id,
                                              .subscriptions = filters,
                                              .clean_session = true,
                                              .keepalive_s = 30,
                                              .connect_timeout_ms = 5000,
                                              .backoff_min_ms = 10,
                                              .backoff_max_ms = 50,
                                              .burst_max = 256,
                                              .inflight_max = 1000};
    const struct mqtt_link_callbacks callbacks = {.context = client,
                                                  .on_message = on_client_message,
                                                  .on_burst = on_client_burst,
                                                  .on_published = on_client_published};
    struct status_detail detail;
    assert_int_equal(mqtt_link_open(&loop, &options, &callbacks, &client->link, &detail),
                     STATUS_OK);
    loop_until(&loop, client_is_up, client);
}

static void card_publishes(int first, int last)
{
    for (int i = first; i <= last; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        assert_int_equal(
            mqtt_link_publish(card.link, "campus/v1/s1/card/c1/up", text_of(text), 1, NULL),
            STATUS_OK);
    }
    card.wanted = (uint32_t)last;
    loop_until(&loop, client_has_published, &card);
}

static void guardian_hears(uint32_t wanted)
{
    guardian.wanted = wanted;
    loop_until(&loop, client_has_received, &guardian);
}

/* ---- the owner ---- */

static bool take_message(uint32_t broker, const struct broker_message *message)
{
    int64_t number;
    assert_true(text_is(message->topic, "campus/v1/s1/card/c1/up"));
    assert_true(message->arrival_ms > 0);
    if (owner.full_from != 0 && owner.received + 1 >= owner.full_from) {
        owner.refusals++;
        return false;
    }
    assert_int_equal(text_to_i64(text_trim(message->payload), &number), STATUS_OK);
    assert_true(owner.received < MESSAGES_MAX);
    owner.brokers[owner.received] = broker;
    owner.numbers[owner.received++] = (int)number;
    return true;
}

static void on_messages(void *context, uint32_t broker, const struct broker_message *messages,
                        uint32_t count, uint32_t *ret_taken, uint64_t *ret_end)
{
    (void)context;
    assert_in_range(count, 1, BRIDGE_TRAY_MESSAGES);
    while (*ret_taken < count && take_message(broker, &messages[*ret_taken])) {
        ++*ret_taken;
    }
    *ret_end = owner.needs_disk ? (uint64_t)owner.received * 10 : 0;
}

static void on_alerts_confirmed(void *context, uint64_t end)
{
    (void)context;
    assert_true(end > owner.confirmed);
    owner.confirmed = end;
    owner.confirmations++;
}

static bool owner_has_received(void *context)
{
    (void)context;
    return owner.received >= owner.wanted;
}

static bool owner_has_refused(void *context)
{
    (void)context;
    return owner.refusals > 0;
}

static void on_alerts_settled(void *context, uint64_t end)
{
    (void)context;
    assert_true(end > owner.settled && end <= owner.confirmed);
    owner.settled = end;
}

static void on_watched(void *context, struct text topic, struct text payload)
{
    (void)context;
    (void)payload;
    assert_true(text_is(topic, "campus/v1/s1/card/c1/up"));
    owner.watched++;
}

static bool owner_has_watched(void *context)
{
    (void)context;
    return owner.watched > 0;
}

static bool owner_has_settled(void *context)
{
    (void)context;
    return owner.settled >= owner.wanted_settled;
}

static bool owner_has_confirmed(void *context)
{
    (void)context;
    return owner.confirmed >= owner.wanted_confirmed;
}

static bool all_links_are_up(void *context)
{
    struct bridge_stats stats;
    (void)context;
    bridge_stats(owner.bridge, &stats);
    return stats.links_up == stats.links;
}

static bool no_link_is_up(void *context)
{
    struct bridge_stats stats;
    (void)context;
    bridge_stats(owner.bridge, &stats);
    return stats.links_up == 0;
}

/* A new connection may overtake what the old one wrote last. */
static bool broker_has_read_all(void *context)
{
    (void)context;
    return broker_said(&brokers[0], "Client campusd-0 disconnected");
}

static void wait_messages(uint32_t wanted)
{
    owner.wanted = wanted;
    loop_until(&loop, owner_has_received, NULL);
}

static void wait_confirmed(uint64_t end)
{
    owner.wanted_confirmed = end;
    loop_until(&loop, owner_has_confirmed, NULL);
    assert_int_equal(owner.confirmed, end);
}

static void bridge_at(uint32_t count, uint32_t alerts_max)
{
    const struct bridge_broker list[BROKERS] = {{brokers[0].url, NULL, true},
                                                {brokers[1].url, NULL, true}};
    const struct bridge_options options = {
        .brokers = list,
        .broker_count = count,
        .client_id = "campusd",
        .keepalive_s = 30,
        .connect_timeout_ms = 5000,
        .backoff_min_ms = 10,
        .backoff_max_ms = 50,
        .burst_max = 64,
        .alerts_max = alerts_max,
        .alerts_before = owner.alerts_before,
        .repeat_window_ms = owner.repeat_window_ms != 0 ? owner.repeat_window_ms : 60000,
        .repeat_first_ms = 500,
        .repeat_second_ms = 1500,
        .repeat_meanwhile_ms = 1000};
    const struct bridge_callbacks callbacks = {NULL, on_messages, on_alerts_confirmed,
                                               on_alerts_settled, on_watched};
    struct status_detail detail = {""};
    if (bridge_open(&loop, &options, &callbacks, &owner.bridge, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static void open_bridge(uint32_t count, uint32_t alerts_max)
{
    bridge_at(count, alerts_max);
    loop_until(&loop, all_links_are_up, NULL);
}

static void on_bridge_closed(void *context)
{
    (void)context;
    owner.closed = true;
    owner.bridge = NULL;
}

static bool bridge_is_closed(void *context)
{
    (void)context;
    return owner.closed;
}

static void close_bridge(void)
{
    owner.closed = false;
    bridge_close(owner.bridge, on_bridge_closed, NULL);
    loop_until(&loop, bridge_is_closed, NULL);
}

static enum status add_alert(int number, uint32_t topics)
{
    static const char *const names[] = {"campus/v1/s1/alerts", "campus/v1/guardian/m1/alerts",
                                        "campus/v1/guardian/m2/alerts"};
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    const struct bridge_alert alert = {(uint64_t)number * 100, names, topics, text_of(text)};
    return bridge_add_alert(owner.bridge, &alert);
}

static void assert_numbers(uint32_t from, int first, int last)
{
    assert_int_equal(owner.received - from, last - first + 1);
    for (int i = first; i <= last; i++) {
        assert_int_equal(owner.numbers[from + (uint32_t)(i - first)], i);
    }
}

static uint32_t times_heard(int number)
{
    char text[16];
    uint32_t times = 0;
    (void)snprintf(text, sizeof text, "%d", number);
    for (uint32_t i = 0; i < guardian.received; i++) {
        times += strcmp(guardian.payloads[i], text) == 0 ? 1 : 0;
    }
    return times;
}

static void on_client_closed(void *context)
{
    ((struct client *)context)->closed = true;
}

static int setup(void **state)
{
    (void)state;
    memset(brokers, 0, sizeof brokers);
    memset(&card, 0, sizeof card);
    memset(&guardian, 0, sizeof guardian);
    memset(&owner, 0, sizeof owner);
    assert_int_equal(uv_loop_init(&loop), 0);
    broker_open(&brokers[0]);
    broker_prepare(&brokers[1]);
    return 0;
}

static int teardown(void **state)
{
    struct client *clients[] = {&card, &guardian};
    (void)state;
    if (owner.bridge != NULL) {
        close_bridge();
    }
    for (size_t i = 0; i < 2; i++) {
        if (clients[i]->link != NULL) {
            mqtt_link_close(clients[i]->link, on_client_closed, clients[i]);
        }
    }
    loop_end(&loop);
    broker_release(&brokers[0]);
    broker_release(&brokers[1]);
    return 0;
}

/* ---- messages in ---- */

static void a_message_is_acknowledged_when_the_disk_has_it_and_not_before(void **state)
{
    (void)state;
    owner.needs_disk = true;
    open_bridge(1, 16);
    client_open(&card, 0, "card");
    card_publishes(1, 40);
    wait_messages(1);
    loop_for(&loop, 30);
    uint32_t before = owner.received; /* a burst, and nothing after it */
    bridge_durable(owner.bridge, (uint64_t)before * 10 - 1);
    loop_for(&loop, 30);
    assert_int_equal(owner.received, before);
    close_bridge();
    bridge_at(1, 16);
    wait_messages(before + 1); /* all of it again */
    while (owner.received < before + 40) {
        bridge_durable(owner.bridge, (uint64_t)owner.received * 10);
        wait_messages(owner.received + 1);
    }
    assert_numbers(before, 1, 40);
    bridge_durable(owner.bridge, (uint64_t)owner.received * 10);
    loop_until(&loop, all_links_are_up, NULL);
    close_bridge();
    loop_until(&loop, broker_has_read_all, NULL);
    uint32_t all = owner.received;
    open_bridge(1, 16);
    card_publishes(41, 41);
    wait_messages(all + 1);
    assert_numbers(all, 41, 41);
}

static void a_message_that_found_no_room_is_taken_first_after_the_resume(void **state)
{
    (void)state;
    owner.full_from = 5;
    open_bridge(1, 16);
    client_open(&card, 0, "card");
    card_publishes(1, 100);
    loop_until(&loop, owner_has_refused, NULL);
    loop_for(&loop, 30);
    assert_numbers(0, 1, 4);
    assert_int_equal(owner.refusals, 1); /* nobody is asked again before the resume */
    bridge_resume(owner.bridge);
    assert_int_equal(owner.refusals, 2);
    owner.full_from = 7;
    bridge_resume(owner.bridge);
    loop_for(&loop, 30);
    assert_numbers(0, 1, 6);
    owner.full_from = 0;
    bridge_resume(owner.bridge);
    wait_messages(100);
    assert_numbers(0, 1, 100);
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.losses, 0);
    assert_int_equal(stats.received, 100);
}

static void a_message_that_waits_outlives_the_loss_of_its_broker(void **state)
{
    (void)state;
    broker_kill(&brokers[0], SIGKILL);
    brokers[0].forgets = true;
    broker_start(&brokers[0]);
    owner.full_from = 1;
    open_bridge(1, 16);
    client_open(&card, 0, "card");
    card_publishes(1, 1);
    loop_until(&loop, owner_has_refused, NULL);
    broker_kill(&brokers[0], SIGKILL);
    loop_until(&loop, no_link_is_up, NULL);
    broker_start(&brokers[0]);
    owner.full_from = 0;
    bridge_resume(owner.bridge);
    assert_numbers(0, 1, 1);
    loop_until(&loop, all_links_are_up, NULL);
}

static void every_broker_is_read_and_its_place_is_told(void **state)
{
    (void)state;
    broker_start(&brokers[1]);
    open_bridge(2, 16);
    client_open(&card, 1, "card");
    card_publishes(1, 3);
    wait_messages(3);
    assert_int_equal(owner.brokers[0], 1);
    client_open(&guardian, 1, "guardian");
    bridge_send_receipt(owner.bridge, 1, "campus/v1/s1/card/c1/down", TEXT("r"));
    guardian_hears(1);
    assert_string_equal(guardian.payloads[0], "r");
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.links, 2);
    assert_int_equal(stats.receipts, 1);
}

static void a_receipt_to_a_broker_that_is_away_is_dropped(void **state)
{
    (void)state;
    bridge_at(2, 16);
    bridge_send_receipt(owner.bridge, 1, "campus/v1/s1/card/c1/down", TEXT("r"));
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.receipts, 0);
}

/* ---- alerts out ---- */

static void alerts_go_to_all_their_topics_and_are_confirmed_in_order(void **state)
{
    (void)state;
    open_bridge(1, 1000);
    client_open(&guardian, 0, "guardian");
    for (int i = 1; i <= 500; i++) {
        assert_int_equal(add_alert(i, 3), STATUS_OK);
    }
    wait_confirmed(50000);
    guardian_hears(1500);
    assert_int_equal(times_heard(1), 3);
    assert_int_equal(times_heard(500), 3);
    assert_true(owner.confirmations < 500); /* many at once */
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.alerts_added, 500);
    assert_int_equal(stats.alerts_confirmed, 500);
    assert_int_equal(stats.alerts_waiting, 0);
    assert_int_equal(stats.alerts_repeated, 0);
}

static void an_alert_is_confirmed_when_all_alert_brokers_have_it(void **state)
{
    (void)state;
    bridge_at(2, 16); /* the second is not there yet */
    client_open(&guardian, 0, "guardian");
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(add_alert(i, 1), STATUS_OK);
    }
    guardian_hears(5);
    loop_for(&loop, 30);
    assert_int_equal(owner.confirmations, 0);
    broker_start(&brokers[1]);
    wait_confirmed(500);
}

static void a_full_ring_says_so_and_has_room_after_confirmations(void **state)
{
    (void)state;
    broker_kill(&brokers[0], SIGKILL);
    bridge_at(1, 4);
    assert_int_equal(bridge_alert_room(owner.bridge), 4);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(add_alert(i, 1), STATUS_OK);
    }
    assert_int_equal(bridge_alert_room(owner.bridge), 0);
    assert_int_equal(add_alert(5, 1), STATUS_FULL);
    broker_start(&brokers[0]);
    wait_confirmed(400);
    assert_int_equal(bridge_alert_room(owner.bridge), 4);
    for (int i = 5; i <= 40; i++) { /* round the ring: confirmed ones are forgotten for room */
        assert_int_equal(add_alert(i, 1), STATUS_OK);
        wait_confirmed((uint64_t)i * 100);
    }
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.alerts_forgotten, 40 - 8);
}

static void an_alert_without_topics_or_with_an_impossible_one_holds_up_nobody(void **state)
{
    (void)state;
    open_bridge(1, 16);
    client_open(&guardian, 0, "guardian");
    const char *const impossible[] = {"campus/v1/s#/alerts", "campus/v1/s1/alerts"};
    const struct bridge_alert bad = {200, impossible, 2, TEXT("2")};
    log_set_level(LOG_ERROR + 1);
    assert_int_equal(add_alert(1, 0), STATUS_OK);
    assert_int_equal(bridge_add_alert(owner.bridge, &bad), STATUS_OK);
    assert_int_equal(add_alert(3, 0), STATUS_OK);
    assert_int_equal(add_alert(4, 1), STATUS_OK);
    wait_confirmed(400);
    guardian_hears(2);
    assert_string_equal(guardian.payloads[0], "2");
    assert_string_equal(guardian.payloads[1], "4");
    log_set_level(LOG_WARN + 1);
}

static void alerts_are_confirmed_while_the_sources_are_paused(void **state)
{
    (void)state;
    owner.full_from = 1;
    open_bridge(1, 16);
    client_open(&card, 0, "card");
    card_publishes(1, 10);
    loop_until(&loop, owner_has_refused, NULL);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(add_alert(i, 2), STATUS_OK);
    }
    wait_confirmed(1000);
    assert_int_equal(owner.received, 0);
}

static void alerts_leave_while_the_disk_keeps_the_messages_waiting(void **state)
{
    (void)state;
    owner.needs_disk = true;
    open_bridge(1, 16);
    client_open(&card, 0, "card");
    card_publishes(1, 10);
    wait_messages(1);
    assert_int_equal(add_alert(1, 1), STATUS_OK);
    wait_confirmed(100);
}

static void alerts_that_a_dead_broker_may_have_forgotten_are_sent_again(void **state)
{
    (void)state;
    broker_kill(&brokers[0], SIGKILL);
    brokers[0].forgets = true;
    broker_start(&brokers[0]);
    open_bridge(1, 16);
    for (int i = 1; i <= 3; i++) { /* nobody listens: the broker alone has them */
        assert_int_equal(add_alert(i, 2), STATUS_OK);
    }
    wait_confirmed(300);
    broker_kill(&brokers[0], SIGKILL);
    loop_until(&loop, no_link_is_up, NULL);
    assert_int_equal(add_alert(4, 1), STATUS_OK); /* while it is away */
    broker_start(&brokers[0]);
    loop_until(&loop, all_links_are_up, NULL);
    wait_confirmed(400);
    client_open(&guardian, 0, "guardian"); /* back later than campusd */
    assert_int_equal(add_alert(5, 1), STATUS_OK);
    wait_confirmed(500);
    guardian_hears(1 + 2 * (3 * 2 + 1 + 1)); /* 5 itself, then both runs: 1-3 twice each, 4, 5 */
    assert_int_equal(times_heard(1), 4);
    assert_int_equal(times_heard(3), 4);
    assert_int_equal(times_heard(4), 2);
    assert_int_equal(times_heard(5), 3);
    assert_int_equal(add_alert(6, 1), STATUS_OK);
    guardian_hears(guardian.received + 1);
    loop_for(&loop, 1200); /* no third run */
    assert_int_equal(times_heard(1), 4);
    assert_int_equal(times_heard(6), 1);
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.alerts_repeated, 10);
    assert_int_equal(stats.alerts_confirmed, 6);
    assert_int_equal(stats.losses, 1);
    assert_int_equal(stats.sessions_lost, 1); /* not the first connection's: there was none */
}

static void an_alert_on_its_way_survives_the_death_of_its_broker(void **state)
{
    (void)state;
    open_bridge(1, 2000);
    broker_kill(&brokers[0], SIGKILL);
    for (int i = 1; i <= 1500; i++) { /* more than a connection may have on the way */
        assert_int_equal(add_alert(i, 1), STATUS_OK);
    }
    loop_until(&loop, no_link_is_up, NULL);
    assert_int_equal(owner.confirmations, 0);
    broker_start(&brokers[0]);
    wait_confirmed(150000);
}

static void what_comes_while_a_burst_is_held_is_heard_by_watching_and_taken_later(void **state)
{
    (void)state;
    owner.needs_disk = true;
    open_bridge(1, 16);
    client_open(&card, 0, "card");
    card_publishes(1, 1);
    wait_messages(1); /* held until position 10 is durable */
    bridge_watch(owner.bridge, true);
    bridge_watch(owner.bridge, true);
    for (int i = 2; owner.watched == 0; i++) { /* until the watching connection is there */
        card_publishes(i, i);
        loop_for(&loop, 20);
    }
    loop_until(&loop, owner_has_watched, NULL);
    assert_int_equal(owner.received, 1);
    bridge_watch(owner.bridge, false);
    bridge_durable(owner.bridge, 1000000);
    wait_messages(card.wanted);
    assert_numbers(0, 1, (int)card.wanted);
}

/* The number, with as many blanks behind it as make `bytes`. */
static void card_publishes_padded(int number, size_t bytes)
{
    static char text[3 * TRAY_BYTES];
    assert_true(bytes < sizeof text);
    (void)snprintf(text, sizeof text, "%-*d", (int)bytes, number);
    assert_int_equal(
        mqtt_link_publish(card.link, "campus/v1/s1/card/c1/up", text_of(text), 1, NULL), STATUS_OK);
    card.wanted++;
    loop_until(&loop, client_has_published, &card);
}

static void messages_of_any_size_keep_their_order(void **state)
{
    (void)state;
    open_bridge(1, 16);
    close_bridge(); /* the broker keeps what comes now */
    client_open(&card, 0, "card");
    card_publishes(1, 10);
    card_publishes_padded(11, 2 * TRAY_BYTES); /* no tray has room for it */
    card_publishes_padded(12, 1);
    for (int i = 13; i <= 20; i++) {
        card_publishes_padded(i, TRAY_BYTES / 3); /* two have room */
    }
    for (int i = 21; i <= 200; i++) {
        card_publishes_padded(i, 3);
    }
    open_bridge(1, 16);
    wait_messages(200);
    assert_numbers(0, 1, 200);
}

static void alerts_are_settled_when_no_loss_would_bring_them_again(void **state)
{
    (void)state;
    open_bridge(1, 16);
    assert_int_equal(add_alert(1, 2), STATUS_OK);
    wait_confirmed(100);
    assert_int_equal(owner.settled, 0);
    close_bridge();
    owner.repeat_window_ms = 1;
    open_bridge(1, 16);
    assert_int_equal(add_alert(2, 2), STATUS_OK);
    assert_int_equal(add_alert(3, 1), STATUS_OK);
    owner.wanted_settled = 300;
    loop_until(&loop, owner_has_settled, NULL);
    struct bridge_stats stats;
    bridge_stats(owner.bridge, &stats);
    assert_int_equal(stats.alerts_kept, 0);
}

static void alerts_of_an_earlier_process_leave_after_newer_ones_and_again(void **state)
{
    (void)state;
    client_open(&guardian, 0, "guardian");
    owner.alerts_before = 300;
    bridge_at(1, 16);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(add_alert(i, i == 2 ? 0 : 1), STATUS_OK);
    }
    wait_confirmed(500);
    guardian_hears(4);
    const char *const order[] = {"4", "5", "1", "3"};
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(guardian.payloads[i], order[i]);
    }
    guardian_hears(4 + 2 * 4); /* who listened at a broker that died may be back by then */
    assert_int_equal(times_heard(3), 3);
    assert_int_equal(times_heard(5), 3);
}

static void brokers_that_cannot_be_are_refused_at_once(void **state)
{
    (void)state;
    const struct bridge_broker list[] = {{brokers[0].url, NULL, true}, {"tcp://x", NULL, true}};
    const struct bridge_options options = {.brokers = list,
                                           .broker_count = 2,
                                           .client_id = "campusd",
                                           .keepalive_s = 30,
                                           .alerts_max = 1,
                                           .burst_max = 64};
    const struct bridge_callbacks callbacks = {NULL, on_messages, on_alerts_confirmed, NULL, NULL};
    struct status_detail detail = {""};
    struct bridge *bridge = NULL;
    assert_int_equal(bridge_open(&loop, &options, &callbacks, &bridge, &detail),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(detail.text, "tcp://x"));
    assert_null(bridge);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_WARN + 1);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_message_is_acknowledged_when_the_disk_has_it_and_not_before),
        T(a_message_that_found_no_room_is_taken_first_after_the_resume),
        T(a_message_that_waits_outlives_the_loss_of_its_broker),
        T(every_broker_is_read_and_its_place_is_told),
        T(a_receipt_to_a_broker_that_is_away_is_dropped),
        T(alerts_go_to_all_their_topics_and_are_confirmed_in_order),
        T(what_comes_while_a_burst_is_held_is_heard_by_watching_and_taken_later),
        T(messages_of_any_size_keep_their_order),
        T(alerts_are_settled_when_no_loss_would_bring_them_again),
        T(alerts_of_an_earlier_process_leave_after_newer_ones_and_again),
        T(an_alert_is_confirmed_when_all_alert_brokers_have_it),
        T(a_full_ring_says_so_and_has_room_after_confirmations),
        T(an_alert_without_topics_or_with_an_impossible_one_holds_up_nobody),
        T(alerts_are_confirmed_while_the_sources_are_paused),
        T(alerts_leave_while_the_disk_keeps_the_messages_waiting),
        T(alerts_that_a_dead_broker_may_have_forgotten_are_sent_again),
        T(an_alert_on_its_way_survives_the_death_of_its_broker),
        T(brokers_that_cannot_be_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
