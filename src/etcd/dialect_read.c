/* dialect_read.c - from a value found in etcd to an endpoint. Anybody may have written it, so anything may be in it.
 *
 * A value whose first byte is '{' is JSON, any other an address. In JSON the address is "addr" or "address", any case, or, in the grpclb
 * dialect, the key's own tail when it names none. Weight, zone and version are read at the top and inside "metadata", weight as a number or
 * a string of digits; a grpclb value that is nothing but digits is the weight of the address in the key; other scalars inside "metadata"
 * become attributes, the first 32 of them. In the official dialect Op 1 marks a server as gone.
 */
#include "etcd/dialect_read.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_ATTRIBUTES 32
#define NUMBER_TEXT 32
#define MAX_VALUE_BYTES ((size_t)64 << 10)

/* What is gathered from a value; texts point into the JSON tree or into `numbers`. */
struct reading {
    struct rota_endpoint endpoint;
    struct rota_address address;
    char address_text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_attribute attributes[MAX_ATTRIBUTES];
    char numbers[MAX_ATTRIBUTES][NUMBER_TEXT];
};

static const json_t *member(const json_t *object, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        if (rota_text_equal_nocase(key, name))
            return value;
    return NULL;
}

static rota_err set_address(struct reading *r, struct rota_slice text, struct rota_errinfo *info)
{
    rota_err err;

    /* "the machine itself" is a sensible thing to dial but not to register. */
    if (text.size > 0 && text.data[0] == ':')
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%.*s\" is no address: a host is missing", (int)text.size, (const char *)text.data);
    err = rota_address_parse(text, r->address_text, &r->address, info);
    if (err == 0 && r->address.port == 0 && r->address.kind != ROTA_ADDRESS_UNIX && r->address.kind != ROTA_ADDRESS_UNIX_ABSTRACT)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%.*s\" is no address: port 0", (int)text.size, (const char *)text.data);
    return err;
}

static rota_err read_weight(const json_t *value, uint32_t *ret_weight, struct rota_errinfo *info)
{
    long long weight = -1;

    if (json_is_integer(value)) {
        weight = json_integer_value(value);
    } else if (json_is_real(value)) {
        double real = json_real_value(value);
        if (real >= 0 && real <= UINT32_MAX && real == (double)(uint32_t)real)
            weight = (long long)real;
    } else if (json_is_string(value)) {
        const char *text = json_string_value(value);
        char *end;
        errno = 0;
        weight = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0')
            weight = -1;
    }
    if (weight < 0 || weight > UINT32_MAX)
        return rota_errinfo_set(info, ROTA_EPARSE, "weight must be a whole number from 0 to %u", UINT32_MAX);
    *ret_weight = (uint32_t)weight;
    return 0;
}

/* The three members that mean something, in an object; others are left alone. */
static rota_err read_known(struct reading *r, const json_t *object, struct rota_errinfo *info)
{
    const json_t *weight = member(object, "weight"), *zone = member(object, "zone"), *version = member(object, "version");

    if (json_is_string(zone))
        r->endpoint.zone = json_string_value(zone);
    if (json_is_string(version))
        r->endpoint.version = json_string_value(version);
    return weight == NULL ? 0 : read_weight(weight, &r->endpoint.weight, info);
}

static void add_attribute(struct reading *r, const char *key, const json_t *value)
{
    size_t n = r->endpoint.n_attributes;
    const char *text = json_is_string(value) ? json_string_value(value) : r->numbers[n < MAX_ATTRIBUTES ? n : 0];

    if (n == MAX_ATTRIBUTES || rota_text_equal_nocase(key, "weight") || rota_text_equal_nocase(key, "zone") || rota_text_equal_nocase(key, "version"))
        return;
    if (json_is_integer(value)) {
        snprintf(r->numbers[n], NUMBER_TEXT, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(r->numbers[n], NUMBER_TEXT, "%.17g", json_real_value(value));
        rota_text_point(r->numbers[n]);
    } else if (json_is_boolean(value)) {
        snprintf(r->numbers[n], NUMBER_TEXT, "%s", json_is_true(value) ? "true" : "false");
    } else if (!json_is_string(value)) {
        return;
    }
    r->attributes[n] = (struct rota_attribute){key, text};
    r->endpoint.n_attributes = n + 1;
}

static rota_err read_object(struct reading *r, const json_t *object, struct rota_slice fallback, struct rota_errinfo *info)
{
    const json_t *addr = member(object, "addr"), *metadata = member(object, "metadata");
    const char *key;
    json_t *value;
    rota_err err;

    if (addr == NULL)
        addr = member(object, "address");
    if (json_is_string(addr))
        err = set_address(r, rota_slice(json_string_value(addr), json_string_length(addr)), info);
    else if (fallback.size > 0 && addr == NULL)
        err = set_address(r, fallback, info);
    else
        err = rota_errinfo_set(info, ROTA_EPARSE, "the JSON names no address (\"addr\")");
    if (err == 0)
        err = read_known(r, object, info);
    if (err < 0 || !json_is_object(metadata))
        return err;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
        add_attribute(r, key, value);
    return read_known(r, metadata, info);
}

/* The text begins with '{', so that JSON in it is an object. */
static rota_err load(struct rota_slice text, json_t **ret_object, struct rota_errinfo *info)
{
    json_error_t error;
    json_t *root;

    if (text.size > MAX_VALUE_BYTES)
        return rota_errinfo_set(info, ROTA_EPARSE, "%zu bytes of JSON, at most %zu are read", text.size, MAX_VALUE_BYTES);
    root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    /* An integer that is too large (Go's may be uint64) harms only who reads it: where there is one, all are read as floating point. */
    if (root == NULL && json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory)
        return ROTA_ENOMEM;
    if (root == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "bad JSON at byte %d: %s", error.position, error.text);
    *ret_object = root;
    return 0;
}

static rota_err make(const struct rota_alloc *alloc, struct reading *r, const struct rota_endpoint **ret_endpoint)
{
    r->endpoint.addresses = &r->address;
    r->endpoint.n_addresses = 1;
    r->endpoint.attributes = r->attributes;
    return rota_endpoint_new(alloc, &r->endpoint, ret_endpoint);
}

static rota_err read_json(const struct rota_alloc *alloc, struct rota_slice fallback, struct rota_slice value, bool official,
                          const struct rota_endpoint **ret_endpoint, struct rota_errinfo *info)
{
    struct reading *r = rota_alloc_zero(alloc, 1, sizeof(*r));
    json_t *object = NULL;
    rota_err err = r == NULL ? ROTA_ENOMEM : load(value, &object, info);

    if (err == 0 && official && json_number_value(member(object, "op")) == 1)
        err = rota_errinfo_set(info, ROTA_ENOTFOUND, "the entry marks its server as deleted");
    if (err == 0)
        err = read_object(r, object, fallback, info);
    if (err == 0)
        err = make(alloc, r, ret_endpoint);
    json_decref(object);
    rota_alloc_free(alloc, r);
    return err;
}

static bool all_digits(struct rota_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0 && text.size < 10;
}

static void set_weight(struct reading *r, struct rota_slice digits)
{
    for (size_t i = 0; i < digits.size; i++)
        r->endpoint.weight = r->endpoint.weight * 10 + (uint32_t)(digits.data[i] - '0');
}

rota_err rota_etcd_read_grpclb(const struct rota_alloc *alloc, struct rota_slice key_tail, struct rota_slice value,
                               const struct rota_endpoint **ret_endpoint, struct rota_errinfo *info)
{
    struct reading *r;
    rota_err err;

    if (value.size > 0 && value.data[0] == '{')
        return read_json(alloc, key_tail, value, false, ret_endpoint, info);
    r = rota_alloc_zero(alloc, 1, sizeof(*r));
    if (r == NULL)
        return ROTA_ENOMEM;
    if (all_digits(value))
        set_weight(r, value);
    err = set_address(r, all_digits(value) ? key_tail : value, info);
    if (err == 0)
        err = make(alloc, r, ret_endpoint);
    rota_alloc_free(alloc, r);
    return err;
}

rota_err rota_etcd_read_official(const struct rota_alloc *alloc, struct rota_slice key_tail, struct rota_slice value,
                                 const struct rota_endpoint **ret_endpoint, struct rota_errinfo *info)
{
    (void)key_tail;
    if (value.size == 0 || value.data[0] != '{')
        return rota_errinfo_set(info, ROTA_EPARSE, "the value is no JSON object");
    return read_json(alloc, (struct rota_slice){0}, value, true, ret_endpoint, info);
}
