/* rx.c - frames off the bytes that are fed, however they are cut.
 *
 * DATA is passed on as it comes, and what means nothing passed over. Every other payload is looked at whole: in place when it lies in the bytes fed, else gathered in rx.kept,
 * which holds a frame at most, and before it the part of a header field that its block's last frame ended in. It counts as queued where it is
 * more than a few bytes, and a server waits for the rest as long as for that of a header block (keepalive.c).
 * Decides: the preface, sizes, and which frame may come now. Elsewhere: what frames mean (control.c, headers.c, data.c).
 * Sources: RFC 9113, 3.4, 4.1 to 4.3.
 */
#include "base/alloc.h"
#include "h2/session.h"

#define KEPT_IDLE_BYTES 512 /* a larger buffer is given back when it is empty */

static struct rota_slice rest_of(struct rota_slice bytes, size_t n)
{
    return rota_slice(bytes.data + n, bytes.size - n);
}

static bool read_preface(struct rota_h2 *h2, struct rota_slice *bytes)
{
    size_t left = ROTA_H2_PREFACE_BYTES - h2->rx.have;
    size_t n = bytes->size < left ? bytes->size : left;

    if (memcmp(bytes->data, &ROTA_H2_PREFACE[h2->rx.have], n) != 0)
        return rota_h2_send_away(h2, ROTA_H2_PROTOCOL_ERROR, "the client does not speak HTTP/2");
    h2->rx.have = (uint8_t)(h2->rx.have + n);
    *bytes = rest_of(*bytes, n);
    if (n == left) {
        h2->rx.have = 0;
        h2->rx.state = ROTA_H2_RX_HEAD;
    }
    return true;
}

static bool may_come(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    if (head->length > ROTA_H2_FRAME_MAX_BYTES)
        return rota_h2_broke(h2, ROTA_H2_FRAME_SIZE_ERROR, "a frame above the announced size");
    if (!h2->rx.settings) {
        if (head->type != ROTA_H2_TYPE_SETTINGS || (head->flags & ROTA_H2_FLAG_ACK) != 0)
            return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "the first frame is not SETTINGS");
        h2->rx.settings = true;
    }
    if (h2->block.open && (head->type != ROTA_H2_TYPE_CONTINUATION || head->id != h2->block.id))
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "another frame inside a header block");
    return true;
}

/* --- Payloads that are looked at whole --- */

static bool keep(struct rota_h2 *h2, struct rota_slice bytes)
{
    struct rota_h2_rx *rx = &h2->rx;

    if (rota_alloc_reserve(h2->alloc, &rx->kept, &rx->kept_cap, rx->kept_bytes + bytes.size, 1) < 0)
        return rota_h2_out_of_memory(h2);
    rota_h2_count(h2, &rx->counted, rx->kept_cap > KEPT_IDLE_BYTES ? rx->kept_cap : 0);
    memmove(rx->kept + rx->kept_bytes, bytes.data, bytes.size);
    rx->kept_bytes += bytes.size;
    return true;
}

void rota_h2_rx_free(struct rota_h2 *h2)
{
    struct rota_h2_rx *rx = &h2->rx;

    rota_alloc_free(h2->alloc, rx->kept);
    rx->kept = NULL;
    rx->kept_bytes = rx->kept_cap = 0;
    rota_h2_count(h2, &rx->counted, 0);
}

static void keep_nothing(struct rota_h2 *h2)
{
    h2->rx.kept_bytes = 0;
    if (h2->rx.kept_cap > KEPT_IDLE_BYTES)
        rota_h2_rx_free(h2);
}

static bool read_block(struct rota_h2 *h2, struct rota_slice payload, bool in_place)
{
    const struct rota_h2_head *head = &h2->rx.head;
    bool alone = head->type == ROTA_H2_TYPE_HEADERS && (head->flags & ROTA_H2_FLAG_END_HEADERS) != 0;

    if (!rota_h2_on_block(h2, head, &payload, in_place && alone))
        return false;
    if (payload.size == 0) {
        keep_nothing(h2);
        return true;
    }
    h2->rx.kept_bytes = 0;
    return keep(h2, payload);
}

static bool read_payload(struct rota_h2 *h2, struct rota_slice payload, bool in_place)
{
    const struct rota_h2_head *head = &h2->rx.head;
    bool fine;

    h2->rx.state = ROTA_H2_RX_HEAD;
    if (head->type == ROTA_H2_TYPE_HEADERS || head->type == ROTA_H2_TYPE_CONTINUATION)
        return read_block(h2, payload, in_place);
    fine = rota_h2_on_control(h2, head, payload);
    if (!in_place)
        keep_nothing(h2);
    return fine;
}

static bool read_whole(struct rota_h2 *h2, struct rota_slice *bytes)
{
    struct rota_h2_rx *rx = &h2->rx;
    size_t n = bytes->size < rx->left ? bytes->size : rx->left;
    struct rota_slice piece = rota_slice(bytes->data, n);

    *bytes = rest_of(*bytes, n);
    if (n == rx->left && rx->kept_bytes == 0)
        return read_payload(h2, piece, true);
    if (!keep(h2, piece))
        return false;
    rx->left -= (uint32_t)n;
    return rx->left > 0 || read_payload(h2, rota_slice(rx->kept, rx->kept_bytes), false);
}

/* --- DATA --- */

static bool end_data(struct rota_h2 *h2)
{
    struct rota_h2_head head = h2->rx.head;

    h2->rx.state = ROTA_H2_RX_HEAD;
    if ((head.flags & ROTA_H2_FLAG_PADDED) != 0)
        head.length -= 1u + h2->rx.pad;
    return rota_h2_on_data_end(h2, &head);
}

static bool read_pad(struct rota_h2 *h2, struct rota_slice *bytes)
{
    struct rota_h2_rx *rx = &h2->rx;

    rx->pad = bytes->data[0];
    rx->pad_due = false;
    rx->left--;
    *bytes = rest_of(*bytes, 1);
    rota_h2_on_padding(h2, 1);
    if (rx->pad > rx->left)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "padding longer than its frame");
    return true;
}

static bool read_data(struct rota_h2 *h2, struct rota_slice *bytes)
{
    struct rota_h2_rx *rx = &h2->rx;
    size_t n, size;

    if (rx->pad_due && !read_pad(h2, bytes))
        return false;
    n = bytes->size < rx->left ? bytes->size : rx->left;
    size = rx->left - rx->pad < n ? rx->left - rx->pad : n;
    if (rx->left < rx->pad)
        size = 0;
    if (size > 0 && !rota_h2_on_data(h2, rota_slice(bytes->data, size)))
        return false;
    if (n > size)
        rota_h2_on_padding(h2, n - size);
    rx->left -= (uint32_t)n;
    *bytes = rest_of(*bytes, n);
    return rx->left > 0 || end_data(h2);
}

/* --- Heads --- */

static bool begin_frame(struct rota_h2 *h2)
{
    struct rota_h2_rx *rx = &h2->rx;
    const struct rota_h2_head *head = &rx->head;

    if (!may_come(h2, head))
        return false;
    rx->left = head->length;
    switch (head->type) {
    case ROTA_H2_TYPE_DATA:
        rx->state = ROTA_H2_RX_DATA;
        rx->pad = 0;
        rx->pad_due = (head->flags & ROTA_H2_FLAG_PADDED) != 0;
        if (!rota_h2_data_head(h2, head))
            return false;
        return rx->left > 0 || end_data(h2);
    case ROTA_H2_TYPE_HEADERS:
    case ROTA_H2_TYPE_CONTINUATION:
        if (!rota_h2_headers_head(h2, head))
            return false;
        break;
    default:
        if (!rota_h2_control_head(h2, head))
            return false;
        if (head->type > ROTA_H2_TYPE_CONTINUATION || (head->type == ROTA_H2_TYPE_PRIORITY && head->length != ROTA_H2_PRIORITY_BYTES)) {
            rx->state = rx->left > 0 ? ROTA_H2_RX_SKIP : ROTA_H2_RX_HEAD;
            return true;
        }
        break;
    }
    rx->state = ROTA_H2_RX_WHOLE;
    if (!h2->block.open) { /* which has its own time, however many frames it takes */
        rx->since_ns = h2->now_ns;
        h2->whole_late = false;
    }
    return rx->left > 0 || read_payload(h2, rota_slice(rx->kept, rx->kept_bytes), false);
}

static bool read_head(struct rota_h2 *h2, struct rota_slice *bytes)
{
    struct rota_h2_rx *rx = &h2->rx;
    size_t left = ROTA_H2_HEAD_BYTES - rx->have;

    if (left == ROTA_H2_HEAD_BYTES && bytes->size >= ROTA_H2_HEAD_BYTES) {
        rx->head = rota_h2_head_read(bytes->data);
        *bytes = rest_of(*bytes, ROTA_H2_HEAD_BYTES);
        return begin_frame(h2);
    }
    if (bytes->size < left) {
        memcpy(rx->bytes + rx->have, bytes->data, bytes->size);
        rx->have = (uint8_t)(rx->have + bytes->size);
        *bytes = rest_of(*bytes, bytes->size);
        return true;
    }
    memcpy(rx->bytes + rx->have, bytes->data, left);
    rx->have = 0;
    rx->head = rota_h2_head_read(rx->bytes);
    *bytes = rest_of(*bytes, left);
    return begin_frame(h2);
}

static bool skip(struct rota_h2 *h2, struct rota_slice *bytes)
{
    size_t n = bytes->size < h2->rx.left ? bytes->size : h2->rx.left;

    h2->rx.left -= (uint32_t)n;
    *bytes = rest_of(*bytes, n);
    if (h2->rx.left == 0)
        h2->rx.state = ROTA_H2_RX_HEAD;
    return true;
}

static bool read_some(struct rota_h2 *h2, struct rota_slice *bytes)
{
    switch (h2->rx.state) {
    case ROTA_H2_RX_PREFACE:
        return read_preface(h2, bytes);
    case ROTA_H2_RX_HEAD:
        return read_head(h2, bytes);
    case ROTA_H2_RX_WHOLE:
        return read_whole(h2, bytes);
    case ROTA_H2_RX_DATA:
        return read_data(h2, bytes);
    default:
        return skip(h2, bytes);
    }
}

bool rota_h2_rx_bytes(struct rota_h2 *h2, struct rota_slice bytes)
{
    while (bytes.size > 0)
        if (!read_some(h2, &bytes) || !rota_h2_fine(h2))
            return false;
    return true;
}
