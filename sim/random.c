#include "sim/random.h"

#include <math.h>

#include "base/assert.h"

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sim_random_init(struct sim_random *random, uint64_t seed, enum sim_stream stream,
                     uint64_t number)
{
    uint64_t state = seed;
    state = split_mix(&state) ^ (uint64_t)stream;
    state = split_mix(&state) ^ number;
    for (int i = 0; i < 4; i++) {
        random->s[i] = split_mix(&state);
    }
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t sim_random_u64(struct sim_random *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t sim_random_below(struct sim_random *random, uint32_t end)
{
    ASSERT(end > 0);
    /* The bias of the plain product is end / 2^32: nothing here can see it. */
    return (uint32_t)(((sim_random_u64(random) >> 32) * end) >> 32);
}

static double unit(struct sim_random *random)
{
    return (double)(sim_random_u64(random) >> 11) * 0x1p-53;
}

double sim_random_between(struct sim_random *random, double low, double high)
{
    return low + unit(random) * (high - low);
}

double sim_random_log_between(struct sim_random *random, double low, double high)
{
    ASSERT(low > 0);
    return low * exp(unit(random) * log(high / low));
}

bool sim_random_chance(struct sim_random *random, double probability)
{
    return unit(random) < probability;
}

double sim_random_normal(struct sim_random *random)
{
    double radius = sqrt(-2 * log(1 - unit(random))); /* Box and Muller */
    return radius * cos(2 * 3.14159265358979323846 * unit(random));
}
