/* main.c - the command `rota`: finds the verb and hands over. */
#include "command.h"

#include <rota/version.h>
#include <stdio.h>

static const struct rota_command *const commands[] = {&rota_command_registry, &rota_command_endpoints, &rota_command_watch,
                                                      &rota_command_health,   &rota_command_call,     &rota_command_bench,
                                                      &rota_command_sim};

static void usage(FILE *out)
{
    fputs("usage: rota VERB [arguments]\n\n", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->verb, commands[i]->summary);
    fputs("\n`rota VERB --help` tells more; `rota --version` the version.\n"
          "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done but nothing there.\n",
          out);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : NULL;

    if (verb == NULL) {
        usage(stderr);
        return ROTA_EXIT_USAGE;
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
        usage(stdout);
        return rota_output_end("help", ROTA_EXIT_OK);
    }
    if (strcmp(verb, "--version") == 0 || strcmp(verb, "version") == 0) {
        printf("rota %d.%d.%d\n", ROTA_VERSION_MAJOR, ROTA_VERSION_MINOR, ROTA_VERSION_PATCH);
        return rota_output_end("version", ROTA_EXIT_OK);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i]->verb, verb) == 0)
            return rota_output_end(verb, commands[i]->run(argc - 1, argv + 1));
    fprintf(stderr, "rota: unknown verb %s; `rota --help` lists them\n", verb);
    return ROTA_EXIT_USAGE;
}
