#include "sim/gate.h"

#define MISSED            0.02
#define READ_TWICE        0.03
#define DIRECTION_WRONG   0.02
#define DIRECTION_UNKNOWN 0.03

static enum sim_direction read_direction(struct sim_random *random, bool in)
{
    double chance = sim_random_between(random, 0, 1);
    if (chance < DIRECTION_UNKNOWN) {
        return SIM_DIRECTION_UNKNOWN;
    }
    bool wrong = chance < DIRECTION_UNKNOWN + DIRECTION_WRONG;
    return in != wrong ? SIM_IN : SIM_OUT;
}

uint32_t sim_gate_read(struct sim_random *random, const struct sim_pass *pass,
                       struct sim_reading ret[SIM_READINGS_MAX])
{
    if (sim_random_chance(random, MISSED)) {
        return 0;
    }
    uint32_t count = sim_random_chance(random, READ_TWICE) ? 2 : 1;
    uint32_t time_ms = pass->time_ms;
    enum sim_direction direction = read_direction(random, pass->in);
    for (uint32_t i = 0; i < count; i++) {
        ret[i] = (struct sim_reading){
            .time_ms = time_ms,
            .arrival_ms = time_ms + 50 + sim_random_below(random, 400),
            .gate = pass->gate,
            .direction = direction,
        };
        time_ms += 500 + sim_random_below(random, 6000);
    }
    return count;
}
