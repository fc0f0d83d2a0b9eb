/* csvstats: how often, how much, least and most, per sensor.
 *
 * csvstats          stdin: lines "sensor,value"; a first line "sensor,value" and empty lines are skipped, a \r
 *                   before the \n too. A sensor is 1 to 64 bytes without comma or control characters; a value is a
 *                   decimal number, at most 12 digits before and 6 behind the point.
 * csvstats merge    stdin: outputs of shards, each with its length (u32, big-endian) in front
 *
 * stdout  lines "sensor,count,sum,min,max", sorted by the sensor's bytes; sum, min and max with 6 decimals.
 *
 * Sums are whole millionths in 128 bits, which no input can overflow, so their order does not matter: however the
 * lines were cut into shards, merging the shards' outputs equals one whole run.
 */
#include "guest.h"

#define NAME 64
#define LINE 256
#define SCALE 1000000
#define VALUE_DIGITS 12 /* before the point: a value is below 10^18 millionths */
#define SUM_DIGITS 32   /* a sum of 2^64 values has at most 32; 10^32 * 10^6 < 2^127 */

typedef __int128 Fixed; /* millionths */

typedef struct {
    uint8_t name[NAME];
    uint32_t length;
    uint64_t count;
    Fixed sum, min, max;
} Sensor;

static Sensor *sensors;
static uint32_t *slots; /* open addressing: index + 1, 0 = free; always a power of two, at most half full */
static uint32_t used, room, slot_count;
static uint64_t line_number;

static _Noreturn void bad(const char *why) {
    char digits[20], text[21];
    int n = 0, at = 0;
    uint64_t value = line_number;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n) text[at++] = digits[--n];
    text[at] = 0;
    say("line ");
    say(text);
    say(": ");
    fail(2, why);
}

static uint32_t hash(const uint8_t *name, uint32_t length) {
    uint32_t value = 2166136261u; /* FNV-1a */
    for (uint32_t i = 0; i < length; i++) value = (value ^ name[i]) * 16777619u;
    return value;
}

static uint32_t *slot_of(const uint8_t *name, uint32_t length) {
    uint32_t at = hash(name, length) & (slot_count - 1);
    while (slots[at]) {
        Sensor *sensor = &sensors[slots[at] - 1];
        if (sensor->length == length && !memcmp(sensor->name, name, length)) break;
        at = (at + 1) & (slot_count - 1);
    }
    return &slots[at];
}

static void grow(void) {
    room = room ? room * 2 : 64;
    slot_count = room * 2;
    sensors = need(realloc(sensors, (size_t)room * sizeof *sensors));
    free(slots);
    slots = need(calloc(slot_count, sizeof *slots));
    for (uint32_t i = 0; i < used; i++) *slot_of(sensors[i].name, sensors[i].length) = i + 1;
}

static void add(const uint8_t *name, uint32_t length, uint64_t count, Fixed sum, Fixed min, Fixed max) {
    if (used == room) grow();
    uint32_t *slot = slot_of(name, length);
    if (!*slot) {
        Sensor *fresh = &sensors[used++];
        memset(fresh, 0, sizeof *fresh);
        memcpy(fresh->name, name, length);
        fresh->length = length;
        fresh->min = min;
        fresh->max = max;
        *slot = used;
    }
    Sensor *sensor = &sensors[*slot - 1];
    sensor->count += count;
    sensor->sum += sum;
    if (min < sensor->min) sensor->min = min;
    if (max > sensor->max) sensor->max = max;
}

/* The cursor over one line; every reader stops at `end`. */
typedef struct {
    const uint8_t *at, *end;
} Line;

static int take(Line *line, uint8_t byte) {
    if (line->at == line->end || *line->at != byte) return 0;
    line->at++;
    return 1;
}

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static uint32_t read_name(Line *line, uint8_t *name) {
    uint32_t length = 0;
    for (; line->at < line->end && *line->at != ','; line->at++) {
        if (*line->at < 32 || *line->at == 127) bad("a control character in a sensor's name");
        if (length == NAME) bad("a sensor's name is longer than 64 bytes");
        name[length++] = *line->at;
    }
    if (!length || !take(line, ',')) bad("expected sensor,value");
    return length;
}

/* At most `whole` digits, then at most 6 behind a point; in millionths. As long as it fits, in 64 bits. */
static Fixed read_fixed(Line *line, int whole) {
    int negative = take(line, '-'), digits = 0;
    uint64_t head = 0;
    for (; line->at < line->end && digits < VALUE_DIGITS && is_digit(*line->at); line->at++, digits++)
        head = head * 10 + (*line->at - '0');
    if (!digits) bad("a value is not a decimal number");
    Fixed value = (Fixed)head;
    for (; line->at < line->end && is_digit(*line->at); line->at++) {
        if (++digits > whole) bad("a value has too many digits");
        value = value * 10 + (*line->at - '0');
    }
    uint64_t scale = SCALE, behind = 0;
    if (take(line, '.')) {
        if (line->at == line->end || !is_digit(*line->at)) bad("a value is not a decimal number");
        for (; line->at < line->end && is_digit(*line->at); line->at++) {
            if (scale == 1) bad("a value has more than 6 decimals");
            scale /= 10;
            behind += (*line->at - '0') * scale;
        }
    }
    value = digits > VALUE_DIGITS ? value * SCALE + behind : (Fixed)(head * SCALE + behind);
    return negative ? -value : value;
}

static uint64_t read_count(Line *line) {
    uint64_t value = 0;
    int digits = 0;
    for (; line->at < line->end && is_digit(*line->at); line->at++) {
        if (++digits > 18) bad("a count has too many digits");
        value = value * 10 + (uint64_t)(*line->at - '0');
    }
    if (!digits) bad("a count is not a number");
    return value;
}

static void read_measurement(Line line) {
    static const char title[] = "sensor,value";
    size_t length = (size_t)(line.end - line.at);
    if (!length || (line_number == 1 && length == sizeof title - 1 && !memcmp(line.at, title, length))) return;
    uint8_t name[NAME];
    uint32_t size = read_name(&line, name);
    Fixed value = read_fixed(&line, VALUE_DIGITS);
    if (line.at != line.end) bad("more behind the value");
    add(name, size, 1, value, value, value);
}

static void read_summary(Line line) {
    uint8_t name[NAME];
    uint32_t size = read_name(&line, name);
    uint64_t count = read_count(&line);
    Fixed part[3];
    for (int i = 0; i < 3; i++) {
        if (!take(&line, ',')) bad("expected sensor,count,sum,min,max");
        part[i] = read_fixed(&line, SUM_DIGITS);
    }
    if (line.at != line.end) bad("more behind the summary");
    add(name, size, count, part[0], part[1], part[2]);
}

static void hand(const uint8_t *at, size_t length, void (*reader)(Line)) {
    if (length > LINE) bad("the line is longer than 256 bytes");
    if (length && at[length - 1] == '\r') length--;
    reader((Line){at, at + length});
    line_number++;
}

/* Hand every line of the next `size` bytes of stdin (or of all) to `reader`: where it lies, or, if it is cut in two by
 * the buffer's end, from `text`. */
static void each_line(uint64_t size, void (*reader)(Line)) {
    static uint8_t text[LINE + 1];
    size_t length = 0;
    line_number = 1;
    while (size && (in_at < in_end || fill())) {
        const uint8_t *from = in_buffer + in_at;
        size_t room = in_end - in_at < size ? in_end - in_at : (size_t)size, n = 0;
        while (n < room && from[n] != '\n') n++;
        if (length || n == room) {
            size_t part = n < sizeof text - length ? n : sizeof text - length; /* one too many is refused below */
            memcpy(text + length, from, part);
            length += part;
        }
        if (n < room) {
            hand(length ? text : from, length ? length : n, reader);
            length = 0;
        }
        n += n < room;
        in_at += n;
        size -= n;
    }
    if (length) hand(text, length, reader);
}

static int by_name(const void *left, const void *right) {
    const Sensor *a = left, *b = right;
    uint32_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->name, b->name, shorter);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static void put_fixed(Fixed value) {
    if (value < 0) put_byte('-');
    if (value < 0) value = -value;
    put_decimal((unsigned __int128)(value / SCALE));
    put_byte('.');
    int rest = (int)(value % SCALE);
    for (int scale = SCALE / 10; scale; scale /= 10) put_byte((uint8_t)('0' + rest / scale % 10));
}

static void put_summary(const Sensor *sensor) {
    put(sensor->name, sensor->length);
    put_byte(',');
    put_decimal(sensor->count);
    const Fixed part[] = {sensor->sum, sensor->min, sensor->max};
    for (int i = 0; i < 3; i++) {
        put_byte(',');
        put_fixed(part[i]);
    }
    put_byte('\n');
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "merge")) {
        uint8_t size[4];
        for (int c; (c = get_byte()) >= 0;) {
            size[0] = (uint8_t)c;
            if (!get(size + 1, 3)) fail(2, "the list of shards is cut off");
            each_line((uint64_t)size[0] << 24 | (uint64_t)size[1] << 16 | (uint64_t)size[2] << 8 | size[3],
                      read_summary);
        }
    } else {
        each_line(UINT64_MAX, read_measurement);
    }
    qsort(sensors, used, sizeof *sensors, by_name);
    for (uint32_t i = 0; i < used; i++) put_summary(&sensors[i]);
    flush();
    return 0;
}
