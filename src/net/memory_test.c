/* memory_test.c - every allocation of a dialed, echoing and closed connection fails once, and nothing hangs or leaks. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "loop/loop.h"
#include "net/net_fixture.h"
#include <stdio.h>

enum { MUCH_BYTES = 8 * 1000 * 1000 };

struct scene {
    struct rota_loop *loop;
    struct rota_listen *listen;
    struct rota_socket *client, *server;
    struct rota_timer *limit;
    size_t n_echoed;
    bool over; /* the client's end, or time is up because the server could not accept */
    rota_err err;
};

static void client_connected(void *owner)
{
    struct scene *scene = owner;
    static const uint8_t much[MUCH_BYTES];

    if (rota_socket_write(scene->client, rota_slice(much, sizeof(much))) < 0) {
        scene->err = ROTA_ENOMEM;
        rota_socket_abort(scene->client);
    }
}

static void client_read(void *owner, struct rota_slice bytes)
{
    struct scene *scene = owner;

    scene->n_echoed += bytes.size;
    if (scene->n_echoed == MUCH_BYTES)
        rota_socket_close(scene->client);
}

static void drained(void *owner)
{
    (void)owner;
}

static void client_closed(void *owner, rota_err err, const char *detail)
{
    struct scene *scene = owner;

    (void)detail;
    if (scene->err == 0)
        scene->err = err;
    /* A server without memory hangs up; it is the allocation that failed. */
    if (scene->err == ROTA_ECONN || (scene->err == 0 && scene->n_echoed < MUCH_BYTES))
        scene->err = ROTA_ENOMEM;
    scene->client = NULL;
    scene->over = true;
}

static void server_read(void *owner, struct rota_slice bytes)
{
    struct scene *scene = owner;

    if (rota_socket_write(scene->server, bytes) < 0)
        rota_socket_abort(scene->server);
}

static void server_closed(void *owner, rota_err err, const char *detail)
{
    struct scene *scene = owner;

    (void)err;
    (void)detail;
    scene->server = NULL;
}

static void *on_accept(void *owner, struct rota_socket *socket, const struct rota_socket_events **ret_events)
{
    static const struct rota_socket_events events = {.on_read = server_read, .on_drained = drained, .on_closed = server_closed};
    struct scene *scene = owner;

    scene->server = socket;
    *ret_events = &events;
    return scene;
}

static void listen_closed(void *owner)
{
    struct scene *scene = owner;

    scene->listen = NULL;
}

static void time_is_up(void *arg)
{
    struct scene *scene = arg;

    scene->over = true;
    scene->err = ROTA_ETIMEDOUT;
}

static void play(struct scene *scene)
{
    static const struct rota_listen_events listen_events = {on_accept, listen_closed};
    static const struct rota_socket_events events = {.on_connected = client_connected, .on_read = client_read, .on_drained = drained, .on_closed = client_closed};
    char text[ROTA_ADDRESS_TEXT_SIZE], bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address = address_of("127.0.0.1:0", text);

    scene->err = rota_timer_new(scene->loop, time_is_up, scene, &scene->limit);
    if (scene->err == 0)
        scene->err = rota_timer_set(scene->limit, rota_loop_now_ns(scene->loop) + INT64_C(20000000000));
    if (scene->err == 0)
        scene->err = rota_listen_open(scene->loop, &address, NULL, &listen_events, scene, bound, &scene->listen, NULL);
    if (scene->err < 0)
        return;
    snprintf(target, sizeof(target), "localhost%s", strrchr(bound, ':'));
    address = address_of(target, text);
    scene->err = rota_socket_dial(scene->loop, &address, NULL, &events, scene, &scene->client);
    while (scene->err == 0 && !scene->over)
        assert_int_equal(rota_loop_wait_turn(scene->loop), 0);
}

static rota_err connect_and_echo(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct scene scene = {.over = false};
    rota_err err;

    (void)ctx;
    options.alloc = alloc;
    err = rota_loop_new(&options, &scene.loop);
    if (err < 0)
        return err;
    play(&scene);
    rota_timer_free(scene.limit);
    if (scene.client != NULL)
        rota_socket_abort(scene.client);
    if (scene.server != NULL)
        rota_socket_abort(scene.server);
    if (scene.listen != NULL)
        rota_listen_close(scene.listen);
    err = scene.err;
    while (scene.client != NULL || scene.server != NULL || scene.listen != NULL)
        assert_int_equal(rota_loop_wait_turn(scene.loop), 0);
    rota_loop_free(scene.loop);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep_absorbing(connect_and_echo, NULL) >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
