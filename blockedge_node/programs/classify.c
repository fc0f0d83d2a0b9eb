/* classify: which digit is on each picture, by a small convolutional network in 8-bit integers.
 *
 * stdin   binary PGM pictures (P5, maxval 1 to 255) of 8x8 pixels, one after the other; light on dark
 * file    "weights": the network as train_classify.py writes it (layout below)
 * stdout  for each picture, in order, 10 logits, i32 little-endian; the largest one is the answer
 *
 * The network: 3x3 convolution to C1 channels, 3x3 convolution to C2 channels, 2x2 maximum, one full layer.
 * Convolutions are padded with zeros and followed by max(0, x). Inputs and activations are 0 to 127, weights -127
 * to 127, sums 32 bits; a layer's sums become the next one's inputs by a rounding shift, cut off at 127. All in
 * integers: the same bits everywhere.
 *
 * weights: "BEC1", then bytes C1, C2, shift 1, shift 2; then for each of the three layers its biases (i32
 * little-endian) and its weights (i8): [out][in][row][column], the full layer [out][channel][row][column].
 *
 * Pictures do not depend on each other, so a split between pictures and joining the outputs equals one whole run.
 */
#include "guest.h"

#include <fcntl.h>

enum { SIDE = 8, HALF = SIDE / 2, CLASSES = 10, TOP = 127, WIDEST = 64, HEADER = 8 };
enum { PADDED = SIDE + 2, LARGEST = HEADER + WIDEST * (4 + 9) + WIDEST * (4 + WIDEST * 9) + CLASSES * (4 + WIDEST * 16) };

typedef struct {
    int32_t bias[WIDEST];
    const int8_t *weights;
    int in, out, shift;
} Layer;

typedef int8_t Plane[PADDED][PADDED]; /* a channel with a border of zeros */

static uint8_t file[LARGEST];
static Layer first, second, last;
static Plane picture[1], middle[WIDEST], deep[WIDEST];
static int8_t pooled[WIDEST * HALF * HALF];

/* Set up `layer` from the file at `at`; returns where the next one begins. */
static size_t read_layer(Layer *layer, size_t at, size_t end, int in, int out, int shift, int kernel) {
    size_t size = (size_t)out * (size_t)in * (size_t)kernel;
    if (at + (size_t)out * 4 + size > end) fail(2, "the weights are cut off");
    for (int i = 0; i < out; i++, at += 4)
        layer->bias[i] = (int32_t)((uint32_t)file[at] | (uint32_t)file[at + 1] << 8 | (uint32_t)file[at + 2] << 16 |
                                   (uint32_t)file[at + 3] << 24);
    layer->weights = (const int8_t *)file + at;
    layer->in = in, layer->out = out, layer->shift = shift;
    return at + size;
}

static void read_network(void) {
    int descriptor = open("weights", O_RDONLY);
    if (descriptor < 0) fail(2, "there is no file `weights`");
    size_t end = 0;
    for (ssize_t n; end < LARGEST && (n = read(descriptor, file + end, LARGEST - end)) > 0;) end += (size_t)n;
    if (end < HEADER || memcmp(file, "BEC1", 4)) fail(2, "the file `weights` is not one of classify");
    int c1 = file[4], c2 = file[5];
    if (c1 < 1 || c2 < 1 || c1 > WIDEST || c2 > WIDEST || file[6] > 24 || file[7] > 24)
        fail(2, "the file `weights` has a wrong header");
    size_t at = read_layer(&first, HEADER, end, 1, c1, file[6], 9);
    at = read_layer(&second, at, end, c1, c2, file[7], 9);
    if (read_layer(&last, at, end, c2 * HALF * HALF, CLASSES, 0, 1) != end) fail(2, "the weights are too long");
}

static int8_t activation(int32_t sum, int shift) {
    if (sum <= 0) return 0;
    sum = (sum + (shift ? 1 << (shift - 1) : 0)) >> shift;
    return (int8_t)(sum > TOP ? TOP : sum);
}

static void convolve(const Layer *layer, Plane *from, Plane *to) {
    const int8_t *kernels = layer->weights;
    for (int out = 0; out < layer->out; out++, kernels += layer->in * 9) {
        int32_t sums[SIDE][SIDE];
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) sums[y][x] = layer->bias[out];
        for (int in = 0; in < layer->in; in++) {
            const int8_t *k = kernels + in * 9;
            for (int y = 0; y < SIDE; y++) {
                const int8_t *above = from[in][y], *here = from[in][y + 1], *below = from[in][y + 2];
                for (int x = 0; x < SIDE; x++)
                    sums[y][x] += k[0] * above[x] + k[1] * above[x + 1] + k[2] * above[x + 2] + k[3] * here[x] +
                                  k[4] * here[x + 1] + k[5] * here[x + 2] + k[6] * below[x] + k[7] * below[x + 1] +
                                  k[8] * below[x + 2];
            }
        }
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) to[out][y + 1][x + 1] = activation(sums[y][x], layer->shift);
    }
}

static int8_t largest(int8_t a, int8_t b) { return a > b ? a : b; }

static void pool(int channels) {
    int8_t *to = pooled;
    for (int channel = 0; channel < channels; channel++)
        for (int y = 1; y <= SIDE; y += 2)
            for (int x = 1; x <= SIDE; x += 2) {
                int8_t *upper = deep[channel][y] + x, *lower = deep[channel][y + 1] + x;
                *to++ = largest(largest(upper[0], upper[1]), largest(lower[0], lower[1]));
            }
}

static void put_logits(void) {
    const int8_t *weights = last.weights;
    for (int out = 0; out < last.out; out++, weights += last.in) {
        int32_t sum = last.bias[out];
        for (int i = 0; i < last.in; i++) sum += weights[i] * pooled[i];
        put(&sum, sizeof sum);
    }
}

/* A number of a PGM header and the one white space behind it. */
static uint32_t header_number(void) {
    int c = get_byte();
    while (c == ' ' || c == '\n' || c == '\t' || c == '\r') c = get_byte();
    uint32_t value = 0;
    int digits = 0;
    for (; c >= '0' && c <= '9' && digits < 4; c = get_byte(), digits++) value = value * 10 + (uint32_t)(c - '0');
    if (!digits || !(c == ' ' || c == '\n' || c == '\t' || c == '\r')) fail(2, "bad PGM header");
    return value;
}

int main(void) {
    read_network();
    for (int c; (c = get_byte()) >= 0;) {
        if (c != 'P' || get_byte() != '5') fail(2, "not a binary PGM picture (P5)");
        uint32_t width = header_number(), height = header_number(), most = header_number();
        if (width != SIDE || height != SIDE) fail(2, "a picture must have 8x8 pixels");
        if (most < 1 || most > 255) fail(2, "the PGM's maxval must be 1 to 255");
        uint8_t pixels[SIDE * SIDE];
        if (!get(pixels, sizeof pixels)) fail(2, "the last picture is cut off");
        for (uint32_t i = 0; i < sizeof pixels; i++) {
            uint32_t value = pixels[i] > most ? most : pixels[i];
            picture[0][i / SIDE + 1][i % SIDE + 1] = (int8_t)((value * TOP + most / 2) / most);
        }
        convolve(&first, picture, middle);
        convolve(&second, middle, deep);
        pool(second.out);
        put_logits();
    }
    flush();
    return 0;
}
