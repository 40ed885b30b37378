/* client.c - calls a server that wants a token. usage: client TARGET TOKEN_FILE [CA_FILE]
 *
 * The token is read anew for each call, so the file may be replaced. With CA_FILE the connection is TLS; without it the token goes only
 * to a unix: target, or to this machine, which allow_insecure permits here. An interceptor gives every call a request id.
 */
#include "hello.rota.h"

#include <stdio.h>
#include <string.h>

/* --- Credentials --- */

static void add_token(void *arg, struct rota_credentials_request *request)
{
    char text[600] = "Bearer ";
    size_t used = strlen(text);
    struct rota_status status = {.code = ROTA_OK};
    FILE *file = fopen(arg, "r");

    if (file == NULL || fgets(text + used, (int)(sizeof(text) - used), file) == NULL) {
        rota_status_set(&status, ROTA_UNAVAILABLE, "no token in %s", (const char *)arg);
    } else {
        text[strcspn(text, "\r\n")] = '\0';
        if (rota_metadata_add_text(rota_credentials_metadata(request), "authorization", text) < 0)
            rota_status_set(&status, ROTA_INTERNAL, "the token in %s cannot be sent", (const char *)arg);
    }
    if (file != NULL)
        fclose(file);
    rota_credentials_done(request, &status);
}

/* --- A request id --- */

static enum rota_intercept add_id(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    unsigned *last = arg;
    char id[16];

    (void)state;
    snprintf(id, sizeof(id), "%u", ++*last);
    if (rota_metadata_add_text(rota_call_metadata(call), "x-request-id", id) == 0)
        return ROTA_INTERCEPT_PASS;
    rota_status_set(ret_status, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    return ROTA_INTERCEPT_END;
}

static const struct rota_client_interceptor_class request_id = {.name = "request_id", .on_start = add_id};

int main(int argc, char **argv)
{
    unsigned last_id = 0;
    struct rota_client_interceptor interceptors[] = {{&request_id, &last_id}, {NULL, NULL}};
    struct rota_call_credentials credentials = ROTA_CALL_CREDENTIALS_INIT;
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    Proto__HelloReply *reply;
    struct rota_channel *channel;
    struct rota_status status;
    struct rota_errinfo info;
    char name[] = "there";

    if (argc < 3) {
        fprintf(stderr, "usage: client TARGET TOKEN_FILE [CA_FILE]\n");
        return 2;
    }
    credentials.get = add_token;
    credentials.arg = argv[2];
    credentials.allow_insecure = argc < 4;
    if (argc > 3) {
        tls.ca_file = argv[3];
        channel_options.tls = &tls;
    }
    channel_options.interceptors = interceptors;
    channel_options.credentials = &credentials;
    if (rota_channel_open(argv[1], &channel_options, &channel, &info) < 0) {
        fprintf(stderr, "client: %s\n", info.text);
        return 1;
    }
    options.timeout_ms = 5000;
    request.name = name;
    status = proto_hello_service_say(channel, &options, &request, &reply);
    if (rota_status_ok(&status)) {
        printf("%s\n", reply->value);
        proto__hello_reply__free_unpacked(reply, NULL);
    } else {
        fprintf(stderr, "client: %s: %s\n", rota_code_name(status.code), status.message);
    }
    rota_channel_free(channel);
    return rota_status_ok(&status) ? 0 : 1;
}
