/*
 * pg_fixture.h - a private PostgreSQL server for tests, in a temporary folder, on a free port of
 * 127.0.0.1 and a unix socket.
 * Know: started once per test program; it dies with the program,
 * however that ends. As root it runs as user postgres, since PostgreSQL refuses root.
 * Memory: the
 * fixture is the caller's.
 * Threads: one.
 */
#ifndef TESTS_STORAGE_PG_FIXTURE_H
#define TESTS_STORAGE_PG_FIXTURE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <sys/types.h>

struct pg_fixture {
    char folder[64];    /* socket, data/ and server.log lie there */
    char conninfo[256]; /* over the socket, database campus */
    char tcp[256];      /* the same over TCP, by name */
    int port;
    pid_t pid; /* of the postmaster; 0: not running */
};

/* All of them end the program with a message when they cannot. */
void pg_fixture_start(struct pg_fixture *fixture);
void pg_fixture_stop(struct pg_fixture *fixture); /* and removes the folder */

/* The one of a test program, for cmocka's group. */
extern struct pg_fixture server;
int server_start(void **state);
int server_stop(void **state);

/* Immediate stop: every backend dies without a word, as in a crash; then up again, recovered. */
void pg_fixture_crash(struct pg_fixture *fixture);
void pg_fixture_up(struct pg_fixture *fixture);

/* A new empty database of that name; conninfo for it in ret. */
void pg_fixture_database(const struct pg_fixture *fixture, const char *name, char ret[256]);

/* One value as text of a query that must work ("" for NULL), in a static buffer. */
const char *pg_fixture_ask(PGconn *conn, const char *sql);

#endif
