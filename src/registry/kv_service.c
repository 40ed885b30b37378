/* kv_service.c - etcdserverpb.KV. A reply is built before watches are told, for both borrow from the store as it is. */
#include "registry/kv_message.h"
#include "registry/service.h"
#include "registry/state.h"

static void refuse_memory(struct rota_server_call *call)
{
    struct rota_status status = rota_fault_status(ROTA_FAULT_NO_MEMORY);

    rota_registry_refuse(call, &status);
}

/* Runs the operation; false: the call has been ended. packed_size: the request's, which etcd limits as a whole. */
static bool run(struct rota_registry *registry, struct rota_server_call *call, const struct rota_store_op *op, size_t packed_size,
                struct rota_store_op_result *ret_result)
{
    struct rota_status status;

    if (op->kind != ROTA_STORE_OP_READ && packed_size > ROTA_REGISTRY_REQUEST_BYTES)
        status = rota_fault_status(ROTA_FAULT_TOO_LARGE);
    else
        status = rota_store_do(registry->store, op, &registry->scratch.as_alloc, ret_result);
    if (rota_status_ok(&status))
        return true;
    rota_registry_refuse(call, &status);
    return false;
}

static void range(struct rota_server_call *call, const Etcdserverpb__RangeRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__RangeResponse reply;
    struct rota_store_op_result result;
    struct rota_store_op op;

    rota_arena_reset(&registry->scratch);
    rota_kv_read_op(request, &op);
    if (!run(registry, call, &op, 0, &result))
        return;
    if (!rota_kv_range_reply(&registry->scratch, &result, &reply)) {
        refuse_memory(call);
        return;
    }
    rota_registry_header(registry, &header);
    reply.header = &header;
    etcdserverpb_kv_range_reply(call, &reply);
}

static void put(struct rota_server_call *call, const Etcdserverpb__PutRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__PutResponse reply;
    struct rota_store_op_result result;
    struct rota_store_op op;

    rota_arena_reset(&registry->scratch);
    rota_kv_put_op(request, &op);
    if (!run(registry, call, &op, etcdserverpb__put_request__get_packed_size(request), &result))
        return;
    rota_registry_header(registry, &header);
    if (rota_kv_put_reply(&registry->scratch, &result, &reply)) {
        reply.header = &header;
        etcdserverpb_kv_put_reply(call, &reply);
    } else {
        refuse_memory(call);
    }
    rota_registry_changed(registry);
}

static void delete_range(struct rota_server_call *call, const Etcdserverpb__DeleteRangeRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__DeleteRangeResponse reply;
    struct rota_store_op_result result;
    struct rota_store_op op;

    rota_arena_reset(&registry->scratch);
    rota_kv_delete_op(request, &op);
    if (!run(registry, call, &op, etcdserverpb__delete_range_request__get_packed_size(request), &result))
        return;
    rota_registry_header(registry, &header);
    if (rota_kv_delete_reply(&registry->scratch, &result, &reply)) {
        reply.header = &header;
        etcdserverpb_kv_delete_range_reply(call, &reply);
    } else {
        refuse_memory(call);
    }
    rota_registry_changed(registry);
}

static void txn(struct rota_server_call *call, const Etcdserverpb__TxnRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header, inner = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__TxnResponse reply;
    struct rota_store_op_result result;
    struct rota_store_op op;
    rota_err err;

    rota_arena_reset(&registry->scratch);
    err = rota_kv_txn_op(&registry->scratch, request, &op);
    if (err < 0) {
        struct rota_status status = rota_fault_status(err == ROTA_ENOMEM ? ROTA_FAULT_NO_MEMORY : ROTA_FAULT_KEY_NOT_FOUND);
        rota_registry_refuse(call, &status);
        return;
    }
    if (!run(registry, call, &op, etcdserverpb__txn_request__get_packed_size(request), &result))
        return;
    rota_registry_header(registry, &header);
    inner.revision = header.revision;
    if (rota_kv_txn_reply(&registry->scratch, &result, &inner, &reply)) {
        reply.header = &header;
        etcdserverpb_kv_txn_reply(call, &reply);
    } else {
        refuse_memory(call);
    }
    rota_registry_changed(registry);
}

static void compact(struct rota_server_call *call, const Etcdserverpb__CompactionRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__CompactionResponse reply = ETCDSERVERPB__COMPACTION_RESPONSE__INIT;
    struct rota_status status = rota_store_compact(registry->store, request->revision);

    if (!rota_status_ok(&status)) {
        rota_registry_refuse(call, &status);
        return;
    }
    rota_registry_header(registry, &header);
    reply.header = &header;
    etcdserverpb_kv_compact_reply(call, &reply);
    rota_registry_changed(registry);
}

const struct etcdserverpb_kv_handlers rota_registry_kv_handlers = {
    .range = range, .put = put, .delete_range = delete_range, .txn = txn, .compact = compact};
