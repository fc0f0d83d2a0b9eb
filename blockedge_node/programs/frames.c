/* frames: a thumbnail and gradient features of every picture.
 *
 * stdin   binary PPM pictures (P6, maxval 255) one after the other, each 4x4 to 16384x16384 pixels
 * stdout  for each picture, in order:
 *           a P6 picture of a quarter of its width and height (whole 4x4 blocks; a rest at the right and bottom
 *           edge is left out), each value the rounded mean of its block: "P6\n<w> <h>\n255\n" and w*h*3 bytes;
 *           then 8*8*9 features, u32 big-endian: cell rows from the top, cells from the left, 9 orientations.
 *
 * A feature is the mean gradient magnitude per pixel of a cell that points into one of nine directions, in 1/256
 * grey levels. Luma is (77 R + 150 G + 29 B) >> 8; gradients are central differences with repeated edges; a
 * direction and its opposite are one, in bins of 20 degrees from the x axis. All in integers: the same bits
 * everywhere.
 *
 * Pictures do not depend on each other, so a split between pictures and joining the outputs equals one whole run.
 */
#include "guest.h"

enum { BLOCK = 4, CELLS = 8, BINS = 9, LARGEST = 16384, RANGE = 255 };

static uint16_t magnitude_of[RANGE + 1][RANGE + 1]; /* [|gx|][|gy|] -> 16 * sqrt(gx^2 + gy^2), rounded down */
static uint8_t bin_of[RANGE + 1][2 * RANGE + 1];    /* [gy >= 0][gx + RANGE] -> orientation */

/* The bins' lower edges k * 20 degrees as (cos, sin) * 2^14. */
static const int32_t edge[BINS][2] = {
    {16384, 0},    {15396, 5604},   {12551, 10531},  {8192, 14189},   {2845, 16135},
    {-2845, 16135}, {-8192, 14189}, {-12551, 10531}, {-15396, 5604},
};

static void make_tables(void) {
    for (int x = 0; x <= RANGE; x++) {
        uint32_t root = 0;
        for (int y = 0; y <= RANGE; y++) {
            uint32_t square = (uint32_t)(x * x + y * y) << 8;
            while ((root + 1) * (root + 1) <= square) root++;
            magnitude_of[x][y] = (uint16_t)root;
        }
    }
    for (int y = 0; y <= RANGE; y++)
        for (int x = -RANGE; x <= RANGE; x++) {
            int bin = 0; /* the last edge that (x, y) has reached, turning left from the x axis */
            while (bin + 1 < BINS && edge[bin + 1][0] * y - edge[bin + 1][1] * x >= 0) bin++;
            bin_of[y][x + RANGE] = (uint8_t)(y == 0 ? 0 : bin); /* a flat gradient to the left is one to the right */
        }
}

/* A number of a PPM header, after white space and "# comments"; takes the one white space behind it. */
static uint32_t header_number(void) {
    int c = get_byte();
    while (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '#') {
        if (c == '#')
            while (c >= 0 && c != '\n') c = get_byte();
        else
            c = get_byte();
    }
    uint32_t value = 0;
    int digits = 0;
    for (; c >= '0' && c <= '9' && digits < 6; c = get_byte(), digits++) value = value * 10 + (uint32_t)(c - '0');
    if (!digits || !(c == ' ' || c == '\n' || c == '\t' || c == '\r')) fail(2, "bad PPM header");
    return value;
}

static void put_number(uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) put_byte((uint8_t)(value >> shift));
}

static void thumbnail(const uint8_t *pixels, uint32_t width, uint32_t height) {
    put_text("P6\n");
    put_decimal(width / BLOCK);
    put_byte(' ');
    put_decimal(height / BLOCK);
    put_text("\n255\n");
    size_t row = (size_t)width * 3;
    for (uint32_t y = 0; y + BLOCK <= height; y += BLOCK)
        for (uint32_t x = 0; x + BLOCK <= width; x += BLOCK) {
            const uint8_t *block = pixels + y * row + (size_t)x * 3;
            for (int channel = 0; channel < 3; channel++) {
                uint32_t sum = BLOCK * BLOCK / 2;
                for (int j = 0; j < BLOCK; j++)
                    for (int i = 0; i < BLOCK; i++) sum += block[(size_t)j * row + (size_t)(i * 3 + channel)];
                put_byte((uint8_t)(sum / (BLOCK * BLOCK)));
            }
        }
}

static void features(const uint8_t *luma, uint32_t width, uint32_t height) {
    static uint64_t sums[CELLS][CELLS][BINS];
    static uint32_t counts[CELLS][CELLS];
    memset(sums, 0, sizeof sums);
    memset(counts, 0, sizeof counts);
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *here = luma + (size_t)y * width;
        const uint8_t *above = y ? here - width : here;
        const uint8_t *below = y + 1 < height ? here + width : here;
        uint32_t cell_row = y * CELLS / height;
        for (uint32_t x = 0; x < width; x++) {
            int gx = (int)here[x + 1 < width ? x + 1 : x] - (int)here[x ? x - 1 : x];
            int gy = (int)below[x] - (int)above[x];
            uint16_t size = magnitude_of[gx < 0 ? -gx : gx][gy < 0 ? -gy : gy];
            if (gy < 0) gx = -gx, gy = -gy;
            uint32_t cell = x * CELLS / width;
            sums[cell_row][cell][bin_of[gy][gx + RANGE]] += size;
            counts[cell_row][cell]++;
        }
    }
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++)
            for (int bin = 0; bin < BINS; bin++)
                put_number(counts[y][x] ? (uint32_t)(sums[y][x][bin] * 16 / counts[y][x]) : 0);
}

int main(void) {
    make_tables();
    for (int c; (c = get_byte()) >= 0;) {
        if (c != 'P' || get_byte() != '6') fail(2, "not a binary PPM picture (P6)");
        uint32_t width = header_number(), height = header_number();
        if (header_number() != 255) fail(2, "the PPM's maxval is not 255");
        if (width < BLOCK || height < BLOCK || width > LARGEST || height > LARGEST)
            fail(2, "a picture's sides must have 4 to 16384 pixels");
        size_t count = (size_t)width * height;
        uint8_t *pixels = need(malloc(count * 3)), *luma = need(malloc(count));
        if (!get(pixels, count * 3)) fail(2, "the last picture is cut off");
        for (size_t i = 0; i < count; i++)
            luma[i] = (uint8_t)((77u * pixels[3 * i] + 150u * pixels[3 * i + 1] + 29u * pixels[3 * i + 2]) >> 8);
        thumbnail(pixels, width, height);
        features(luma, width, height);
        free(luma);
        free(pixels);
    }
    flush();
    return 0;
}
