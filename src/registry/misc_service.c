/* misc_service.c - etcdserverpb.Cluster, Maintenance and Auth: one member, always well; the rest is refused with a sentence.
 *
 * Of alarms there are none to see, so Alarm answers with an empty list (clients ask it for an endpoint's health).
 */
#include "registry/service.h"

#define SPOKEN_VERSION "3.5.0" /* of etcd, whose API this is; clients look at it */

static void member_list(struct rota_server_call *call, const Etcdserverpb__MemberListRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__MemberListResponse reply = ETCDSERVERPB__MEMBER_LIST_RESPONSE__INIT;
    Etcdserverpb__Member member = ETCDSERVERPB__MEMBER__INIT, *members[] = {&member};
    char name[] = "rota", *urls[] = {registry->client_url};

    (void)request;
    member.id = rota_store_member_id(registry->store);
    member.name = name;
    member.clienturls = urls;
    member.n_clienturls = 1;
    rota_registry_header(registry, &header);
    reply.header = &header;
    reply.members = members;
    reply.n_members = 1;
    etcdserverpb_cluster_member_list_reply(call, &reply);
}

static void status(struct rota_server_call *call, const Etcdserverpb__StatusRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__StatusResponse reply = ETCDSERVERPB__STATUS_RESPONSE__INIT;
    char version[] = SPOKEN_VERSION;

    (void)request;
    rota_registry_header(registry, &header);
    reply.header = &header;
    reply.version = version;
    reply.dbsize = (int64_t)rota_store_bytes(registry->store);
    reply.dbsizeinuse = reply.dbsize;
    reply.leader = header.member_id;
    reply.raftterm = header.raft_term;
    reply.raftindex = (uint64_t)header.revision;
    reply.raftappliedindex = reply.raftindex;
    etcdserverpb_maintenance_status_reply(call, &reply);
}

static void alarm_list(struct rota_server_call *call, const Etcdserverpb__AlarmRequest *request, void *user)
{
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__AlarmResponse reply = ETCDSERVERPB__ALARM_RESPONSE__INIT;

    (void)request;
    rota_registry_header(user, &header);
    reply.header = &header;
    etcdserverpb_maintenance_alarm_reply(call, &reply);
}

/* What a single embedded registry does not do: handler, request, and the sentence's subject. */
#define REFUSALS(X) \
    X(member_add, MemberAdd, "a single embedded registry has no members to add") \
    X(member_remove, MemberRemove, "a single embedded registry has no members to remove") \
    X(member_update, MemberUpdate, "a single embedded registry has no members to update") \
    X(member_promote, MemberPromote, "a single embedded registry has no members to promote") \
    X(defragment, Defragment, "a single embedded registry has nothing to defragment") \
    X(hash, Hash, "a single embedded registry has no replica to compare a hash with") \
    X(hash_kv, HashKV, "a single embedded registry has no replica to compare a hash with") \
    X(snapshot, Snapshot, "a single embedded registry gives no snapshots; copy its data directory while it is stopped") \
    X(move_leader, MoveLeader, "a single embedded registry has no other member to lead")

#define REFUSAL(handler, method, sentence) \
    static void handler(struct rota_server_call *call, const Etcdserverpb__##method##Request *request, void *user) \
    { \
        (void)request; \
        (void)user; \
        rota_server_call_fail(call, ROTA_UNIMPLEMENTED, "%s", #method ": " sentence); \
    }
REFUSALS(REFUSAL)
#undef REFUSAL

const struct etcdserverpb_cluster_handlers rota_registry_cluster_handlers = {
    .member_list = member_list,
    .member_add = member_add,
    .member_remove = member_remove,
    .member_update = member_update,
    .member_promote = member_promote,
};

const struct etcdserverpb_maintenance_handlers rota_registry_maintenance_handlers = {
    .alarm = alarm_list,
    .status = status,
    .defragment = defragment,
    .hash = hash,
    .hash_kv = hash_kv,
    .snapshot = {.request = snapshot},
    .move_leader = move_leader,
};

/* In etcd's words, by which its clients know that they need no token. */
static void authenticate(struct rota_server_call *call, const Etcdserverpb__AuthenticateRequest *request, void *user)
{
    (void)request;
    (void)user;
    rota_server_call_fail(call, ROTA_FAILED_PRECONDITION, "etcdserver: authentication is not enabled");
}

const struct etcdserverpb_auth_handlers rota_registry_auth_handlers = {.authenticate = authenticate};
