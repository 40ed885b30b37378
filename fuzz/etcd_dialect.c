/* etcd_dialect.c - values of both dialects: what is read is an endpoint that can be written and read back as it was.
 *
 * The first byte chooses the dialect, the first line is the end of the key, the rest the value.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/text.h"
#include "etcd/dialect.h"

/* JSON grows when it is written, by its escapes, and there is a bound on reading it. */
#define ROUND_TRIP_BYTES 8192

static bool text_is_utf8(const struct rota_endpoint *e)
{
    return rota_text_is_utf8(rota_slice_str(e->addresses[0].text));
}

static void write_and_read_back(const struct rota_etcd_dialect *dialect, struct rota_slice tail, const struct rota_endpoint *e)
{
    char *text = dialect->write(NULL, e);
    const struct rota_endpoint *back;

    if (text == NULL) {
        ROTA_ASSERT(!text_is_utf8(e)); /* a path may be any bytes, JSON may not */
        return;
    }
    ROTA_ASSERT(dialect->read(NULL, tail, rota_slice_str(text), &back, NULL) == 0);
    ROTA_ASSERT(rota_endpoint_equal(back, e));
    rota_endpoint_unref(back);
    rota_alloc_free(NULL, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const struct rota_etcd_dialect *dialect;
    const struct rota_endpoint *e;
    struct rota_errinfo info = {""};
    struct rota_slice tail, value;
    const uint8_t *newline;
    rota_err err;

    if (size_bytes == 0)
        return 0;
    dialect = data[0] % 2 == 0 ? &rota_etcd_grpclb : &rota_etcd_official;
    newline = memchr(data, '\n', size_bytes);
    tail = newline == NULL ? rota_slice(data, 0) : rota_slice(data + 1, newline == data ? 0 : (size_t)(newline - data) - 1);
    value = newline == NULL ? rota_slice(data + 1, size_bytes - 1) : rota_slice(newline + 1, size_bytes - (size_t)(newline - data) - 1);
    err = dialect->read(NULL, tail, value, &e, &info);
    if (err < 0) {
        ROTA_ASSERT(err == ROTA_EPARSE || err == ROTA_ENOTFOUND);
        ROTA_ASSERT(info.text[0] != '\0');
        return 0;
    }
    ROTA_ASSERT(e->n_addresses == 1 && e->addresses[0].text[0] != '\0' && e->n_attributes <= 32);
    if (size_bytes <= ROUND_TRIP_BYTES)
        write_and_read_back(dialect, tail, e);
    rota_endpoint_unref(e);
    return 0;
}
