/* What every guest needs: buffered stdin and stdout, and a clean way to refuse bad input.
 *
 * Few, large system calls: each one costs 20 000 fuel. No printf: it would be most of the module.
 * Exit codes: 0 = done, 2 = bad input, 3 = the memory limit is too small.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (1u << 18)

static uint8_t in_buffer[BUFFER];
static size_t in_at, in_end;

static uint8_t out_buffer[BUFFER];
static size_t out_end;

static void say(const char *text) { write(2, text, strlen(text)); }

/* End with `code`; stderr says why. Output so far is dropped where it is still buffered. */
static _Noreturn void fail(int code, const char *why) {
    say(why);
    say("\n");
    _exit(code);
}

static void flush(void) {
    for (size_t at = 0; at < out_end;) {
        ssize_t n = write(1, out_buffer + at, out_end - at);
        if (n <= 0) fail(3, "cannot write to stdout");
        at += (size_t)n;
    }
    out_end = 0;
}

static void put_byte(uint8_t byte) {
    if (out_end == BUFFER) flush();
    out_buffer[out_end++] = byte;
}

static void put(const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) put_byte(bytes[i]);
}

static inline void put_text(const char *text) { put(text, strlen(text)); }

static inline void put_decimal(unsigned __int128 value) {
    char digits[39];
    int n = 0;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n) put_byte((uint8_t)digits[--n]);
}

/* Read on, when all that was read is used; 0 at the end of stdin. */
static inline int fill(void) {
    ssize_t n = read(0, in_buffer, BUFFER);
    in_at = 0;
    in_end = n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The next byte of stdin, or -1 at its end. */
static inline int get_byte(void) {
    if (in_at == in_end && !fill()) return -1;
    return in_buffer[in_at++];
}

/* `size` bytes of stdin to `out`; 0 if it ends before. */
static inline int get(void *out, size_t size) {
    uint8_t *bytes = out;
    while (size) {
        if (in_at == in_end) {
            int first = get_byte();
            if (first < 0) return 0;
            in_at--;
        }
        size_t part = in_end - in_at < size ? in_end - in_at : size;
        memcpy(bytes, in_buffer + in_at, part);
        in_at += part;
        bytes += part;
        size -= part;
    }
    return 1;
}

/* An argument that is a whole number from `low` to `high`, at most 18 digits. */
static inline uint64_t whole(const char *text, uint64_t low, uint64_t high, const char *why) {
    uint64_t value = 0;
    int digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (digits == 18) fail(2, why);
        value = value * 10 + (uint64_t)(text[digits] - '0');
    }
    if (!digits || text[digits] || value < low || value > high) fail(2, why);
    return value;
}

/* Where part `part` of `parts` of `all` things begins: even shares, the same in every program and in Python. */
static inline uint64_t share(uint64_t all, uint64_t part, uint64_t parts) {
    return (uint64_t)((unsigned __int128)all * part / parts);
}

static inline void *need(void *memory) {
    if (!memory) fail(3, "out of memory: the manifest's memory limit is too small for this input");
    return memory;
}

#endif
