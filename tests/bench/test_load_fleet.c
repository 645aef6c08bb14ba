/* Generator processes against a real Mosquitto, whose subscriber is the judge. */
#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "bench/load/fleet.h"
#include "bench/load/fleet_plan.h"
#include "broker-bridge/topic.h"
#include "tests/bench/load_city.h"
#include "tests/bridge/broker_fixture.h"

enum { WAIT_STEPS_MAX = 6000, STEP_MS = 10, EPOCH = 1700000000 };

/* ---- a subscriber that decodes what it hears ---- */

struct ear {
    struct mosquitto *client;
    pthread_mutex_t lock;
    struct arena arena;
    const struct load_cards *cards;
    uint32_t messages, reports, events, wrong, probes;
    bool subscribed;
};

static void hear_report(struct ear *ear, const struct topic *topic, struct text card,
                        const struct wire_report *report)
{
    uint32_t no = load_cards_find(ear->cards, card);
    bool is_probe = report->epoch == EPOCH - 1;
    ear->probes += is_probe;
    ear->reports += !is_probe;
    ear->events += is_probe ? 0 : report->event_count;
    ear->wrong += no == LOAD_NONE || !text_is(topic->school, ear->cards->items[no].school) ||
                  (report->epoch != EPOCH && !is_probe) || report->refusal != REFUSAL_NONE;
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    struct ear *ear = context;
    struct topic topic;
    struct text payload = {message->payload, (size_t)message->payloadlen};
    const struct decode_context decode = {&ear->arena, clock_wall_ms(), GEO_WGS84};
    struct wire_report report;
    struct wire_reports reports;
    (void)pthread_mutex_lock(&ear->lock);
    arena_reset(&ear->arena);
    ear->messages++;
    if (topic_parse(text_of(message->topic), &topic) != STATUS_OK) {
        ear->wrong++;
    } else if (topic.kind == TOPIC_CARD_UP) {
        ear->wrong += decode_card_report(&decode, payload, &report, NULL) != REFUSAL_NONE;
        hear_report(ear, &topic, topic.sender, &report);
    } else if (topic.kind == TOPIC_GATEWAY_UP) {
        ear->wrong += decode_gateway_report(&decode, payload, &reports, NULL) != REFUSAL_NONE;
        for (uint32_t i = 0; i < reports.count; i++) {
            hear_report(ear, &topic, reports.items[i].sender, &reports.items[i]);
        }
    }
    (void)pthread_mutex_unlock(&ear->lock);
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int count,
                         const int *granted)
{
    (void)client;
    (void)mid;
    (void)granted;
    struct ear *ear = context;
    (void)pthread_mutex_lock(&ear->lock);
    ear->subscribed = count == 1;
    (void)pthread_mutex_unlock(&ear->lock);
}

static bool subscribed(void *context)
{
    struct ear *ear = context;
    (void)pthread_mutex_lock(&ear->lock);
    bool is = ear->subscribed;
    (void)pthread_mutex_unlock(&ear->lock);
    return is;
}

static void wait_for(bool (*done)(void *context), void *context)
{
    for (uint32_t i = 0; i < WAIT_STEPS_MAX; i++) {
        if (done(context)) {
            return;
        }
        (void)poll(NULL, 0, STEP_MS);
    }
    fail_msg("what the test waits for did not happen within a minute");
}

static void ear_open(struct ear *ear, const struct load_cards *cards, int port)
{
    *ear = (struct ear){.cards = cards};
    assert_int_equal(pthread_mutex_init(&ear->lock, NULL), 0);
    assert_int_equal(arena_init_fixed(&ear->arena, DECODE_ARENA_BYTES), STATUS_OK);
    ear->client = mosquitto_new(NULL, true, ear);
    assert_non_null(ear->client);
    mosquitto_message_callback_set(ear->client, on_message);
    mosquitto_subscribe_callback_set(ear->client, on_subscribe);
    assert_int_equal(mosquitto_connect(ear->client, "127.0.0.1", port, 60), MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_loop_start(ear->client), MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_subscribe(ear->client, NULL, "campus/v1/#", 1), MOSQ_ERR_SUCCESS);
    wait_for(subscribed, ear);
}

static void ear_close(struct ear *ear)
{
    (void)mosquitto_disconnect(ear->client);
    (void)mosquitto_loop_stop(ear->client, true);
    mosquitto_destroy(ear->client);
    arena_release(&ear->arena);
    (void)pthread_mutex_destroy(&ear->lock);
}

/* ---- a fleet on a feed of one second ---- */

struct scene {
    struct load_cards cards;
    struct load_ledger ledger;
    struct load_broker brokers[2];
    struct load_step step;
    struct load_steady steady;
    struct load_feed_source source;
    struct load_fleet_options options;
    struct load_fleet *fleet;
    struct ear ears[2];
    uint32_t ear_count, probes;
};

static enum status make_steady(const void *context, struct load_share share, int64_t wall_ms,
                               struct load_feed **ret, struct status_detail *detail)
{
    struct load_steady options = *(const struct load_steady *)context;
    options.wall_ms = wall_ms;
    return load_feed_steady(&options, share, ret, detail);
}

static void scene_init(struct scene *scene, uint32_t cards, const int *ports, uint32_t port_count)
{
    *scene = (struct scene){.step = {600, 1}};
    load_city(&scene->cards, cards, 7, 0.1);
    scene->steady = (struct load_steady){
        .cards = &scene->cards, .steps = &scene->step, .step_count = 1, .sos_per_s = 5};
    scene->source = (struct load_feed_source){make_steady, &scene->steady};
    for (uint32_t i = 0; i < port_count; i++) {
        (void)snprintf(scene->brokers[i].url.host, MQTT_HOST_MAX, "127.0.0.1");
        scene->brokers[i].url.port = ports[i];
    }
    scene->options = (struct load_fleet_options){.brokers = scene->brokers,
                                                 .broker_count = port_count,
                                                 .cards = &scene->cards,
                                                 .ledger = &scene->ledger,
                                                 .feeds = &scene->source,
                                                 .feed_count = 1,
                                                 .batch = 1,
                                                 .generators = 2,
                                                 .connects_per_s = 2000,
                                                 .keepalive_s = 60,
                                                 .qos = 1};
}

static void scene_open(struct scene *scene)
{
    assert_int_equal(load_ledger_init(&scene->ledger, scene->cards.count, 10000), STATUS_OK);
    scene->ledger.epoch = EPOCH;
    assert_int_equal(load_fleet_open(&scene->options, &scene->fleet, NULL), STATUS_OK);
}

static void scene_listen(struct scene *scene)
{
    for (uint32_t i = 0; i < scene->options.broker_count; i++) {
        ear_open(&scene->ears[i], &scene->cards, scene->brokers[i].url.port);
        scene->ear_count++;
    }
}

static void scene_connect(struct scene *scene)
{
    struct status_detail detail = {""};
    if (load_fleet_connect(scene->fleet, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static bool idle(void *context)
{
    return load_fleet_idle(((struct scene *)context)->fleet);
}

static bool all_acked(void *context)
{
    struct scene *scene = context;
    struct load_counts counts = load_ledger_counts(&scene->ledger);
    return load_fleet_idle(scene->fleet) && counts.acked == counts.sent;
}

static void scene_probe(struct scene *scene)
{
    load_fleet_probe(scene->fleet, ++scene->probes);
}

static void scene_run(struct scene *scene)
{
    load_fleet_run(scene->fleet, 0, clock_mono_us() + 50000, clock_wall_ms());
}

static void scene_close(struct scene *scene)
{
    struct status_detail detail = {""};
    if (load_fleet_status(scene->fleet, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
    load_fleet_close(scene->fleet);
    for (uint32_t i = 0; i < scene->ear_count; i++) {
        ear_close(&scene->ears[i]);
    }
    load_ledger_release(&scene->ledger);
    load_cards_release(&scene->cards);
}

struct sum {
    uint32_t messages, reports, events, wrong, probes;
};

static struct sum heard(struct scene *scene)
{
    struct sum sum = {0};
    for (uint32_t i = 0; i < scene->ear_count; i++) {
        struct ear *ear = &scene->ears[i];
        (void)pthread_mutex_lock(&ear->lock);
        sum.messages += ear->messages;
        sum.reports += ear->reports;
        sum.events += ear->events;
        sum.wrong += ear->wrong;
        sum.probes += ear->probes;
        (void)pthread_mutex_unlock(&ear->lock);
    }
    return sum;
}

/* All of the feed, and the probe where there was one. */
static bool heard_all(void *context)
{
    struct sum sum = heard(context);
    return sum.reports >= 605 && sum.probes >= ((struct scene *)context)->probes;
}

static void each_card_has_a_connection_and_every_report_arrives_once(void **state)
{
    (void)state;
    struct broker_fixture brokers[2] = {{.forgets = true}, {.forgets = true}};
    broker_open(&brokers[0]);
    broker_open(&brokers[1]);
    struct scene scene;
    scene_init(&scene, 60, (const int[]){brokers[0].port, brokers[1].port}, 2);
    scene_open(&scene);
    scene_listen(&scene);
    scene_connect(&scene);
    struct load_fleet_counts counts;
    load_fleet_counts(scene.fleet, &counts);
    assert_int_equal(counts.connections, 60);
    assert_int_equal(counts.up, 60);
    assert_int_equal(counts.generators, 2);
    scene_probe(&scene);
    scene_run(&scene);
    wait_for(all_acked, &scene);
    wait_for(heard_all, &scene);
    struct sum sum = heard(&scene);
    assert_int_equal(load_ledger_counts(&scene.ledger).sent, 605);
    assert_int_equal(load_ledger_sent(&scene.ledger, LOAD_SOS), 5);
    assert_int_equal(sum.reports, 605);
    assert_int_equal(sum.events, 605);
    assert_int_equal(sum.probes, 1);
    assert_int_equal(sum.wrong, 0);
    assert_true(scene.ears[0].reports > 200 && scene.ears[1].reports > 200);
    assert_true(load_fleet_take_lag_us(scene.fleet) > 0);
    assert_int_equal(load_fleet_take_lag_us(scene.fleet), 0);
    scene_close(&scene);
    broker_release(&brokers[0]);
    broker_release(&brokers[1]);
}

static void gateways_carry_the_cards_of_their_school(void **state)
{
    (void)state;
    struct broker_fixture broker = {.forgets = true};
    broker_open(&broker);
    struct scene scene;
    scene_init(&scene, 70, &broker.port, 1);
    scene.options.gateways = 16; /* of 7 schools: two or three each */
    scene.options.batch = 10;
    scene_open(&scene);
    scene_listen(&scene);
    scene_connect(&scene);
    scene_probe(&scene);
    scene_run(&scene);
    wait_for(all_acked, &scene);
    wait_for(heard_all, &scene);
    struct sum sum = heard(&scene);
    assert_int_equal(sum.reports, 605);
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(sum.probes, 1);
    /* full ones, one for each SOS, what was left in each at the end, and the probe */
    assert_in_range(sum.messages, 61, 60 + 5 + 16 + 1);
    scene_close(&scene);
    broker_release(&broker);
}

static void without_acknowledgements_reports_are_sent_and_not_acknowledged(void **state)
{
    (void)state;
    struct broker_fixture broker = {.forgets = true};
    broker_open(&broker);
    struct scene scene;
    scene_init(&scene, 60, &broker.port, 1);
    scene.options.qos = 0;
    scene.options.connections = 3;
    scene_open(&scene);
    scene_listen(&scene);
    scene_connect(&scene);
    scene_run(&scene);
    wait_for(idle, &scene);
    wait_for(heard_all, &scene);
    assert_int_equal(load_ledger_counts(&scene.ledger).sent, 605);
    assert_int_equal(load_ledger_counts(&scene.ledger).acked, 0);
    scene_close(&scene);
    broker_release(&broker);
}

static bool lost_some(void *context)
{
    struct load_fleet_counts counts;
    load_fleet_counts(((struct scene *)context)->fleet, &counts);
    return counts.losses > 0;
}

static bool half_acked(void *context)
{
    return load_ledger_counts(&((struct scene *)context)->ledger).acked > 300;
}

static void a_broker_that_dies_and_returns_gets_everything(void **state)
{
    (void)state;
    struct broker_fixture broker = {.forgets = true};
    broker_open(&broker);
    struct scene scene;
    scene_init(&scene, 30, &broker.port, 1);
    scene_open(&scene);
    scene_connect(&scene);
    scene_run(&scene);
    wait_for(half_acked, &scene);
    broker_kill(&broker, SIGKILL);
    wait_for(lost_some, &scene);
    broker_start(&broker);
    wait_for(all_acked, &scene);
    assert_int_equal(load_ledger_counts(&scene.ledger).sent, 605);
    scene_close(&scene);
    broker_release(&broker);
}

static bool pinged_thrice(void *context)
{
    struct load_fleet_counts counts;
    load_fleet_counts(((struct scene *)context)->fleet, &counts);
    return counts.pings >= 90;
}

static void idle_connections_ping(void **state)
{
    (void)state;
    struct broker_fixture broker = {.forgets = true};
    broker_open(&broker);
    struct scene scene;
    scene_init(&scene, 30, &broker.port, 1);
    scene.options.keepalive_s = 2; /* the broker hangs up after three */
    scene_open(&scene);
    scene_connect(&scene);
    wait_for(pinged_thrice, &scene);
    struct load_fleet_counts counts;
    load_fleet_counts(scene.fleet, &counts);
    assert_int_equal(counts.losses, 0);
    assert_int_equal(counts.up, 30);
    scene_close(&scene);
    broker_release(&broker);
}

/* ---- what cannot come up ---- */

static void check_refusal(int port, enum status wanted, const char *words)
{
    struct scene scene;
    struct status_detail detail = {""};
    scene_init(&scene, 20, &port, 1);
    scene_open(&scene);
    assert_int_equal(load_fleet_connect(scene.fleet, &detail), wanted);
    if (strstr(detail.text, words) == NULL || strstr(detail.text, " of 20 failed") == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", detail.text, words);
    }
    load_fleet_close(scene.fleet);
    load_ledger_release(&scene.ledger);
    load_cards_release(&scene.cards);
}

static void a_broker_that_is_closed_or_not_there_is_told(void **state)
{
    (void)state;
    struct broker_fixture broker = {.forgets = true, .closed_to_strangers = true};
    broker_open(&broker);
    check_refusal(broker.port, STATUS_DENIED, "not authorised");
    broker_release(&broker);
    check_refusal(free_port(), STATUS_UNAVAILABLE, "refused");
}

/* Hangs up on everybody at once, as a broker without descriptors does. */
static pid_t hang_up_server(int *ret_port)
{
    int fd = listen_silently(ret_port);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            char bytes[256];
            int client = accept(fd, NULL, NULL);
            (void)!read(client, bytes, sizeof bytes);
            (void)close(client);
        }
    }
    (void)close(fd);
    return pid;
}

static void a_broker_without_descriptors_is_told_with_the_way_out(void **state)
{
    (void)state;
    int port = 0, status;
    pid_t pid = hang_up_server(&port);
    check_refusal(port, STATUS_UNAVAILABLE, "limit of open files");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* ---- the plan ---- */

static void the_limit_of_open_files_makes_processes(void **state)
{
    (void)state;
    struct load_cards cards;
    load_city(&cards, 1000, 7, 0);
    struct load_fleet_options options = {.cards = &cards, .generators = 1};
    struct fleet_plan plan;
    struct status_detail detail;
    assert_int_equal(fleet_plan_init(&plan, &options, 164, NULL), STATUS_OK);
    assert_int_equal(plan.parts, 10);
    uint32_t lines = 0;
    for (uint32_t i = 0; i < plan.parts; i++) {
        assert_true(fleet_plan_lines(&plan, i) <= 100);
        lines += fleet_plan_lines(&plan, i);
    }
    assert_int_equal(lines, 1000);
    fleet_plan_release(&plan);
    assert_int_equal(fleet_plan_init(&plan, &options, 70, &detail), STATUS_TOO_LARGE);
    assert_non_null(strstr(detail.text, "ulimit"));
    options.connections = 8;
    assert_int_equal(fleet_plan_init(&plan, &options, 1024, NULL), STATUS_OK);
    assert_int_equal(plan.lines, 8);
    assert_int_equal(plan.parts, 1);
    fleet_plan_release(&plan);
    options.gateways = 6;
    assert_int_equal(fleet_plan_init(&plan, &options, 1024, &detail), STATUS_INVALID);
    assert_non_null(strstr(detail.text, "6 gateways for 7 schools"));
    load_cards_release(&cards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_of_open_files_makes_processes),
        cmocka_unit_test(each_card_has_a_connection_and_every_report_arrives_once),
        cmocka_unit_test(gateways_carry_the_cards_of_their_school),
        cmocka_unit_test(without_acknowledgements_reports_are_sent_and_not_acknowledged),
        cmocka_unit_test(a_broker_that_dies_and_returns_gets_everything),
        cmocka_unit_test(idle_connections_ping),
        cmocka_unit_test(a_broker_that_is_closed_or_not_there_is_told),
        cmocka_unit_test(a_broker_without_descriptors_is_told_with_the_way_out),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    (void)mosquitto_lib_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)mosquitto_lib_cleanup();
    return failed;
}
