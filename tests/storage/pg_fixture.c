#include "pg_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define INITDB   "/usr/lib/postgresql/15/bin/initdb"
#define POSTGRES "/usr/lib/postgresql/15/bin/postgres"

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "pg_fixture: %s: %s\n", what, strerror(errno));
    exit(1);
}

static const struct passwd *server_user(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid());
    if (user == NULL) {
        die("no user postgres");
    }
    return user;
}

/* In the child: another user, no descriptors but the first three, output to the log. */
static void become_server(const struct pg_fixture *fixture)
{
    const struct passwd *user = server_user();
    if (geteuid() == 0 && (initgroups(user->pw_name, user->pw_gid) != 0 ||
                           setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) {
        _exit(126);
    }
    char log[128];
    (void)snprintf(log, sizeof log, "%s/server.log", fixture->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) {
        _exit(126);
    }
    (void)close_range(3, ~0U, 0);
    if (chdir(fixture->folder) != 0) {
        _exit(126);
    }
}

static void run_and_wait(const struct pg_fixture *fixture, char *const *words)
{
    pid_t pid = fork();
    if (pid == 0) {
        become_server(fixture);
        (void)execv(words[0], words);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        die(words[0]);
    }
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("no free port");
    }
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* PostgreSQL tells systemd when it is ready; here it tells us. */
static int listen_for_ready(const struct pg_fixture *fixture, char path[108])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(path, 108, "%s/ready", fixture->folder);
    memcpy(address.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0777) != 0) {
        die("cannot listen for the server");
    }
    return fd;
}

static void wait_until_ready(int fd, pid_t pid)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 60000) <= 0 || waitpid(pid, NULL, WNOHANG) != 0) {
            die("PostgreSQL did not start: see server.log in its folder");
        }
        char words[256];
        ssize_t size = recv(fd, words, sizeof words - 1, 0);
        words[size > 0 ? size : 0] = '\0';
        if (strstr(words, "READY=1") != NULL) {
            return;
        }
    }
}

void pg_fixture_up(struct pg_fixture *fixture)
{
    char ready[108], port[16];
    int fd = listen_for_ready(fixture, ready);
    (void)snprintf(port, sizeof port, "%d", fixture->port);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become_server(fixture);
        /* after setuid, which clears it: the server goes when the test goes */
        if (prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || getppid() != parent ||
            setenv("NOTIFY_SOCKET", ready, 1) != 0) {
            _exit(126);
        }
        (void)execl(POSTGRES, POSTGRES, "-D", "data", "-k", fixture->folder, "-p", port, "-c",
                    "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=40",
                    "-c", "shared_buffers=32MB", (char *)NULL);
        _exit(127);
    }
    if (pid < 0) {
        die("fork");
    }
    wait_until_ready(fd, pid);
    (void)close(fd);
    fixture->pid = pid;
}

void pg_fixture_crash(struct pg_fixture *fixture)
{
    if (fixture->pid > 0) {
        (void)kill(fixture->pid, SIGQUIT);
        (void)waitpid(fixture->pid, NULL, 0);
        fixture->pid = 0;
    }
}

void pg_fixture_database(const struct pg_fixture *fixture, const char *name, char ret[256])
{
    (void)snprintf(ret, 256, "host=%s port=%d user=campus dbname=postgres", fixture->folder,
                   fixture->port);
    PGconn *conn = PQconnectdb(ret);
    char sql[128];
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        (void)fprintf(stderr, "%s", PQerrorMessage(conn));
        die(sql);
    }
    PQclear(result);
    PQfinish(conn);
    (void)snprintf(ret, 256, "host=%s port=%d user=campus dbname=%s", fixture->folder,
                   fixture->port, name);
}

void pg_fixture_start(struct pg_fixture *fixture)
{
    *fixture = (struct pg_fixture){.folder = "/tmp/campus-pg-XXXXXX"};
    if (mkdtemp(fixture->folder) == NULL) {
        die("mkdtemp");
    }
    const struct passwd *user = server_user();
    if (chown(fixture->folder, user->pw_uid, user->pw_gid) != 0 ||
        chmod(fixture->folder, 0755) != 0) {
        die("chown");
    }
    run_and_wait(fixture, (char *const[]){INITDB, "-D", "data", "-U", "campus", "-A", "trust", "-E",
                                          "UTF8", "--locale=C.UTF-8", "--no-sync", NULL});
    fixture->port = free_port();
    pg_fixture_up(fixture);
    pg_fixture_database(fixture, "campus", fixture->conninfo);
    (void)snprintf(fixture->tcp, sizeof fixture->tcp,
                   "host=localhost port=%d user=campus dbname=campus", fixture->port);
}

void pg_fixture_stop(struct pg_fixture *fixture)
{
    pg_fixture_crash(fixture);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", fixture->folder, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

const char *pg_fixture_ask(PGconn *conn, const char *sql)
{
    static char value[4096];
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        (void)fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(conn));
        abort();
    }
    (void)snprintf(value, sizeof value, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return value;
}

struct pg_fixture server;

int server_start(void **state)
{
    (void)state;
    pg_fixture_start(&server);
    return 0;
}

int server_stop(void **state)
{
    (void)state;
    pg_fixture_stop(&server);
    return 0;
}
