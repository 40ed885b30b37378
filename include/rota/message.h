/* rota/message.h - how messages become bytes: the table between calls and a serialisation library.
 *
 * Generated code uses rota_codec_protobuf_c; rota_codec_bytes carries struct rota_slice as it is (for proxies,
 * tools and other serialisers). Threading: tables are const and used from any thread.
 */
#ifndef ROTA_MESSAGE_H
#define ROTA_MESSAGE_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

ROTA_BEGIN_DECLS

struct rota_codec {
    size_t (*packed_size)(const void *type, const void *message);
    void (*pack)(const void *type, const void *message, uint8_t *out); /* exactly packed_size bytes */
    /* bytes come from the network: must be checked before they are believed. ROTA_EPARSE, ROTA_ENOMEM, ROTA_ELIMIT. */
    rota_err (*unpack)(const void *type, struct rota_slice bytes, const struct rota_alloc *alloc, void **ret_message,
                       struct rota_errinfo *info);
    /* Not called for messages that were unpacked with an alloc whose memory goes all at once (asynchronous calls; on servers the request of
     * a method without client streaming). */
    void (*free)(const void *type, void *message, const struct rota_alloc *alloc);
};

/* type is a ProtobufCMessageDescriptor. Refuses nesting deeper than 100 and strings that are no UTF-8,
 * and what would take more memory than 8 MiB and 16 times its size. */
ROTA_API extern const struct rota_codec rota_codec_protobuf_c;

/* type is NULL, messages are struct rota_slice; a message unpacked holds a copy. */
ROTA_API extern const struct rota_codec rota_codec_bytes;

/* What is done to messages that are sent. Those that come compressed, with gzip or deflate, are always read; limits are on their size
 * decompressed. A message that gzip does not make smaller goes as it is, which the receiver sees from its flag. */
enum rota_compression {
    ROTA_COMPRESSION_DEFAULT, /* of a call: its channel's or server's; of these: none */
    ROTA_COMPRESSION_NONE,
    ROTA_COMPRESSION_GZIP,
};

struct rota_message_type {
    const struct rota_codec *codec;
    const void *type;
};

/* One method of a service, shared by client and server; generated, or written by hand. */
struct rota_method {
    const char *path; /* "/package.Service/Method" */
    bool client_streaming, server_streaming;
    struct rota_message_type request, reply;
};

ROTA_END_DECLS
#endif
