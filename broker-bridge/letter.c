#include "broker-bridge/letter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* Room that is kept for "; and 4294967295 more". */
#define LETTER_TAIL 24u
#define WHERE_MAX   (TEXT_ID_MAX + 32u)

void letter_clear(struct letter *letter)
{
    letter->reason = REFUSAL_NONE;
    memset(letter->counts, 0, sizeof letter->counts);
    letter->untold = 0;
    letter->in_report = false;
    letter->text[0] = '\0';
    letter->length = 0;
}

/* A payload may hold anything, the archive's texts may not. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e) {
            *text = '?';
        }
    }
}

void letter_report(struct letter *letter, uint32_t index, struct text card)
{
    card.length = card.length > TEXT_ID_MAX ? TEXT_ID_MAX : card.length;
    letter->in_report = true;
    letter->report = index;
    letter->card = card;
}

void letter_note(struct letter *letter, enum refusal reason, const char *fmt, ...)
{
    ASSERT(reason != REFUSAL_NONE);
    letter->counts[reason]++;
    if (letter->reason == REFUSAL_NONE) {
        letter->reason = reason;
    }
    char where[WHERE_MAX] = "", words[LETTER_BYTES_MAX];
    if (letter->in_report) {
        (void)snprintf(where, sizeof where, "report %u (card \"%.*s\"): ", letter->report,
                       TEXT_FMT(letter->card));
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    size_t room = LETTER_BYTES_MAX - LETTER_TAIL - letter->length;
    char *at = letter->text + letter->length;
    int length = snprintf(at, room, "%s%s%s", letter->length > 0 ? "; " : "", where, words);
    ASSERT(length >= 0);
    if ((size_t)length < room) {
        letter->length += (size_t)length;
    } else if (letter->length == 0) { /* a long first one is cut */
        letter->length = room - 1;
    } else {
        *at = '\0';
        letter->untold++;
    }
    make_plain(at);
}

struct text letter_text(struct letter *letter)
{
    size_t length = letter->length;
    if (letter->untold > 0) {
        int tail = snprintf(letter->text + length, LETTER_BYTES_MAX - length, "; and %u more",
                            letter->untold);
        ASSERT(tail > 0 && (size_t)tail < LETTER_BYTES_MAX - length);
        length += (size_t)tail;
    }
    return (struct text){letter->text, length};
}
