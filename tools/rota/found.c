/* found.c - see found.h. */
#include "found.h"
#include "foreign.h"

#include <stdio.h>
#include <stdlib.h>

const char *rota_found_lease(const struct rota_endpoint *e)
{
    const char *lease = rota_endpoint_attribute(e, "etcd.lease");

    return lease == NULL || strcmp(lease, "0") == 0 ? NULL : lease;
}

json_t *rota_found_json(const struct rota_endpoint *e)
{
    const char *revision = rota_endpoint_attribute(e, "etcd.mod_revision"), *lease = rota_found_lease(e);
    json_t *object = json_object(), *metadata = json_object();

    json_object_set_new(object, "address", rota_foreign_json(e->addresses[0].text));
    if (e->weight != 0)
        json_object_set_new(object, "weight", json_integer(e->weight));
    if (e->zone != NULL)
        json_object_set_new(object, "zone", rota_foreign_json(e->zone));
    if (e->version != NULL)
        json_object_set_new(object, "version", rota_foreign_json(e->version));
    if (rota_endpoint_attribute(e, "etcd.key") != NULL)
        json_object_set_new(object, "key", rota_foreign_json(rota_endpoint_attribute(e, "etcd.key")));
    if (lease != NULL)
        json_object_set_new(object, "lease", rota_foreign_json(lease));
    if (revision != NULL)
        json_object_set_new(object, "revision", json_integer(strtoll(revision, NULL, 10)));
    if (rota_endpoint_attribute(e, "etcd.suspect") != NULL)
        json_object_set_new(object, "suspect", json_true());
    for (size_t i = 0; i < e->n_attributes; i++)
        if (strncmp(e->attributes[i].key, "etcd.", 5) != 0)
            json_object_set_new(metadata, e->attributes[i].key, rota_foreign_json(e->attributes[i].value));
    if (json_object_size(metadata) > 0)
        json_object_set(object, "metadata", metadata);
    json_decref(metadata);
    return object;
}

static void print_pair(const char *key, const char *value)
{
    putchar(' ');
    rota_print_foreign(stdout, rota_slice_str(key));
    putchar('=');
    rota_print_foreign(stdout, rota_slice_str(value));
}

void rota_found_print(const struct rota_endpoint *e)
{
    rota_print_foreign(stdout, rota_slice_str(e->addresses[0].text));
    if (e->weight != 0)
        printf(" weight=%u", e->weight);
    if (e->zone != NULL)
        print_pair("zone", e->zone);
    if (e->version != NULL)
        print_pair("version", e->version);
    if (rota_endpoint_attribute(e, "etcd.suspect") != NULL)
        printf(" suspect");
    for (size_t i = 0; i < e->n_attributes; i++)
        if (strncmp(e->attributes[i].key, "etcd.", 5) != 0)
            print_pair(e->attributes[i].key, e->attributes[i].value);
}
