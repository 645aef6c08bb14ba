/*
 * broker_fixture.h - a real mosquitto on a free port of 127.0.0.1 with a temporary folder, to be
 * killed and started again; and waiting on a loop without sleeping.
 */
#ifndef TESTS_BRIDGE_BROKER_FIXTURE_H
#define TESTS_BRIDGE_BROKER_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct broker_fixture {
    char folder[64];
    char url[64]; /* mqtt://127.0.0.1:<port> */
    int port;
    pid_t pid;    /* 0: not running */
    bool forgets; /* after SIGKILL: no persistence at all. Otherwise every change is on disk */
    bool closed_to_strangers; /* nobody may connect */
};

/* A port that nobody listens on now. */
int free_port(void);
/* A socket on a free port that takes connections and says nothing; the caller closes it. */
int listen_silently(int *ret_port);
/* Chooses port and folder, and starts. `forgets` and `closed_to_strangers` are set before. */
void broker_open(struct broker_fixture *broker);
/* Chooses port and folder only. */
void broker_prepare(struct broker_fixture *broker);
/* (Re)starts on the same port with the same folder; waits until it accepts. */
void broker_start(struct broker_fixture *broker);
void broker_kill(struct broker_fixture *broker, int signal_number);
/* Does its log hold these words? */
bool broker_said(const struct broker_fixture *broker, const char *words);
/* Kills it and removes the folder. */
void broker_release(struct broker_fixture *broker);

/* Turns the loop until done(context), for at most a minute: then the test fails. */
void loop_until(uv_loop_t *loop, bool (*done)(void *context), void *context);
/* Turns the loop for this time, for what must NOT happen. */
void loop_for(uv_loop_t *loop, uint64_t time_ms);
/* Runs the loop to its end: everything on it was closed. */
void loop_end(uv_loop_t *loop);

#endif
