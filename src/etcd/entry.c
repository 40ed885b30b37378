/* entry.c - see entry.h. */
#include "etcd/entry.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include <stdio.h>

rota_err rota_etcd_entry_new(const struct rota_etcd_where *where, const struct rota_registrar_options *o, const struct rota_alloc *alloc, char **ret_key,
                             char **ret_value, struct rota_errinfo *info)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    size_t key_size;
    struct rota_address address;
    struct rota_endpoint endpoint = {.addresses = &address, .n_addresses = 1, .weight = o->weight, .zone = o->zone, .version = o->version};
    rota_err err = rota_address_parse(rota_slice_str(o->address), text, &address, info);

    if (err < 0)
        return err;
    /* Readers pass such an entry over. */
    if (address.port == 0 && address.kind != ROTA_ADDRESS_UNIX && address.kind != ROTA_ADDRESS_UNIX_ABSTRACT)
        return rota_errinfo_set(info, ROTA_EINVAL, "address: \"%s\" has port 0, where nobody listens", o->address);
    if (o->zone != NULL && !rota_text_is_utf8(rota_slice_str(o->zone)))
        return rota_errinfo_set(info, ROTA_EINVAL, "zone: \"%s\" is no UTF-8", o->zone);
    if (o->version != NULL && !rota_text_is_utf8(rota_slice_str(o->version)))
        return rota_errinfo_set(info, ROTA_EINVAL, "version: \"%s\" is no UTF-8", o->version);
    key_size = strlen(where->prefix) + strlen(address.text) + 1;
    *ret_key = rota_alloc_get(alloc, key_size);
    if (*ret_key != NULL)
        snprintf(*ret_key, key_size, "%s%s", where->prefix, address.text);
    *ret_value = where->dialect->write(alloc, &endpoint);
    return *ret_key == NULL || *ret_value == NULL ? rota_errinfo_set(info, ROTA_ENOMEM, "out of memory") : 0;
}
