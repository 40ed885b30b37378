/* open.h - what a channel's blocking calls ask of that which was opened with the channel (open.c). On the loop's thread. */
#ifndef ROTA_ASSEMBLY_OPEN_H
#define ROTA_ASSEMBLY_OPEN_H

struct rota_attachments;
struct rota_channel;

/* Keeps the loop that a channel has of its own until released; NULL, which is fine for release, when the loop is the caller's. */
struct rota_attachments *rota_attachments_hold(const struct rota_channel *channel);
void rota_attachments_release(struct rota_attachments *attachments);

#endif
