/* fake_lb.c - contract in fake_lb.h. The script's words are read in fake_lb_script.c. */
#include "testing/fake_lb.h"
#include "base/alloc.h"
#include "testing/cmocka.h"
#include "testing/fake_lb_trace.h"
#include "testing/virtual_host.h"
#include <stdio.h>
#include <stdlib.h>

void rota_fake_lb_trace(struct rota_fake_lb *f, const char *format, ...)
{
    va_list args;
    int size;

    if (f->quiet)
        return;
    if (f->trace_size > 0 && f->trace_size < ROTA_FAKE_LB_TRACE_SIZE - 1)
        f->trace[f->trace_size++] = ' ';
    va_start(args, format);
    size = vsnprintf(f->trace + f->trace_size, ROTA_FAKE_LB_TRACE_SIZE - f->trace_size, format, args);
    va_end(args);
    f->trace_size += (size_t)size;
    if (f->trace_size >= ROTA_FAKE_LB_TRACE_SIZE)
        fail_msg("the trace is longer than %d", ROTA_FAKE_LB_TRACE_SIZE);
}

/* --- The owner --- */

static struct rota_fake_conn *conn_for(struct rota_fake_lb *f, const char *text)
{
    struct rota_fake_conn *conn = rota_map_get(&f->conns, rota_slice_str(text));

    if (conn != NULL)
        return conn;
    conn = rota_alloc_zero(NULL, 1, sizeof(*conn));
    assert_non_null(conn);
    conn->text = rota_alloc_text(NULL, rota_slice_str(text));
    assert_non_null(conn->text);
    assert_int_equal(rota_map_set(&f->conns, rota_slice_str(conn->text), conn), 0);
    assert_int_equal(rota_alloc_reserve(NULL, &f->by_number, &f->cap_conns, f->n_conns + 1, sizeof(*f->by_number)), 0);
    f->by_number[f->n_conns++] = conn;
    return conn;
}

static void trace_reports(struct rota_fake_lb *f, const struct rota_lb_subchannel *hold);

static rota_err get(void *owner, const struct rota_endpoint *endpoint, size_t address_index, struct rota_lb_subchannel *hold)
{
    struct rota_fake_lb *f = owner;
    struct rota_fake_conn *conn = conn_for(f, endpoint->addresses[address_index].text);
    /* A real owner allocates here; the sweep should see that fail too. */
    void *block = rota_alloc_get(f->env.alloc, 1);

    if (block == NULL)
        return ROTA_ENOMEM;
    rota_alloc_free(f->env.alloc, block);
    f->n_gets++;
    conn->n_holds++;
    hold->conn = conn;
    hold->next_hold = conn->holds;
    conn->holds = hold;
    rota_fake_lb_trace(f, "get:%s", conn->text);
    if (hold->report_ns != 0)
        trace_reports(f, hold);
    if (conn->state != ROTA_CONN_IDLE)
        rota_lb_tree_conn(f->tree, hold, conn->state, &conn->why, f->now_ns);
    return 0;
}

static void put(void *owner, struct rota_lb_subchannel *hold)
{
    struct rota_fake_lb *f = owner;
    struct rota_fake_conn *conn = hold->conn;
    struct rota_lb_subchannel **link = &conn->holds;

    while (*link != NULL && *link != hold)
        link = &(*link)->next_hold;
    assert_ptr_equal(*link, hold);
    *link = hold->next_hold;
    f->n_puts++;
    rota_fake_lb_trace(f, "put:%s", conn->text);
    if (--conn->n_holds > 0)
        return;
    conn->state = ROTA_CONN_IDLE;
    conn->wanted = false;
}

static void connect_to(void *owner, struct rota_lb_subchannel *hold)
{
    struct rota_fake_lb *f = owner;
    struct rota_fake_conn *conn = hold->conn;

    assert_false(hold->freed);
    conn->n_connects++;
    conn->wanted = true;
    rota_fake_lb_trace(f, "connect:%s", conn->text);
    if (f->connect_at_once && conn->state != ROTA_CONN_READY)
        rota_fake_lb_conn(f, conn, ROTA_CONN_READY, NULL);
}

static void trace_reports(struct rota_fake_lb *f, const struct rota_lb_subchannel *hold)
{
    const struct rota_fake_conn *conn = hold->conn;

    if (hold->report_ns == 0)
        rota_fake_lb_trace(f, "reports:%s:off", conn->text);
    else
        rota_fake_lb_trace(f, "reports:%s:%lld", conn->text, (long long)(hold->report_ns / ROTA_MS));
}

static void reports(void *owner, struct rota_lb_subchannel *hold)
{
    assert_false(hold->freed);
    trace_reports(owner, hold);
}

static void reresolve(void *owner)
{
    struct rota_fake_lb *f = owner;

    f->n_reresolves++;
    rota_fake_lb_trace(f, "reresolve");
}

static void wake_at(void *owner, int64_t at_ns)
{
    struct rota_fake_lb *f = owner;

    assert_int_not_equal(at_ns, f->wake_ns);
    f->wake_ns = at_ns;
    if (at_ns == INT64_MAX)
        rota_fake_lb_trace(f, "wake:off");
    else
        rota_fake_lb_trace(f, "wake:%lld", (long long)((at_ns - f->now_ns) / ROTA_MS));
}

static void update(void *owner, enum rota_conn_state state, const struct rota_status *why)
{
    struct rota_fake_lb *f = owner;

    f->n_updates++;
    f->state = state;
    assert_int_equal(why != NULL, state == ROTA_CONN_TRANSIENT_FAILURE);
    assert_int_equal(rota_lb_tree_state(f->tree), state);
    if (why != NULL) {
        f->why = *why;
        rota_fake_lb_trace(f, "TF(%s)", why->message);
    } else {
        rota_fake_lb_trace(f, "%s", rota_conn_state_name(state));
    }
}

static const struct rota_lb_owner owner_class = {
    .get = get, .put = put, .connect = connect_to, .reports = reports, .reresolve = reresolve, .wake_at = wake_at, .update = update,
};

/* --- Making and moving --- */

rota_err rota_fake_lb_init(struct rota_fake_lb *f, const struct rota_alloc *alloc, const struct rota_lb_class *const *policies,
                              const char *json_list, uint64_t seed)
{
    struct rota_errinfo info = {""};
    rota_err err;

    memset(f, 0, sizeof(*f));
    rota_rng_init(&f->rng, seed);
    f->env = (struct rota_lb_env){.alloc = rota_alloc_or_default(alloc), .rng = &f->rng, .classes = policies};
    f->now_ns = ROTA_VIRTUAL_START_NS;
    f->wake_ns = INT64_MAX;
    rota_map_init(&f->conns, NULL, 0);
    rota_map_init(&f->endpoints, NULL, 0);
    err = rota_lb_config_parse(&f->env, rota_slice_str(json_list), &f->config, &info);
    if (err != 0 && err != ROTA_ENOMEM)
        fail_msg("%s: %s", json_list, info.text);
    if (err == 0) {
        err = rota_lb_tree_new(&f->env, f->config, &owner_class, f, &f->tree);
        if (err < 0)
            rota_lb_config_free(f->config);
    }
    return err;
}

static void endpoints_free(struct rota_fake_lb *f)
{
    struct rota_map_entry *entry = NULL;

    while ((entry = rota_map_next(&f->endpoints, entry)) != NULL) {
        struct rota_fake_endpoint *fake = entry->value, *older;
        for (; fake != NULL; fake = older) {
            older = fake->older;
            rota_endpoint_unref(fake->endpoint);
            free(fake->word);
            free(fake);
        }
    }
    rota_map_fini(&f->endpoints);
}

void rota_fake_lb_fini(struct rota_fake_lb *f)
{
    f->quiet = true;
    rota_lb_tree_free(f->tree);
    rota_lb_config_free(f->config);
    endpoints_free(f);
    for (size_t i = 0; i < f->n_conns; i++) {
        assert_null(f->by_number[i]->holds);
        free(f->by_number[i]->text);
        free(f->by_number[i]);
    }
    assert_int_equal(f->n_gets, f->n_puts);
    free(f->by_number);
    rota_map_fini(&f->conns);
}

static bool is_held(const struct rota_fake_conn *conn, const struct rota_lb_subchannel *hold)
{
    const struct rota_lb_subchannel *at = conn->holds;

    while (at != NULL && at != hold)
        at = at->next_hold;
    return at != NULL;
}

/* Calls `tell` for each of the connection's holds; any of them may go while another one hears the news. */
static void tell_holds(struct rota_fake_lb *f, struct rota_fake_conn *conn, const void *news,
                       void (*tell)(struct rota_fake_lb *f, struct rota_lb_subchannel *hold, const void *news))
{
    struct rota_lb_subchannel **holds = calloc(conn->n_holds + 1, sizeof(struct rota_lb_subchannel *));
    size_t n_holds = 0;

    assert_non_null(holds);
    for (struct rota_lb_subchannel *hold = conn->holds; hold != NULL; hold = hold->next_hold)
        holds[n_holds++] = hold;
    for (size_t i = 0; i < n_holds; i++)
        if (is_held(conn, holds[i]))
            tell(f, holds[i], news);
    free(holds);
}

static void tell_conn(struct rota_fake_lb *f, struct rota_lb_subchannel *hold, const void *news)
{
    const struct rota_fake_conn *conn = news;

    rota_lb_tree_conn(f->tree, hold, conn->state, &conn->why, f->now_ns);
}

void rota_fake_lb_conn(struct rota_fake_lb *f, struct rota_fake_conn *conn, enum rota_conn_state state, const char *why)
{
    conn->state = state;
    if (state == ROTA_CONN_CONNECTING || state == ROTA_CONN_READY)
        conn->wanted = false;
    if (state == ROTA_CONN_TRANSIENT_FAILURE)
        rota_status_set(&conn->why, ROTA_UNAVAILABLE, "%s", why);
    tell_holds(f, conn, conn, tell_conn);
}

static void tell_serving(struct rota_fake_lb *f, struct rota_lb_subchannel *hold, const void *news)
{
    enum rota_lb_serving serving = *(const enum rota_lb_serving *)news;
    const struct rota_fake_conn *conn = hold->conn;
    struct rota_status why;

    rota_status_set(&why, ROTA_UNAVAILABLE, "%s is ill", conn->text);
    if (hold->heeds)
        rota_lb_tree_serving(f->tree, hold, serving, serving == ROTA_LB_NOT_SERVING ? &why : NULL, f->now_ns);
}

void rota_fake_lb_serving(struct rota_fake_lb *f, struct rota_fake_conn *conn, enum rota_lb_serving serving)
{
    tell_holds(f, conn, &serving, tell_serving);
}

static void tell_report(struct rota_fake_lb *f, struct rota_lb_subchannel *hold, const void *news)
{
    if (hold->report_ns != 0)
        rota_lb_tree_report(f->tree, hold, news, f->now_ns);
}

void rota_fake_lb_report(struct rota_fake_lb *f, struct rota_fake_conn *conn, double requests_per_s)
{
    uint8_t bytes[18] = {0x31}; /* field 6, rps; then 9, application utilization: 1 */
    struct rota_load_report report;
    uint64_t bits;

    memcpy(&bits, &requests_per_s, sizeof(bits));
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (uint8_t)(bits >> (8 * i));
    bytes[9] = 0x49;
    bytes[16] = 0xF0;
    bytes[17] = 0x3F;
    assert_true(rota_load_report_read(rota_slice(bytes, sizeof(bytes)), &report));
    tell_holds(f, conn, &report, tell_report);
}

void rota_fake_lb_advance(struct rota_fake_lb *f, int64_t by_ns)
{
    int64_t until_ns = f->now_ns + by_ns;

    while (f->wake_ns <= until_ns) {
        f->now_ns = f->wake_ns > f->now_ns ? f->wake_ns : f->now_ns;
        f->wake_ns = INT64_MAX;
        rota_lb_tree_timer(f->tree, f->now_ns);
    }
    f->now_ns = until_ns;
}

struct rota_fake_conn *rota_fake_lb_picked(const struct rota_pick *pick)
{
    return pick->subchannel->conn;
}

static void check_ok(const struct rota_pick *pick)
{
    if (pick->subchannel == NULL)
        fail_msg("OK names a connection, but a pick said OK without a subchannel");
    if (rota_fake_lb_picked(pick)->state != ROTA_CONN_READY)
        fail_msg("OK names a connection that is READY, but the one a pick named, to %s, was %s", rota_fake_lb_picked(pick)->text,
                 rota_conn_state_name(rota_fake_lb_picked(pick)->state));
}

static void check_why(const struct rota_pick *pick)
{
    if (pick->why == NULL)
        fail_msg("FAIL and DROP say why, but a pick did not, nor had rota_lb_update been given a reason");
    if (pick->why->code == ROTA_OK)
        fail_msg("FAIL and DROP say why, but a pick's reason was OK");
    if (memchr(pick->why->message, '\0', sizeof(pick->why->message)) == NULL)
        fail_msg("FAIL and DROP say why, but a pick's reason was no text: was it freed?");
}

enum rota_pick_verdict rota_fake_lb_pick(struct rota_fake_lb *f, struct rota_pick *ret_pick)
{
    struct rota_call_info call = {.path = "/package.Service/Method", .now_ns = f->now_ns, .deadline_ns = INT64_MAX, .metadata = f->metadata,
        .attempt = f->n_avoid, .n_avoid = f->n_avoid, .avoid = f->avoid, .streaming = f->streaming, .trace = f->pick_trace};
    enum rota_pick_verdict verdict = rota_lb_tree_pick(f->tree, &call, ret_pick);

    assert_false(ret_pick->exit_idle);
    if (verdict == ROTA_PICK_OK)
        check_ok(ret_pick);
    else if (verdict == ROTA_PICK_FAIL || verdict == ROTA_PICK_DROP)
        check_why(ret_pick);
    else if (verdict != ROTA_PICK_WAIT)
        fail_msg("a pick said %d, which is no verdict", (int)verdict);
    return verdict;
}

void rota_fake_lb_done(struct rota_fake_lb *f, const struct rota_pick *pick)
{
    struct rota_outcome outcome = {.status = {f->call_code, ""}, .started_ns = f->now_ns, .ended_ns = f->now_ns, .sent = true};

    rota_lb_tree_done(f->tree, pick, &outcome);
}
