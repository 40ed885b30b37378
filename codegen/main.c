/* main.c - protoc-gen-rota, as protoc runs it: a request on stdin, a response on stdout, nothing else.
 *
 * What protoc's user did wrong is told in the response, as protoc wants it; that the request is none, or that we cannot
 * work, on stderr with exit status 1.
 */
#include "base/buffer.h"
#include "generate.h"
#include "messages.h"
#include <errno.h>
#include <rota/version.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_REQUEST_BYTES ((size_t)256 << 20)

static int fail(const char *text)
{
    fprintf(stderr, "protoc-gen-rota: %s\n", text);
    return 1;
}

static int run(void)
{
    struct rota_buffer request, response;
    struct rota_errinfo info = {{0}};
    struct rota_slice bytes;
    rota_err err;
    int result = 0;

    rota_buffer_init(&request, NULL, MAX_REQUEST_BYTES);
    rota_buffer_init(&response, NULL, 0);
    err = rota_messages_read_all(STDIN_FILENO, &request, &info);
    if (err == 0)
        err = rota_generate(NULL, rota_buffer_peek(&request), rota_messages_run, &response, &info);
    bytes = rota_buffer_peek(&response);
    if (err < 0)
        result = fail(info.text);
    else if (fwrite(bytes.data, 1, bytes.size, stdout) != bytes.size || fflush(stdout) != 0)
        result = fail(strerror(errno));
    rota_buffer_fini(&request);
    rota_buffer_fini(&response);
    return result;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("protoc-gen-rota %s\n", ROTA_VERSION_STRING);
        return 0;
    }
    if (argc > 1) {
        int wanted = strcmp(argv[1], "--help") == 0;
        fprintf(wanted ? stdout : stderr,
                "protoc-gen-rota: a plug-in that protoc runs, to make C of .proto files:\n"
                "    protoc --rota_out=DIR x.proto      messages (x.pb-c.[hc]) and services (x.rota.[hc])\n"
                "    protoc --rota_out=DIR --rota_opt=messages=off x.proto      services only\n"
                "It reads protoc's request on its standard input and takes --help and --version.\n");
        return wanted ? 0 : 2;
    }
    return run();
}
