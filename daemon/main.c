/* campusd: command line, signals, readiness; the program itself is in wiring.c. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <uv.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/wiring.h"

enum { PROGRAM_MAGIC = 0x70726f67, PASSWORD_MAX = 256 };

struct program {
    uint32_t magic;
    const char *config_path;
    struct config config;
    char password[PASSWORD_MAX];
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t watchdog;
    struct campusd *campusd;
    bool fold, stopping;
    int exit_status;
};

static void close_handles(struct program *program)
{
    for (size_t i = 0; i < 3; i++) {
        uv_close((uv_handle_t *)&program->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&program->watchdog, NULL);
}

static void on_stopped(void *context)
{
    struct program *program = context;
    MAGIC_CHECK(program, PROGRAM_MAGIC);
    program->campusd = NULL;
    close_handles(program);
}

static void stop(struct program *program)
{
    if (!program->stopping) {
        program->stopping = true;
        (void)sd_notify(0, "STOPPING=1");
        campusd_stop(program->campusd, on_stopped, program);
    }
}

static void on_ready(void *context)
{
    struct program *program = context;
    MAGIC_CHECK(program, PROGRAM_MAGIC);
    log_event(LOG_INFO, "campusd.ready");
    (void)sd_notify(0, "READY=1");
    if (program->fold) {
        stop(program);
    }
}

static void on_raised(void *context, const char *id, struct text json)
{
    (void)context;
    (void)printf("%s\t%.*s\n", id, TEXT_FMT(json));
}

static void on_fatal(void *context, const struct status_detail *detail)
{
    struct program *program = context;
    MAGIC_CHECK(program, PROGRAM_MAGIC);
    log_event(LOG_ERROR, "campusd.fatal", LOG_STR("reason", detail->text));
    program->exit_status = EXIT_FAILURE;
    stop(program);
}

static void tell_restart(const char *key)
{
    log_event(LOG_WARN, "config.needs_restart", LOG_STR("key", key));
}

static void reload(struct program *program)
{
    struct config fresh;
    struct status_detail detail = {""};
    enum status status = config_read(program->config_path, &fresh, &detail);
    if (status != STATUS_OK) {
        log_event(LOG_ERROR, "config.refused", LOG_STR("reason", detail.text));
        return;
    }
    (void)config_reload(&program->config, &fresh, tell_restart);
    config_release(&fresh);
    log_set_level((enum log_level)program->config.log_level);
    campusd_reload(program->campusd);
    log_event(LOG_INFO, "config.reloaded");
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct program *program = handle->data;
    MAGIC_CHECK(program, PROGRAM_MAGIC);
    if (signum == SIGHUP && !program->stopping) {
        reload(program);
    } else if (signum != SIGHUP) {
        log_event(LOG_INFO, "campusd.stopping", LOG_INT("signal", signum));
        stop(program);
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    (void)sd_notify(0, "WATCHDOG=1");
}

static void start_handles(struct program *program)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        int failed = uv_signal_init(&program->loop, &program->signals[i]);
        ASSERT(failed == 0);
        program->signals[i].data = program;
        failed = uv_signal_start(&program->signals[i], on_signal, numbers[i]);
        ASSERT(failed == 0);
    }
    uint64_t watchdog_us = 0;
    int failed = uv_timer_init(&program->loop, &program->watchdog);
    ASSERT(failed == 0);
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        failed = uv_timer_start(&program->watchdog, on_watchdog, 0, watchdog_us / 2000);
        ASSERT(failed == 0);
    }
}

static enum status read_password(struct program *program, struct status_detail *detail)
{
    const char *path = program->config.broker_password_file;
    if (path[0] == '\0') {
        return STATUS_OK;
    }
    FILE *file = fopen(path, "re");
    bool got = file != NULL && fgets(program->password, PASSWORD_MAX, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    program->password[strcspn(program->password, "\r\n")] = '\0';
    return got ? STATUS_OK
               : status_detail_set(detail, STATUS_IO, "broker.password_file: %s cannot be read",
                                   path);
}

static void take_pace(const struct config *config)
{
    if (config->paced) {
        clock_set_pace(&config->pace);
        char now[CLOCK_TEXT_MAX];
        clock_format_rfc3339(clock_wall_ms(), now);
        log_event(LOG_WARN, "clock.not_real", LOG_INT("speed", config->pace.speed),
                  LOG_STR("now", now),
                  LOG_STR("reason", "clock.start and clock.speed are for benchmarks: no alert "
                                    "tells the true time; take them out for any other use"));
    }
}

static int run(struct program *program)
{
    struct status_detail detail = {""};
    const struct campusd_callbacks callbacks = {program, on_ready, on_fatal,
                                                program->fold ? on_raised : NULL};
    (void)signal(SIGPIPE, SIG_IGN);
    /* The journal's syncs must not wait behind a registry load and an archive batch. */
    (void)setenv("UV_THREADPOOL_SIZE", "8", 0);
    log_set_level((enum log_level)program->config.log_level);
    take_pace(&program->config);
    int failed = uv_loop_init(&program->loop);
    ASSERT(failed == 0);
    enum status status = read_password(program, &detail);
    if (status == STATUS_OK) {
        const char *password = program->password[0] != '\0' ? program->password : NULL;
        status = campusd_start(&program->loop, &program->config, password, &callbacks,
                               &program->campusd, &detail);
    }
    if (status == STATUS_OK) {
        start_handles(program);
    } else {
        log_event(LOG_ERROR, "campusd.fatal", LOG_STR("reason", detail.text));
        program->exit_status = EXIT_FAILURE;
    }
    (void)uv_run(&program->loop, UV_RUN_DEFAULT);
    failed = uv_loop_close(&program->loop);
    ASSERT(failed == 0);
    log_event(LOG_INFO, "campusd.stopped", LOG_INT("exit", program->exit_status));
    return program->exit_status;
}

static void print_usage(FILE *out)
{
    (void)fputs("usage: campusd [--config FILE] [--check-config | --print-config | --fold]\n"
                "  --config FILE    YAML; without it every setting has its default\n"
                "  --check-config   reads it, says ok or what is wrong, and where\n"
                "  --print-config   prints every setting with its meaning, range and value\n"
                "  --fold           reads the journal, prints each alert that it causes under the\n"
                "                   registry in force (id, tab, CloudEvent), and ends\n",
                out);
}

static int print_config(const struct config *config)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    config_print(config, &out);
    (void)fputs(buffer_cstr(&out), stdout);
    buffer_release(&out);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'},
        {"print-config", no_argument, NULL, 'p'}, {"fold", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},         {0}};
    static struct program program = {.magic = PROGRAM_MAGIC};
    bool check = false, print = false;
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        check = check || letter == 'k';
        print = print || letter == 'p';
        program.fold = program.fold || letter == 'f';
        if (letter == 'c') {
            program.config_path = optarg;
        } else if (letter != 'k' && letter != 'p' && letter != 'f') {
            print_usage(letter == 'h' ? stdout : stderr);
            return letter == 'h' ? EXIT_SUCCESS : 2;
        }
    }
    struct status_detail detail = {""};
    enum status status = config_read(program.config_path, &program.config, &detail);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "campusd: %s\n", detail.text);
        return 2;
    }
    int result = EXIT_SUCCESS;
    if (check) {
        (void)puts("ok");
    } else if (print) {
        result = print_config(&program.config);
    } else {
        result = run(&program);
    }
    config_release(&program.config);
    return result;
}
