#include "core/refusal.h"

#include "base/assert.h"

static const struct {
    const char *word, *meaning;
} refusals[REFUSAL_COUNT] = {
#define X(name, word, meaning) [name] = {word, meaning},
    REFUSAL_LIST(X)
#undef X
};

const char *refusal_word(enum refusal refusal)
{
    ASSERT((unsigned)refusal < REFUSAL_COUNT);
    return refusals[refusal].word;
}

const char *refusal_meaning(enum refusal refusal)
{
    ASSERT((unsigned)refusal < REFUSAL_COUNT);
    return refusals[refusal].meaning;
}
