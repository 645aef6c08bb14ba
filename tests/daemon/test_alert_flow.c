#include <stdbool.h>
#include <string.h>

#include "daemon/alert_flow.h"
#include "tests/check.h"

/* A journal in memory: records in order, `end` = 10 per record. */
struct record_copy {
    uint32_t type;
    uint64_t end;
    size_t size;
    _Alignas(8) char data[2048];
};

struct fixture {
    struct alert_flow *flow;
    struct record_copy records[64];
    uint32_t record_count;
    uint64_t pos;
    struct {
        uint64_t end;
        char id[ALERT_ID_MAX];
    } published[64];
    uint32_t published_count;
    bool journal_full, publisher_full;
    struct directory *directory;
    struct fence_set *fences;
};

static enum status append(void *context, uint32_t type, struct text record, uint64_t *ret_end)
{
    struct fixture *f = context;
    if (f->journal_full) {
        return STATUS_FULL;
    }
    struct record_copy *copy = &f->records[f->record_count++];
    assert_true(record.length <= sizeof copy->data);
    f->pos += 10;
    *copy = (struct record_copy){.type = type, .end = f->pos, .size = record.length};
    memcpy(copy->data, record.at, record.length);
    *ret_end = f->pos;
    return STATUS_OK;
}

static enum status publish(void *context, uint64_t end, const struct alert *alert, struct text json)
{
    struct fixture *f = context;
    assert_true(json.length > 0);
    if (f->publisher_full) {
        return STATUS_FULL;
    }
    f->published[f->published_count].end = end;
    alert_id(alert, f->published[f->published_count++].id);
    return STATUS_OK;
}

static void new_flow(struct fixture *f)
{
    const struct alert_flow_options options = {4, f, append, publish};
    assert_int_equal(alert_flow_new(&options, &f->flow), STATUS_OK);
}

static int setup(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    const struct directory_ends ends = {1, 1, 1, 1, 1, 0};
    assert_int_equal(directory_new(&ends, &fixture.directory), STATUS_OK);
    assert_int_equal(directory_seal(fixture.directory, NULL), STATUS_OK);
    assert_int_equal(fence_set_new(0, &fixture.fences), STATUS_OK);
    assert_int_equal(fence_set_seal(fixture.fences, NULL), STATUS_OK);
    new_flow(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    alert_flow_free(f->flow);
    directory_free(f->directory);
    fence_set_free(f->fences);
    return 0;
}

static void raise_alert(struct fixture *f, uint64_t cause_end, uint64_t seq)
{
    const struct alert alert = {.type = ALERT_SOS,
                                .severity = SEVERITY_CRITICAL,
                                .cause = {.kind = ORIGIN_CARD, .no = 1, .seq = seq}};
    assert_int_equal(alert_flow_raise(f->flow, cause_end, &alert, f->directory, f->fences),
                     STATUS_OK);
}

static uint64_t tick_record(struct fixture *f, int64_t now_ms)
{
    const struct tick tick = {now_ms};
    char bytes[sizeof tick];
    uint64_t end = 0;
    memcpy(bytes, &tick, sizeof bytes);
    assert_int_equal(append(f, RECORD_TICK, (struct text){bytes, sizeof bytes}, &end), STATUS_OK);
    return end;
}

/* As the engine does: the id is of what was last heard, whichever tick tells it. */
static void raise_silent(struct fixture *f, uint64_t cause_end, int64_t now_ms)
{
    const struct alert alert = {.type = ALERT_SILENT,
                                .severity = SEVERITY_INFO,
                                .raised_ms = now_ms,
                                .cause = {.kind = ORIGIN_TICK, .no = 1, .seq = 77}};
    assert_int_equal(alert_flow_raise(f->flow, cause_end, &alert, f->directory, f->fences),
                     STATUS_OK);
}

/* A report's record: nothing but its end. */
static uint64_t report_record(struct fixture *f)
{
    uint64_t end = 0;
    assert_int_equal(append(f, RECORD_REPORT, TEXT("r"), &end), STATUS_OK);
    return end;
}

/* Kills the flow and reads the first `count` records back; reports with number i raise alert i
 * again when `raises` says so. */
static void restart(struct fixture *f, uint32_t count, uint64_t raises)
{
    alert_flow_free(f->flow);
    new_flow(f);
    f->published_count = 0;
    f->record_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct record_copy *copy = &f->records[i];
        struct alert_record alert;
        struct mark mark;
        struct tick tick;
        if (copy->type == RECORD_TICK) {
            assert_int_equal(record_get_tick(copy->data, copy->size, &tick), STATUS_OK);
            if (raises & (1u << i)) {
                raise_silent(f, copy->end, tick.now_ms);
            }
        } else if (copy->type == RECORD_REPORT && (raises & (1u << i))) {
            raise_alert(f, copy->end, i);
        } else if (copy->type == RECORD_ALERT) {
            assert_int_equal(record_get_alert(copy->data, copy->size, &alert), STATUS_OK);
            assert_int_equal(alert_flow_replay_record(f->flow, copy->end, &alert), STATUS_OK);
        } else if (copy->type == RECORD_MARK) {
            assert_int_equal(record_get_mark(copy->data, copy->size, &mark), STATUS_OK);
            alert_flow_replay_mark(f->flow, &mark);
        }
        if (copy->type == RECORD_REPORT || copy->type == RECORD_TICK) {
            alert_flow_stepped(f->flow, copy->end);
        }
        f->pos = copy->end;
    }
    alert_flow_replay_done(f->flow);
    alert_flow_pump(f->flow);
}

static void an_alert_gets_its_record_and_is_published(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    uint64_t end = report_record(f);
    raise_alert(f, end, 0);
    alert_flow_pump(f->flow);
    assert_int_equal(f->record_count, 2);
    assert_int_equal(f->records[1].type, RECORD_ALERT);
    assert_int_equal(f->published_count, 1);
    assert_int_equal(f->published[0].end, f->records[1].end);
}

static void a_full_publisher_still_gets_records_written(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    f->publisher_full = true;
    for (uint64_t i = 0; i < 5; i++) {
        raise_alert(f, report_record(f), i);
        alert_flow_pump(f->flow);
    }
    assert_true(alert_flow_full(f->flow));
    assert_int_equal(f->record_count, 10);
    f->publisher_full = false;
    alert_flow_pump(f->flow);
    assert_int_equal(f->published_count, 5);
    assert_false(alert_flow_full(f->flow));
}

static void an_alert_without_record_is_raised_anew_by_a_restart(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    f->journal_full = false;
    uint64_t end = report_record(f);
    f->journal_full = true;
    raise_alert(f, end, 0);
    alert_flow_pump(f->flow);
    assert_int_equal(f->published_count, 0);
    f->journal_full = false;
    restart(f, 1, 1);
    assert_int_equal(f->published_count, 1);
    assert_string_equal(f->published[0].id, "sos-c1.0.0.0");
    assert_int_equal(f->record_count, 2);
}

static void an_alert_with_record_is_published_again_but_not_recorded_twice(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    raise_alert(f, report_record(f), 0);
    alert_flow_pump(f->flow);
    restart(f, 2, 1);
    assert_int_equal(f->published_count, 1);
    assert_int_equal(f->record_count, 2);
}

static void what_was_confirmed_before_a_mark_rests(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    uint64_t end = report_record(f);
    raise_alert(f, end, 0);
    alert_flow_pump(f->flow);
    alert_flow_stepped(f->flow, end);
    alert_flow_confirmed(f->flow, f->published[0].end);
    alert_flow_mark(f->flow);
    assert_int_equal(f->records[2].type, RECORD_MARK);
    alert_flow_mark(f->flow); /* nothing changed: no second mark */
    assert_int_equal(f->record_count, 3);
    restart(f, 3, 1);
    assert_int_equal(f->published_count, 0);
}

static void todays_rules_do_not_raise_alerts_in_a_settled_past(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    (void)report_record(f); /* record 0 raised nothing then */
    uint64_t end = report_record(f);
    raise_alert(f, end, 1);
    alert_flow_pump(f->flow);
    restart(f, 3, 3); /* other fences now: record 0 would raise too */
    assert_int_equal(f->published_count, 1);
    assert_string_equal(f->published[0].id, "sos-c1.0.1.0");
}

static void what_a_tick_raised_comes_again_until_confirmed(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    (void)tick_record(f, 1000);
    raise_silent(f, tick_record(f, 2000), 2000);
    alert_flow_pump(f->flow);
    alert_flow_stepped(f->flow, 20);
    assert_int_equal(f->record_count, 3);
    assert_string_equal(f->published[0].id, "silent-t1.0.77.0");
    restart(f, 2, 2); /* killed before its record was on disk */
    assert_int_equal(f->published_count, 1);
    assert_string_equal(f->published[0].id, "silent-t1.0.77.0");
    assert_int_equal(f->record_count, 3);
    restart(f, 3, 2); /* killed after it */
    assert_int_equal(f->published_count, 1);
    assert_int_equal(f->record_count, 3);
    alert_flow_confirmed(f->flow, f->published[0].end);
    alert_flow_mark(f->flow);
    restart(f, 4, 2);
    assert_int_equal(f->published_count, 0);
}

static void no_tick_raises_in_a_settled_past(void **state)
{
    struct fixture *f = *state;
    alert_flow_replay_done(f->flow);
    for (int64_t s = 1; s <= 3; s++) {
        alert_flow_stepped(f->flow, tick_record(f, 1000 * s));
    }
    alert_flow_mark(f->flow);
    restart(f, 4, 7); /* other rules now */
    assert_int_equal(f->published_count, 0);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FLOW_TEST(an_alert_gets_its_record_and_is_published),
        FLOW_TEST(a_full_publisher_still_gets_records_written),
        FLOW_TEST(an_alert_without_record_is_raised_anew_by_a_restart),
        FLOW_TEST(an_alert_with_record_is_published_again_but_not_recorded_twice),
        FLOW_TEST(what_was_confirmed_before_a_mark_rests),
        FLOW_TEST(what_a_tick_raised_comes_again_until_confirmed),
        FLOW_TEST(no_tick_raises_in_a_settled_past),
        FLOW_TEST(todays_rules_do_not_raise_alerts_in_a_settled_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
