#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct text text_of(const char *cstr)
{
    return (struct text){cstr, strlen(cstr)};
}

bool text_equal(struct text a, struct text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

bool text_is(struct text a, const char *cstr)
{
    return text_equal(a, text_of(cstr));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text a)
{
    while (a.length > 0 && is_blank(a.at[0])) {
        a.at++;
        a.length--;
    }
    while (a.length > 0 && is_blank(a.at[a.length - 1])) {
        a.length--;
    }
    return a;
}

uint64_t text_hash(struct text a)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < a.length; i++) {
        hash = (hash ^ (unsigned char)a.at[i]) * 0x100000001b3u;
    }
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 33);
}

/* Without branches, as every message has two ids looked at. In ASCII ':' stands behind the digits and '.'
 * behind '-'. */
static bool is_id_byte(unsigned char c)
{
    return ((unsigned)(c | 0x20) - 'a' < 26) | ((unsigned)c - '0' < 11) | ((unsigned)c - '-' < 2) |
           (c == '_');
}

bool text_is_id(struct text a)
{
    if (a.length == 0 || a.length > TEXT_ID_MAX) {
        return false;
    }
    bool all = true;
    for (size_t i = 0; i < a.length; i++) {
        all &= is_id_byte((unsigned char)a.at[i]);
    }
    return all;
}

enum { NUMBER_MAX = 64 };

static bool copy_number(struct text a, char ret[NUMBER_MAX])
{
    if (a.length == 0 || a.length >= NUMBER_MAX || isspace((unsigned char)a.at[0])) {
        return false;
    }
    memcpy(ret, a.at, a.length);
    ret[a.length] = '\0';
    return strlen(ret) == a.length && strpbrk(ret, "xXpP") == NULL;
}

enum status text_to_double(struct text a, double *ret)
{
    char number[NUMBER_MAX], *end;
    if (!copy_number(a, number)) {
        return STATUS_INVALID;
    }
    double value = strtod(number, &end);
    if (*end != '\0' || !isfinite(value)) {
        return STATUS_INVALID;
    }
    *ret = value;
    return STATUS_OK;
}

enum status text_to_i64(struct text a, int64_t *ret)
{
    char number[NUMBER_MAX], *end;
    if (!copy_number(a, number)) {
        return STATUS_INVALID;
    }
    errno = 0;
    long long value = strtoll(number, &end, 10);
    if (*end != '\0' || errno != 0) {
        return STATUS_INVALID;
    }
    *ret = value;
    return STATUS_OK;
}
