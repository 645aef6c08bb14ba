/*
 * cloudevent.h - an alert as a CloudEvents 1.0 object (structured JSON): ids, no names.
 * Threads: any.
 */
#ifndef PROTO_CLOUDEVENT_H
#define PROTO_CLOUDEVENT_H

#include "base/buffer.h"
#include "core/alert.h"
#include "core/directory.h"
#include "core/fences.h"

/* Appends one JSON object without a line end:
 * {"specversion":"1.0","id":<alert_id>,"source":"/campus/<school
 * id>","type":"campus.alert.<word>.v1", "subject":"<pupil id>","time":<RFC 3339 of
 * time_ms>,"datacontenttype":"application/json",
 *  "data":{"type","school","pupil","card","fence","fence_version","gate","direction","severity",
 *  "time_ms","raised_ms","late","doubts":["silence","off","low_battery"],"battery_pct","position":{"lat","lon","accuracy_m","datum":"wgs84"},
 *  "cause":{"kind":"card"|"gate"|"tick","sender","epoch","seq","index"}}}; keys that do not apply, and ids that the
 * registry does not know any more, are left out. fences may be NULL. Ids of the registry have at
 * most TEXT_ID_MAX characters. */
void cloudevent_write(struct buffer *out, const struct alert *alert,
                      const struct directory *directory, const struct fence_set *fences);

/* Appends ,"doubts":["silence", ...] where there are any. */
void cloudevent_doubts(struct buffer *out, const struct alert *alert);

#endif
