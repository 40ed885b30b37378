/* command.h - what the verbs of the command share: usage, flags, exit codes, a program's loop. */
#ifndef ROTA_TOOL_COMMAND_H
#define ROTA_TOOL_COMMAND_H

#include <rota/rota.h>

enum rota_exit {
    ROTA_EXIT_OK = 0,
    ROTA_EXIT_FAILED = 1,   /* what was asked for could not be done */
    ROTA_EXIT_USAGE = 2,    /* the command line makes no sense */
    ROTA_EXIT_NOTHING = 3,  /* done, and there is nothing there */
};

struct rota_command {
    const char *verb, *summary, *usage;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

extern const struct rota_command rota_command_registry;
extern const struct rota_command rota_command_endpoints;
extern const struct rota_command rota_command_watch;
extern const struct rota_command rota_command_health;
extern const struct rota_command rota_command_call;
extern const struct rota_command rota_command_bench;
extern const struct rota_command rota_command_sim;

/* Flags are "--name=value", "--name value" or, when value is NULL, "--name". */
struct rota_flag {
    const char *name;
    const char **value; /* set to the text */
    bool *present;      /* set to true; with value NULL the flag takes none */
};

/* Reads flags and at most `max_words` other words, of which "-" is one; false after having said on standard error what is wrong. `--help` prints the usage and
 * exits with 0. */
bool rota_flags_read(const struct rota_command *command, int argc, char **argv, const struct rota_flag *flags, size_t n_flags, const char **words,
                     size_t max_words, size_t *ret_words);

/* Takes a flag that may come again, "-d" or "--metadata", with its values out of argv. False after having said what is wrong. */
bool rota_flags_take_all(const struct rota_command *command, int *argc, char **argv, const char *flag, const char **values, size_t max_values,
                         size_t *ret_values);

/* A whole number from low to high, or false after having said what is wrong. */
bool rota_flag_number(const char *name, const char *text, long long low, long long high, long long *ret_number);

/* Writes out what has been printed; false when that cannot be done, or could not before. */
bool rota_output_flush(void);
/* Goes last: the exit code that is given, or ROTA_EXIT_FAILED after having said why not all that was printed could be written. */
int rota_output_end(const char *verb, int code);

/* "rota VERB: text" on standard error; returns ROTA_EXIT_FAILED. */
int rota_fail(const char *verb, const char *format, ...) ROTA_PRINTF(2, 3);

#endif
