/* dialect.c - the key layouts and the writing of values; reading them is dialect_read.c. */
#include "etcd/dialect.h"

#include "base/alloc.h"
#include "etcd/dialect_read.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static rota_err put_prefix(char *out, size_t cap, const char *format, const char *service)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int size = snprintf(out, cap, format, service);
#pragma GCC diagnostic pop

    return size < 0 || (size_t)size >= cap ? ROTA_ELIMIT : 0;
}

static rota_err grpclb_prefix(const char *service, char *out, size_t cap)
{
    return put_prefix(out, cap, "/grpclb/%s/", service);
}

static rota_err official_prefix(const char *service, char *out, size_t cap)
{
    return put_prefix(out, cap, "%s/", service);
}

static bool begins(struct rota_slice text, const char *with)
{
    return text.size >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

static bool grpclb_foreign(struct rota_slice key_tail)
{
    if (begins(key_tail, "unix:") || begins(key_tail, "unix-abstract:"))
        return false;
    return key_tail.size > 0 && memchr(key_tail.data, '/', key_tail.size) != NULL;
}

/* Attributes as members of `object`; false: out of memory. */
static bool add_attributes(json_t *object, const struct rota_endpoint *e)
{
    int failed = 0;

    for (size_t i = 0; i < e->n_attributes; i++)
        failed |= json_object_set_new(object, e->attributes[i].key, json_string(e->attributes[i].value));
    return failed == 0;
}

/* Weight, zone and version; likewise. */
static bool describe(json_t *object, const struct rota_endpoint *e)
{
    int failed = 0;

    if (e->weight != 0)
        failed |= json_object_set_new(object, "weight", json_integer(e->weight));
    if (e->zone != NULL)
        failed |= json_object_set_new(object, "zone", json_string(e->zone));
    if (e->version != NULL)
        failed |= json_object_set_new(object, "version", json_string(e->version));
    return failed == 0;
}

/* Takes the object; NULL stands for one that could not be made. */
static char *dump(const struct rota_alloc *alloc, json_t *object, bool complete)
{
    char *text = object != NULL && complete ? json_dumps(object, JSON_COMPACT) : NULL;
    char *copy = text == NULL ? NULL : rota_alloc_text(alloc, rota_slice_str(text));

    free(text);
    json_decref(object);
    return copy;
}

static char *grpclb_write(const struct rota_alloc *alloc, const struct rota_endpoint *e)
{
    json_t *object, *metadata;
    bool complete;

    /* The plain form, which every client of the dialect reads. */
    if (e->weight == 0 && e->zone == NULL && e->version == NULL && e->n_attributes == 0)
        return rota_alloc_text(alloc, rota_slice_str(e->addresses[0].text));
    object = json_object();
    complete = json_object_set_new(object, "addr", json_string(e->addresses[0].text)) == 0 && describe(object, e);
    if (e->n_attributes > 0) {
        metadata = json_object();
        complete &= metadata != NULL && add_attributes(metadata, e) && json_object_set(object, "metadata", metadata) == 0;
        json_decref(metadata);
    }
    return dump(alloc, object, complete);
}

static char *official_write(const struct rota_alloc *alloc, const struct rota_endpoint *e)
{
    json_t *object = json_object(), *metadata = json_object();
    bool complete = metadata != NULL && add_attributes(metadata, e) && describe(metadata, e);

    complete &= json_object_set_new(object, "Op", json_integer(0)) == 0;
    complete &= json_object_set_new(object, "Addr", json_string(e->addresses[0].text)) == 0;
    if (metadata != NULL && json_object_size(metadata) == 0)
        complete &= json_object_set_new(object, "Metadata", json_null()) == 0;
    else
        complete &= json_object_set(object, "Metadata", metadata) == 0;
    json_decref(metadata);
    return dump(alloc, object, complete);
}

const struct rota_etcd_dialect rota_etcd_grpclb = {
    .name = "grpclb", .prefix = grpclb_prefix, .foreign = grpclb_foreign, .read = rota_etcd_read_grpclb, .write = grpclb_write};

const struct rota_etcd_dialect rota_etcd_official = {
    .name = "official", .prefix = official_prefix, .read = rota_etcd_read_official, .write = official_write};

static const struct rota_etcd_dialect *const dialects[] = {&rota_etcd_grpclb, &rota_etcd_official, NULL};

const struct rota_etcd_dialect *rota_etcd_dialect_named(const char *name)
{
    for (size_t i = 0; dialects[i] != NULL; i++)
        if (strcmp(dialects[i]->name, name) == 0)
            return dialects[i];
    return NULL;
}

const char *rota_etcd_dialect_names(void)
{
    return "grpclb, official";
}
