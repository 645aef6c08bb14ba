#include "bench/load/parts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/text.h"

enum { NO_PART = -1, STAT_BYTES = 8192, STAT_FIELDS_WANTED = 22 };

/* A process as a look found it. */
struct process {
    int64_t pid, parent;
    uint64_t started, ticks, child_ticks;
    uint64_t rss_pages;
    int part;
};

struct thread {
    int64_t id;
    uint64_t started, ticks;
    int part;
};

struct named {
    int64_t pid;
    uint64_t started;
    int part;
    bool ended;
};

struct parts {
    int proc; /* folder */
    double ticks_per_s;
    uint64_t page_bytes;
    struct named named[PARTS_PIDS_MAX];
    uint32_t named_count;
    struct process *processes;
    uint32_t process_count, process_room;
    struct thread *threads, *threads_before;
    uint32_t thread_count, thread_room, before_count, before_room;
    uint64_t part_ticks[PARTS_MAX]; /* at the last look */
    uint64_t machine_ticks, stolen_ticks;
    bool looked;
    struct parts_use use;
};

/* ---- files of /proc ---- */

/* The text of a small file; false: it is gone. */
static bool read_file(const struct parts *parts, const char *path, char *text, size_t size)
{
    int file = openat(parts->proc, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    size_t length = 0;
    ssize_t got = 0;
    while (length + 1 < size && (got = read(file, text + length, size - 1 - length)) > 0) {
        length += (size_t)got;
    }
    (void)close(file);
    text[length] = '\0';
    return got >= 0 && length > 0;
}

/* proc(5), /proc/PID/stat: the name in the second field may hold anything, ")" and spaces too. */
static bool parse_stat(char *text, struct process *ret)
{
    char *at = strrchr(text, ')');
    if (at == NULL) {
        return false;
    }
    uint64_t fields[STAT_FIELDS_WANTED + 3] = {0};
    uint32_t no = 3;
    for (char *word = strtok_r(at + 1, " \n", &at); word != NULL && no <= STAT_FIELDS_WANTED + 2;
         word = strtok_r(NULL, " \n", &at), no++) {
        fields[no] = strtoull(word, NULL, 10); /* the third is a letter: 0 */
    }
    if (no <= STAT_FIELDS_WANTED + 2) {
        return false;
    }
    ret->parent = (int64_t)fields[4];
    ret->ticks = fields[14] + fields[15];
    ret->child_ticks = fields[16] + fields[17];
    ret->started = fields[22];
    ret->rss_pages = fields[24];
    return true;
}

static bool read_process(const struct parts *parts, int64_t pid, struct process *ret)
{
    char path[64], text[STAT_BYTES];
    (void)snprintf(path, sizeof path, "%" PRId64 "/stat", pid);
    *ret = (struct process){.pid = pid, .part = NO_PART};
    return read_file(parts, path, text, sizeof text) && parse_stat(text, ret);
}

static DIR *open_folder(const struct parts *parts, const char *path)
{
    int file = openat(parts->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = file >= 0 ? fdopendir(file) : NULL;
    if (file >= 0 && folder == NULL) {
        (void)close(file);
    }
    return folder;
}

/* Room for one more. A machine without memory for a table of processes has nothing more to say. */
static void *room_for(void *items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) {
        return items;
    }
    *room = *room == 0 ? 256 : *room * 2;
    items = realloc(items, *room * size);
    ASSERT(items != NULL);
    return items;
}

static int by_pid(const void *left, const void *right)
{
    int64_t a = ((const struct process *)left)->pid, b = ((const struct process *)right)->pid;
    return (a > b) - (a < b);
}

static bool list_processes(struct parts *parts)
{
    DIR *folder = open_folder(parts, ".");
    if (folder == NULL) {
        return false;
    }
    parts->process_count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct process process;
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_process(parts, strtoll(entry->d_name, NULL, 10), &process)) {
            parts->processes = room_for(parts->processes, parts->process_count,
                                        &parts->process_room, sizeof process);
            parts->processes[parts->process_count++] = process;
        }
    }
    (void)closedir(folder);
    if (parts->process_count > 0) {
        qsort(parts->processes, parts->process_count, sizeof *parts->processes, by_pid);
    }
    return true;
}

/* ---- who belongs to whom ---- */

static struct process *find_process(const struct parts *parts, int64_t pid)
{
    const struct process wanted = {.pid = pid};
    return parts->process_count == 0
               ? NULL
               : bsearch(&wanted, parts->processes, parts->process_count, sizeof wanted, by_pid);
}

/* The named ones, then their children, then theirs, until nothing changes. */
static void mark_parts(struct parts *parts)
{
    for (uint32_t i = 0; i < parts->named_count; i++) {
        struct named *named = &parts->named[i];
        struct process *process = find_process(parts, named->pid);
        named->ended = named->ended || process == NULL || process->started != named->started;
        if (!named->ended) {
            process->part = named->part;
        }
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < parts->process_count; i++) {
            struct process *process = &parts->processes[i];
            const struct process *parent =
                process->part == NO_PART ? find_process(parts, process->parent) : NULL;
            if (parent != NULL && parent->part != NO_PART) {
                process->part = parent->part;
                changed = true;
            }
        }
    }
}

static void list_threads(struct parts *parts, const struct process *process)
{
    char path[64], text[STAT_BYTES];
    (void)snprintf(path, sizeof path, "%" PRId64 "/task", process->pid);
    DIR *folder = open_folder(parts, path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        struct process as_process;
        char file[sizeof path + sizeof entry->d_name + 8];
        (void)snprintf(file, sizeof file, "%s/%s/stat", path, entry->d_name);
        if (isdigit((unsigned char)entry->d_name[0]) && read_file(parts, file, text, sizeof text) &&
            parse_stat(text, &as_process)) {
            parts->threads = room_for(parts->threads, parts->thread_count, &parts->thread_room,
                                      sizeof *parts->threads);
            parts->threads[parts->thread_count++] =
                (struct thread){.id = strtoll(entry->d_name, NULL, 10),
                                .started = as_process.started,
                                .ticks = as_process.ticks,
                                .part = process->part};
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

/* ---- sums ---- */

static uint64_t ticks_before(const struct parts *parts, const struct thread *thread)
{
    for (uint32_t i = 0; i < parts->before_count; i++) {
        const struct thread *before = &parts->threads_before[i];
        if (before->id == thread->id && before->started == thread->started) {
            return before->ticks;
        }
    }
    return 0;
}

static void add_busiest(struct parts *parts)
{
    uint64_t most[PARTS_MAX] = {0};
    for (uint32_t i = 0; i < parts->thread_count; i++) {
        const struct thread *thread = &parts->threads[i];
        uint64_t before = ticks_before(parts, thread);
        uint64_t ticks = thread->ticks > before ? thread->ticks - before : 0;
        most[thread->part] = ticks > most[thread->part] ? ticks : most[thread->part];
    }
    for (uint32_t i = 0; i < parts->use.count; i++) {
        parts->use.parts[i].busiest_s += parts->looked ? (double)most[i] / parts->ticks_per_s : 0;
    }
}

static void add_processes(struct parts *parts)
{
    uint64_t ticks[PARTS_MAX] = {0};
    parts->thread_count = 0;
    for (uint32_t i = 0; i < parts->use.count; i++) {
        struct part_use *part = &parts->use.parts[i];
        part->processes = part->ended = 0;
        part->rss_bytes = 0;
    }
    for (uint32_t i = 0; i < parts->named_count; i++) {
        parts->use.parts[parts->named[i].part].ended += parts->named[i].ended;
    }
    for (uint32_t i = 0; i < parts->process_count; i++) {
        const struct process *process = &parts->processes[i];
        if (process->part != NO_PART) {
            struct part_use *part = &parts->use.parts[process->part];
            part->processes++;
            part->rss_bytes += process->rss_pages * parts->page_bytes;
            /* a child's time goes over to its parent whole: the sum stays what it is */
            ticks[process->part] += process->ticks + process->child_ticks;
            list_threads(parts, process);
        }
    }
    for (uint32_t i = 0; i < parts->use.count; i++) {
        uint64_t before = parts->part_ticks[i];
        parts->use.parts[i].cpu_s += parts->looked && ticks[i] > before
                                         ? (double)(ticks[i] - before) / parts->ticks_per_s
                                         : 0;
        parts->part_ticks[i] = ticks[i];
    }
}

/* proc(5), /proc/stat: user nice system idle iowait irq softirq steal. */
static void add_machine(struct parts *parts)
{
    static char text[1 << 16];
    uint64_t t[8] = {0};
    if (!read_file(parts, "stat", text, sizeof text)) {
        return;
    }
    char *at = text + strcspn(text, " ");
    for (uint32_t i = 0; i < 8; i++) {
        t[i] = strtoull(at, &at, 10);
    }
    uint64_t busy = t[0] + t[1] + t[2] + t[5] + t[6];
    if (parts->looked) {
        parts->use.machine_s += (double)(busy - parts->machine_ticks) / parts->ticks_per_s;
        parts->use.stolen_s += (double)(t[7] - parts->stolen_ticks) / parts->ticks_per_s;
    }
    parts->machine_ticks = busy;
    parts->stolen_ticks = t[7];
}

void parts_look(struct parts *parts, int64_t now_us, struct parts_use *ret)
{
    if (list_processes(parts)) {
        mark_parts(parts);
        add_machine(parts);
        add_processes(parts);
        add_busiest(parts);
        struct thread *threads = parts->threads_before;
        uint32_t room = parts->before_room;
        parts->threads_before = parts->threads;
        parts->before_room = parts->thread_room;
        parts->before_count = parts->thread_count;
        parts->threads = threads;
        parts->thread_room = room;
        parts->use.at_us = now_us;
        parts->looked = true;
    }
    *ret = parts->use;
}

void parts_between(const struct parts_use *from, const struct parts_use *to,
                   struct parts_rates *ret)
{
    *ret = (struct parts_rates){0};
    double seconds = (double)(to->at_us - from->at_us) / 1e6;
    if (seconds <= 0) {
        return;
    }
    ret->machine = (to->machine_s - from->machine_s) / seconds;
    ret->stolen = (to->stolen_s - from->stolen_s) / seconds;
    ret->others = ret->machine;
    for (uint32_t i = 0; i < to->count; i++) {
        ret->cores[i] = (to->parts[i].cpu_s - from->parts[i].cpu_s) / seconds;
        ret->busiest[i] = (to->parts[i].busiest_s - from->parts[i].busiest_s) / seconds;
        ret->others -= ret->cores[i];
    }
    ret->others = ret->others > 0 ? ret->others : 0;
}

/* ---- lifecycle ---- */

enum status parts_new(const char *proc, struct parts **ret, struct status_detail *detail)
{
    struct parts *parts = calloc(1, sizeof *parts);
    if (parts == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    parts->proc = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parts->proc < 0) {
        free(parts);
        return status_detail_set(detail, STATUS_UNAVAILABLE, "%s: %s", proc, strerror(errno));
    }
    parts->ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    parts->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    parts->use.cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    *ret = parts;
    return STATUS_OK;
}

void parts_free(struct parts *parts)
{
    if (parts == NULL) {
        return;
    }
    (void)close(parts->proc);
    free(parts->processes);
    free(parts->threads);
    free(parts->threads_before);
    free(parts);
}

static bool name_is_good(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') {
            return false;
        }
    }
    return length > 0 && length < PART_NAME_MAX;
}

enum status parts_add(struct parts *parts, const char *name, int64_t pid,
                      struct status_detail *detail)
{
    if (!name_is_good(name)) {
        return status_detail_set(detail, STATUS_INVALID,
                                 "\"%s\" is no name of a part: at most %u letters, digits, - and _",
                                 name, PART_NAME_MAX - 1);
    }
    uint32_t part = 0;
    while (part < parts->use.count && strcmp(parts->use.parts[part].name, name) != 0) {
        part++;
    }
    if (part == PARTS_MAX || parts->named_count == PARTS_PIDS_MAX) {
        return status_detail_set(detail, STATUS_FULL, "over %u parts, or over %u processes of them",
                                 PARTS_MAX, PARTS_PIDS_MAX);
    }
    struct process process;
    if (pid <= 0 || !read_process(parts, pid, &process)) {
        return status_detail_set(detail, STATUS_NOT_FOUND, "%s: there is no process %" PRId64, name,
                                 pid);
    }
    if (part == parts->use.count) {
        (void)snprintf(parts->use.parts[part].name, PART_NAME_MAX, "%s", name);
        parts->use.count++;
    }
    parts->named[parts->named_count++] =
        (struct named){.pid = pid, .started = process.started, .part = (int)part};
    /* what it used before it was named is not of this run */
    parts->part_ticks[part] += process.ticks + process.child_ticks;
    return STATUS_OK;
}

enum status parts_add_words(struct parts *parts, const char *words, struct status_detail *detail)
{
    const char *equals = strchr(words, '=');
    int64_t pid = 0;
    if (equals == NULL || equals - words >= (ptrdiff_t)PART_NAME_MAX ||
        text_to_i64(text_of(equals + 1), &pid) != STATUS_OK) {
        return status_detail_set(detail, STATUS_INVALID, "%s: not NAME=PID", words);
    }
    char name[PART_NAME_MAX];
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - words), words);
    return parts_add(parts, name, pid, detail);
}
