#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker-bridge/mqtt_uv.h"
#include "broker-bridge/sender.h"
#include "broker-bridge/topic.h"
#include "core/limits.h"
#include "core/sequence.h"
#include "proto/codec.h"
#include "tests/bridge/broker_fixture.h"
#include "tests/check.h"

#define CARDS_MAX 60
#define EPOCH     1790000000u

/* The other side: takes reports as campusd does, and sends a receipt for each. It forgets nothing,
 * whatever happens to the broker. */
struct server {
    struct mqtt_link *link;
    struct arena arena;
    struct sequence sequences[CARDS_MAX]; /* by the number in the id: c<number>, g<number> */
    uint64_t news, repeats, highest, latest, events;
    uint64_t out_of_order; /* new numbers that came after a higher one */
    uint32_t ignore;       /* that many messages more are not taken */
    bool mute;             /* takes, and sends no receipt */
    uint32_t answer_epoch; /* 0: the report's own */
    bool closed;
};

struct fixture {
    struct server server;
    struct sender_hub *hub;
    uint32_t settled, progressed, conflicts, conflict_epoch, ups, downs;
    uint64_t wanted, reports;
    bool closed;
};

static uv_loop_t loop;
static struct broker_fixture broker;
static struct fixture f;

/* ---- the server ---- */

static void answer(struct server *server, const struct topic *topic, uint32_t number,
                   uint32_t epoch)
{
    char school[65], id[65], name[TOPIC_BYTES_MAX];
    struct buffer payload;
    const struct receipt receipt = {server->answer_epoch != 0 ? server->answer_epoch : epoch,
                                    server->sequences[number].durable_to};
    (void)snprintf(school, sizeof school, "%.*s", TEXT_FMT(topic->school));
    (void)snprintf(id, sizeof id, "%.*s", TEXT_FMT(topic->sender));
    if (topic->kind == TOPIC_CARD_UP) {
        topic_card_down(name, school, id);
    } else {
        topic_gate_down(name, school, id);
    }
    buffer_init(&payload, 1024);
    encode_receipt(&payload, &receipt);
    /* A receipt that does not leave is asked for again. */
    enum status status =
        mqtt_link_publish(server->link, name, (struct text){payload.data, payload.size}, 0, NULL);
    assert_int_not_equal(status, STATUS_INVALID);
    buffer_release(&payload);
}

static void on_report(void *context, struct mqtt_link *link, struct text name, struct text payload)
{
    struct server *server = context;
    struct topic topic;
    struct wire_report report;
    struct status_detail detail = {""};
    int64_t number;
    (void)link;
    if (server->ignore > 0) {
        server->ignore--;
        return;
    }
    arena_reset(&server->arena);
    const struct decode_context decode = {&server->arena, 1790000000000, GEO_WGS84};
    assert_int_equal(topic_parse(name, &topic), STATUS_OK);
    enum refusal refusal = topic.kind == TOPIC_CARD_UP
                               ? decode_card_report(&decode, payload, &report, &detail)
                               : decode_gate_report(&decode, payload, &report, &detail);
    if (refusal != REFUSAL_NONE) {
        fail_msg("%s", detail.text);
    }
    assert_true(text_equal(report.sender, topic.sender));
    const struct text digits = {topic.sender.at + 1, topic.sender.length - 1};
    assert_int_equal(text_to_i64(digits, &number), STATUS_OK);
    struct sequence *sequence = &server->sequences[number];
    server->latest = report.seq;
    if (sequence_seen(sequence, report.epoch, report.seq)) {
        server->repeats++;
    } else {
        server->news++;
        server->events += report.event_count;
        server->out_of_order += report.seq < server->highest ? 1 : 0;
        server->highest = report.seq > server->highest ? report.seq : server->highest;
        sequence_take(sequence, report.epoch, report.seq, report.keep_from);
    }
    if (report.want_receipt && !server->mute) {
        answer(server, &topic, (uint32_t)number, report.epoch);
    }
}

static void on_report_burst(void *context, struct mqtt_link *link)
{
    (void)context;
    mqtt_link_release(link);
}

static void open_server(void)
{
    const struct mqtt_link_options options = {.url = broker.url,
                                              .client_id = "server",
                                              .subscriptions = topic_filters,
                                              .clean_session = false,
                                              .keepalive_s = 30,
                                              .connect_timeout_ms = 5000,
                                              .backoff_min_ms = 10,
                                              .backoff_max_ms = 50,
                                              .burst_max = 256,
                                              .inflight_max = 64};
    const struct mqtt_link_callbacks callbacks = {
        .context = &f.server, .on_message = on_report, .on_burst = on_report_burst};
    struct status_detail detail;
    assert_int_equal(arena_init_fixed(&f.server.arena, DECODE_ARENA_BYTES), STATUS_OK);
    assert_int_equal(mqtt_link_open(&loop, &options, &callbacks, &f.server.link, &detail),
                     STATUS_OK);
}

static bool server_is_up(void *context)
{
    (void)context;
    return mqtt_link_is_up(f.server.link);
}

/* ---- the hub under test ---- */

static void on_progress(void *context, uint32_t no)
{
    (void)context;
    (void)no;
    f.progressed++;
}

static void on_settled(void *context)
{
    (void)context;
    f.settled++;
}

static void on_link(void *context, bool up, const struct status_detail *detail)
{
    (void)context;
    assert_true(up || strlen(detail->text) > 0);
    f.ups += up ? 1 : 0;
    f.downs += up ? 0 : 1;
}

static void on_conflict(void *context, uint32_t no, uint32_t epoch)
{
    (void)context;
    assert_int_equal(no, 0);
    f.conflicts++;
    f.conflict_epoch = epoch;
}

static void open_hub(const struct sender_identity *identities, uint32_t count,
                     struct sender_options options)
{
    const struct sender_callbacks callbacks = {NULL, on_progress, on_settled, on_link, on_conflict};
    struct status_detail detail = {""};
    options.url = broker.url;
    options.client_id = "hub";
    options.identities = identities;
    options.count = count;
    options.backoff_min_ms = 10;
    options.backoff_max_ms = 50;
    if (sender_open(&loop, &options, &callbacks, &f.hub, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static const struct sender_identity one_card[] = {{ORIGIN_CARD, "s1", "c0", EPOCH}};

static enum status add_sos(void)
{
    const struct event sos = {.time_ms = 1789999990000, .type = EVENT_SIGNAL, .kind = SIGNAL_SOS};
    enum status status = sender_add(f.hub, 0, &sos, NULL, 1);
    f.reports += status == STATUS_OK ? 1 : 0;
    return status;
}

static enum status add_fix(uint32_t no)
{
    const struct event fix = {.time_ms = 1789999990000,
                              .type = EVENT_FIX,
                              .flags = EVENT_HAS_ACCURACY,
                              .kind = FIX_GNSS,
                              .datum = GEO_WGS84,
                              .point = {361900000, 1131100000},
                              .accuracy_cm = 1200};
    enum status status = sender_add(f.hub, no, &fix, NULL, 1);
    f.reports += status == STATUS_OK ? 1 : 0;
    return status;
}

static bool is_settled(void *context)
{
    struct sender_stats stats;
    (void)context;
    sender_stats(f.hub, &stats);
    return f.settled > 0 && stats.receipted == f.reports;
}

static bool has_news(void *context)
{
    (void)context;
    return f.server.news >= f.wanted;
}

static bool has_room(void *context)
{
    (void)context;
    return sender_room(f.hub, 0) > 0;
}

static bool has_repeats(void *context)
{
    (void)context;
    return f.server.repeats >= f.wanted;
}

static bool was_sent_again(void *context)
{
    struct sender_stats stats;
    (void)context;
    sender_stats(f.hub, &stats);
    return stats.resent >= f.wanted;
}

static bool has_conflict(void *context)
{
    (void)context;
    return f.conflicts > 0;
}

static void wait_news(uint64_t wanted)
{
    f.wanted = wanted;
    loop_until(&loop, has_news, NULL);
}

static void add_many(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        loop_until(&loop, has_room, NULL);
        f.settled = 0;
        assert_int_equal(add_fix(0), STATUS_OK);
    }
}

static void on_hub_closed(void *context)
{
    (void)context;
    f.closed = true;
}

static void on_server_closed(void *context)
{
    (void)context;
    f.server.closed = true;
}

static int setup(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof broker);
    memset(&f, 0, sizeof f);
    assert_int_equal(uv_loop_init(&loop), 0);
    broker.forgets = true;
    broker_open(&broker);
    open_server();
    loop_until(&loop, server_is_up, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (f.hub != NULL) {
        sender_close(f.hub, on_hub_closed, NULL);
    }
    mqtt_link_close(f.server.link, on_server_closed, NULL);
    loop_end(&loop);
    assert_true(f.server.closed && (f.hub == NULL || f.closed));
    arena_release(&f.server.arena);
    broker_release(&broker);
    return 0;
}

static void every_report_is_receipted_in_order_and_then_it_is_settled(void **state)
{
    (void)state;
    open_hub(one_card, 1, (struct sender_options){0});
    add_many(500);
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.server.news, 500);
    assert_int_equal(f.server.sequences[0].durable_to, 500);
    assert_int_equal(f.server.sequences[0].gaps, 0);
    assert_int_equal(f.server.out_of_order, 0);
    struct sender_stats stats;
    sender_stats(f.hub, &stats);
    assert_int_equal(stats.sent, 500);
    assert_int_equal(stats.resent, 0);
    assert_true(stats.receipts <= 500 && f.progressed >= 1);
}

static void many_cards_and_gates_share_a_connection(void **state)
{
    (void)state;
    struct sender_identity *many = calloc(CARDS_MAX, sizeof *many);
    static char ids[CARDS_MAX][8];
    assert_non_null(many);
    for (uint32_t i = 0; i < CARDS_MAX; i++) {
        bool gate = i % 10 == 9;
        (void)snprintf(ids[i], sizeof ids[i], "%c%u", gate ? 'g' : 'c', i);
        many[i] = (struct sender_identity){gate ? ORIGIN_GATE : ORIGIN_CARD,
                                           i % 2 == 0 ? "s1" : "s2", ids[i], EPOCH};
    }
    open_hub(many, CARDS_MAX, (struct sender_options){.fleet = true});
    const struct event passes[2] = {
        {.time_ms = 1789999990000, .type = EVENT_PASS, .kind = PASS_IN, .reader = 1},
        {.time_ms = 1789999991000, .type = EVENT_PASS, .kind = PASS_OUT, .reader = 2}};
    const char *const cards[2] = {"c1", "c2"};
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t no = 0; no < CARDS_MAX; no++) {
            if (many[no].kind == ORIGIN_GATE) {
                assert_int_equal(sender_add(f.hub, no, passes, cards, 2), STATUS_OK);
                f.reports++;
            } else {
                assert_int_equal(add_fix(no), STATUS_OK);
            }
        }
    }
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.server.news, CARDS_MAX * 20);
    assert_int_equal(f.server.events, CARDS_MAX * 20 + CARDS_MAX / 10 * 20);
    for (uint32_t no = 0; no < CARDS_MAX; no++) {
        assert_int_equal(f.server.sequences[no].durable_to, 20);
    }
    free(many);
}

static void no_report_is_lost_when_a_broker_that_forgets_dies(void **state)
{
    (void)state;
    open_hub(one_card, 1, (struct sender_options){.queue_max = 128});
    for (uint32_t round = 1; round <= 3; round++) {
        add_many(50);
        wait_news((round - 1) * 90 + 1);
        broker_kill(&broker, SIGKILL);
        add_many(40); /* while it is away; its queue takes them */
        broker_start(&broker);
        loop_until(&loop, is_settled, NULL);
    }
    assert_int_equal(f.server.news, 270);
    assert_int_equal(f.server.sequences[0].durable_to, 270);
    assert_int_equal(f.server.sequences[0].gaps, 0);
    assert_int_equal(f.ups, 4);
    assert_true(f.downs >= 3);
}

static void without_receipts_the_window_and_the_queue_are_the_limit(void **state)
{
    (void)state;
    f.server.mute = true;
    open_hub(one_card, 1, (struct sender_options){.queue_max = 100});
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(add_fix(0), STATUS_OK);
    }
    assert_int_equal(add_fix(0), STATUS_FULL);
    assert_int_equal(sender_room(f.hub, 0), 0);
    wait_news(SEQUENCE_WINDOW);
    loop_for(&loop, 50);
    assert_int_equal(f.server.news, SEQUENCE_WINDOW);
    assert_int_equal(f.progressed, 0);
}

static void what_has_no_receipt_in_time_is_sent_again_in_order(void **state)
{
    (void)state;
    f.server.ignore = 10; /* the first two sendings of five reports */
    open_hub(one_card, 1, (struct sender_options){.retry_min_ms = 50, .retry_max_ms = 200});
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(add_fix(0), STATUS_OK);
    }
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.server.news, 5);
    assert_int_equal(f.server.out_of_order, 0);
    struct sender_stats stats;
    sender_stats(f.hub, &stats);
    assert_int_equal(stats.sent, 5);
    assert_true(stats.resent >= 10);
}

static void repeats_become_rarer_while_nobody_answers(void **state)
{
    (void)state;
    f.server.mute = true;
    open_hub(one_card, 1, (struct sender_options){.retry_min_ms = 20, .retry_max_ms = 100000});
    assert_int_equal(add_fix(0), STATUS_OK);
    f.wanted = 2;
    loop_until(&loop, has_repeats, NULL);
    f.server.mute = false;
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.server.news, 1);
}

static void what_is_sent_again_is_the_oldest_alone_and_nothing_new_follows(void **state)
{
    (void)state;
    f.server.mute = true;
    open_hub(one_card, 1, (struct sender_options){.retry_min_ms = 20, .retry_max_ms = 20});
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(add_fix(0), STATUS_OK);
    }
    wait_news(30);
    f.wanted = 3;
    loop_until(&loop, has_repeats, NULL);
    assert_int_equal(add_fix(0), STATUS_OK);
    f.wanted = 5;
    loop_until(&loop, has_repeats, NULL);
    assert_int_equal(f.server.news, 30);
    assert_int_equal(f.server.latest, 1); /* and so were all the repeats */
    f.server.mute = false;
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.server.news, 31);
}

static void after_a_loss_the_first_receipt_covers_what_is_there(void **state)
{
    (void)state;
    f.server.mute = true;
    open_hub(one_card, 1, (struct sender_options){0});
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(add_fix(0), STATUS_OK);
    }
    wait_news(30);
    f.server.mute = false;
    broker_kill(&broker, SIGKILL);
    broker_start(&broker);
    loop_until(&loop, is_settled, NULL);
    struct sender_stats stats;
    sender_stats(f.hub, &stats);
    assert_in_range(stats.resent, 1, 29); /* 1, but for what came before the server subscribed */
}

static void an_sos_waits_for_no_report_before_it(void **state)
{
    (void)state;
    f.server.ignore = 1000000;
    open_hub(one_card, 1, (struct sender_options){.retry_min_ms = 20, .retry_max_ms = 20});
    assert_int_equal(add_fix(0), STATUS_OK);
    f.wanted = 3;
    loop_until(&loop, was_sent_again, NULL);
    assert_int_equal(add_fix(0), STATUS_OK);
    assert_int_equal(add_fix(0), STATUS_OK);
    f.server.ignore = 0;
    f.server.mute = true;
    assert_int_equal(add_sos(), STATUS_OK);
    struct sender_stats stats;
    sender_stats(f.hub, &stats);
    assert_int_equal(stats.sent, 2);
    f.wanted = 3;
    loop_until(&loop, has_repeats, NULL);
    assert_int_equal(f.server.news, 2); /* the oldest, and the SOS behind two that wait */
    assert_int_equal(f.server.highest, 4);
    f.server.mute = false;
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.server.sequences[0].durable_to, 4);
}

static void without_a_wish_for_receipts_the_brokers_word_is_enough(void **state)
{
    (void)state;
    open_hub(one_card, 1, (struct sender_options){.no_receipts = true});
    add_many(300);
    loop_until(&loop, is_settled, NULL);
    wait_news(300);
    assert_int_equal(f.server.news, 300);
    struct sender_stats stats;
    sender_stats(f.hub, &stats);
    assert_int_equal(stats.receipts, 0);
    assert_int_equal(stats.receipted, 300);
}

static void a_receipt_of_a_later_life_is_a_conflict_and_of_an_earlier_one_is_not(void **state)
{
    (void)state;
    f.server.answer_epoch = EPOCH - 1;
    open_hub(one_card, 1, (struct sender_options){.retry_min_ms = 50});
    assert_int_equal(add_fix(0), STATUS_OK);
    wait_news(1);
    loop_for(&loop, 30);
    assert_int_equal(f.conflicts, 0);
    f.server.answer_epoch = EPOCH + 7;
    loop_until(&loop, has_conflict, NULL);
    assert_int_equal(f.conflict_epoch, EPOCH + 7);
    assert_int_equal(f.settled, 0);
}

static void a_receipt_for_numbers_that_were_never_sent_is_a_conflict(void **state)
{
    (void)state;
    f.server.sequences[0] = (struct sequence){.durable_to = 1000, .epoch = EPOCH};
    open_hub(one_card, 1, (struct sender_options){0});
    assert_int_equal(add_fix(0), STATUS_OK);
    loop_until(&loop, has_conflict, NULL);
    assert_int_equal(f.conflict_epoch, EPOCH);
}

static void identities_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct sender_identity identities[2];
        enum status status;
        const char *words;
    } bad[] = {
        {{{ORIGIN_CARD, "s1", "a/b", 1}, {ORIGIN_CARD, "s1", "c", 1}}, STATUS_INVALID, "a/b"},
        {{{ORIGIN_CARD, "s+", "a", 1}, {ORIGIN_CARD, "s1", "c", 1}}, STATUS_INVALID, "s+"},
        {{{ORIGIN_CARD, "s1", "a", 1}, {ORIGIN_CARD, "s2", "a", 1}}, STATUS_EXISTS, "twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct sender_options options = {
            .url = broker.url, .client_id = "hub", .identities = bad[i].identities, .count = 2};
        const struct sender_callbacks callbacks = {0};
        struct sender_hub *hub = NULL;
        struct status_detail detail = {""};
        assert_int_equal(sender_open(&loop, &options, &callbacks, &hub, &detail), bad[i].status);
        assert_non_null(strstr(detail.text, bad[i].words));
        assert_null(hub);
    }
    const struct sender_options options = {
        .url = "http://x", .client_id = "hub", .identities = one_card, .count = 1};
    const struct sender_callbacks callbacks = {0};
    struct sender_hub *hub = NULL;
    struct status_detail detail = {""};
    assert_int_equal(sender_open(&loop, &options, &callbacks, &hub, &detail), STATUS_UNSUPPORTED);
}

static void garbage_on_the_down_topics_is_ignored(void **state)
{
    (void)state;
    open_hub(one_card, 1, (struct sender_options){.fleet = true});
    assert_int_equal(add_fix(0), STATUS_OK);
    loop_until(&loop, is_settled, NULL);
    static const char *const names[] = {"campus/v1/s1/card/c0/down", "campus/v1/s1/card/x/down",
                                        "campus/v1//gate//down"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(mqtt_link_publish(f.server.link, names[i], TEXT("\xff\xff\x01"), 0, NULL),
                         STATUS_OK);
        assert_int_equal(mqtt_link_publish(f.server.link, names[i], TEXT(""), 0, NULL), STATUS_OK);
    }
    f.settled = 0;
    assert_int_equal(add_fix(0), STATUS_OK);
    loop_until(&loop, is_settled, NULL);
    assert_int_equal(f.conflicts, 0);
    assert_int_equal(f.server.sequences[0].durable_to, 2);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_report_is_receipted_in_order_and_then_it_is_settled),
        T(many_cards_and_gates_share_a_connection),
        T(no_report_is_lost_when_a_broker_that_forgets_dies),
        T(without_receipts_the_window_and_the_queue_are_the_limit),
        T(what_has_no_receipt_in_time_is_sent_again_in_order),
        T(repeats_become_rarer_while_nobody_answers),
        T(what_is_sent_again_is_the_oldest_alone_and_nothing_new_follows),
        T(after_a_loss_the_first_receipt_covers_what_is_there),
        T(an_sos_waits_for_no_report_before_it),
        T(without_a_wish_for_receipts_the_brokers_word_is_enough),
        T(a_receipt_of_a_later_life_is_a_conflict_and_of_an_earlier_one_is_not),
        T(a_receipt_for_numbers_that_were_never_sent_is_a_conflict),
        T(identities_that_cannot_be_are_refused),
        T(garbage_on_the_down_topics_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
