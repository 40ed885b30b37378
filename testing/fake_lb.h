/* fake_lb.h - a tree of policies over connections that the test moves by hand, in virtual time.
 *
 * The fixture is the tree's owner: it writes down what the tree tells it, and plays scripts, so that a rule is a few
 * words and what must follow from them. Connections are shared by address; the last hold given back makes one IDLE again.
 * What the fixture itself needs comes from malloc, so that the tree's allocator sees the tree alone.
 *
 * A script is words separated by spaces:
 *   list=a,b+c*3   three addresses at two endpoints, the second of weight 3; a word used before names the same
 *                  endpoint object again, unless it ends in '!'. Addresses beginning with 4 are IPv4, with 6 IPv6.
 *                  a@key:value has an attribute, a@zone:x is in a zone.
 *   a=C            the connection to a is CONNECTING (I, C, R, F); F fails with the message "a refused", F2 with "a refused 2"
 *   a~A            the server at a was asked whether it serves (A); it says that it does (S), or does not (N, "a is ill")
 *   a%40           a report out of band from a: 40 requests a second at full utilization
 *   +250           250 ms pass, timers fire; error=x: the resolver fails; exit: leave IDLE
 *   pick           picks once and is done with it at once; pick=x: for a call that carries the header "key: x", pick=x|y: twice
 * What the tree did, in its order: get:a connect:a put:a, reports:a:1000 (period in ms) or reports:a:off; at the end of a step the root's state (IDLE, CONNECTING,
 * READY, TF(message)), reresolve, wake:250 (ms from now) or wake:off; pick:a, pick:WAIT, pick:FAIL(message), pick:DROP(message);
 * ROTA_EINVAL and the like, when a list is refused.
 */
#ifndef ROTA_TESTING_FAKE_LB_H
#define ROTA_TESTING_FAKE_LB_H

#include "base/map.h"
#include "base/rng.h"
#include "lb/tree.h"

#define ROTA_FAKE_LB_TRACE_SIZE 8192

struct rota_fake_conn {
    char *text;
    enum rota_conn_state state;
    struct rota_status why; /* of TRANSIENT_FAILURE */
    struct rota_lb_subchannel *holds; /* by next_hold */
    uint32_t n_holds, n_connects;
    bool wanted; /* connect was asked for since it last was CONNECTING or READY */
};

struct rota_fake_endpoint {
    char *word;
    const struct rota_endpoint *endpoint;
    struct rota_fake_endpoint *older; /* the word meant this one before */
};

struct rota_fake_lb {
    struct rota_lb_env env;
    struct rota_rng rng; /* env's, unless the test puts another there */
    struct rota_lb_config *config;
    struct rota_lb_tree *tree;
    int64_t now_ns, wake_ns;
    struct rota_map conns;     /* struct rota_fake_conn, by address */
    struct rota_map endpoints; /* struct rota_fake_endpoint, by the word in a list */
    struct rota_fake_conn **by_number; /* in the order in which they were first asked for */
    size_t n_conns, cap_conns;
    enum rota_conn_state state; /* as last told */
    struct rota_status why;     /* with TRANSIENT_FAILURE */
    uint64_t n_updates, n_reresolves, n_gets, n_puts;
    const struct rota_metadata *metadata; /* of the calls that pick; NULL: none */
    const void *const *avoid; /* connections where the calls that pick have been; n_avoid of them */
    uint32_t n_avoid;
    bool streaming; /* the calls that pick are */
    struct rota_pick_trace *pick_trace;   /* of the calls that pick; NULL: none */
    enum rota_code call_code; /* how calls end */
    bool connect_at_once; /* a connect makes the connection READY inside the owner's function */
    bool quiet;           /* writes no trace */
    char trace[ROTA_FAKE_LB_TRACE_SIZE];
    size_t trace_size;
};

/* policies: NULL-terminated, what configs may name; json_list: as loadBalancingConfig has it. ROTA_ENOMEM: nothing to free. */
rota_err rota_fake_lb_init(struct rota_fake_lb *f, const struct rota_alloc *alloc, const struct rota_lb_class *const *policies,
                              const char *json_list, uint64_t seed);
void rota_fake_lb_fini(struct rota_fake_lb *f); /* fails the test when a hold was not given back */

/* Plays the words and returns the trace of them, valid until the next play. */
const char *rota_fake_lb_play(struct rota_fake_lb *f, const char *script);
/* The same, and fails the test naming `rule` unless the trace is as expected. */
void rota_fake_lb_expect(struct rota_fake_lb *f, const char *rule, const char *script, const char *trace);

rota_err rota_fake_lb_list(struct rota_fake_lb *f, const char *list);
const struct rota_endpoint *rota_fake_lb_endpoint(struct rota_fake_lb *f, const char *word); /* borrowed */
void rota_fake_lb_conn(struct rota_fake_lb *f, struct rota_fake_conn *conn, enum rota_conn_state state, const char *why);
void rota_fake_lb_serving(struct rota_fake_lb *f, struct rota_fake_conn *conn, enum rota_lb_serving serving); /* tells all that heed it */
void rota_fake_lb_report(struct rota_fake_lb *f, struct rota_fake_conn *conn, double requests_per_s); /* tells all that want it */
void rota_fake_lb_advance(struct rota_fake_lb *f, int64_t by_ns);
/* Picks; fails the test when an OK pick names a connection that is not READY. */
enum rota_pick_verdict rota_fake_lb_pick(struct rota_fake_lb *f, struct rota_pick *ret_pick);
void rota_fake_lb_done(struct rota_fake_lb *f, const struct rota_pick *pick);
struct rota_fake_conn *rota_fake_lb_picked(const struct rota_pick *pick);

#endif
