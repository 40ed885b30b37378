/* world.h - the inside of a simulation: a queue of events in virtual time, clients with real channels, a network, modelled servers.
 *
 * Every client is a host of its own (base/host.h) with its own chance, as a process would be; the shipped channel runs on it unchanged and
 * dials this network. An rpc is one stream with what the server makes of it: it is on its way there, waiting or being served, on its way
 * back, gone. The client may lose interest at any time (reset, lost connection), the server may die under it; it is freed when both
 * sides are done with it.
 * Invariants (check.c): queue times never run backwards; an rpc is in exactly one place; a server runs at most `slots` rpcs and lets
 * none wait while a slot is free; a client's calls under way are those started and not ended, each ended once.
 * Chance comes from one generator for each client's arrivals, each client's channel, each server: the same arrivals for every policy.
 */
#ifndef ROTA_SIM_WORLD_H
#define ROTA_SIM_WORLD_H

#include "channel/channel.h"
#include "sim/measure.h"
#include "sim/scenario.h"
#include "wire/transport.h"

#define ROTA_SIM_START_NS INT64_C(1000000000) /* the run's time 0; not 0, so that a time nobody set shows */

#define ROTA_SIM_METHOD "/sim.Service/Call"

struct rota_sim_world;

struct rota_sim_event {
    struct rota_heap_node node;
    struct rota_link link; /* while the one it happens to is paused */
    void (*fire)(struct rota_sim_world *world, struct rota_sim_event *event);
};

struct rota_sim_call {
    struct rota_sim_client *client;
    struct rota_sim_call *spare;
    struct rota_link link; /* in the client's */
    int64_t started_ns;
};

struct rota_sim_client {
    struct rota_sim_world *world;
    uint32_t index;
    uint32_t inflight;
    struct rota_host host;
    struct rota_dialer dialer;
    struct rota_channel *channel; /* NULL: closed */
    struct rota_resolver_sink *sink;
    struct rota_rng rng;
    struct rota_sim_event wake, arrival, list;
    struct rota_link calls;
    int64_t paused_until_ns;
    bool thawed; /* what has piled up in a pause was delivered */
};

struct rota_sim_server {
    struct rota_sim_world *world;
    uint32_t index;
    const struct rota_sim_server_spec *spec;
    const struct rota_endpoint *endpoint;
    struct rota_rng rng;
    bool up, paused, listed;
    bool hiccup; /* the pause is too short to be an episode */
    uint32_t generation; /* of its process: rpcs and connections of an older one are dead */
    int64_t started_ns;
    double slow, fail_share, stall_share;
    enum rota_code fail_code;
    int64_t stall_ns;
    uint32_t n_running, n_waiting;
    struct rota_link waiting; /* rpcs, by event.link */
    struct rota_link running; /* rpcs, by work_link */
    struct rota_link held;    /* events, while paused */
    struct rota_link conns;
    struct rota_sim_gauge *gauge; /* NULL: no load reports */
    uint32_t episode;             /* 1 + index of the one that lasts; 0: none */
};

enum rota_sim_place {
    ROTA_SIM_AT_CLIENT, /* opened, request not yet sent whole */
    ROTA_SIM_TO_SERVER,
    ROTA_SIM_WAITING,
    ROTA_SIM_RUNNING,
    ROTA_SIM_TO_CLIENT,
    ROTA_SIM_NOWHERE, /* the server has died or is done */
};

struct rota_sim_rpc {
    struct rota_stream stream;
    struct rota_sim_event event;
    struct rota_link work_link; /* in the server's running */
    struct rota_link link;      /* in the connection's streams, while the client cares */
    struct rota_sim_rpc *spare;
    struct rota_sim_server *server;
    const struct rota_stream_events *events;
    void *owner;
    uint32_t generation;
    uint8_t place;
    bool client_done; /* the stream pointer is dead */
    bool unknown;     /* of a method that there is not */
    enum rota_code code;
    char report[64]; /* base64 of a load report; "": none */
};

enum rota_sim_conn_state {
    ROTA_SIM_DIALING,
    ROTA_SIM_UP,
    ROTA_SIM_CLOSING, /* on_closed is on its way */
};

struct rota_sim_conn {
    struct rota_conn conn;
    struct rota_sim_client *client;
    struct rota_sim_server *server;
    const struct rota_conn_events *events;
    void *owner;
    struct rota_sim_event step;   /* dialing; then the end */
    struct rota_sim_event timer;  /* the dial's deadline; then keepalive */
    struct rota_sim_event goaway;
    struct rota_sim_event room;   /* a stream has ended that somebody waits for */
    struct rota_link server_link; /* in the server's conns, once it has accepted */
    struct rota_link streams;
    uint32_t generation, n_streams;
    uint8_t state;
    bool draining, starved;
    int64_t deadline_ns;  /* of the dial */
    int64_t keepalive_ns; /* time and timeout together; INT64_MAX: none */
    bool keepalive_idle;
    const char *why; /* of the end; NULL: closed from here */
};

/* What happens at a time to one server or client. */
struct rota_sim_plan {
    struct rota_sim_event event;
    const struct rota_sim_action *action;
    uint32_t index;
    uint32_t phase; /* counts what it has done */
};

struct rota_sim_world {
    const struct rota_sim_scenario *scenario;
    const struct rota_alloc *alloc;
    const struct rota_lb_class *const *policies;
    struct rota_heap queue;
    int64_t now_ns, end_ns; /* calls are started until end */
    uint64_t n_events;
    bool check;
    bool failed;     /* memory ran out: the result is worth nothing */
    bool closing;    /* nothing is measured or started any more */
    size_t n_places; /* in the queue, for all events there are */
    double load_factor;
    struct rota_rng net_rng;
    struct rota_sim_client *clients;
    struct rota_sim_server *servers;
    struct rota_sim_plan *plans;
    size_t n_plans;
    const struct rota_endpoint **listed; /* scratch for lists */
    struct rota_sim_rpc *spare_rpcs;
    struct rota_sim_call *spare_calls;
    uint64_t n_rpcs; /* not freed */
    uint32_t n_open_channels;
    struct rota_sim_measure measure;
};

/* --- world.c --- */
rota_err rota_sim_places(struct rota_sim_world *world, size_t count); /* that many more events may be set, until given back. ROTA_ENOMEM */
void rota_sim_at(struct rota_sim_world *world, struct rota_sim_event *event, int64_t at_ns); /* sets or moves */
void rota_sim_clear(struct rota_sim_world *world, struct rota_sim_event *event);
int64_t rota_sim_trip(struct rota_sim_world *world, const struct rota_sim_server *server); /* when what leaves now arrives */

/* --- client.c --- */
rota_err rota_sim_client_init(struct rota_sim_client *client, struct rota_sim_world *world, uint32_t index, const char *service_config,
                              struct rota_errinfo *info);
void rota_sim_client_start(struct rota_sim_client *client); /* connects and begins to call */
void rota_sim_client_load(struct rota_sim_client *client); /* the load has changed: the next call is due at another time */
void rota_sim_client_shut(struct rota_sim_client *client);
void rota_sim_client_fini(struct rota_sim_client *client);
void rota_sim_client_news(struct rota_sim_client *client); /* the list has changed */
/* True: the client stands still, and the event happens later. */
bool rota_sim_client_holds(struct rota_sim_client *client, struct rota_sim_event *event);
/* Around whatever calls the channel. */
void rota_sim_client_enter(struct rota_sim_client *client);
void rota_sim_client_leave(struct rota_sim_client *client);

/* --- network.c --- */
extern const struct rota_dialer_class rota_sim_dialer_class;
void rota_sim_conn_break(struct rota_sim_conn *conn, int64_t at_ns, const char *why); /* on_closed comes at that time */
void rota_sim_conn_watch(struct rota_sim_conn *conn); /* its server stands still: keepalive will notice */

/* --- stream.c --- */
extern const struct rota_conn_class rota_sim_conn_class;
void rota_sim_stream_lose(struct rota_sim_rpc *rpc, const struct rota_stream_end *end);
void rota_sim_rpc_reply(struct rota_sim_rpc *rpc); /* from its server: on its way back now */
void rota_sim_rpc_die(struct rota_sim_rpc *rpc);   /* its server has died under it, or does not want it any more */

/* --- server.c --- */
rota_err rota_sim_server_init(struct rota_sim_server *server, struct rota_sim_world *world, uint32_t index);
void rota_sim_server_fini(struct rota_sim_server *server);
void rota_sim_server_slow(struct rota_sim_server *server, double factor);
void rota_sim_server_fail(struct rota_sim_server *server, double share, enum rota_code code);
void rota_sim_server_stall(struct rota_sim_server *server, double share, int64_t stall_ns);
void rota_sim_server_start(struct rota_sim_server *server); /* its process */
void rota_sim_server_kill(struct rota_sim_server *server);
void rota_sim_server_pause(struct rota_sim_server *server, int64_t for_ns);
void rota_sim_server_resume(struct rota_sim_server *server);
void rota_sim_server_goaway(struct rota_sim_server *server);
void rota_sim_server_list(struct rota_sim_server *server, bool listed);
/* True: the server stands still, and the event happens when it goes on. */
bool rota_sim_server_holds(struct rota_sim_server *server, struct rota_sim_event *event);
void rota_sim_server_take(struct rota_sim_server *server, struct rota_sim_rpc *rpc); /* it has arrived */
void rota_sim_server_done(struct rota_sim_server *server, struct rota_sim_rpc *rpc); /* its service is over */

/* --- plan.c --- */
rota_err rota_sim_plan_all(struct rota_sim_world *world);

/* --- check.c --- */
void rota_sim_check(const struct rota_sim_world *world); /* aborts with a sentence when an invariant does not hold */

#endif
