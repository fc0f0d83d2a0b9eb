/* powsearch: the smallest nonce whose SHA-256 begins with enough zero bits.
 *
 * powsearch BITS SHARD SHARDS RANGE    stdin: a challenge of 32 bytes
 *
 * Of the nonces 0 … RANGE-1, shard i of n searches RANGE*i/n to RANGE*(i+1)/n. A nonce is 8 bytes, big-endian,
 * behind the challenge: sha256(challenge || nonce), as in kind 1 (docs/protocol.md §6.1).
 *
 * stdout  "NONCE DIGEST\n", the nonce in decimal and the digest's first 16 bytes in hex; or "none\n"
 *
 * The lowest shard that found one has the smallest nonce, so merging by `first` equals one whole run.
 */
#include "guest.h"

enum { CHALLENGE = 32, SHOWN = 16 };

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static inline uint32_t turn(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

/* SHA-256 (FIPS 180-4) of the one block that challenge, nonce and padding fill. */
static void digest_of(const uint32_t block[16], uint32_t digest[8]) {
    uint32_t w[64];
    for (int t = 0; t < 16; t++) w[t] = block[t];
    for (int t = 16; t < 64; t++) {
        uint32_t early = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t late = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + early + w[t - 7] + late;
    }
    uint32_t a = START[0], b = START[1], c = START[2], d = START[3];
    uint32_t e = START[4], f = START[5], g = START[6], h = START[7];
    for (int t = 0; t < 64; t++) {
        uint32_t one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
        uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    const uint32_t end[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) digest[i] = START[i] + end[i];
}

static int has_zeros(const uint32_t digest[8], uint32_t bits) {
    uint32_t word = 0;
    for (; bits >= 32; bits -= 32)
        if (digest[word++]) return 0;
    return !bits || digest[word] >> (32 - bits) == 0;
}

int main(int argc, char **argv) {
    if (argc != 5) fail(2, "usage: powsearch BITS SHARD SHARDS RANGE");
    uint32_t bits = (uint32_t)whole(argv[1], 0, 255, "BITS must be 0 to 255");
    uint64_t shards = whole(argv[3], 1, 1024, "SHARDS must be 1 to 1024");
    uint64_t shard = whole(argv[2], 0, shards - 1, "SHARD must be less than SHARDS");
    uint64_t range = whole(argv[4], 1, 100000000000000000, "RANGE must be 1 to 10^17");
    uint8_t challenge[CHALLENGE];
    if (!get(challenge, CHALLENGE) || get_byte() >= 0) fail(2, "the challenge must have 32 bytes");

    uint32_t block[16] = {0};
    for (int i = 0; i < CHALLENGE; i++) block[i / 4] |= (uint32_t)challenge[i] << (24 - i % 4 * 8);
    block[10] = 0x80000000;          /* a one bit behind the message … */
    block[15] = (CHALLENGE + 8) * 8; /* … and its length in bits at the end */

    uint32_t digest[8];
    for (uint64_t nonce = share(range, shard, shards); nonce < share(range, shard + 1, shards); nonce++) {
        block[8] = (uint32_t)(nonce >> 32);
        block[9] = (uint32_t)nonce;
        digest_of(block, digest);
        if (!has_zeros(digest, bits)) continue;
        put_decimal(nonce);
        put_byte(' ');
        for (int i = 0; i < SHOWN * 2; i++)
            put_byte((uint8_t)"0123456789abcdef"[digest[i / 8] >> (28 - i % 8 * 4) & 15]);
        put_byte('\n');
        flush();
        return 0;
    }
    put_text("none\n");
    flush();
    return 0;
}
