/* field.c - names of header fields to numbers. Names are lower case, as HTTP/2 has them. */
#include "wire/field.h"

static enum rota_field either(struct rota_slice name, const char *text, enum rota_field field)
{
    return memcmp(name.data, text, name.size) == 0 ? field : name.data[0] == ':' ? ROTA_FIELD_PSEUDO : ROTA_FIELD_OTHER;
}

enum rota_field rota_field_of(struct rota_slice name)
{
    switch (name.size) {
    case 0:
        return ROTA_FIELD_OTHER;
    case 2:
        return either(name, "te", ROTA_FIELD_TE);
    case 5:
        return either(name, ":path", ROTA_FIELD_PATH);
    case 7:
        return name.data[1] == 'm' ? either(name, ":method", ROTA_FIELD_METHOD) : either(name, ":status", ROTA_FIELD_STATUS);
    case 10:
        return either(name, ":authority", ROTA_FIELD_AUTHORITY);
    case 11:
        return either(name, "grpc-status", ROTA_FIELD_GRPC_STATUS);
    case 12:
        switch (name.data[5]) {
        case 'n':
            return either(name, "content-type", ROTA_FIELD_CONTENT_TYPE);
        case 't':
            return either(name, "grpc-timeout", ROTA_FIELD_TIMEOUT);
        default:
            return either(name, "grpc-message", ROTA_FIELD_GRPC_MESSAGE);
        }
    case 13:
        return either(name, "grpc-encoding", ROTA_FIELD_ENCODING);
    case 20:
        return either(name, "grpc-accept-encoding", ROTA_FIELD_ACCEPT_ENCODING);
    case 22:
        return either(name, "grpc-retry-pushback-ms", ROTA_FIELD_PUSHBACK);
    default:
        return name.data[0] == ':' ? ROTA_FIELD_PSEUDO : ROTA_FIELD_OTHER;
    }
}

bool rota_content_type_is_grpc(struct rota_slice content_type)
{
    static const char base[] = "application/grpc";
    const size_t size = sizeof(base) - 1;

    if (content_type.size < size)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = content_type.data[i];

        if ((byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte) != (uint8_t)base[i])
            return false;
    }
    return content_type.size == size || content_type.data[size] == '+' || content_type.data[size] == ';';
}
