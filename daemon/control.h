/*
 * control.h - the unix socket on which campusctl asks a running campusd.
 * Know: one line in ("status", "reload"), the answer out, closed. At most CONTROL_CLIENTS_MAX at
 * once, each has CONTROL_DEADLINE_MS.
 * Memory: own.
 * Threads: loop thread.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <uv.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"

#define CONTROL_CLIENTS_MAX 16u
#define CONTROL_DEADLINE_MS 5000u
#define CONTROL_ANSWER_MAX  (1u << 20)

struct control;

struct control_options {
    const char *path; /* an old socket that nobody serves is removed */
    void (*answer)(void *context, struct text request, struct buffer *out);
    void *context;
};

/* STATUS_CONFLICT: another process serves the path. STATUS_IO with the reason. */
enum status control_open(uv_loop_t *loop, const struct control_options *options,
                         struct control **ret, struct status_detail *detail) MUST_CHECK;
void control_close(struct control *control, void (*on_closed)(void *context), void *context);

#endif
