/* common.c - see common.h. */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Not const, so that it takes no room in the program; never written, so that it takes none in memory. */
static uint8_t zeros[MAX_PAYLOAD_BYTES];

Grpc__Testing__Payload zero_payload(size_t size)
{
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;

    payload.body = (ProtobufCBinaryData){.len = size, .data = zeros};
    return payload;
}

/* Of the character there, should it be one of several bytes and no control character; else 0. */
static size_t wide_size(const uint8_t *at, size_t left)
{
    size_t size = at[0] >= 0xf5 || at[0] < 0xc2 ? 0 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

    if (size > left || (at[0] == 0xc2 && left > 1 && at[1] < 0xa0))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

const char *printable(struct rota_slice text, char *buffer, size_t size)
{
    size_t used = 0, taken;

    for (size_t at = 0; at < text.size && used + 5 <= size; at += taken) {
        bool plain = text.data[at] >= ' ' && text.data[at] < 127;
        taken = plain ? 1 : wide_size(text.data + at, text.size - at);
        if (taken > 0) {
            memcpy(buffer + used, text.data + at, taken);
            used += taken;
        } else {
            used += (size_t)snprintf(buffer + used, size - used, "\\x%02x", text.data[at]);
            taken = 1;
        }
    }
    buffer[used] = '\0';
    return buffer;
}

int flush_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "interop: standard output: %s\n", strerror(errno));
    return code == 0 ? 1 : code;
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
