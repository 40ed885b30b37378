/* address.c - addresses: an accepted one has a text that reads back to the same address. */
#include "base/assert.h"
#include <rota/endpoint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    char text[ROTA_ADDRESS_TEXT_SIZE], again[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address, second;
    struct rota_errinfo info = {""};
    struct rota_endpoint a = {.addresses = &address, .n_addresses = 1}, b = {.addresses = &second, .n_addresses = 1};

    if (rota_address_parse(rota_slice(data, size_bytes), text, &address, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0');
        return 0;
    }
    ROTA_ASSERT(rota_address_parse(rota_slice_str(text), again, &second, NULL) == 0);
    ROTA_ASSERT(strcmp(text, again) == 0);
    ROTA_ASSERT(memcmp(address.ip, second.ip, sizeof(address.ip)) == 0);
    ROTA_ASSERT(rota_endpoint_equal(&a, &b));
    return 0;
}
