/* frame.c - names of error codes. */
#include "h2/frame.h"
#include "base/assert.h"

const char *rota_h2_code_name(uint32_t h2_code)
{
    static const char *const names[] = {"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
        "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"};

    return h2_code < ROTA_COUNT(names) ? names[h2_code] : "unknown";
}
