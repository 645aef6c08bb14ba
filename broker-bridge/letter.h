/*
 * letter.h - what is refused in one message, collected into one dead letter.
 * Know: the words are plain ASCII whatever the message held, and say how many there are beyond what
 * fits.
 * Memory: the caller's.
 * Threads: one at a time.
 */
#ifndef BROKER_BRIDGE_LETTER_H
#define BROKER_BRIDGE_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "core/refusal.h"

#define LETTER_BYTES_MAX 512u

struct letter {
    enum refusal reason; /* the first; REFUSAL_NONE: nothing is refused */
    uint32_t counts[REFUSAL_COUNT];
    uint32_t untold;
    bool in_report; /* put before each line: which report it is about, and whose */
    uint32_t report;
    struct text card;
    char text[LETTER_BYTES_MAX];
    size_t length;
};

void letter_clear(struct letter *letter);
/* The following notes are about that report of the message, and say so: "report 3 (card "c7"): ". The
 * card's text lives as long. */
void letter_report(struct letter *letter, uint32_t index, struct text card);
/* Counts a refusal and tells it. */
void letter_note(struct letter *letter, enum refusal reason, const char *fmt, ...) PRINTF(3, 4);
/* All of it; "and 12 more" where not everything fits. Lives in the letter. */
struct text letter_text(struct letter *letter);

#endif
