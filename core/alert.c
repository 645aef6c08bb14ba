#include "core/alert.h"

#include "base/assert.h"

static const char *const words[ALERT_TYPE_COUNT] = {
#define X(name, word) [name] = (word),
    ALERT_LIST(X)
#undef X
};

const char *alert_word(enum alert_type type)
{
    ASSERT(type > ALERT_NONE && type < ALERT_TYPE_COUNT);
    return words[type];
}

const char *alert_doubt_word(enum alert_doubt doubt)
{
    ASSERT(doubt > 0 && doubt < ALERT_DOUBTS);
    return doubt == ALERT_DOUBT_SILENCE ? "silence"
           : doubt == ALERT_DOUBT_OFF   ? "off"
                                        : "low_battery";
}

bool alert_is_for_guardians(enum alert_type type)
{
    return type != ALERT_SILENT && type != ALERT_HEARD;
}

static char *put_text(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    return at;
}

static char *put_number(char *at, const char *before, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    at = put_text(at, before);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* The longest: "powered_off-c" 13, 10, ".", 10, ".", 20, ".", 5, "-f" 2, 10 and NUL: 74. */
_Static_assert(ALERT_ID_MAX >= 74, "every id fits");

void alert_id(const struct alert *alert, char ret[ALERT_ID_MAX])
{
    const struct origin *cause = &alert->cause;
    char *at = put_text(ret, alert_word((enum alert_type)alert->type));
    at = put_number(at,
                    cause->kind == ORIGIN_GATE   ? "-g"
                    : cause->kind == ORIGIN_TICK ? "-t"
                                                 : "-c",
                    cause->no);
    at = put_number(at, ".", cause->epoch);
    at = put_number(at, ".", cause->seq);
    at = put_number(at, ".", alert->index);
    if (alert->fence_no != 0) {
        at = put_number(at, "-f", alert->fence_no);
    }
    *at = '\0';
    ASSERT(at - ret < ALERT_ID_MAX);
}
