/* owner_fixture.c - see owner_fixture.h. */
#include "resolver/owner_fixture.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define MAX_ENDPOINTS 16

static void write_down(struct owner_fixture *f, const char *text, const char *more)
{
    size_t size = strlen(f->heard);

    snprintf(f->heard + size, sizeof(f->heard) - size, "%s%s", text, more);
}

static void on_endpoints(void *owner, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct owner_fixture *f = owner;

    write_down(f, "list", "");
    for (size_t i = 0; i < count && count <= MAX_ENDPOINTS; i++)
        write_down(f, " ", endpoints[i]->addresses[0].text);
    write_down(f, ";", "");
    f->first = count == 0 ? NULL : endpoints[0];
    f->n_last = count;
    f->source = *source;
    if (f->close_on_list)
        rota_resolver_sink_close(&f->sink);
}

static void on_error(void *owner, const struct rota_status *why)
{
    write_down(owner, "error ", rota_code_name(why->code));
    write_down(owner, " ", why->message);
    write_down(owner, ";", "");
}

static void on_lost(void *owner)
{
    write_down(owner, "lost;", "");
}

static void on_service_config(void *owner, const struct rota_found_config *config)
{
    char text[64];

    snprintf(text, sizeof(text), "%.*s;", (int)config->json.size, config->json.size == 0 ? "" : (const char *)config->json.data);
    write_down(owner, config->problem != NULL ? "bad config " : "config ", config->problem != NULL ? config->problem : text);
    if (config->problem != NULL)
        write_down(owner, ";", "");
}

static void on_released(void *owner)
{
    struct owner_fixture *f = owner;

    write_down(f, "released;", "");
    rota_resolver_sink_fini(&f->sink);
}

static const struct rota_resolver_sink_owner owner_class = {
    .on_endpoints = on_endpoints, .on_error = on_error, .on_lost = on_lost, .on_service_config = on_service_config, .on_released = on_released};

void owner_init(struct owner_fixture *f)
{
    memset(f, 0, sizeof(*f));
    rota_leak_alloc_init(&f->leak);
    rota_virtual_host_init(&f->v, &f->leak.alloc, 5);
    rota_resolver_sink_init(&f->sink, &owner_class, f, &f->v.host, &f->leak.alloc, NULL);
}

void owner_fini(struct owner_fixture *f)
{
    if (!f->sink.closed) {
        rota_resolver_sink_close(&f->sink);
        owner_expect(f, "released;");
    }
    rota_virtual_host_fini(&f->v);
    rota_leak_alloc_fini(&f->leak);
}

void owner_expect(struct owner_fixture *f, const char *heard)
{
    rota_virtual_host_run(&f->v);
    assert_string_equal(f->heard, heard);
    f->heard[0] = '\0';
}

const struct rota_endpoint *owner_endpoint(const struct rota_alloc *alloc, const char *addresses, uint32_t weight)
{
    char texts[4][ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address parsed[4];
    struct rota_endpoint endpoint = {.addresses = parsed, .weight = weight};
    const struct rota_endpoint *made;

    while (*addresses != '\0') {
        size_t size = strcspn(addresses, " ");

        assert_true(endpoint.n_addresses < ROTA_COUNT(parsed));
        assert_int_equal(rota_address_parse(rota_slice(addresses, size), texts[endpoint.n_addresses], &parsed[endpoint.n_addresses], NULL), 0);
        endpoint.n_addresses++;
        addresses += size + (addresses[size] == ' ');
    }
    return rota_endpoint_new(alloc, &endpoint, &made) < 0 ? NULL : made;
}

void owner_publish(struct owner_fixture *f, const char *addresses, const struct rota_resolver_source *source)
{
    const struct rota_endpoint *endpoints[MAX_ENDPOINTS] = {NULL};
    size_t count = 0;

    while (*addresses != '\0') {
        char one[64];
        size_t size = strcspn(addresses, " ");

        snprintf(one, sizeof(one), "%.*s", (int)size, addresses);
        endpoints[count++] = owner_endpoint(NULL, one, 0);
        addresses += size + (addresses[size] == ' ');
    }
    rota_resolver_sink_endpoints(&f->sink, endpoints, count, source);
    for (size_t i = 0; i < count; i++)
        rota_endpoint_unref(endpoints[i]);
}
