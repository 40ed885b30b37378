/* expect.c - what the cases of the client expect of status and payloads, and the sentences that say what came instead. */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>

bool expect(bool holds, const char *format, ...)
{
    va_list args;

    if (holds)
        return true;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return false;
}

bool expect_code(struct rota_status status, enum rota_code code)
{
    char text[PRINTABLE_SIZE(ROTA_STATUS_MESSAGE_SIZE)];

    printable(rota_slice_str(status.message), text, sizeof(text));
    return expect(status.code == code, "the call ended with %s \"%s\", expected %s", rota_code_name(status.code), text, rota_code_name(code));
}

bool expect_status(struct rota_status status, enum rota_code code, const char *message)
{
    char got[PRINTABLE_SIZE(ROTA_STATUS_MESSAGE_SIZE)], want[PRINTABLE_SIZE(ROTA_STATUS_MESSAGE_SIZE)];

    printable(rota_slice_str(status.message), got, sizeof(got));
    printable(rota_slice_str(message), want, sizeof(want));
    return expect_code(status, code) && expect(strcmp(status.message, message) == 0, "the message is \"%s\", expected \"%s\"", got, want);
}

bool are_zeros(const Grpc__Testing__Payload *payload, size_t size, char ret_why[WHY_SIZE])
{
    size_t got = payload == NULL ? 0 : payload->body.len, at = 0;

    if (payload == NULL && size > 0)
        snprintf(ret_why, WHY_SIZE, "there is no payload, expected %zu bytes", size);
    else if (payload != NULL && payload->type != GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE)
        snprintf(ret_why, WHY_SIZE, "the payload is of type %d, expected 0", (int)payload->type);
    else if (got != size)
        snprintf(ret_why, WHY_SIZE, "the payload is too %s: %zu bytes, expected %zu", got < size ? "short" : "long", got, size);
    else {
        while (at < size && payload->body.data[at] == 0)
            at++;
        if (at == size)
            return true;
        snprintf(ret_why, WHY_SIZE, "the payload's byte %zu is 0x%02x, expected zeros", at, payload->body.data[at]);
    }
    return false;
}

bool expect_zeros(const Grpc__Testing__Payload *payload, size_t size)
{
    char why[WHY_SIZE] = "";
    bool right = are_zeros(payload, size, why);

    return expect(right, "%s", why);
}

bool finish_call(struct rota_call *call, enum step step)
{
    struct rota_status status = rota_call_finish(call);

    return step != STEP_WRONG && expect_code(status, ROTA_OK) && step == STEP_DONE;
}
