/* queue.c - attempts that no policy has a connection for, oldest first.
 *
 * They are tried again, all of them, when the policy's picks may have changed; one that still has to wait goes to the back of a
 * new queue and so keeps its place among the others.
 */
#include "channel/call.h"

void rota_queue_add(struct rota_attempt *attempt)
{
    rota_list_append(&attempt->call->channel->waiting, &attempt->link);
}

/* The service config has come, with the first list or after a bad one. False: the call has ended by it. */
static bool configure(struct rota_call *call)
{
    bool running;

    call->inside = true; /* so that the struct is still this call's afterwards */
    rota_call_configure(call);
    running = call->state == ROTA_CALL_RUNNING;
    call->inside = false;
    return running;
}

void rota_queue_run(struct rota_channel *channel)
{
    struct rota_link tried, *link;

    rota_list_init(&tried);
    rota_list_take(&tried, &channel->waiting);
    while ((link = rota_list_pop(&tried)) != NULL) {
        struct rota_attempt *attempt = ROTA_CONTAINER(link, struct rota_attempt, link);
        if (attempt->call->unresolved && rota_channel_is_configured(channel) && !configure(attempt->call))
            continue;
        rota_attempt_start(attempt);
    }
}
