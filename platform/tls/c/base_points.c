/*
 * Public keys of P-256 and Curve25519 without tables. ring has multiples of both curves' base points: 176 kB, of which a
 * connection saves some 0.1 ms. Here the base point is multiplied as any other point is, by ring's own code.
 *
 * Nothing calls this by its names. cmake/pack_archives.sh puts ring's name in the place of "qcloud_ring_", where ring is
 * the version that this was written for, and takes this instead of what ring has. Elsewhere it is left out.
 */
#include <stdint.h>

enum { LIMBS = 4 };

void qcloud_ring_p256_point_mul(uint64_t out[3][LIMBS], const uint64_t scalar[LIMBS], const uint64_t x[LIMBS],
                                const uint64_t y[LIMBS]);
void qcloud_ring_p256_point_mul_base(uint64_t out[3][LIMBS], const uint64_t scalar[LIMBS]);
void qcloud_ring_p256_point_mul_base_vartime(uint64_t out[3][LIMBS], const uint64_t scalar[LIMBS]);
void qcloud_ring_x25519_public_from_private_generic_masked(uint8_t out[32], const uint8_t key[32], int use_adx);
void qcloud_ring_x25519_scalar_mult_generic_masked(uint8_t out[32], const uint8_t key[32], const uint8_t point[32]);

/* As ring writes an element of the field: the value times 2^256, modulo the prime, the lowest limb first. */
static const uint64_t base_x[LIMBS] = {0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6};
static const uint64_t base_y[LIMBS] = {0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85};

void qcloud_ring_p256_point_mul_base(uint64_t out[3][LIMBS], const uint64_t scalar[LIMBS])
{
    qcloud_ring_p256_point_mul(out, scalar, base_x, base_y);
}

void qcloud_ring_p256_point_mul_base_vartime(uint64_t out[3][LIMBS], const uint64_t scalar[LIMBS])
{
    qcloud_ring_p256_point_mul(out, scalar, base_x, base_y);
}

void qcloud_ring_x25519_public_from_private_generic_masked(uint8_t out[32], const uint8_t key[32], int use_adx)
{
    static const uint8_t base[32] = {9};
    (void)use_adx;
    qcloud_ring_x25519_scalar_mult_generic_masked(out, key, base);
}
