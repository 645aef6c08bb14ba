#include "tests/bridge/broker_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"

#define START_STEPS_MAX 3000 /* of 10 ms */
#define LOOP_MS_MAX     60000
#define LOOP_END_MS_MAX 20000

static int bind_socket(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_in address = {.sin_port = 0};
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

int free_port(void)
{
    int fd = bind_socket(0);
    int port = port_of(fd);
    (void)close(fd);
    return port;
}

int listen_silently(int *ret_port)
{
    int fd = bind_socket(0);
    assert_int_equal(listen(fd, 64), 0);
    *ret_port = port_of(fd);
    return fd;
}

static void write_config(const struct broker_fixture *broker)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/mosquitto.conf", broker->folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fprintf(file,
                  "listener %d 127.0.0.1\nallow_anonymous %s\nmax_queued_messages 0\n"
                  "max_inflight_messages 0\npersistence %s\npersistence_location %s/\n"
                  "autosave_on_changes true\nautosave_interval 1\nlog_dest file %s/log\n",
                  broker->port, broker->closed_to_strangers ? "false" : "true",
                  broker->forgets ? "false" : "true", broker->folder, broker->folder);
    if (geteuid() == 0) {
        (void)fprintf(file, "user root\n");
    }
    assert_int_equal(fclose(file), 0);
}

static bool accepts(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool answered = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return answered;
}

void broker_start(struct broker_fixture *broker)
{
    char path[128];
    assert_int_equal(broker->pid, 0);
    write_config(broker);
    (void)snprintf(path, sizeof path, "%s/mosquitto.conf", broker->folder);
    broker->pid = fork();
    assert_true(broker->pid >= 0);
    if (broker->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execlp("mosquitto", "mosquitto", "-c", path, (char *)NULL);
        (void)execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < START_STEPS_MAX; i++) {
        if (accepts(broker->port)) {
            return;
        }
        int status;
        if (waitpid(broker->pid, &status, WNOHANG) == broker->pid) {
            fail_msg("mosquitto ended at once (status %d): see %s/log", status, broker->folder);
        }
        (void)poll(NULL, 0, 10);
    }
    fail_msg("mosquitto does not accept on port %d", broker->port);
}

void broker_prepare(struct broker_fixture *broker)
{
    (void)snprintf(broker->folder, sizeof broker->folder, "/tmp/campus-broker-XXXXXX");
    assert_non_null(mkdtemp(broker->folder));
    broker->port = free_port();
    (void)snprintf(broker->url, sizeof broker->url, "mqtt://127.0.0.1:%d", broker->port);
    broker->pid = 0;
}

void broker_open(struct broker_fixture *broker)
{
    broker_prepare(broker);
    broker_start(broker);
}

void broker_kill(struct broker_fixture *broker, int signal_number)
{
    if (broker->pid > 0) {
        int status;
        assert_int_equal(kill(broker->pid, signal_number), 0);
        assert_int_equal(waitpid(broker->pid, &status, 0), broker->pid);
        broker->pid = 0;
    }
}

bool broker_said(const struct broker_fixture *broker, const char *words)
{
    char path[128], line[512];
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/log", broker->folder);
    FILE *file = fopen(path, "re");
    while (!found && file != NULL && fgets(line, sizeof line, file) != NULL) {
        found = strstr(line, words) != NULL;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

void broker_release(struct broker_fixture *broker)
{
    static const char *const names[] = {"mosquitto.conf", "log", "mosquitto.db",
                                        "mosquitto.db.new"};
    broker_kill(broker, SIGKILL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", broker->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(broker->folder);
}

static void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static bool run(uv_loop_t *loop, uint64_t time_ms, bool (*done)(void *context), void *context)
{
    uv_timer_t *timer = malloc(sizeof *timer);
    bool over = false, reached = false;
    assert_non_null(timer);
    assert_int_equal(uv_timer_init(loop, timer), 0);
    timer->data = &over;
    assert_int_equal(uv_timer_start(timer, on_deadline, time_ms, 0), 0);
    while (!over && !reached) {
        (void)uv_run(loop, UV_RUN_ONCE);
        reached = done != NULL && done(context);
    }
    uv_close((uv_handle_t *)timer, on_closed);
    return reached;
}

void loop_until(uv_loop_t *loop, bool (*done)(void *context), void *context)
{
    if (!done(context) && !run(loop, LOOP_MS_MAX, done, context)) {
        fail_msg("what the test waits for did not happen within a minute");
    }
}

void loop_for(uv_loop_t *loop, uint64_t time_ms)
{
    (void)run(loop, time_ms, NULL, NULL);
}

void loop_end(uv_loop_t *loop)
{
    uv_timer_t timer;
    bool over = false;
    assert_int_equal(uv_timer_init(loop, &timer), 0);
    timer.data = &over;
    assert_int_equal(uv_timer_start(&timer, on_deadline, LOOP_END_MS_MAX, 0), 0);
    uv_unref((uv_handle_t *)&timer);
    while (uv_loop_alive(loop) && !over) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT);
    if (over) {
        fail_msg("something is still open on the loop");
    }
    assert_int_equal(uv_loop_close(loop), 0);
}
