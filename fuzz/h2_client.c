/* h2_client.c - libFuzzer's entry to h2_script.h, client side. */
#include "fuzz/h2_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    h2_script_run(false, data, size_bytes);
    return 0;
}
