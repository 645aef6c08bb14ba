#include "cli/wanted.h"

#include "base/text.h"

static enum status read_rate(const char *option, const char *value, uint32_t *rate_e6,
                             struct status_detail *detail)
{
    if (value == NULL || rate_from_text(text_of(value), rate_e6) == STATUS_OK) {
        return STATUS_OK;
    }
    return status_detail_set(detail, STATUS_INVALID,
                             "%s: %s is no share from 0.000001 to 0.5 in steps of 0.000001", option,
                             value);
}

enum status wanted_rates(const struct wanted *wanted, struct presence_rates *ret,
                         struct status_detail *detail)
{
    struct presence_rates rates = PRESENCE_RATES_DEFAULT;
    enum status status = read_rate("--false-left", wanted->false_left, &rates.left_e6, detail);
    if (status == STATUS_OK) {
        status = read_rate("--false-entered", wanted->false_entered, &rates.entered_e6, detail);
    }
    if (status == STATUS_OK) {
        status = read_rate("--false-danger", wanted->false_danger, &rates.danger_e6, detail);
    }
    if (status == STATUS_OK) {
        status = read_rate("--miss", wanted->miss, &rates.miss_e6, detail);
    }
    if (status == STATUS_OK) {
        *ret = rates;
    }
    return status;
}
