/* common.c - see common.h. */
#include "common.h"

#include <stdio.h>
#include <unistd.h>

/* Not const, so that it takes no room in the program; never written, so that it takes none in memory. */
static uint8_t zeros[MAX_PAYLOAD_BYTES];

Grpc__Testing__Payload zero_payload(size_t size)
{
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;

    payload.body = (ProtobufCBinaryData){.len = size, .data = zeros};
    return payload;
}

bool is_zero_payload(const Grpc__Testing__Payload *payload, size_t size)
{
    /* Nothing on the wire is an empty payload too. */
    if (payload == NULL)
        return size == 0;
    return payload->body.len == size && (size == 0 || memcmp(payload->body.data, zeros, size) == 0);
}

void find_cert(const char *name, char ret_path[CERT_PATH_SIZE])
{
    char program[CERT_PATH_SIZE];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

    while (size > 0 && program[size - 1] != '/')
        size--;
    snprintf(ret_path, CERT_PATH_SIZE, "%.*scerts/%.64s", size < 0 ? 0 : (int)size, program, name);
}

static void write_log(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s: %s\n", area, text);
}

const struct rota_log interop_log = {.write = write_log, .level = ROTA_LOG_WARN};
