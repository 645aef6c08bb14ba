/*
 * control_client.h - asks a running campusd over its control socket.
 * Know: blocks, at most `timeout_ms`.
 */
#ifndef CLI_CONTROL_CLIENT_H
#define CLI_CONTROL_CLIENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/text.h"

/* path NULL: cli_setting("control"), else /run/campusd/control.sock. STATUS_UNAVAILABLE: nobody
 * serves it; STATUS_TIMEOUT. */
enum status control_ask(const char *path, const char *request, uint32_t timeout_ms,
                        struct buffer *out, struct status_detail *detail) MUST_CHECK;

/* The value of `key` among key=value lines; empty when it is not there. */
struct text control_value(struct text answer, const char *key);

/* After an import: waits until a running campusd has the registry's revision in force, at most
 * timeout_ms. STATUS_UNAVAILABLE: no campusd runs, which is all right; STATUS_TIMEOUT. */
enum status control_wait_revision(uint64_t revision, uint32_t timeout_ms) MUST_CHECK;

/* The same for a person who imported something into the database `conninfo`: waits up to 30 s, says
 * on stderr what became of it. Passed over where no campusd runs, or the database is not the one of
 * the settings. */
void control_tell_in_force(const char *conninfo, uint64_t revision);

#endif
