/* messages.c - runs protoc-gen-c with a request on its stdin and reads its stdout to the end.
 *
 * The request goes through a temporary file rather than a pipe: then one process at a time has something to wait for, and
 * neither can block the other. What the child says on stderr goes to ours.
 */
#include "messages.h"

#include "base/errinfo.h"
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "protoc-gen-c"
#define READ_BYTES 65536

rota_err rota_messages_read_all(int fd, struct rota_buffer *out, struct rota_errinfo *info)
{
    for (;;) {
        uint8_t *room = rota_buffer_reserve(out, READ_BYTES);
        ssize_t got;

        if (room == NULL)
            return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory, or more input than any .proto has");
        got = read(fd, room, READ_BYTES);
        if (got == 0)
            return 0;
        if (got > 0)
            rota_buffer_commit(out, (size_t)got);
        else if (errno != EINTR)
            return rota_errinfo_set(info, ROTA_EIO, "cannot read: %s", strerror(errno));
    }
}

static rota_err await_end(pid_t pid, struct rota_errinfo *info)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return rota_errinfo_set(info, ROTA_EIO, "%s: cannot learn how it ended: %s", PROGRAM, strerror(errno));
    if (WIFSIGNALED(status))
        return rota_errinfo_set(info, ROTA_EIO, "%s was killed by signal %d", PROGRAM, WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return rota_errinfo_set(info, ROTA_EIO, "%s failed with exit status %d", PROGRAM, WEXITSTATUS(status));
    return 0;
}

static int spawn(int in, const int out[2], pid_t *ret_pid)
{
    char *argv[] = {(char *)PROGRAM, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_addclose(&actions, out[0]);
    if (error == 0)
        error = posix_spawnp(ret_pid, PROGRAM, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static rota_err run(int in, struct rota_buffer *out, struct rota_errinfo *info)
{
    int pipe_fds[2], error;
    rota_err err, end;
    pid_t pid;

    if (pipe(pipe_fds) < 0)
        return rota_errinfo_set(info, ROTA_EIO, "cannot make a pipe: %s", strerror(errno));
    error = spawn(in, pipe_fds, &pid);
    close(pipe_fds[1]);
    if (error != 0) {
        close(pipe_fds[0]);
        return rota_errinfo_set(info, ROTA_EUNSUPPORTED,
                                "cannot run %s (%s): it makes the messages and belongs to protobuf-c (Debian: protobuf-c-compiler); "
                                "--rota_opt=messages=off leaves them out",
                                PROGRAM, strerror(error));
    }
    err = rota_messages_read_all(pipe_fds[0], out, info);
    close(pipe_fds[0]);
    end = await_end(pid, info);
    return err < 0 ? err : end;
}

rota_err rota_messages_run(struct rota_slice request, struct rota_buffer *out, struct rota_errinfo *info)
{
    FILE *file = tmpfile();
    rota_err err;

    if (file == NULL)
        return rota_errinfo_set(info, ROTA_EIO, "cannot make a temporary file: %s", strerror(errno));
    if (fwrite(request.data, 1, request.size, file) != request.size || fflush(file) != 0 || fseek(file, 0, SEEK_SET) != 0)
        err = rota_errinfo_set(info, ROTA_EIO, "cannot write a temporary file: %s", strerror(errno));
    else
        err = run(fileno(file), out, info);
    fclose(file);
    return err;
}
