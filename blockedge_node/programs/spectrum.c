/* spectrum: how a signal's energy is spread over frequency bands, window by window.
 *
 * spectrum WINDOW BANDS    stdin: samples, 16 bits signed, little-endian, whole windows of them
 *
 * stdout  for each window BANDS numbers, f64 little-endian, from the lowest band to the highest: the band's part
 *         of the window's mean square, in squared sample units. WINDOW is a power of two from 16 to 65536.
 *
 * A window is weighted by Hann's function w and transformed (radix 2, decimation in time). Its bin 0, the mean, is
 * left out; of the bins 1 to WINDOW/2, band b of n takes those behind WINDOW/2*b/n, up to WINDOW/2*(b+1)/n. A bin
 * counts 2|X|^2 / (WINDOW * sum of w^2), the last one half of that.
 *
 * Windows do not depend on each other, so a split between windows and joining the outputs equals one whole run.
 * sin and cos are the module's own (musl's), and every operation is rounded once: the same bits everywhere.
 */
#include "guest.h"

#include <math.h>

enum { LARGEST = 65536 };

static double re[LARGEST], im[LARGEST], weight[LARGEST];
static double cosine[LARGEST / 2], sine[LARGEST / 2];
static uint32_t reversed[LARGEST];
static double weights; /* the sum of their squares */

static void make_tables(uint32_t size) {
    const double turn = 6.283185307179586476925;
    for (uint32_t i = 0; i < size / 2; i++) {
        cosine[i] = cos(turn * i / size);
        sine[i] = -sin(turn * i / size);
    }
    for (uint32_t i = 0; i < size; i++) {
        weight[i] = 0.5 - 0.5 * cos(turn * i / size);
        weights += weight[i] * weight[i];
        reversed[i] = i ? reversed[i / 2] / 2 + (i & 1 ? size / 2 : 0) : 0;
    }
}

/* The discrete Fourier transform of (re, im), which were filled in bit-reversed order. */
static void transform(uint32_t size) {
    for (uint32_t half = 1, stride = size / 2; half < size; half *= 2, stride /= 2)
        for (uint32_t start = 0; start < size; start += 2 * half)
            for (uint32_t i = 0; i < half; i++) {
                uint32_t low = start + i, high = low + half;
                double c = cosine[i * stride], s = sine[i * stride];
                double r = re[high] * c - im[high] * s, j = re[high] * s + im[high] * c;
                re[high] = re[low] - r;
                im[high] = im[low] - j;
                re[low] += r;
                im[low] += j;
            }
}

static void put_bands(uint32_t size, uint32_t bands) {
    double scale = 2.0 / (size * weights);
    for (uint32_t band = 0; band < bands; band++) {
        uint32_t end = (uint32_t)share(size / 2, band + 1, bands);
        double sum = 0;
        for (uint32_t bin = (uint32_t)share(size / 2, band, bands) + 1; bin <= end; bin++) {
            double energy = (re[bin] * re[bin] + im[bin] * im[bin]) * scale;
            sum += bin == size / 2 ? energy * 0.5 : energy;
        }
        put(&sum, sizeof sum);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) fail(2, "usage: spectrum WINDOW BANDS");
    const char *sizes = "WINDOW must be a power of two from 16 to 65536";
    uint32_t size = (uint32_t)whole(argv[1], 16, LARGEST, sizes);
    if (size & (size - 1)) fail(2, sizes);
    uint32_t bands = (uint32_t)whole(argv[2], 1, size / 2, "BANDS must be 1 to half of WINDOW");
    make_tables(size);
    for (int c; (c = get_byte()) >= 0;) {
        for (uint32_t i = 0; i < size; i++) {
            int low = i ? get_byte() : c, high = get_byte();
            if (low < 0 || high < 0) fail(2, "the last window is cut off");
            int16_t sample = (int16_t)(uint16_t)(low | high << 8);
            re[reversed[i]] = sample * weight[i];
            im[i] = 0;
        }
        transform(size);
        put_bands(size, bands);
    }
    flush();
    return 0;
}
