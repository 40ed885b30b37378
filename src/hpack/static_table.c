/* static_table.c - names and values in one run of bytes, found by a perfect hash of the name.
 *
 * Offsets instead of pointers keep the tables free of relocations. Invariant: no two of the names share a place in by_name, and fields of
 * the same name follow each other, so that the first one's index finds them all; a test looks for each.
 */
#include "hpack/static_table.h"
#include "hpack/same.h"

#define LAST_OF_SEVERAL 14 /* the last index whose name another field has too */

#define FIELDS(X) \
    X(1, ":authority", "") \
    X(2, ":method", "GET") \
    X(3, ":method", "POST") \
    X(4, ":path", "/") \
    X(5, ":path", "/index.html") \
    X(6, ":scheme", "http") \
    X(7, ":scheme", "https") \
    X(8, ":status", "200") \
    X(9, ":status", "204") \
    X(10, ":status", "206") \
    X(11, ":status", "304") \
    X(12, ":status", "400") \
    X(13, ":status", "404") \
    X(14, ":status", "500") \
    X(15, "accept-charset", "") \
    X(16, "accept-encoding", "gzip, deflate") \
    X(17, "accept-language", "") \
    X(18, "accept-ranges", "") \
    X(19, "accept", "") \
    X(20, "access-control-allow-origin", "") \
    X(21, "age", "") \
    X(22, "allow", "") \
    X(23, "authorization", "") \
    X(24, "cache-control", "") \
    X(25, "content-disposition", "") \
    X(26, "content-encoding", "") \
    X(27, "content-language", "") \
    X(28, "content-length", "") \
    X(29, "content-location", "") \
    X(30, "content-range", "") \
    X(31, "content-type", "") \
    X(32, "cookie", "") \
    X(33, "date", "") \
    X(34, "etag", "") \
    X(35, "expect", "") \
    X(36, "expires", "") \
    X(37, "from", "") \
    X(38, "host", "") \
    X(39, "if-match", "") \
    X(40, "if-modified-since", "") \
    X(41, "if-none-match", "") \
    X(42, "if-range", "") \
    X(43, "if-unmodified-since", "") \
    X(44, "last-modified", "") \
    X(45, "link", "") \
    X(46, "location", "") \
    X(47, "max-forwards", "") \
    X(48, "proxy-authenticate", "") \
    X(49, "proxy-authorization", "") \
    X(50, "range", "") \
    X(51, "referer", "") \
    X(52, "refresh", "") \
    X(53, "retry-after", "") \
    X(54, "server", "") \
    X(55, "set-cookie", "") \
    X(56, "strict-transport-security", "") \
    X(57, "transfer-encoding", "") \
    X(58, "user-agent", "") \
    X(59, "vary", "") \
    X(60, "via", "") \
    X(61, "www-authenticate", "")

/* Each is as long as its text, without a zero behind it. */
#define ROOM(index, name, value) char field_##index[sizeof(name value) - 1];
#define TEXT(index, name, value) .field_##index = name value,
#define PLACE(index, name, value) [index] = {offsetof(struct texts, field_##index), sizeof(name) - 1, sizeof(value) - 1},

static const struct texts {
    FIELDS(ROOM)
} texts = {FIELDS(TEXT)};

static const struct place {
    uint16_t at;
    uint8_t name_size, value_size;
} places[ROTA_HPACK_STATICS + 1] = {FIELDS(PLACE)};

/* The first index of the name whose hash this is. */
static const uint8_t by_name[128] = {
     0,  0,  0, 56,  0, 40, 36, 54,  0,  0,  0, 33, 35, 17,  0, 41,
     0,  1, 53, 46, 61, 43,  0, 47, 19, 24,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  8,  0,  0,  0,  0, 16, 50,  0, 21,  0, 44, 31,
     0, 59,  0,  0,  0,  0, 37, 30,  0,  0, 22,  0,  0, 42,  0,  0,
     0,  0, 18,  0,  0, 34,  0,  0, 45,  0,  0,  0,  0,  0, 29, 27,
     0,  2,  0, 38,  0,  0, 60,  0, 15, 48,  0,  0,  0,  0,  0,  6,
    49, 57,  0,  0,  0, 52, 25, 39,  0, 28,  0, 26, 20,  0,  0, 55,
     0,  0, 51,  0,  0,  0,  0,  0,  0,  4,  0,  0, 23, 58, 32,  0,
};

static uint32_t hash_name(struct rota_slice name)
{
    uint32_t seen = (uint32_t)name.size | (uint32_t)name.data[name.size - 1] << 8 | (uint32_t)name.data[0] << 16;

    return seen * UINT32_C(0x101c3a1f) >> 25;
}

void rota_hpack_static_get(uint32_t index, struct rota_slice *ret_name, struct rota_slice *ret_value)
{
    const struct place *place = &places[index];
    const uint8_t *text = (const uint8_t *)&texts + place->at;

    *ret_name = rota_slice(text, place->name_size);
    *ret_value = rota_slice(text + place->name_size, place->value_size);
}

static bool name_is(const struct place *place, struct rota_slice name)
{
    return place->name_size == name.size && rota_same((const uint8_t *)&texts + place->at, name.data, name.size);
}

uint32_t rota_hpack_static_find(struct rota_slice name, struct rota_slice value, bool *ret_whole)
{
    uint32_t first = name.size == 0 ? 0 : by_name[hash_name(name)];
    const struct place *place = &places[first];

    *ret_whole = false;
    if (first == 0 || !name_is(place, name))
        return 0;
    do {
        *ret_whole = place->value_size == value.size && rota_same((const uint8_t *)&texts + place->at + place->name_size, value.data, value.size);
        if (*ret_whole)
            return (uint32_t)(place - places);
        place++;
    } while (place <= &places[LAST_OF_SEVERAL] && name_is(place, name));
    return first;
}
