#include "storage/archive_rows.h"

#include <string.h>

#include "base/assert.h"
#include "core/fences.h"
#include "core/record.h"
#include "storage/archive_copy.h"

#define TABLE_BYTES_MAX ((size_t)128 << 20)
/* Arrival as the partitions can hold it: a server whose clock stands before 2000 or after 9999 is
 * clamped. */
#define ARRIVED_MS_MIN 946684800000
#define ARRIVED_MS_MAX 253402214400000
#define DAY_MS         86400000

static const struct {
    const char *copy;
    uint16_t columns;
} tables[ARCHIVE_TABLES] = {
    [ARCHIVE_FIX] =
        {"COPY campus.fix_flat (arrived, \"time\", seq, epoch, card_no, lat_e7, lon_e7, accuracy_cm,"
         " speed_cms, heading_cdeg, idx, source, flags, datum, battery_pct)"
         " FROM STDIN (FORMAT binary)",
         15},
    [ARCHIVE_PASS] =
        {"COPY campus.pass (arrived, \"time\", seq, epoch, card_no, gate_no, idx, direction,"
         " reader, flags) FROM STDIN (FORMAT binary)",
         10},
    [ARCHIVE_SIGNAL] =
        {"COPY campus.signal (arrived, \"time\", seq, epoch, card_no, lat_e7, lon_e7,"
         " accuracy_cm, idx, kind, flags, battery_pct) FROM STDIN (FORMAT binary)",
         12},
    [ARCHIVE_CALL] =
        {"COPY campus.call (arrived, \"time\", seq, epoch, duration_s, card_no, idx, direction,"
         " outcome, contact, flags) FROM STDIN (FORMAT binary)",
         11},
    [ARCHIVE_ALERT] =
        {"COPY archive_alert (raised, \"time\", id, type, severity, school_no, pupil_no, card_no,"
         " fence_no, fence_version, gate_no, late, json) FROM STDIN (FORMAT binary)",
         13},
    [ARCHIVE_REFUSED] =
        {"COPY campus.refused (arrived, payload_bytes, reason, topic, detail, payload)"
         " FROM STDIN (FORMAT binary)",
         6},
};

const char *archive_rows_copy(enum archive_table table)
{
    ASSERT(table < ARCHIVE_TABLES);
    return tables[table].copy;
}

void archive_rows_init(struct archive_rows *rows)
{
    memset(rows, 0, sizeof *rows);
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        buffer_init(&rows->tables[i], TABLE_BYTES_MAX);
    }
}

void archive_rows_release(struct archive_rows *rows)
{
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        buffer_release(&rows->tables[i]);
    }
}

void archive_rows_clear(struct archive_rows *rows)
{
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        buffer_clear(&rows->tables[i]);
        rows->counts[i] = 0;
    }
    rows->count = 0;
    rows->bytes = 0;
    rows->day_count = 0;
}

static struct buffer *begin_row(struct archive_rows *rows, enum archive_table table)
{
    struct buffer *out = &rows->tables[table];
    if (rows->counts[table] == 0) {
        copy_begin(out);
    }
    rows->counts[table]++;
    rows->count++;
    copy_row(out, tables[table].columns);
    return out;
}

static int64_t clamp_arrived(int64_t arrived_ms)
{
    return arrived_ms < ARRIVED_MS_MIN   ? ARRIVED_MS_MIN
           : arrived_ms > ARRIVED_MS_MAX ? ARRIVED_MS_MAX
                                         : arrived_ms;
}

/* Writes the partition key, which every table has first, and remembers its day. */
static void put_arrived(struct archive_rows *rows, struct buffer *out, int64_t arrived_ms)
{
    int64_t clamped = clamp_arrived(arrived_ms);
    int32_t day = (int32_t)(clamped / DAY_MS);
    copy_time(out, clamped);
    for (uint32_t i = 0; i < rows->day_count; i++) {
        if (rows->days[i] == day) {
            return;
        }
    }
    ASSERT(rows->day_count < ARCHIVE_DAYS_MAX);
    rows->days[rows->day_count++] = day;
}

static void put_i32_if(struct buffer *out, bool known, int32_t value)
{
    if (known) {
        copy_i32(out, value);
    } else {
        copy_null(out);
    }
}

static void put_i16_if(struct buffer *out, bool known, int16_t value)
{
    if (known) {
        copy_i16(out, value);
    } else {
        copy_null(out);
    }
}

static void put_place(struct buffer *out, const struct event *event)
{
    bool placed = (event->flags & EVENT_NO_POSITION) == 0;
    put_i32_if(out, placed, event->point.lat_e7);
    put_i32_if(out, placed, event->point.lon_e7);
    if ((event->flags & EVENT_HAS_ACCURACY) != 0) {
        copy_i64(out, event->accuracy_cm);
    } else {
        copy_null(out);
    }
}

/* arrived, time, seq, epoch: the same in the four tables of events. */
static struct buffer *begin_event(struct archive_rows *rows, enum archive_table table,
                                  const struct report *report, const struct event *event)
{
    struct buffer *out = begin_row(rows, table);
    put_arrived(rows, out, report->arrival_ms);
    copy_time(out, event->time_ms);
    copy_i64(out, (int64_t)report->origin.seq);
    copy_i64(out, report->origin.epoch);
    return out;
}

static void add_fix(struct archive_rows *rows, const struct report *report, uint32_t index)
{
    const struct event *event = &report->events[index];
    struct buffer *out = begin_event(rows, ARCHIVE_FIX, report, event);
    copy_i32(out, (int32_t)event->card_no);
    put_place(out, event);
    put_i32_if(out, (event->flags & EVENT_HAS_SPEED) != 0, event->speed_cms);
    put_i32_if(out, (event->flags & EVENT_HAS_HEADING) != 0, event->heading_cdeg);
    copy_i16(out, (int16_t)index);
    copy_i16(out, event->kind);
    copy_i16(out, event->flags);
    copy_i16(out, event->datum);
    put_i16_if(out, (event->flags & EVENT_HAS_BATTERY) != 0, event->battery_pct);
}

static void add_pass(struct archive_rows *rows, const struct report *report, uint32_t index)
{
    const struct event *event = &report->events[index];
    struct buffer *out = begin_event(rows, ARCHIVE_PASS, report, event);
    copy_i32(out, (int32_t)event->card_no);
    copy_i32(out, (int32_t)event->gate_no);
    copy_i16(out, (int16_t)index);
    copy_i16(out, event->kind);
    copy_i16(out, event->reader);
    copy_i16(out, event->flags);
}

static void add_signal(struct archive_rows *rows, const struct report *report, uint32_t index)
{
    const struct event *event = &report->events[index];
    struct buffer *out = begin_event(rows, ARCHIVE_SIGNAL, report, event);
    copy_i32(out, (int32_t)event->card_no);
    put_place(out, event);
    copy_i16(out, (int16_t)index);
    copy_i16(out, event->kind);
    copy_i16(out, event->flags);
    put_i16_if(out, (event->flags & EVENT_HAS_BATTERY) != 0, event->battery_pct);
}

static void add_call(struct archive_rows *rows, const struct report *report, uint32_t index)
{
    const struct event *event = &report->events[index];
    struct buffer *out = begin_event(rows, ARCHIVE_CALL, report, event);
    copy_i64(out, event->duration_s);
    copy_i32(out, (int32_t)event->card_no);
    copy_i16(out, (int16_t)index);
    copy_i16(out, event->kind);
    copy_i16(out, event->outcome);
    copy_i16(out, event->contact);
    copy_i16(out, event->flags);
}

static bool add_report(struct archive_rows *rows, const struct journal_record *record)
{
    struct report report;
    if (record_get_report(record->data, record->size, &report) != STATUS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < report.event_count; i++) {
        switch (report.events[i].type) {
        case EVENT_FIX:
            add_fix(rows, &report, i);
            break;
        case EVENT_PASS:
            add_pass(rows, &report, i);
            break;
        case EVENT_SIGNAL:
            add_signal(rows, &report, i);
            break;
        default: /* record_get_report lets through no other */
            ASSERT(report.events[i].type == EVENT_CALL);
            add_call(rows, &report, i);
            break;
        }
    }
    return true;
}

static void put_dead(struct archive_rows *rows, int64_t arrived_ms, const char *reason,
                     struct text topic, struct text detail, struct text payload,
                     uint32_t payload_bytes)
{
    struct buffer *out = begin_row(rows, ARCHIVE_REFUSED);
    put_arrived(rows, out, arrived_ms);
    copy_i64(out, payload_bytes);
    copy_text(out, text_of(reason));
    copy_text(out, topic);
    copy_text(out, detail);
    copy_bytes(out, payload);
}

static bool add_refused(struct archive_rows *rows, const struct journal_record *record)
{
    struct refused refused;
    if (record_get_refused(record->data, record->size, &refused) != STATUS_OK) {
        return false;
    }
    put_dead(rows, refused.arrival_ms, refusal_word(refused.reason), refused.topic, refused.detail,
             refused.payload, refused.payload_bytes);
    return true;
}

static bool add_alert(struct archive_rows *rows, const struct journal_record *record)
{
    struct alert_record raised;
    if (record_get_alert(record->data, record->size, &raised) != STATUS_OK ||
        raised.alert.severity < SEVERITY_INFO || raised.alert.severity > SEVERITY_CRITICAL) {
        return false;
    }
    const struct alert *alert = &raised.alert;
    struct buffer *out = begin_row(rows, ARCHIVE_ALERT);
    put_arrived(rows, out, alert->raised_ms);
    copy_time(out, alert->time_ms);
    copy_text(out, raised.id);
    copy_text(out, text_of(alert_word((enum alert_type)alert->type)));
    copy_text(out, text_of(severity_word((enum severity)alert->severity)));
    copy_i32(out, (int32_t)alert->school_no);
    copy_i32(out, (int32_t)alert->pupil_no);
    copy_i32(out, (int32_t)alert->card_no);
    copy_i32(out, (int32_t)alert->fence_no);
    copy_i32(out, (int32_t)alert->fence_version);
    copy_i32(out, (int32_t)alert->gate_no);
    copy_bool(out, alert->late);
    copy_jsonb(out, raised.json);
    return true;
}

void archive_rows_add_dead(struct archive_rows *rows, const struct journal_record *record,
                           int64_t now_ms, const char *words)
{
    size_t kept = record->size < REFUSED_BYTES_MAX ? record->size : REFUSED_BYTES_MAX;
    put_dead(rows, now_ms, "archive", TEXT(""), text_of(words), (struct text){record->data, kept},
             (uint32_t)record->size);
}

static size_t all_bytes(const struct archive_rows *rows)
{
    size_t bytes = 0;
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        bytes += rows->tables[i].size;
    }
    return bytes;
}

void archive_rows_add(struct archive_rows *rows, const struct journal_record *record,
                      int64_t now_ms)
{
    ASSERT(rows->day_count < ARCHIVE_DAYS_MAX);
    bool understood = false;
    switch (record->type) {
    case RECORD_REPORT:
        understood = add_report(rows, record);
        break;
    case RECORD_REFUSED:
        understood = add_refused(rows, record);
        break;
    case RECORD_ALERT:
        understood = add_alert(rows, record);
        break;
    case RECORD_MARK: /* for the daemon's own restart */
    case RECORD_TICK:
    case RECORD_RULES:
        understood = true;
        break;
    default:
        break;
    }
    if (!understood) {
        archive_rows_add_dead(rows, record, now_ms,
                              "a journal record that this version does not understand");
    }
    rows->bytes = all_bytes(rows);
}

enum status archive_rows_finish(struct archive_rows *rows)
{
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        if (rows->counts[i] > 0) {
            copy_end(&rows->tables[i]);
        }
        if (buffer_status(&rows->tables[i]) != STATUS_OK) {
            return buffer_status(&rows->tables[i]);
        }
    }
    return STATUS_OK;
}
