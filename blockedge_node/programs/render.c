/* render: how fast each point of a plane escapes, for a picture of the Mandelbrot set or of a Julia set.
 *
 * render SHARD SHARDS WIDTH HEIGHT ITERATIONS X Y SPAN SET    no stdin
 *
 * The picture's centre is X + iY, its width SPAN; pixels are square and taken at their middle; rows run from the
 * top (largest imaginary part). SET is "mandelbrot", or "A,B" for the Julia set of A + iB. Numbers are decimal,
 * at most 15 digits, as "-0.75". Shard i of n draws the rows HEIGHT*i/n to HEIGHT*(i+1)/n.
 *
 * stdout  2 bytes a pixel, big-endian: after how many of at most ITERATIONS steps z = z*z + c has |z| > 2;
 *         ITERATIONS means never. Behind a header that is a PGM picture (render.py).
 *
 * Rows do not depend on each other, so joining the outputs in order equals one whole run. Only + - * / on f64,
 * each rounded once (IEEE 754): the same bits everywhere.
 */
#include "guest.h"

typedef struct {
    double re, im;
} Complex;

/* The decimal number before `end`. Below 2^53 over a power of ten up to 10^15, both exact: rounded once. */
static double decimal(const char *text, char end, const char **rest) {
    int negative = *text == '-', digits = 0, behind = 0, point = 0;
    uint64_t value = 0, scale = 1;
    for (text += negative; *text != end; text++) {
        if (*text == '.' && !point) {
            point = 1;
            continue;
        }
        if (*text < '0' || *text > '9' || ++digits > 15) fail(2, "X, Y, SPAN and SET take numbers like -0.75");
        value = value * 10 + (uint64_t)(*text - '0');
        behind += point;
    }
    if (!digits) fail(2, "X, Y, SPAN and SET take numbers like -0.75");
    while (behind--) scale *= 10;
    if (rest) *rest = text + 1;
    return (negative ? -1.0 : 1.0) * ((double)value / (double)scale);
}

enum { BLOCK = 8 };

static inline Complex step(Complex z, Complex c) {
    double product = z.re * z.im;
    return (Complex){z.re * z.re - z.im * z.im + c.re, product + product + c.im};
}

static inline int inside(Complex z) { return z.re * z.re + z.im * z.im <= 4.0; }

/* Once outside, a point stays outside, since |c| <= 2 or z began at 0; or it becomes a NaN, which is not inside
 * either. So BLOCK steps go untested, and only those of the block in which it escaped are done again, one by one. */
static uint32_t escape(Complex z, Complex c, uint32_t limit) {
    uint32_t count = 0;
    while (count + BLOCK <= limit) {
        Complex far = step(step(step(step(step(step(step(step(z, c), c), c), c), c), c), c), c);
        if (!inside(far)) break;
        z = far;
        count += BLOCK;
    }
    for (; count < limit && inside(z); count++) z = step(z, c);
    return count;
}

int main(int argc, char **argv) {
    if (argc != 10) fail(2, "usage: render SHARD SHARDS WIDTH HEIGHT ITERATIONS X Y SPAN SET");
    uint64_t shards = whole(argv[2], 1, 1024, "SHARDS must be 1 to 1024");
    uint64_t shard = whole(argv[1], 0, shards - 1, "SHARD must be less than SHARDS");
    uint32_t width = (uint32_t)whole(argv[3], 1, 32768, "WIDTH must be 1 to 32768");
    uint32_t height = (uint32_t)whole(argv[4], 1, 32768, "HEIGHT must be 1 to 32768");
    uint32_t limit = (uint32_t)whole(argv[5], 1, 65535, "ITERATIONS must be 1 to 65535");
    Complex middle = {decimal(argv[6], 0, 0), decimal(argv[7], 0, 0)};
    double step = decimal(argv[8], 0, 0) / width;
    int julia = strcmp(argv[9], "mandelbrot") != 0;
    Complex constant = {0, 0};
    if (julia) {
        const char *second;
        if (!strchr(argv[9], ',')) fail(2, "SET must be mandelbrot, or two numbers as -0.8,0.156");
        constant.re = decimal(argv[9], ',', &second);
        constant.im = decimal(second, 0, 0);
        if (!inside(constant)) fail(2, "SET must be a number of at most 2 from 0");
    }
    uint32_t end = (uint32_t)share(height, shard + 1, shards);
    for (uint32_t y = (uint32_t)share(height, shard, shards); y < end; y++)
        for (uint32_t x = 0; x < width; x++) {
            /* (2x + 1 - width) / 2 pixels from the middle: exact */
            Complex point = {middle.re + ((double)(2 * x + 1) - width) * 0.5 * step,
                             middle.im - ((double)(2 * y + 1) - height) * 0.5 * step};
            uint32_t count = julia ? escape(point, constant, limit) : escape((Complex){0, 0}, point, limit);
            put_byte((uint8_t)(count >> 8));
            put_byte((uint8_t)count);
        }
    flush();
    return 0;
}
