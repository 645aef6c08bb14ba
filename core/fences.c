#include "core/fences.h"

#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/touch.h"
#include "core/limits.h"

enum status fence_set_new(uint32_t count, struct fence_set **ret)
{
    if (count > FENCES_MAX) {
        return STATUS_TOO_LARGE;
    }
    struct arena arena;
    arena_init_growing(&arena, 1u << 20, SIZE_MAX / 2);
    struct fence_set *set = arena_alloc(&arena, sizeof *set);
    if (set == NULL) {
        return STATUS_NO_MEMORY;
    }
    *set = (struct fence_set){.arena = arena, .count = count};
    set->items = arena_array(&set->arena, count, sizeof *set->items);
    set->shapes = arena_array(&set->arena, count, sizeof *set->shapes);
    set->grounds = arena_array(&set->arena, count, sizeof *set->grounds);
    if (set->items == NULL || set->shapes == NULL || set->grounds == NULL) {
        fence_set_free(set);
        return STATUS_NO_MEMORY;
    }
    *ret = set;
    return STATUS_OK;
}

void fence_set_free(struct fence_set *set)
{
    if (set != NULL) {
        geo_index_free(set->index);
        struct arena arena = set->arena; /* it holds the set itself */
        arena_release(&arena);
    }
}

static enum status check_fence(const struct fence *fence, uint32_t place,
                               struct status_detail *detail)
{
    if (fence->id == NULL || fence->id[0] == '\0') {
        return status_detail_set(detail, STATUS_INVALID, "fence %u of the set has no id",
                                 place + 1);
    }
    if (fence->no == 0 || fence->no >= REGISTRY_NUMBER_MAX || fence->version == 0) {
        return status_detail_set(
            detail, STATUS_INVALID,
            "fence \"%s\": number %u, version %u: both begin at 1, numbers end "
            "below %u",
            fence->id, fence->no, fence->version, REGISTRY_NUMBER_MAX);
    }
    if (fence->kind < FENCE_PLACE || fence->kind > FENCE_DANGER ||
        fence->severity > SEVERITY_CRITICAL) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "fence \"%s\": no kind %u or no severity %u", fence->id,
                                 fence->kind, fence->severity);
    }
    return STATUS_OK;
}

/* Fills by_no; no id and no number stands twice. The table of ids is needed only here. */
static enum status check_doubles(struct fence_set *set, struct status_detail *detail)
{
    uint32_t size = 4;
    while (size < 2 * set->count) {
        size *= 2;
    }
    struct arena scratch;
    arena_init_growing(&scratch, 1u << 16, SIZE_MAX / 2);
    uint32_t *slots = arena_array(&scratch, size, sizeof *slots);
    uint32_t *by_no = arena_array(&set->arena, set->number_end, sizeof *by_no);
    set->by_no = by_no;
    enum status status = STATUS_OK;
    if (slots == NULL || by_no == NULL) {
        status = status_detail_set(detail, STATUS_NO_MEMORY, "fences: no memory to check them");
        goto release;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct fence *fence = &set->items[i];
        uint32_t place = (uint32_t)text_hash(text_of(fence->id)) & (size - 1);
        while (slots[place] != 0 && strcmp(set->items[slots[place] - 1].id, fence->id) != 0) {
            place = (place + 1) & (size - 1);
        }
        if (slots[place] != 0) {
            status = status_detail_set(detail, STATUS_INVALID,
                                       "fence \"%s\" stands twice in the set", fence->id);
            goto release;
        }
        slots[place] = i + 1;
        if (by_no[fence->no] != 0) {
            status = status_detail_set(detail, STATUS_INVALID,
                                       "fences \"%s\" and \"%s\" share the number %u",
                                       set->items[by_no[fence->no] - 1].id, fence->id, fence->no);
            goto release;
        }
        by_no[fence->no] = i + 1;
    }
release:
    arena_release(&scratch);
    return status;
}

static bool ground_before(const struct fence_set *set, uint32_t a, uint32_t b)
{
    const struct fence *x = &set->items[a], *y = &set->items[b];
    return x->school_no != y->school_no ? x->school_no < y->school_no : x->no < y->no;
}

static void sift_down(struct fence_set *set, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && ground_before(set, set->grounds[child], set->grounds[child + 1])) {
            child++;
        }
        if (!ground_before(set, set->grounds[root], set->grounds[child])) {
            return;
        }
        uint32_t swap = set->grounds[root];
        set->grounds[root] = set->grounds[child];
        set->grounds[child] = swap;
        root = child;
    }
}

/* Heapsort: no recursion, no memory, and libc's qsort may allocate. */
static void sort_grounds(struct fence_set *set)
{
    for (uint32_t i = set->ground_count / 2; i > 0; i--) {
        sift_down(set, i - 1, set->ground_count);
    }
    for (uint32_t end = set->ground_count; end > 1; end--) {
        uint32_t swap = set->grounds[0];
        set->grounds[0] = set->grounds[end - 1];
        set->grounds[end - 1] = swap;
        sift_down(set, 0, end - 1);
    }
}

enum status fence_set_seal(struct fence_set *set, struct status_detail *detail)
{
    ASSERT(set->index == NULL);
    set->number_end = 1;
    set->ground_count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        enum status status = check_fence(&set->items[i], i, detail);
        if (status != STATUS_OK) {
            return status;
        }
        if (set->items[i].no >= set->number_end) {
            set->number_end = set->items[i].no + 1;
        }
        if (set->items[i].kind == FENCE_SCHOOL) {
            set->grounds[set->ground_count++] = i;
        }
    }
    enum status status = check_doubles(set, detail);
    if (status != STATUS_OK || set->count == 0) {
        return status;
    }
    sort_grounds(set);
    return geo_index_new(set->shapes, set->count, &set->index, detail);
}

const struct fence *fence_set_by_no(const struct fence_set *set, uint32_t fence_no)
{
    if (fence_no >= set->number_end || set->by_no[fence_no] == 0) {
        return NULL;
    }
    return &set->items[set->by_no[fence_no] - 1];
}

uint32_t fence_set_expect(const struct fence_set *set, const uint32_t *fence_nos, uint32_t count,
                          uint32_t *ret_places)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        touch(&set->by_no[fence_nos[i] < set->number_end ? fence_nos[i] : 0]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct fence *fence = fence_set_by_no(set, fence_nos[i]);
        if (fence != NULL) {
            ret_places[found++] = (uint32_t)(fence - set->items);
            touch(&fence->no);
        }
    }
    return found;
}

uint32_t fence_set_grounds(const struct fence_set *set, uint32_t school_no,
                           const uint32_t **ret_places)
{
    uint32_t low = 0, high = set->ground_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->items[set->grounds[middle]].school_no < school_no) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t end = low;
    while (end < set->ground_count && set->items[set->grounds[end]].school_no == school_no) {
        end++;
    }
    *ret_places = set->grounds + low;
    return end - low;
}

static const char *const kind_words[] = {
    [FENCE_PLACE] = "place", [FENCE_SCHOOL] = "school", [FENCE_DANGER] = "danger"};
static const char *const severity_words[] = {
    [SEVERITY_INFO] = "info", [SEVERITY_WARNING] = "warning", [SEVERITY_CRITICAL] = "critical"};

enum status fence_kind_parse(const char *word, enum fence_kind *ret)
{
    if (word[0] == '\0') {
        *ret = FENCE_PLACE;
        return STATUS_OK;
    }
    for (int kind = FENCE_PLACE; kind <= FENCE_DANGER; kind++) {
        if (strcmp(word, kind_words[kind]) == 0) {
            *ret = (enum fence_kind)kind;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

const char *fence_kind_word(enum fence_kind kind)
{
    ASSERT(kind >= FENCE_PLACE && kind <= FENCE_DANGER);
    return kind_words[kind];
}

enum status severity_parse(const char *word, enum fence_kind kind, enum severity *ret)
{
    if (word[0] == '\0') {
        *ret = kind == FENCE_DANGER ? SEVERITY_WARNING : SEVERITY_INFO;
        return STATUS_OK;
    }
    for (int severity = SEVERITY_INFO; severity <= SEVERITY_CRITICAL; severity++) {
        if (strcmp(word, severity_words[severity]) == 0) {
            *ret = (enum severity)severity;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

const char *severity_word(enum severity severity)
{
    ASSERT(severity >= SEVERITY_INFO && severity <= SEVERITY_CRITICAL);
    return severity_words[severity];
}
