#include "proto/quick.h"

#include <string.h>

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
#define FIELD(number, wire) ((number) << 3 | (wire))

struct cursor {
    const uint8_t *at, *end;
};

static bool take_long(struct cursor *cursor, uint64_t *ret)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 63 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false; /* cut off, or longer than any number of ours */
}

/* Most are of one byte or two. */
static inline bool take_u64(struct cursor *cursor, uint64_t *ret)
{
    const uint8_t *at = cursor->at;
    if (cursor->end - at < 2) {
        return take_long(cursor, ret);
    }
    uint32_t low = at[0], high = at[1];
    if (low < 0x80) {
        cursor->at += 1;
        *ret = low;
        return true;
    }
    if (high < 0x80) {
        cursor->at += 2;
        *ret = (low & 0x7f) | high << 7;
        return true;
    }
    return take_long(cursor, ret);
}

static inline bool take_u32(struct cursor *cursor, uint32_t *ret)
{
    uint64_t value;
    if (!take_u64(cursor, &value) || value > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

/* Little-endian on the wire, as are the machines that this runs on (core/event.h). */
static bool take_fixed(struct cursor *cursor, void *ret, size_t size)
{
    if ((size_t)(cursor->end - cursor->at) < size) {
        return false;
    }
    memcpy(ret, cursor->at, size);
    cursor->at += size;
    return true;
}

static inline bool take_bytes(struct cursor *cursor, struct cursor *ret)
{
    uint32_t size;
    if (!take_u32(cursor, &size) || size > (size_t)(cursor->end - cursor->at)) {
        return false;
    }
    *ret = (struct cursor){cursor->at, cursor->at + size};
    cursor->at += size;
    return true;
}

static inline bool take_enum(struct cursor *cursor, protobuf_c_boolean *ret_has, uint32_t *ret)
{
    *ret_has = 1;
    return take_u32(cursor, ret) && *ret <= INT32_MAX;
}

static inline bool take_number(struct cursor *cursor, protobuf_c_boolean *ret_has, uint32_t *ret)
{
    *ret_has = 1;
    return take_u32(cursor, ret);
}

static bool take_fix(struct cursor cursor, Campus__V1__Fix *fix)
{
    static const Campus__V1__Fix empty = CAMPUS__V1__FIX__INIT;
    uint32_t source = 0, datum = 0;
    bool ok = true;
    *fix = empty;
    while (ok && cursor.at < cursor.end) {
        switch (*cursor.at++) {
        case FIELD(1, FIXED64):
            fix->has_time_ms = 1;
            ok = take_fixed(&cursor, &fix->time_ms, sizeof fix->time_ms);
            break;
        case FIELD(2, FIXED32):
            fix->has_lat_e7 = 1;
            ok = take_fixed(&cursor, &fix->lat_e7, sizeof fix->lat_e7);
            break;
        case FIELD(3, FIXED32):
            fix->has_lon_e7 = 1;
            ok = take_fixed(&cursor, &fix->lon_e7, sizeof fix->lon_e7);
            break;
        case FIELD(4, VARINT):
            ok = take_number(&cursor, &fix->has_accuracy_cm, &fix->accuracy_cm);
            break;
        case FIELD(5, VARINT):
            ok = take_enum(&cursor, &fix->has_source, &source);
            break;
        case FIELD(6, VARINT):
            ok = take_number(&cursor, &fix->has_speed_cms, &fix->speed_cms);
            break;
        case FIELD(7, VARINT):
            ok = take_number(&cursor, &fix->has_heading_cdeg, &fix->heading_cdeg);
            break;
        case FIELD(8, VARINT):
            ok = take_number(&cursor, &fix->has_battery_pct, &fix->battery_pct);
            break;
        case FIELD(9, VARINT):
            ok = take_enum(&cursor, &fix->has_datum, &datum);
            break;
        default:
            return false;
        }
    }
    fix->source = (Campus__V1__Source)source;
    fix->datum = (Campus__V1__Datum)datum;
    return ok;
}

/* protobuf-c ends a text at its first NUL, and so would we: such a one is left to it. */
static bool take_text(struct cursor *cursor, struct text *ret)
{
    struct cursor bytes;
    if (!take_bytes(cursor, &bytes)) {
        return false;
    }
    *ret = (struct text){(const char *)bytes.at, (size_t)(bytes.end - bytes.at)};
    return ret->length == 0 || memchr(ret->at, 0, ret->length) == NULL;
}

bool quick_card_report(struct text payload, struct quick_report *ret)
{
    static const Campus__V1__CardReport empty = CAMPUS__V1__CARD_REPORT__INIT;
    struct cursor cursor = {(const uint8_t *)payload.at,
                            (const uint8_t *)payload.at + payload.length};
    Campus__V1__CardReport *report = &ret->report;
    uint64_t flag = 0;
    struct cursor fix;
    bool ok = true;
    *report = empty;
    ret->card = TEXT("");
    while (ok && cursor.at < cursor.end) {
        switch (*cursor.at++) {
        case FIELD(1, BYTES):
            ok = take_text(&cursor, &ret->card);
            break;
        case FIELD(2, VARINT):
            ok = take_number(&cursor, &report->has_epoch, &report->epoch);
            break;
        case FIELD(3, VARINT):
            report->has_seq = 1;
            ok = take_u64(&cursor, &report->seq);
            break;
        case FIELD(4, VARINT):
            report->has_keep_from = 1;
            ok = take_u64(&cursor, &report->keep_from);
            break;
        case FIELD(5, VARINT):
            report->has_want_receipt = 1;
            ok = take_u64(&cursor, &flag);
            break;
        case FIELD(6, BYTES):
            ok = report->n_fixes++ == 0 && take_bytes(&cursor, &fix) && take_fix(fix, &ret->fix);
            break;
        default:
            return false;
        }
    }
    report->want_receipt = flag != 0;
    return ok && report->n_fixes == 1;
}

bool quick_next_report(struct text *rest, struct text *ret)
{
    struct cursor cursor = {(const uint8_t *)rest->at, (const uint8_t *)rest->at + rest->length};
    struct cursor report;
    if (cursor.at == cursor.end || *cursor.at++ != FIELD(1, BYTES) ||
        !take_bytes(&cursor, &report)) {
        return false;
    }
    *rest = (struct text){(const char *)cursor.at, (size_t)(cursor.end - cursor.at)};
    *ret = (struct text){(const char *)report.at, (size_t)(report.end - report.at)};
    return true;
}
