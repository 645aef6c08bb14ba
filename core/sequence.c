#include "core/sequence.h"

#include "base/assert.h"
#include "core/limits.h"

_Static_assert(SEQUENCE_WINDOW == 64, "one bit of `ahead` for each number of the window");

bool sequence_seen(const struct sequence *sequence, uint32_t epoch, uint64_t seq)
{
    if (epoch != sequence->epoch) {
        return epoch < sequence->epoch || seq == 0;
    }
    if (seq <= sequence->durable_to) {
        return true;
    }
    uint64_t place = seq - sequence->durable_to - 1;
    return place < SEQUENCE_WINDOW && (sequence->ahead >> place & 1) != 0;
}

static void count_gaps(struct sequence *sequence, uint64_t gaps)
{
    uint64_t room = UINT32_MAX - sequence->gaps;
    sequence->gaps += (uint32_t)(gaps < room ? gaps : room);
}

/* Everything up to `target` counts as here; what never came is a gap. */
static void advance(struct sequence *sequence, uint64_t target)
{
    ASSERT(target > sequence->durable_to);
    uint64_t step = target - sequence->durable_to;
    uint64_t passed =
        step < SEQUENCE_WINDOW ? sequence->ahead & ((1ull << step) - 1) : sequence->ahead;
    count_gaps(sequence, step - (uint64_t)__builtin_popcountll(passed));
    sequence->ahead = step < SEQUENCE_WINDOW ? sequence->ahead >> step : 0;
    sequence->durable_to = target;
}

/* The run of numbers right above durable_to is no longer ahead. */
static void settle(struct sequence *sequence)
{
    while ((sequence->ahead & 1) != 0) {
        sequence->ahead >>= 1;
        sequence->durable_to++;
    }
}

void sequence_take(struct sequence *sequence, uint32_t epoch, uint64_t seq, uint64_t keep_from)
{
    if (epoch < sequence->epoch || seq == 0) {
        return;
    }
    if (epoch > sequence->epoch) {
        *sequence = (struct sequence){.epoch = epoch, .gaps = sequence->gaps};
    }
    /* A sender cannot have given up the report that it is sending. */
    uint64_t kept = keep_from < seq ? keep_from : seq;
    if (kept > 0 && kept - 1 > sequence->durable_to) {
        advance(sequence, kept - 1);
    }
    if (seq > sequence->durable_to && seq - sequence->durable_to > SEQUENCE_WINDOW) {
        advance(sequence, seq - SEQUENCE_WINDOW);
    }
    if (seq > sequence->durable_to) {
        sequence->ahead |= 1ull << (seq - sequence->durable_to - 1);
    }
    settle(sequence);
}
