#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker-bridge/mqtt_uv.h"
#include "tests/bridge/broker_fixture.h"
#include "tests/check.h"

#define PAYLOADS_MAX 1000

/* A link and what it told. */
struct peer {
    struct mqtt_link *link;
    uint32_t received, bursts, burst_size, largest_burst, ups, downs, published, closed;
    uint32_t wanted; /* what `has_received` waits for */
    int payloads[PAYLOADS_MAX];
    bool holds;        /* does not release bursts */
    uint32_t pause_at; /* pauses in the middle of the burst, at this message */
    bool session_present;
    char reason[512];
    uint64_t down_at_ms[16];
    int last_mid;
};

static uv_loop_t loop;
static uint32_t backlog_max; /* of links that are opened */
static struct broker_fixture broker;
static struct peer a, b, c; /* not on the stack: a test that fails leaves it while they live */

static void on_message(void *context, struct mqtt_link *link, struct text topic,
                       struct text payload)
{
    struct peer *peer = context;
    int64_t number = -1;
    assert_true(text_is(topic, "t/1"));
    assert_int_equal(text_to_i64(payload, &number), STATUS_OK);
    assert_true(peer->received < PAYLOADS_MAX);
    peer->payloads[peer->received++] = (int)number;
    peer->burst_size++;
    if (peer->received == peer->pause_at) {
        mqtt_link_pause(link);
    }
}

static void on_burst(void *context, struct mqtt_link *link)
{
    struct peer *peer = context;
    peer->bursts++;
    peer->largest_burst =
        peer->burst_size > peer->largest_burst ? peer->burst_size : peer->largest_burst;
    peer->burst_size = 0;
    if (!peer->holds) {
        mqtt_link_release(link);
    }
}

static void on_published(void *context, struct mqtt_link *link, int mid)
{
    struct peer *peer = context;
    (void)link;
    assert_int_not_equal(mid, 0);
    peer->published++;
}

static void on_up(void *context, struct mqtt_link *link, bool session_present)
{
    struct peer *peer = context;
    assert_true(mqtt_link_is_up(link));
    peer->ups++;
    peer->session_present = session_present;
}

static void on_down(void *context, struct mqtt_link *link, const struct status_detail *detail)
{
    struct peer *peer = context;
    assert_false(mqtt_link_is_up(link));
    if (peer->downs < 16) {
        peer->down_at_ms[peer->downs] = uv_now(&loop);
    }
    peer->downs++;
    (void)snprintf(peer->reason, sizeof peer->reason, "%s", detail->text);
}

static void on_closed(void *context)
{
    ((struct peer *)context)->closed++;
}

static void open_at(struct peer *peer, const char *url, const char *id, bool subscribes)
{
    static const char *const filters[] = {"t/+", NULL};
    const struct mqtt_link_options options = {.url = url,
                                              .client_id = id,
                                              .subscriptions = subscribes ? filters : NULL,
                                              .clean_session = false,
                                              .keepalive_s = 5,
                                              .connect_timeout_ms = 300,
                                              .backoff_min_ms = 20,
                                              .backoff_max_ms = 80,
                                              .burst_max = 64,
                                              .backlog_max = backlog_max,
                                              .inflight_max = 1000};
    const struct mqtt_link_callbacks callbacks = {peer,         on_message, on_burst,
                                                  on_published, on_up,      on_down};
    struct status_detail detail = {""};
    if (mqtt_link_open(&loop, &options, &callbacks, &peer->link, &detail) != STATUS_OK) {
        fail_msg("%s", detail.text);
    }
}

static bool is_up(void *context)
{
    return mqtt_link_is_up(((struct peer *)context)->link);
}

static bool is_down(void *context)
{
    const struct peer *peer = context;
    return peer->downs >= peer->wanted;
}

static bool has_received(void *context)
{
    const struct peer *peer = context;
    return peer->received >= peer->wanted;
}

static bool has_published(void *context)
{
    const struct peer *peer = context;
    return peer->published >= peer->wanted;
}

static bool is_closed(void *context)
{
    return ((struct peer *)context)->closed > 0;
}

static void wait_for(struct peer *peer, bool (*what)(void *context), uint32_t wanted)
{
    peer->wanted = wanted;
    loop_until(&loop, what, peer);
}

static void open_up(struct peer *peer, const char *id, bool subscribes)
{
    open_at(peer, broker.url, id, subscribes);
    loop_until(&loop, is_up, peer);
}

static void close_peer(struct peer *peer)
{
    mqtt_link_close(peer->link, on_closed, peer);
    loop_until(&loop, is_closed, peer);
}

static void publish(struct peer *peer, int first, int last)
{
    for (int i = first; i <= last; i++) {
        char text[16];
        int mid = 0;
        (void)snprintf(text, sizeof text, "%d", i);
        assert_int_equal(mqtt_link_publish(peer->link, "t/1", text_of(text), 1, &mid), STATUS_OK);
        assert_int_not_equal(mid, 0);
    }
}

static void assert_in_order(const struct peer *peer, uint32_t from, int first, int last)
{
    assert_int_equal(peer->received - from, last - first + 1);
    for (int i = first; i <= last; i++) {
        assert_int_equal(peer->payloads[from + (uint32_t)(i - first)], i);
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof broker);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    memset(&c, 0, sizeof c);
    backlog_max = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    broker_open(&broker);
    return 0;
}

static int teardown(void **state)
{
    struct peer *peers[] = {&a, &b, &c};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        if (peers[i]->link != NULL && peers[i]->closed == 0) {
            close_peer(peers[i]);
        }
    }
    loop_end(&loop);
    broker_release(&broker);
    return 0;
}

static void messages_arrive_in_order_and_each_publish_is_confirmed_once(void **state)
{
    (void)state;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    publish(&b, 1, 500);
    wait_for(&b, has_published, 500);
    wait_for(&a, has_received, 500);
    assert_in_order(&a, 0, 1, 500);
    assert_int_equal(b.published, 500);
    assert_true(a.largest_burst <= 64);
    struct mqtt_link_stats stats;
    mqtt_link_stats(b.link, &stats);
    assert_int_equal(stats.published, 500);
    assert_int_equal(stats.confirmed, 500);
    assert_int_equal(stats.losses, 0);
    close_peer(&a);
    close_peer(&b);
}

static void beyond_its_window_a_link_says_full_and_takes_more_after_confirmations(void **state)
{
    (void)state;
    open_at(&b, broker.url, "b", false);
    assert_int_equal(mqtt_link_publish(b.link, "t/1", TEXT("0"), 1, NULL), STATUS_UNAVAILABLE);
    loop_until(&loop, is_up, &b);
    publish(&b, 1, 1000);
    assert_int_equal(mqtt_link_publish(b.link, "t/1", TEXT("0"), 1, NULL), STATUS_FULL);
    assert_int_equal(mqtt_link_publish(b.link, "t/#", TEXT("0"), 0, NULL), STATUS_INVALID);
    wait_for(&b, has_published, 1000);
    assert_int_equal(mqtt_link_publish(b.link, "t/1", TEXT("0"), 0, NULL), STATUS_OK);
    close_peer(&b);
}

static void a_held_burst_stops_reading_until_its_release(void **state)
{
    (void)state;
    a.holds = true;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    publish(&b, 1, 300);
    wait_for(&b, has_published, 300);
    wait_for(&a, has_received, 1);
    uint32_t burst = 0;
    while (a.received < 300) {
        const uint32_t before = burst;
        wait_for(&a, has_received, before + 1);
        burst = a.received;
        loop_for(&loop, 20);
        assert_int_equal(a.received, burst);
        assert_true(burst - before <= 64);
        mqtt_link_release(a.link);
    }
    assert_in_order(&a, 0, 1, 300);
    close_peer(&a);
    close_peer(&b);
}

/* So many messages lie at the socket of `a`, which begins to read them and holds them. */
static void read_backlog(int count)
{
    backlog_max = 256;
    a.holds = true;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    mqtt_link_pause(a.link);
    publish(&b, 1, count);
    wait_for(&b, has_published, (uint32_t)count);
    mqtt_link_resume(a.link);
}

/* Four turns of the loop, in none of which anything is acknowledged. */
static void a_backlog_is_read_in_longer_bursts(void **state)
{
    (void)state;
    read_backlog(600);
    wait_for(&a, has_received, 256);
    loop_for(&loop, 20);
    assert_int_equal(a.received, 256);
    assert_int_equal(a.bursts, 1);
    a.holds = false;
    mqtt_link_drop(a.link, "dropped by the test");
    wait_for(&a, has_received, 256 + 600);
    assert_in_order(&a, 256, 1, 600);
    close_peer(&a);
    close_peer(&b);
}

static void a_pause_ends_a_burst_that_would_go_on(void **state)
{
    (void)state;
    read_backlog(300);
    wait_for(&a, has_received, 1);
    assert_int_equal(a.bursts, 0); /* it goes on with the next turn */
    mqtt_link_pause(a.link);
    assert_int_equal(a.bursts, 1);
    a.holds = false;
    mqtt_link_release(a.link);
    mqtt_link_resume(a.link);
    wait_for(&a, has_received, 300);
    assert_in_order(&a, 0, 1, 300);
    close_peer(&a);
    close_peer(&b);
}

/* In a process of its own: takes messages, releases bursts up to `release_until`, tells each
 * message through the pipe, and waits for its death. */
static void take_and_wait(int pipe_fd, uint32_t release_until)
{
    a.holds = true;
    if (uv_loop_init(&loop) != 0) {
        _exit(1);
    }
    open_at(&a, broker.url, "a", true);
    uint32_t told = 0;
    bool up_told = false;
    for (;;) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        if (a.received > told && a.received <= release_until) {
            mqtt_link_release(a.link);
        }
        if (is_up(&a) && !up_told) {
            (void)!write(pipe_fd, "u", 1);
            up_told = true;
        }
        for (; told < a.received; told++) {
            (void)!write(pipe_fd, "m", 1);
        }
        if (told > 0 && told == release_until && a.last_mid == 0) {
            /* Its confirmation shows that the broker has read the acknowledgements before it. */
            if (mqtt_link_publish(a.link, "u/1", TEXT("0"), 1, &a.last_mid) != STATUS_OK) {
                _exit(1);
            }
        }
        if (a.published == 1) {
            (void)!write(pipe_fd, "p", 1);
            a.published++;
        }
    }
}

static pid_t start_taker(int *ret_pipe, uint32_t release_until)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        take_and_wait(fds[1], release_until);
        _exit(0);
    }
    (void)close(fds[1]);
    *ret_pipe = fds[0];
    return pid;
}

static void wait_bytes(int pipe_fd, char byte, uint32_t count)
{
    while (count > 0) {
        char got;
        assert_int_equal(read(pipe_fd, &got, 1), 1);
        count -= got == byte ? 1 : 0;
    }
}

static void kill_taker(pid_t pid, int pipe_fd)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(pipe_fd);
}

static void what_was_not_released_when_the_process_died_comes_again(void **state)
{
    (void)state;
    int pipe_fd;
    pid_t taker = start_taker(&pipe_fd, 0);
    wait_bytes(pipe_fd, 'u', 1);
    open_up(&b, "b", false);
    publish(&b, 1, 30);
    wait_for(&b, has_published, 30);
    wait_bytes(pipe_fd, 'm', 1); /* one burst at least is held; none was released */
    kill_taker(taker, pipe_fd);
    open_up(&a, "a", true);
    assert_true(a.session_present);
    wait_for(&a, has_received, 30);
    assert_in_order(&a, 0, 1, 30);
    close_peer(&a);
    close_peer(&b);
}

static void what_was_released_when_the_process_died_does_not_come_again(void **state)
{
    (void)state;
    int pipe_fd;
    pid_t taker = start_taker(&pipe_fd, 30);
    wait_bytes(pipe_fd, 'u', 1);
    open_up(&b, "b", false);
    publish(&b, 1, 30);
    wait_for(&b, has_published, 30);
    wait_bytes(pipe_fd, 'p', 1);
    kill_taker(taker, pipe_fd);
    open_up(&a, "a", true);
    publish(&b, 31, 31);
    wait_for(&a, has_received, 1);
    assert_in_order(&a, 0, 31, 31);
    close_peer(&a);
    close_peer(&b);
}

static void the_broker_dies_and_comes_back_and_nothing_taken_is_lost(void **state)
{
    (void)state;
    a.holds = true;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    broker_kill(&broker, SIGKILL);
    publish(&b, 1, 20); /* the link does not know yet */
    wait_for(&a, is_down, 1);
    wait_for(&b, is_down, 1);
    assert_int_equal(b.published, 0);
    a.holds = false;
    broker_start(&broker);
    wait_for(&b, has_published, 20);
    loop_until(&loop, is_up, &a);
    wait_for(&a, has_received, 20);
    assert_in_order(&a, 0, 1, 20);
    struct mqtt_link_stats stats;
    mqtt_link_stats(b.link, &stats);
    assert_int_equal(stats.losses, 1);
    assert_int_equal(stats.connects, 2);
    close_peer(&a);
    close_peer(&b);
}

static void a_held_link_notices_the_death_of_its_broker(void **state)
{
    (void)state;
    a.holds = true;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    publish(&b, 1, 5);
    wait_for(&b, has_published, 5);
    wait_for(&a, has_received, 1);
    broker_kill(&broker, SIGKILL);
    wait_for(&a, is_down, 1);
    assert_non_null(strstr(a.reason, "closed by the broker"));
    mqtt_link_release(a.link); /* of a burst that went with its connection: nothing happens */
    close_peer(&a);
    close_peer(&b);
}

static void a_broker_that_falls_silent_is_left(void **state)
{
    (void)state;
    open_up(&a, "a", true);
    assert_int_equal(kill(broker.pid, SIGSTOP), 0);
    wait_for(&a, is_down, 1); /* keepalive 5 s, twice */
    assert_string_equal(a.reason, "the broker fell silent");
    assert_int_equal(kill(broker.pid, SIGCONT), 0);
    loop_until(&loop, is_up, &a);
    close_peer(&a);
}

static void a_paused_link_reads_nothing_and_goes_on_where_it_stopped(void **state)
{
    (void)state;
    a.pause_at = 7;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    publish(&b, 1, 40);
    wait_for(&b, has_published, 40);
    wait_for(&a, has_received, 7);
    loop_for(&loop, 30);
    assert_int_equal(a.received, 7);
    mqtt_link_pause(a.link);
    mqtt_link_resume(a.link); /* paused twice, resumed once */
    loop_for(&loop, 30);
    assert_int_equal(a.received, 7);
    mqtt_link_resume(a.link);
    wait_for(&a, has_received, 40);
    assert_in_order(&a, 0, 1, 40);
    close_peer(&a);
    close_peer(&b);
}

static void a_link_that_was_lost_while_paused_returns_after_the_resume(void **state)
{
    (void)state;
    a.pause_at = 1;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    publish(&b, 1, 3);
    wait_for(&a, has_received, 1);
    broker_kill(&broker, SIGKILL);
    wait_for(&a, is_down, 1);
    broker_start(&broker);
    loop_until(&loop, is_up, &b);
    assert_false(mqtt_link_is_up(a.link));
    mqtt_link_resume(a.link);
    loop_until(&loop, is_up, &a);
    close_peer(&a);
    close_peer(&b);
}

static void a_dropped_link_gets_its_unreleased_burst_again(void **state)
{
    (void)state;
    a.holds = true;
    open_up(&a, "a", true);
    open_up(&b, "b", false);
    publish(&b, 1, 5);
    wait_for(&b, has_published, 5);
    wait_for(&a, has_received, 1);
    uint32_t first = a.received;
    a.holds = false;
    mqtt_link_drop(a.link, "dropped by the test");
    assert_string_equal(a.reason, "dropped by the test");
    wait_for(&a, has_received, first + 5);
    assert_in_order(&a, first, 1, 5);
    close_peer(&a);
    close_peer(&b);
}

static void a_peer_that_accepts_and_never_answers_meets_the_deadline(void **state)
{
    (void)state;
    char url[64];
    int port, fd = listen_silently(&port);
    (void)snprintf(url, sizeof url, "mqtt://127.0.0.1:%d", port);
    open_at(&a, url, "a", true);
    wait_for(&a, is_down, 2);
    assert_non_null(strstr(a.reason, "no answer within the connect deadline"));
    assert_true(a.down_at_ms[1] - a.down_at_ms[0] >= 300);
    close_peer(&a);
    (void)close(fd);
}

static void a_refused_connection_is_tried_again_ever_more_slowly(void **state)
{
    (void)state;
    char url[64];
    (void)snprintf(url, sizeof url, "mqtt://127.0.0.1:%d", free_port());
    open_at(&a, url, "a", true);
    wait_for(&a, is_down, 5);
    assert_string_equal(a.reason, "Connection refused");
    assert_true(a.down_at_ms[1] - a.down_at_ms[0] >= 10); /* the half of 20, 40, 80, 80 */
    assert_true(a.down_at_ms[3] - a.down_at_ms[2] >= 40);
    assert_true(a.down_at_ms[4] - a.down_at_ms[3] >= 40);
    assert_int_equal(a.ups, 0);
    close_peer(&a);
}

static void names_are_looked_up_and_those_without_address_are_told(void **state)
{
    (void)state;
    char url[400];
    (void)snprintf(url, sizeof url, "mqtt://localhost:%d", broker.port);
    open_at(&a, url, "a", true);
    loop_until(&loop, is_up, &a);
    /* Labels have 63 bytes at most: both end without a question to anybody. */
    open_at(&b, "mqtt://a..b", "b", true);
    wait_for(&b, is_down, 2);
    assert_true(strlen(b.reason) > 0);
    char label[80] = "";
    memset(label, 'x', 70);
    (void)snprintf(url, sizeof url, "mqtt://%s.invalid", label);
    open_at(&c, url, "c", true);
    wait_for(&c, is_down, 2);
    assert_true(strlen(c.reason) > 0);
    close_peer(&a);
    close_peer(&b);
    close_peer(&c);
}

static void a_broker_that_refuses_us_is_told_with_its_words(void **state)
{
    (void)state;
    broker_kill(&broker, SIGKILL);
    broker.closed_to_strangers = true;
    broker_start(&broker);
    open_at(&a, broker.url, "a", true);
    wait_for(&a, is_down, 2);
    assert_non_null(strstr(a.reason, "not authorised"));
    close_peer(&a);
}

static void a_link_can_be_closed_in_every_state(void **state)
{
    (void)state;
    char refused[64], silent[64], name[64];
    int port, fd = listen_silently(&port);
    (void)snprintf(refused, sizeof refused, "mqtt://127.0.0.1:%d", free_port());
    (void)snprintf(silent, sizeof silent, "mqtt://127.0.0.1:%d", port);
    (void)snprintf(name, sizeof name, "mqtt://localhost:%d", broker.port);
    const char *const urls[] = {refused, silent, name, broker.url};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        for (uint32_t turns = 0; turns < 12; turns++) {
            memset(&a, 0, sizeof a);
            open_at(&a, urls[i], "a", true);
            for (uint32_t k = 0; k < turns; k++) {
                (void)uv_run(&loop, UV_RUN_NOWAIT);
            }
            close_peer(&a);
        }
    }
    (void)close(fd);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(messages_arrive_in_order_and_each_publish_is_confirmed_once),
        T(beyond_its_window_a_link_says_full_and_takes_more_after_confirmations),
        T(a_held_burst_stops_reading_until_its_release),
        T(a_backlog_is_read_in_longer_bursts),
        T(a_pause_ends_a_burst_that_would_go_on),
        T(what_was_not_released_when_the_process_died_comes_again),
        T(what_was_released_when_the_process_died_does_not_come_again),
        T(the_broker_dies_and_comes_back_and_nothing_taken_is_lost),
        T(a_held_link_notices_the_death_of_its_broker),
        T(a_broker_that_falls_silent_is_left),
        T(a_paused_link_reads_nothing_and_goes_on_where_it_stopped),
        T(a_link_that_was_lost_while_paused_returns_after_the_resume),
        T(a_dropped_link_gets_its_unreleased_burst_again),
        T(a_peer_that_accepts_and_never_answers_meets_the_deadline),
        T(a_refused_connection_is_tried_again_ever_more_slowly),
        T(names_are_looked_up_and_those_without_address_are_told),
        T(a_broker_that_refuses_us_is_told_with_its_words),
        T(a_link_can_be_closed_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
