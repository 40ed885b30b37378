/* canned_frames.h - the bytes that canned answers with. Each put_ writes at `to` and returns where it stopped, put_message how much it was. */
#ifndef BENCH_CANNED_FRAMES_H
#define BENCH_CANNED_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_SIZE 64 /* longer names come back empty */
#define FRAME_HEADER 9
#define GRPC_PREFIX 5

enum frame_type { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };
enum frame_flag { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

struct request {
    uint32_t stream;
    uint8_t size;
    char name[NAME_MAX_SIZE];
};

uint8_t *canned_put_u32(uint8_t *to, uint32_t value);
uint8_t *canned_put_frame_header(uint8_t *to, size_t size, enum frame_type type, int flags, uint32_t stream);
uint8_t *canned_put_text(uint8_t *to, const void *text, size_t size);
uint8_t *canned_put_load_report(uint8_t *to, double utilization, double per_second);
size_t canned_put_message(uint8_t *to, int code, const struct request *request);

#endif
