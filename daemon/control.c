#include "daemon/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"

enum { CONTROL_MAGIC = 0x63746c31, CLIENT_MAGIC = 0x63746c32, REQUEST_MAX = 256 };

struct client {
    uint32_t magic;
    struct control *control;
    struct client *next;
    uv_pipe_t pipe;
    uv_timer_t deadline;
    uv_write_t write;
    struct buffer answer;
    char request[REQUEST_MAX];
    size_t request_size;
    unsigned handles; /* not closed yet */
    bool closing;
};

struct control {
    uint32_t magic;
    struct control_options options;
    uv_pipe_t listener;
    struct client *clients;
    unsigned client_count;
    bool closing, listener_closed;
    void (*on_closed)(void *context);
    void *closed_context;
};

static void maybe_closed(struct control *control)
{
    if (control->closing && control->listener_closed && control->clients == NULL) {
        void (*on_closed)(void *) = control->on_closed;
        void *context = control->closed_context;
        free(control);
        on_closed(context);
    }
}

static void client_gone(uv_handle_t *handle)
{
    struct client *client = handle->data;
    MAGIC_CHECK(client, CLIENT_MAGIC);
    if (--client->handles > 0) {
        return;
    }
    struct control *control = client->control;
    struct client **link = &control->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    control->client_count--;
    buffer_release(&client->answer);
    free(client);
    maybe_closed(control);
}

static void client_close(struct client *client)
{
    if (!client->closing) {
        client->closing = true;
        uv_close((uv_handle_t *)&client->pipe, client_gone);
        uv_close((uv_handle_t *)&client->deadline, client_gone);
    }
}

static void on_deadline(uv_timer_t *timer)
{
    struct client *client = timer->data;
    MAGIC_CHECK(client, CLIENT_MAGIC);
    client_close(client);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    struct client *client = write->data;
    MAGIC_CHECK(client, CLIENT_MAGIC);
    client_close(client);
}

static void answer(struct client *client, size_t length)
{
    (void)uv_read_stop((uv_stream_t *)&client->pipe);
    struct text request = text_trim((struct text){client->request, length});
    client->control->options.answer(client->control->options.context, request, &client->answer);
    if (client->answer.size == 0) {
        client_close(client);
        return;
    }
    uv_buf_t bytes = uv_buf_init(client->answer.data, (unsigned)client->answer.size);
    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &bytes, 1, on_written) != 0) {
        client_close(client);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct client *client = handle->data;
    MAGIC_CHECK(client, CLIENT_MAGIC);
    size_t room = REQUEST_MAX - client->request_size;
    *ret = uv_buf_init(client->request + client->request_size, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes)
{
    (void)bytes;
    struct client *client = stream->data;
    MAGIC_CHECK(client, CLIENT_MAGIC);
    if (got < 0) {
        client_close(client);
        return;
    }
    client->request_size += (size_t)got;
    const char *end = memchr(client->request, '\n', client->request_size);
    if (end != NULL) {
        answer(client, (size_t)(end - client->request));
    } else if (client->request_size == REQUEST_MAX) {
        client_close(client);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    MAGIC_CHECK(control, CONTROL_MAGIC);
    struct client *client = status == 0 ? calloc(1, sizeof *client) : NULL;
    if (client == NULL) {
        return;
    }
    *client = (struct client){.magic = CLIENT_MAGIC, .control = control, .next = control->clients};
    control->clients = client;
    control->client_count++;
    buffer_init(&client->answer, CONTROL_ANSWER_MAX);
    client->handles = 2;
    int failed = uv_pipe_init(listener->loop, &client->pipe, 0);
    ASSERT(failed == 0);
    failed = uv_timer_init(listener->loop, &client->deadline);
    ASSERT(failed == 0);
    client->pipe.data = client;
    client->deadline.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 || control->closing ||
        control->client_count > CONTROL_CLIENTS_MAX ||
        uv_timer_start(&client->deadline, on_deadline, CONTROL_DEADLINE_MS, 0) != 0 ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0) {
        client_close(client);
    }
}

/* A socket file left by a process that died may go; one that somebody serves may not. */
static enum status remove_stale(const char *path, struct status_detail *detail)
{
    struct stat about;
    if (lstat(path, &about) != 0) {
        return STATUS_OK;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!S_ISSOCK(about.st_mode) || strlen(path) >= sizeof address.sun_path) {
        return status_detail_set(detail, STATUS_IO, "%s: exists and is no socket", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return status_detail_set(detail, STATUS_IO, "socket: %s", strerror(errno));
    }
    int served = connect(probe, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(probe);
    if (served) {
        return status_detail_set(detail, STATUS_CONFLICT, "%s: another campusd serves it", path);
    }
    (void)unlink(path);
    return STATUS_OK;
}

static void forget_listener(uv_handle_t *handle)
{
    free(handle->data);
}

enum status control_open(uv_loop_t *loop, const struct control_options *options,
                         struct control **ret, struct status_detail *detail)
{
    enum status status = remove_stale(options->path, detail);
    if (status != STATUS_OK) {
        return status;
    }
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return STATUS_NO_MEMORY;
    }
    control->magic = CONTROL_MAGIC;
    control->options = *options;
    int failed = uv_pipe_init(loop, &control->listener, 0);
    ASSERT(failed == 0);
    control->listener.data = control;
    failed = uv_pipe_bind(&control->listener, options->path);
    if (failed == 0) {
        failed = uv_listen((uv_stream_t *)&control->listener, CONTROL_CLIENTS_MAX, on_connection);
    }
    if (failed != 0) {
        uv_close((uv_handle_t *)&control->listener, forget_listener);
        return status_detail_set(detail, STATUS_IO, "%s: %s", options->path, uv_strerror(failed));
    }
    (void)chmod(options->path, 0660);
    *ret = control;
    return STATUS_OK;
}

static void listener_gone(uv_handle_t *handle)
{
    struct control *control = handle->data;
    MAGIC_CHECK(control, CONTROL_MAGIC);
    control->listener_closed = true;
    maybe_closed(control);
}

void control_close(struct control *control, void (*on_closed)(void *context), void *context)
{
    control->closing = true;
    control->on_closed = on_closed;
    control->closed_context = context;
    uv_close((uv_handle_t *)&control->listener, listener_gone); /* removes the socket file */
    for (struct client *client = control->clients; client != NULL; client = client->next) {
        client_close(client);
    }
}
