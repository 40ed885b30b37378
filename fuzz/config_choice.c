/* config_choice.c - lists of service configs: the choice is a JSON object or none, repeatable, and its own choice. The first byte is the draw. */
#include "base/alloc.h"
#include "base/assert.h"
#include "wire/config_choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_config_client client = {.hostname = "canary"};
    char *config = NULL, *again = NULL;
    struct rota_errinfo info = {""};
    struct rota_slice json;

    if (size_bytes == 0)
        return 0;
    client.draw = data[0] % ROTA_CONFIG_DRAWS + 1;
    json = rota_slice(data + 1, size_bytes - 1);
    (void)rota_config_choice_txt(json, &json);
    if (rota_config_choose(json, &client, NULL, &config, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0' && config == NULL);
        return 0;
    }
    if (config == NULL)
        return 0;
    ROTA_ASSERT(config[0] == '{');
    ROTA_ASSERT(rota_config_choose(rota_slice_str(config), &client, NULL, &again, NULL) == 0);
    ROTA_ASSERT(again != NULL && strcmp(config, again) == 0);
    rota_alloc_free(NULL, config);
    rota_alloc_free(NULL, again);
    return 0;
}
