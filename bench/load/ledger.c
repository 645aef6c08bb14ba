#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "bench/load/load.h"

/* One writer each, so that no count needs an instruction that locks; own lines of the cache. */
struct part_counts {
    _Alignas(64) _Atomic uint64_t sent, acked, acked_events;
    _Atomic uint64_t kinds[LOAD_KINDS];
    uint32_t next, end; /* its chunk; the part's process only */
};

struct load_ledger_shared {
    _Atomic uint32_t chunks; /* given to parts */
    _Atomic uint64_t alerted[LOAD_KINDS];
    struct part_counts parts[LOAD_PARTS_MAX];
};

_Static_assert(sizeof(struct load_report) == 32, "50 million reports are 1.6 GB");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2 &&
                   ATOMIC_BOOL_LOCK_FREE == 2,
               "atomics that processes share must not be locks");

/* ---- memory ---- */

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

static void unshare(void *memory, size_t bytes)
{
    if (memory != NULL) {
        ASSERT(munmap(memory, bytes) == 0);
    }
}

enum status load_ledger_init(struct load_ledger *ledger, uint32_t cards, uint64_t reports)
{
    ASSERT(cards > 0);
    /* each part may leave a chunk half full */
    uint64_t chunks = (reports + LOAD_LEDGER_CHUNK - 1) / LOAD_LEDGER_CHUNK + LOAD_PARTS_MAX;
    if (chunks > (LOAD_NONE - 2) / LOAD_LEDGER_CHUNK) {
        return STATUS_TOO_LARGE;
    }
    *ledger =
        (struct load_ledger){.cards = cards, .capacity = (uint32_t)chunks * LOAD_LEDGER_CHUNK};
    ledger->reports = share((size_t)ledger->capacity * sizeof *ledger->reports);
    ledger->last = share((size_t)cards * sizeof *ledger->last);
    ledger->shared = share(sizeof *ledger->shared);
    if (ledger->reports == NULL || ledger->last == NULL || ledger->shared == NULL) {
        load_ledger_release(ledger);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < cards; i++) {
        atomic_init(&ledger->last[i], LOAD_NONE);
    }
    return STATUS_OK;
}

void load_ledger_release(struct load_ledger *ledger)
{
    unshare(ledger->reports, (size_t)ledger->capacity * sizeof *ledger->reports);
    unshare(ledger->last, (size_t)ledger->cards * sizeof *ledger->last);
    unshare(ledger->shared, sizeof *ledger->shared);
    free(ledger->index);
    free(ledger->index_from);
    *ledger = (struct load_ledger){0};
}

/* ---- what one process writes ---- */

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_release);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_acquire);
}

static uint32_t next_place(struct load_ledger *ledger, struct part_counts *part)
{
    if (part->next == part->end) {
        uint32_t chunk = atomic_fetch_add(&ledger->shared->chunks, 1);
        if (chunk >= ledger->capacity / LOAD_LEDGER_CHUNK) {
            (void)atomic_fetch_sub(&ledger->shared->chunks, 1);
            return LOAD_NONE;
        }
        part->next = chunk * LOAD_LEDGER_CHUNK;
        part->end = part->next + LOAD_LEDGER_CHUNK;
    }
    return part->next++;
}

uint32_t load_ledger_add(struct load_ledger *ledger, uint32_t part_no, uint32_t card,
                         enum load_kind kind, uint16_t events, int64_t due_us)
{
    ASSERT(part_no < LOAD_PARTS_MAX && card < ledger->cards);
    struct part_counts *part = &ledger->shared->parts[part_no];
    uint32_t before = atomic_load_explicit(&ledger->last[card], memory_order_relaxed);
    uint32_t no = next_place(ledger, part);
    if (no == LOAD_NONE) {
        return no;
    }
    struct load_report *report = &ledger->reports[no];
    report->card = card;
    report->seq = before == LOAD_NONE ? 1 : ledger->reports[before].seq + 1;
    report->before = before;
    report->with = LOAD_NONE;
    report->due_us = due_us;
    report->events = events;
    report->kind = (uint8_t)kind;
    atomic_store_explicit(&ledger->last[card], no, memory_order_release);
    count(&part->kinds[kind], 1);
    count(&part->sent, 1);
    return no;
}

static void mark_acked(struct part_counts *part, struct load_report *report)
{
    if (!atomic_load_explicit(&report->acked, memory_order_relaxed)) {
        atomic_store_explicit(&report->acked, true, memory_order_release);
        count(&part->acked_events, report->events);
        count(&part->acked, 1);
    }
}

void load_ledger_acked(struct load_ledger *ledger, uint32_t part, uint32_t report)
{
    ASSERT(part < LOAD_PARTS_MAX);
    for (uint32_t no = report; no != LOAD_NONE; no = ledger->reports[no].with) {
        ASSERT(no < ledger->capacity);
        mark_acked(&ledger->shared->parts[part], &ledger->reports[no]);
    }
}

void load_ledger_receipted(struct load_ledger *ledger, uint32_t card, uint32_t kept)
{
    uint32_t no = ledger->last[card];
    for (uint32_t i = 0; i < kept && no != LOAD_NONE; i++) {
        no = ledger->reports[no].before;
    }
    for (; no != LOAD_NONE && !ledger->reports[no].acked; no = ledger->reports[no].before) {
        mark_acked(&ledger->shared->parts[0], &ledger->reports[no]);
    }
}

/* ---- what others read ---- */

struct load_counts load_ledger_counts(const struct load_ledger *ledger)
{
    struct load_counts counts = {0};
    for (uint32_t i = 0; i < LOAD_PARTS_MAX; i++) {
        const struct part_counts *part = &ledger->shared->parts[i];
        /* in this order, so that never more are acknowledged than sent */
        uint64_t acked = counted(&part->acked);
        counts.acked += acked;
        counts.acked_events += counted(&part->acked_events);
        counts.sent += counted(&part->sent);
    }
    return counts;
}

uint32_t load_ledger_find(const struct load_ledger *ledger, uint32_t card, uint64_t seq)
{
    const uint32_t *index = atomic_load_explicit(&ledger->index, memory_order_acquire);
    if (index != NULL) {
        uint32_t from = ledger->index_from[card], numbers = ledger->index_from[card + 1] - from;
        return seq >= 1 && seq <= numbers ? index[from + seq - 1] : LOAD_NONE;
    }
    uint32_t no = atomic_load_explicit(&ledger->last[card], memory_order_acquire);
    while (no != LOAD_NONE && ledger->reports[no].seq > seq) {
        no = ledger->reports[no].before;
    }
    return no != LOAD_NONE && ledger->reports[no].seq == seq ? no : LOAD_NONE;
}

bool load_ledger_alerted(struct load_ledger *ledger, uint32_t card, uint64_t seq,
                         struct load_report *ret)
{
    uint32_t no = load_ledger_find(ledger, card, seq);
    if (no == LOAD_NONE) {
        return false;
    }
    struct load_report *report = &ledger->reports[no];
    if (!atomic_exchange(&report->alerted, true)) {
        (void)atomic_fetch_add(&ledger->shared->alerted[report->kind], 1);
    }
    *ret = (struct load_report){.card = report->card,
                                .seq = report->seq,
                                .before = report->before,
                                .with = report->with,
                                .due_us = report->due_us,
                                .events = report->events,
                                .kind = report->kind,
                                .alerted = true};
    return true;
}

uint64_t load_ledger_sent(const struct load_ledger *ledger, enum load_kind kind)
{
    uint64_t sent = 0;
    for (uint32_t i = 0; i < LOAD_PARTS_MAX; i++) {
        sent += counted(&ledger->shared->parts[i].kinds[kind]);
    }
    return sent;
}

uint32_t load_ledger_silent(const struct load_ledger *ledger, enum load_kind kind)
{
    uint64_t alerted = counted(&ledger->shared->alerted[kind]);
    return (uint32_t)(load_ledger_sent(ledger, kind) - alerted);
}

/* ---- afterwards ---- */

static void fill_index(const struct load_ledger *ledger, const uint32_t *from, uint32_t *index)
{
    for (uint32_t no = 0; no < ledger->count; no++) {
        const struct load_report *report = &ledger->reports[no];
        if (report->seq > 0) {
            index[from[report->card] + report->seq - 1] = no;
        }
    }
}

void load_ledger_seal(struct load_ledger *ledger)
{
    if (ledger->index != NULL) {
        return;
    }
    ledger->count = atomic_load(&ledger->shared->chunks) * LOAD_LEDGER_CHUNK;
    uint32_t *from = malloc(((size_t)ledger->cards + 1) * sizeof *from), total = 0;
    if (from == NULL) {
        return; /* the way along the cards' chains is long, and leads there as well */
    }
    for (uint32_t i = 0; i < ledger->cards; i++) {
        uint32_t last = ledger->last[i];
        from[i] = total;
        total += last == LOAD_NONE ? 0 : ledger->reports[last].seq;
    }
    from[ledger->cards] = total;
    uint32_t *index = malloc(((size_t)total + 1) * sizeof *index);
    if (index == NULL) {
        free(from);
        return;
    }
    fill_index(ledger, from, index);
    ledger->index_from = from;
    atomic_store_explicit(&ledger->index, index, memory_order_release); /* the listener reads it */
}
