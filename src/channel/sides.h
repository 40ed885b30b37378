/* sides.h - what the server of a connection is asked beside calls: whether it serves (gRFC A17), and its load out of band (gRFC A51).
 *
 * One stream of each kind for a subchannel, on its oldest connection, however many policies share it: further connections (gRFC A105) lead to
 * the same server. When the oldest goes the next one is asked, and what was known holds until it answers. Nothing is asked, and nothing allocated, unless a hold on its
 * subchannel wants it: heeds, where the service config names a service to check; or has a period for load reports. What memory does not
 * suffice for is tried again in a second; a server whose health cannot be asked for meanwhile counts as one that has not answered.
 */
#ifndef ROTA_CHANNEL_SIDES_H
#define ROTA_CHANNEL_SIDES_H

#include "channel/subchannel.h"

/* A hold is about to be told that its subchannel is READY: it first hears whether that serves. */
void rota_sides_welcome(struct rota_subchannel *sub, struct rota_lb_subchannel *hold);

/* What the holds of a subchannel want may have changed; looked into in the channel's next task. */
void rota_sides_review(struct rota_subchannel *sub);

/* What memory did not suffice for. From a task or a timer only. */
void rota_sides_try_again(struct rota_channel *channel);

/* The channel's config has changed from `old`, which may be NULL. */
void rota_sides_take_config(struct rota_channel *channel, const struct rota_channel_config *old);

/* The first has gone, its streams are stopped; the second is now the oldest of its subchannel. */
void rota_sides_move(struct rota_connection *gone, struct rota_connection *oldest);

/* For the connection. */
void rota_sides_on_room(struct rota_connection *connection);
void rota_sides_stop(struct rota_connection *connection); /* it takes no new calls any more */
void rota_sides_free(struct rota_connection *connection); /* with it */

#endif
