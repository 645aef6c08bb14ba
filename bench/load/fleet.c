#include "bench/load/fleet.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/load/fleet_internal.h"

enum { POLL_MS = 20, PROGRESS_MS = 1000, END_WAIT_MS = 15000, STALL_MS = 30000 };

struct load_fleet {
    struct load_fleet_options options;
    struct fleet_plan plan;
    struct conn_target targets[LOAD_BROKERS_MAX];
    char names[LOAD_BROKERS_MAX][MQTT_NAME_MAX];
    struct fleet_part *parts;   /* shared */
    pid_t pids[LOAD_PARTS_MAX]; /* 0: ended, how[] tells how */
    int how[LOAD_PARTS_MAX];
    int commands[LOAD_PARTS_MAX]; /* -1: none */
    uint32_t runs;                /* that were begun */
};

/* ---- making ---- */

static uint64_t raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 1024;
}

static enum status find_target(const struct load_broker *broker, const char *name,
                               struct conn_target *ret, struct status_detail *detail)
{
    char port[16];
    struct addrinfo *found = NULL;
    const struct addrinfo wish = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    (void)snprintf(port, sizeof port, "%d", broker->url.port);
    int error = getaddrinfo(broker->url.host, port, &wish, &found);
    if (error != 0) {
        return status_detail_set(detail, STATUS_NOT_FOUND, "broker %s: %s", name,
                                 gai_strerror(error));
    }
    memcpy(&ret->address, found->ai_addr, found->ai_addrlen);
    ret->address_bytes = found->ai_addrlen;
    ret->name = name;
    ret->user = broker->url.user[0] != '\0' ? broker->url.user : NULL;
    ret->password = broker->password;
    freeaddrinfo(found);
    return STATUS_OK;
}

static enum status find_targets(struct load_fleet *fleet, struct status_detail *detail)
{
    enum status status = STATUS_OK;
    ASSERT(fleet->options.broker_count > 0 && fleet->options.broker_count <= LOAD_BROKERS_MAX);
    for (uint32_t i = 0; i < fleet->options.broker_count && status == STATUS_OK; i++) {
        mqtt_url_name(&fleet->options.brokers[i].url, fleet->names[i]);
        status =
            find_target(&fleet->options.brokers[i], fleet->names[i], &fleet->targets[i], detail);
    }
    return status;
}

/* The generator's side: it must hold nothing that tells the others of the end. */
static _Noreturn void generate(const struct load_fleet *fleet, uint32_t part, int commands)
{
    for (uint32_t i = 0; i < part; i++) {
        (void)close(fleet->commands[i]);
    }
    const struct fleet_setup setup = {.options = &fleet->options,
                                      .plan = &fleet->plan,
                                      .targets = fleet->targets,
                                      .part = part,
                                      .commands = commands,
                                      .shared = &fleet->parts[part]};
    generator_main(&setup);
    _exit(0); /* what atexit would do is the first process's */
}

static enum status make_generator(struct load_fleet *fleet, uint32_t part,
                                  struct status_detail *detail)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return status_detail_set(detail, STATUS_IO, "socketpair: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return status_detail_set(detail, STATUS_NO_MEMORY, "generator %u: fork: %s", part,
                                 strerror(error));
    }
    if (pid == 0) {
        (void)close(ends[0]);
        generate(fleet, part, ends[1]);
    }
    (void)close(ends[1]);
    fleet->commands[part] = ends[0];
    fleet->pids[part] = pid;
    return STATUS_OK;
}

static enum status make_generators(struct load_fleet *fleet, struct status_detail *detail)
{
    size_t bytes = fleet->plan.parts * sizeof *fleet->parts;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory to share");
    }
    fleet->parts = memory;
    (void)fflush(NULL); /* else each process would print what waits once more */
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < fleet->plan.parts && status == STATUS_OK; i++) {
        status = make_generator(fleet, i, detail);
    }
    return status;
}

enum status load_fleet_open(const struct load_fleet_options *options, struct load_fleet **ret,
                            struct status_detail *detail)
{
    struct load_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        return status_detail_set(detail, STATUS_NO_MEMORY, "no memory");
    }
    fleet->options = *options;
    memset(fleet->commands, 0xff, sizeof fleet->commands); /* -1 */
    enum status status = fleet_plan_init(&fleet->plan, options, raise_file_limit(), detail);
    if (status == STATUS_OK) {
        status = find_targets(fleet, detail);
    }
    if (status == STATUS_OK) {
        status = make_generators(fleet, detail);
    }
    if (status != STATUS_OK) {
        load_fleet_close(fleet);
        return status;
    }
    *ret = fleet;
    return STATUS_OK;
}

/* ---- commands ---- */

static void command_all(const struct load_fleet *fleet, const struct fleet_command *command)
{
    for (uint32_t i = 0; i < fleet->plan.parts; i++) {
        if (fleet->commands[i] >= 0) {
            /* to one that ended by itself: load_fleet_status tells */
            (void)send(fleet->commands[i], command, sizeof *command, MSG_NOSIGNAL);
        }
    }
}

static void nap(void)
{
    const struct timespec time = {0, POLL_MS * 1000000L};
    (void)nanosleep(&time, NULL);
}

static bool ended(pid_t *pid, int *ret_status)
{
    if (*pid > 0 && waitpid(*pid, ret_status, WNOHANG) == *pid) {
        *pid = 0;
        return true;
    }
    return false;
}

/* Polite for a while; one that hangs is ended, or the run would never. */
static void end_generator(struct load_fleet *fleet, uint32_t part)
{
    int status;
    (void)close(fleet->commands[part]);
    fleet->commands[part] = -1;
    for (uint32_t ms = 0; ms < END_WAIT_MS && fleet->pids[part] > 0; ms += POLL_MS) {
        if (!ended(&fleet->pids[part], &status)) {
            nap();
        }
    }
    if (fleet->pids[part] > 0) {
        (void)kill(fleet->pids[part], SIGKILL);
        (void)waitpid(fleet->pids[part], &status, 0);
        fleet->pids[part] = 0;
    }
}

static void wait_goodbyes(struct load_fleet *fleet)
{
    uint32_t left = 1;
    for (uint32_t ms = 0; ms < END_WAIT_MS && left > 0; ms += POLL_MS) {
        int status;
        left = 0;
        for (uint32_t i = 0; i < fleet->plan.parts; i++) {
            (void)ended(&fleet->pids[i], &status);
            left += fleet->pids[i] > 0;
        }
        if (left > 0) {
            nap();
        }
    }
}

void load_fleet_close(struct load_fleet *fleet)
{
    if (fleet->parts != NULL) {
        command_all(fleet, &(struct fleet_command){.order = FLEET_CLOSE});
        wait_goodbyes(fleet);
        for (uint32_t i = 0; i < fleet->plan.parts; i++) {
            if (fleet->commands[i] >= 0) {
                end_generator(fleet, i);
            }
        }
        ASSERT(munmap(fleet->parts, fleet->plan.parts * sizeof *fleet->parts) == 0);
    }
    fleet_plan_release(&fleet->plan);
    free(fleet);
}

void load_fleet_probe(struct load_fleet *fleet, uint32_t no)
{
    command_all(fleet, &(struct fleet_command){.order = FLEET_PROBE, .number = no});
}

void load_fleet_run(struct load_fleet *fleet, uint32_t feed, int64_t start_us, int64_t wall_ms)
{
    ASSERT(feed < fleet->options.feed_count && load_fleet_idle(fleet));
    fleet->runs++;
    command_all(fleet,
                &(struct fleet_command){
                    .order = FLEET_RUN, .number = feed, .start_us = start_us, .wall_ms = wall_ms});
}

void load_fleet_stop(struct load_fleet *fleet)
{
    command_all(fleet, &(struct fleet_command){.order = FLEET_STOP});
}

/* ---- how it is ---- */

bool load_fleet_idle(const struct load_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->plan.parts; i++) {
        if (atomic_load(&fleet->parts[i].runs_done) < fleet->runs) {
            return false;
        }
    }
    return true;
}

static enum status generator_ended(uint32_t part, int how, struct status_detail *detail)
{
    return WIFSIGNALED(how)
               ? status_detail_set(detail, STATUS_UNAVAILABLE,
                                   "generator %u was ended by signal %d", part, WTERMSIG(how))
               : status_detail_set(detail, STATUS_UNAVAILABLE, "generator %u ended with status %d",
                                   part, WEXITSTATUS(how));
}

enum status load_fleet_status(struct load_fleet *fleet, struct status_detail *detail)
{
    for (uint32_t i = 0; i < fleet->plan.parts; i++) {
        struct fleet_part *part = &fleet->parts[i];
        bool gone = fleet->pids[i] <= 0 || ended(&fleet->pids[i], &fleet->how[i]);
        if (atomic_load(&part->failed) != 0) {
            return status_detail_set(detail, part->status, "%s", part->detail.text);
        }
        if (gone) {
            return generator_ended(i, fleet->how[i], detail);
        }
    }
    return STATUS_OK;
}

void load_fleet_counts(const struct load_fleet *fleet, struct load_fleet_counts *ret)
{
    *ret = (struct load_fleet_counts){.connections = fleet->plan.lines,
                                      .generators = fleet->plan.parts};
    for (uint32_t i = 0; i < fleet->plan.parts; i++) {
        ret->up += atomic_load(&fleet->parts[i].up);
        ret->losses += atomic_load(&fleet->parts[i].losses);
        ret->pings += atomic_load(&fleet->parts[i].pings);
        ret->messages += atomic_load(&fleet->parts[i].messages);
    }
}

enum status load_fleet_connect(struct load_fleet *fleet, struct status_detail *detail)
{
    struct load_fleet_counts counts = {0};
    uint32_t best = 0;
    uint64_t ms = 0, grew_ms = 0;
    command_all(fleet, &(struct fleet_command){.order = FLEET_CONNECT});
    do {
        nap();
        ms += POLL_MS;
        load_fleet_counts(fleet, &counts);
        grew_ms = counts.up > best ? ms : grew_ms;
        best = counts.up > best ? counts.up : best;
        enum status status = load_fleet_status(fleet, detail);
        if (status == STATUS_OK && ms - grew_ms > STALL_MS) {
            status = status_detail_set(detail, STATUS_TIMEOUT, "no more came up for %d s",
                                       STALL_MS / 1000);
        }
        if (status != STATUS_OK) {
            return status_detail_wrap(detail, status, "connection %u of %u failed", counts.up + 1,
                                      counts.connections);
        }
        if (ms % PROGRESS_MS == 0 && counts.up < counts.connections) {
            (void)fprintf(stderr, "campus-load: %u of %u connections up\n", counts.up,
                          counts.connections);
        }
    } while (counts.up < counts.connections);
    return STATUS_OK;
}

int64_t load_fleet_take_lag_us(struct load_fleet *fleet)
{
    int64_t max = 0;
    for (uint32_t i = 0; i < fleet->plan.parts; i++) {
        int64_t lag = atomic_exchange(&fleet->parts[i].lag_max_us, 0);
        max = lag > max ? lag : max;
    }
    return max;
}

uint32_t load_fleet_pids(const struct load_fleet *fleet, pid_t ret[LOAD_PARTS_MAX])
{
    memcpy(ret, fleet->pids, fleet->plan.parts * sizeof *ret);
    return fleet->plan.parts;
}
