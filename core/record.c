#include "core/record.h"

#include <string.h>

#include "base/assert.h"
#include "core/limits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "records are written as memory holds them");

struct report_head {
    int64_t arrival_ms;
    struct origin origin;
    uint64_t keep_from;
    uint32_t event_count, reserved;
};
_Static_assert(sizeof(struct report_head) == 48, "records lie on disk");

struct refused_head {
    int64_t arrival_ms;
    uint32_t reason, payload_bytes;
    uint32_t topic_size, detail_size, payload_size, reserved;
};
_Static_assert(sizeof(struct refused_head) == 32, "records lie on disk");

/* struct alert with bytes for its truth values: a byte of a disk need not be a bool. Journals from
 * before there were doubts have 0 in their place: none. How sure it was is told by its JSON. */
struct alert_head {
    uint64_t cause_end;
    uint8_t type, severity, direction, late;
    uint16_t index;
    uint8_t battery_pct, has_position;
    uint32_t school_no, pupil_no, card_no;
    uint32_t fence_no, fence_version, gate_no;
    int64_t time_ms, raised_ms;
    struct geo_point point;
    uint32_t accuracy_cm, doubts;
    struct origin cause;
    uint32_t id_size, json_size;
};
_Static_assert(sizeof(struct alert_head) == 104, "records lie on disk");

static size_t aligned(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static bool is_aligned(const void *data)
{
    return ((uintptr_t)data & 7) == 0;
}

static void put_padding(struct buffer *out, size_t start)
{
    static const char zeros[8];
    if (buffer_status(out) == STATUS_OK) {
        size_t size = out->size - start;
        buffer_append(out, zeros, aligned(size) - size);
    }
}

void record_put_report(struct buffer *out, const struct report *report)
{
    ASSERT(report->event_count <= REPORT_EVENTS_MAX);
    struct report_head head = {.arrival_ms = report->arrival_ms,
                               .origin = report->origin,
                               .keep_from = report->keep_from,
                               .event_count = report->event_count};
    buffer_append(out, &head, sizeof head);
    if (report->event_count > 0) {
        buffer_append(out, report->events, report->event_count * sizeof(struct event));
    }
}

void record_put_refused(struct buffer *out, const struct refused *refused)
{
    ASSERT(refused->topic.length <= UINT32_MAX && refused->detail.length <= UINT32_MAX);
    size_t payload = refused->payload.length;
    if (payload > REFUSED_BYTES_MAX) {
        payload = REFUSED_BYTES_MAX;
    }
    struct refused_head head = {.arrival_ms = refused->arrival_ms,
                                .reason = (uint32_t)refused->reason,
                                .payload_bytes = refused->payload_bytes,
                                .topic_size = (uint32_t)refused->topic.length,
                                .detail_size = (uint32_t)refused->detail.length,
                                .payload_size = (uint32_t)payload};
    size_t start = out->size;
    buffer_append(out, &head, sizeof head);
    buffer_append(out, refused->topic.at, refused->topic.length);
    buffer_append(out, refused->detail.at, refused->detail.length);
    buffer_append(out, refused->payload.at, payload);
    put_padding(out, start);
}

void record_put_alert(struct buffer *out, const struct alert_record *record)
{
    ASSERT(record->id.length <= UINT32_MAX && record->json.length <= UINT32_MAX);
    const struct alert *alert = &record->alert;
    struct alert_head head = {.cause_end = record->cause_end,
                              .type = alert->type,
                              .severity = alert->severity,
                              .direction = alert->direction,
                              .late = alert->late ? 1 : 0,
                              .index = alert->index,
                              .battery_pct = alert->battery_pct,
                              .has_position = alert->has_position ? 1 : 0,
                              .school_no = alert->school_no,
                              .pupil_no = alert->pupil_no,
                              .card_no = alert->card_no,
                              .fence_no = alert->fence_no,
                              .fence_version = alert->fence_version,
                              .gate_no = alert->gate_no,
                              .time_ms = alert->time_ms,
                              .raised_ms = alert->raised_ms,
                              .point = alert->point,
                              .accuracy_cm = alert->accuracy_cm,
                              .doubts = alert->doubts,
                              .cause = alert->cause,
                              .id_size = (uint32_t)record->id.length,
                              .json_size = (uint32_t)record->json.length};
    size_t start = out->size;
    buffer_append(out, &head, sizeof head);
    buffer_append(out, record->id.at, record->id.length);
    buffer_append(out, record->json.at, record->json.length);
    put_padding(out, start);
}

void record_put_mark(struct buffer *out, const struct mark *mark)
{
    buffer_append(out, mark, sizeof *mark);
}

void record_put_tick(struct buffer *out, const struct tick *tick)
{
    buffer_append(out, tick, sizeof *tick);
}

void record_put_rules(struct buffer *out, const struct rules *rules)
{
    buffer_append(out, rules, sizeof *rules);
}

static bool point_is_valid(struct geo_point point)
{
    return point.lat_e7 >= -GEO_LAT_E7_MAX && point.lat_e7 <= GEO_LAT_E7_MAX &&
           point.lon_e7 >= -GEO_LON_E7_MAX && point.lon_e7 <= GEO_LON_E7_MAX;
}

static bool origin_is_valid(const struct origin *origin)
{
    return origin->kind == ORIGIN_CARD || origin->kind == ORIGIN_GATE;
}

/* 1970 to 9999: differences of such times cannot overflow. */
static bool time_is_valid(int64_t time_ms)
{
    return time_ms >= 0 && time_ms < 253402300800000;
}

static bool event_is_valid(const struct event *event)
{
    static const uint8_t kind_max[] = {[EVENT_FIX] = FIX_CELL,
                                       [EVENT_PASS] = PASS_OUT,
                                       [EVENT_SIGNAL] = SIGNAL_POWERED_OFF,
                                       [EVENT_CALL] = CALL_OUTGOING};
    return event->type >= EVENT_FIX && event->type <= EVENT_CALL &&
           event->kind <= kind_max[event->type] && point_is_valid(event->point) &&
           time_is_valid(event->time_ms);
}

enum status record_get_report(const void *data, size_t size, struct report *ret)
{
    struct report_head head;
    if (size < sizeof head) {
        return STATUS_CORRUPT;
    }
    ASSERT(is_aligned(data));
    memcpy(&head, data, sizeof head);
    if (head.event_count > REPORT_EVENTS_MAX || head.reserved != 0 ||
        size != sizeof head + head.event_count * sizeof(struct event) ||
        !origin_is_valid(&head.origin) || !time_is_valid(head.arrival_ms)) {
        return STATUS_CORRUPT;
    }
    const struct event *events = (const struct event *)((const char *)data + sizeof head);
    for (uint32_t i = 0; i < head.event_count; i++) {
        if (!event_is_valid(&events[i])) {
            return STATUS_CORRUPT;
        }
    }
    *ret = (struct report){.arrival_ms = head.arrival_ms,
                           .origin = head.origin,
                           .keep_from = head.keep_from,
                           .event_count = head.event_count,
                           .events = events};
    return STATUS_OK;
}

enum status record_get_refused(const void *data, size_t size, struct refused *ret)
{
    struct refused_head head;
    if (size < sizeof head) {
        return STATUS_CORRUPT;
    }
    memcpy(&head, data, sizeof head);
    uint64_t sum = (uint64_t)sizeof head + head.topic_size + head.detail_size + head.payload_size;
    if (size != aligned(sum) || head.reason >= REFUSAL_COUNT || head.reserved != 0 ||
        head.payload_size > REFUSED_BYTES_MAX) {
        return STATUS_CORRUPT;
    }
    const char *at = (const char *)data + sizeof head;
    *ret = (struct refused){.arrival_ms = head.arrival_ms,
                            .reason = (enum refusal)head.reason,
                            .topic = {at, head.topic_size},
                            .detail = {at + head.topic_size, head.detail_size},
                            .payload = {at + head.topic_size + head.detail_size, head.payload_size},
                            .payload_bytes = head.payload_bytes};
    return STATUS_OK;
}

static bool alert_is_valid(const struct alert_head *head)
{
    return head->type > ALERT_NONE && head->type < ALERT_TYPE_COUNT && head->late <= 1 &&
           head->has_position <= 1 && head->direction <= PASS_OUT && head->doubts <= ALERT_DOUBTS &&
           point_is_valid(head->point) &&
           (origin_is_valid(&head->cause) || head->cause.kind == ORIGIN_TICK);
}

static struct alert alert_of(const struct alert_head *head)
{
    return (struct alert){.type = head->type,
                          .severity = head->severity,
                          .direction = head->direction,
                          .late = head->late != 0,
                          .index = head->index,
                          .battery_pct = head->battery_pct,
                          .has_position = head->has_position != 0,
                          .school_no = head->school_no,
                          .pupil_no = head->pupil_no,
                          .card_no = head->card_no,
                          .fence_no = head->fence_no,
                          .fence_version = head->fence_version,
                          .gate_no = head->gate_no,
                          .time_ms = head->time_ms,
                          .raised_ms = head->raised_ms,
                          .point = head->point,
                          .accuracy_cm = head->accuracy_cm,
                          .doubts = head->doubts,
                          .cause = head->cause};
}

enum status record_get_alert(const void *data, size_t size, struct alert_record *ret)
{
    struct alert_head head;
    if (size < sizeof head) {
        return STATUS_CORRUPT;
    }
    memcpy(&head, data, sizeof head);
    uint64_t sum = (uint64_t)sizeof head + head.id_size + head.json_size;
    if (size != aligned(sum) || !alert_is_valid(&head)) {
        return STATUS_CORRUPT;
    }
    const char *at = (const char *)data + sizeof head;
    *ret = (struct alert_record){.cause_end = head.cause_end,
                                 .alert = alert_of(&head),
                                 .id = {at, head.id_size},
                                 .json = {at + head.id_size, head.json_size}};
    return STATUS_OK;
}

enum status record_get_mark(const void *data, size_t size, struct mark *ret)
{
    if (size != sizeof *ret) {
        return STATUS_CORRUPT;
    }
    memcpy(ret, data, sizeof *ret);
    return STATUS_OK;
}

enum status record_get_tick(const void *data, size_t size, struct tick *ret)
{
    struct tick tick;
    if (size != sizeof tick) {
        return STATUS_CORRUPT;
    }
    memcpy(&tick, data, sizeof tick);
    if (!time_is_valid(tick.now_ms)) {
        return STATUS_CORRUPT;
    }
    *ret = tick;
    return STATUS_OK;
}

enum status record_get_rules(const void *data, size_t size, struct rules *ret)
{
    struct rules rules;
    if (size != sizeof rules) {
        return STATUS_CORRUPT;
    }
    memcpy(&rules, data, sizeof rules);
    struct presence_policy policy = rules.policy;
    if (!time_is_valid(rules.now_ms) || rules.reserved != 0 || rules.reserved2 != 0 ||
        !policy_fill(&policy)) {
        return STATUS_CORRUPT;
    }
    *ret = rules;
    return STATUS_OK;
}
