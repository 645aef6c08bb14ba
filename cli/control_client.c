#include "cli/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

static enum status dial(const char *path, int *ret, struct status_detail *detail)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return status_detail_set(detail, STATUS_INVALID, "%s: longer than a socket's path may be",
                                 path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return status_detail_set(detail, STATUS_IO, "socket: %s", strerror(errno));
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)status_detail_set(detail, STATUS_UNAVAILABLE, "%s: %s (does campusd run?)", path,
                                strerror(errno));
        (void)close(fd);
        return STATUS_UNAVAILABLE;
    }
    *ret = fd;
    return STATUS_OK;
}

static enum status send_line(int fd, const char *request, struct status_detail *detail)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%s\n", request);
    if (length < 0 || (size_t)length >= sizeof line) {
        return status_detail_set(detail, STATUS_INVALID, "request too long");
    }
    if (send(fd, line, (size_t)length, MSG_NOSIGNAL) != length) {
        return status_detail_set(detail, STATUS_UNAVAILABLE, "campusd hung up");
    }
    return STATUS_OK;
}

static enum status read_answer(int fd, int64_t deadline_us, struct buffer *out,
                               struct status_detail *detail)
{
    for (;;) {
        int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int polled = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
        if (polled == 0) {
            return status_detail_set(detail, STATUS_TIMEOUT, "campusd does not answer");
        }
        char piece[8192];
        ssize_t got = polled > 0 ? read(fd, piece, sizeof piece) : -1;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return status_detail_set(detail, STATUS_UNAVAILABLE, "campusd hung up");
        }
        if (got == 0) {
            return out->size > 0 ? STATUS_OK
                                 : status_detail_set(detail, STATUS_UNAVAILABLE, "campusd hung up");
        }
        buffer_append(out, piece, (size_t)got);
        if (buffer_status(out) != STATUS_OK) {
            return buffer_status(out);
        }
    }
}

enum status control_ask(const char *path, const char *request, uint32_t timeout_ms,
                        struct buffer *out, struct status_detail *detail)
{
    int fd = -1;
    path = path != NULL ? path : cli_setting("control");
    path = path != NULL ? path : "/run/campusd/control.sock";
    enum status status = dial(path, &fd, detail);
    if (status != STATUS_OK) {
        return status;
    }
    status = send_line(fd, request, detail);
    if (status == STATUS_OK) {
        status = read_answer(fd, clock_mono_us() + (int64_t)timeout_ms * 1000, out, detail);
    }
    (void)close(fd);
    return status;
}

struct text control_value(struct text answer, const char *key)
{
    size_t length = strlen(key);
    while (answer.length > 0) {
        const char *end = memchr(answer.at, '\n', answer.length);
        size_t line = end != NULL ? (size_t)(end - answer.at) : answer.length;
        if (line > length && answer.at[length] == '=' && memcmp(answer.at, key, length) == 0) {
            return (struct text){answer.at + length + 1, line - length - 1};
        }
        size_t skip = end != NULL ? line + 1 : line;
        answer.at += skip;
        answer.length -= skip;
    }
    return (struct text){"", 0};
}

static enum status ask_revision(uint64_t *ret)
{
    struct buffer answer;
    buffer_init(&answer, 1 << 20);
    int64_t revision = 0;
    enum status status = control_ask(NULL, "reload", 2000, &answer, NULL);
    if (status == STATUS_OK) {
        buffer_clear(&answer);
        status = control_ask(NULL, "status", 2000, &answer, NULL);
    }
    if (status == STATUS_OK) {
        struct text value =
            control_value((struct text){answer.data, answer.size}, "registry.revision");
        status = text_to_i64(value, &revision);
    }
    buffer_release(&answer);
    *ret = (uint64_t)revision;
    return status;
}

enum status control_wait_revision(uint64_t revision, uint32_t timeout_ms)
{
    int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        uint64_t present;
        enum status status = ask_revision(&present);
        if (status != STATUS_OK) {
            return status;
        }
        if (present >= revision) {
            return STATUS_OK;
        }
        if (clock_mono_us() > deadline_us) {
            return STATUS_TIMEOUT;
        }
        const struct timespec pause = {.tv_nsec = 20000000};
        (void)nanosleep(&pause, NULL);
    }
}

void control_tell_in_force(const char *conninfo, uint64_t revision)
{
    const char *ours = cli_setting("pg");
    if (ours == NULL || strcmp(ours, conninfo) != 0) {
        return;
    }
    enum status status = control_wait_revision(revision, 30000);
    if (status == STATUS_TIMEOUT) {
        (void)cli_fail("stored, but campusd has not taken it over yet: see its log");
    } else if (status == STATUS_OK) {
        (void)fputs("campusctl: in force\n", stderr);
    }
}
