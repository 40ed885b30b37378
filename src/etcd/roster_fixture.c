/* roster_fixture.c - see roster_fixture.h. */
#include "etcd/roster_fixture.h"

#include "base/alloc.h"
#include <stdio.h>

#define KEPT 16

struct rota_etcd_kv roster_kv(const char *name, int64_t revision)
{
    static char keys[KEPT][64], values[KEPT][128];
    static unsigned next;
    char *key = keys[next % KEPT], *value = values[next % KEPT];
    size_t size = strcspn(name, "!=");

    next++;
    snprintf(key, sizeof(keys[0]), ROSTER_PREFIX "%.*s", (int)size, name);
    if (name[size] == '=')
        snprintf(value, sizeof(values[0]), "%s", name + size + 1);
    else if (name[size] == '!')
        snprintf(value, sizeof(values[0]), "no address");
    else
        snprintf(value, sizeof(values[0]), "10.0.0.%d:80", name[0] - 'a' + 1);
    return (struct rota_etcd_kv){.key = rota_slice_str(key), .value = rota_slice_str(value), .mod_revision = revision, .lease = 7};
}

const char *roster_text(struct rota_etcd_roster *r)
{
    static char text[1024];
    size_t count, used = 0;
    const struct rota_endpoint **list = rota_etcd_roster_endpoints(r, &count);

    if (list == NULL)
        return NULL;
    snprintf(text, sizeof(text), "-");
    for (size_t i = 0; i < count; i++) {
        bool suspect = rota_endpoint_attribute(list[i], "etcd.suspect") != NULL;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c%s", i == 0 ? "" : " ", 'a' + list[i]->addresses[0].ip[3] - 1, suspect ? "?" : "");
    }
    rota_alloc_free(r->alloc, list);
    return text;
}
