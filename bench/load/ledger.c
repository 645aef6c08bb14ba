#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/load/load.h"

enum status load_ledger_init(struct load_ledger *ledger, uint32_t cards, uint32_t capacity)
{
    *ledger = (struct load_ledger){.capacity = capacity};
    ledger->reports = malloc((size_t)capacity * sizeof *ledger->reports);
    ledger->last = malloc((size_t)cards * sizeof *ledger->last);
    if (ledger->reports == NULL || ledger->last == NULL) {
        free(ledger->reports);
        free(ledger->last);
        return STATUS_NO_MEMORY;
    }
    memset(ledger->last, 0xff, (size_t)cards * sizeof *ledger->last); /* LOAD_NONE */
    ASSERT(pthread_mutex_init(&ledger->lock, NULL) == 0);
    return STATUS_OK;
}

void load_ledger_release(struct load_ledger *ledger)
{
    (void)pthread_mutex_destroy(&ledger->lock);
    free(ledger->reports);
    free(ledger->last);
}

uint32_t load_ledger_add(struct load_ledger *ledger, uint32_t card, enum load_kind kind,
                         uint16_t events, int64_t due_us)
{
    (void)pthread_mutex_lock(&ledger->lock);
    ASSERT(ledger->count < ledger->capacity);
    uint32_t before = ledger->last[card], no = ledger->count++;
    ledger->reports[no] =
        (struct load_report){.card = card,
                             .seq = before == LOAD_NONE ? 1 : ledger->reports[before].seq + 1,
                             .before = before,
                             .events = events,
                             .due_us = due_us,
                             .kind = (uint8_t)kind};
    ledger->last[card] = no;
    ledger->counts.sent++;
    (void)pthread_mutex_unlock(&ledger->lock);
    return no;
}

static void mark_acked(struct load_ledger *ledger, struct load_report *report)
{
    report->acked = true;
    ledger->counts.acked++;
    ledger->counts.acked_events += report->events;
}

void load_ledger_acked(struct load_ledger *ledger, uint32_t report)
{
    (void)pthread_mutex_lock(&ledger->lock);
    ASSERT(report < ledger->count);
    if (!ledger->reports[report].acked) {
        mark_acked(ledger, &ledger->reports[report]);
    }
    (void)pthread_mutex_unlock(&ledger->lock);
}

void load_ledger_receipted(struct load_ledger *ledger, uint32_t card, uint32_t kept)
{
    (void)pthread_mutex_lock(&ledger->lock);
    uint32_t no = ledger->last[card];
    for (uint32_t i = 0; i < kept && no != LOAD_NONE; i++) {
        no = ledger->reports[no].before;
    }
    for (; no != LOAD_NONE && !ledger->reports[no].acked; no = ledger->reports[no].before) {
        mark_acked(ledger, &ledger->reports[no]);
    }
    (void)pthread_mutex_unlock(&ledger->lock);
}

struct load_counts load_ledger_counts(struct load_ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->lock);
    struct load_counts counts = ledger->counts;
    (void)pthread_mutex_unlock(&ledger->lock);
    return counts;
}

uint32_t load_ledger_find(const struct load_ledger *ledger, uint32_t card, uint64_t seq)
{
    uint32_t no = ledger->last[card];
    while (no != LOAD_NONE && ledger->reports[no].seq > seq) {
        no = ledger->reports[no].before;
    }
    return no != LOAD_NONE && ledger->reports[no].seq == seq ? no : LOAD_NONE;
}

bool load_ledger_alerted(struct load_ledger *ledger, uint32_t card, uint64_t seq,
                         struct load_report *ret)
{
    (void)pthread_mutex_lock(&ledger->lock);
    uint32_t no = load_ledger_find(ledger, card, seq);
    if (no != LOAD_NONE) {
        ledger->reports[no].alerted = true;
        *ret = ledger->reports[no];
    }
    (void)pthread_mutex_unlock(&ledger->lock);
    return no != LOAD_NONE;
}

uint32_t load_ledger_silent(struct load_ledger *ledger, enum load_kind kind)
{
    uint32_t silent = 0;
    (void)pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < ledger->count; i++) {
        const struct load_report *report = &ledger->reports[i];
        silent += report->kind == kind && !report->alerted;
    }
    (void)pthread_mutex_unlock(&ledger->lock);
    return silent;
}
