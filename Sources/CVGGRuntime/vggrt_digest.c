/* CRC-32 by half bytes, with a table of 64 bytes, and SHA-256. */
#include "vggrt_internal.h"

uint32_t vggrt_crc32(uint32_t crc, const void *bytes, size_t count) {
  /* The remainders of the sixteen half bytes, by the polynomial 0x04C11DB7 with its bits reversed. */
  static const uint32_t remainders[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
  const uint8_t *byte = bytes;
  crc = ~crc;
  for (size_t i = 0; i < count; i++) {
    crc ^= byte[i];
    crc = crc >> 4 ^ remainders[crc & 15];
    crc = crc >> 4 ^ remainders[crc & 15];
  }
  return ~crc;
}

#ifndef VGGRT_NO_SHA256

static uint32_t rotated(uint32_t word, uint32_t count) { return word >> count | word << (32 - count); }

static void add_block(uint32_t state[8], const uint8_t block[64]) {
  /* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
  static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  /* Of the schedule, only the last sixteen words are needed at a time. */
  uint32_t words[16], v[8];
  for (uint32_t i = 0; i < 16; i++)
    words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8
      | block[4 * i + 3];
  for (uint32_t i = 0; i < 8; i++) v[i] = state[i];
  for (uint32_t i = 0; i < 64; i++) {
    uint32_t *word = &words[i & 15];
    if (i >= 16) {
      const uint32_t early = words[(i + 1) & 15], late = words[(i + 14) & 15];
      *word += (rotated(early, 7) ^ rotated(early, 18) ^ early >> 3) + words[(i + 9) & 15]
        + (rotated(late, 17) ^ rotated(late, 19) ^ late >> 10);
    }
    /* The eight working variables take each other's places: where `a` is in this round, `b` is in the next one. */
    const uint32_t a = v[-i & 7], b = v[(1 - i) & 7], c = v[(2 - i) & 7];
    const uint32_t e = v[(4 - i) & 7], f = v[(5 - i) & 7], g = v[(6 - i) & 7];
    const uint32_t added = v[(7 - i) & 7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g))
      + constants[i] + *word;
    v[(3 - i) & 7] += added;
    v[(7 - i) & 7] =
      added + (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
  }
  for (uint32_t i = 0; i < 8; i++) state[i] += v[i];
}

void vggrt_sha256_begin(vggrt_sha256 *sha) {
  /* The first 32 bits of the fractions of the square roots of the first eight primes. */
  *sha = (vggrt_sha256){
    .state = {
      0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void vggrt_sha256_add(vggrt_sha256 *sha, const void *bytes, size_t count) {
  const uint8_t *byte = bytes;
  for (size_t i = 0; i < count; i++) {
    const uint32_t place = sha->length_low & 63;
    sha->block[place] = byte[i];
    sha->length_low += 1;
    sha->length_high += sha->length_low == 0;
    if (place == 63) add_block(sha->state, sha->block);
  }
}

void vggrt_sha256_end(vggrt_sha256 *sha, uint8_t digest[32]) {
  const uint32_t bits[2] = {sha->length_high << 3 | sha->length_low >> 29, sha->length_low << 3};
  const uint8_t one = 0x80, zero = 0;
  vggrt_sha256_add(sha, &one, 1);
  while ((sha->length_low & 63) != 56) vggrt_sha256_add(sha, &zero, 1);
  for (uint32_t i = 0; i < 8; i++) sha->block[56 + i] = (uint8_t)(bits[i / 4] >> (24 - 8 * (i & 3)));
  add_block(sha->state, sha->block);
  for (uint32_t i = 0; i < 32; i++) digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i & 3)));
}

#endif
