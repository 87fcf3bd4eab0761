/* mbedTLS's ECDSA, of which one inverse modulo the order of P-256 is computed by curves.rs: in the verification of a
 * signature, for a fraction of the instructions of mbedTLS's own, which is in constant time. What is verified, and which
 * signatures are refused, is mbedTLS's matter. */
#include "common.h"

#include "mbedtls/ecdsa.h"
#if __has_include("bignum_internal.h")
#include "bignum_internal.h"
#endif

/* Bytes of a scalar. */
#define LEN 32

/* curves.rs. The highest byte comes first. Not in constant time. */
int iot_mbedtls_p256_invert(const unsigned char scalar[LEN], unsigned char out[LEN]);

/* Of a signature that came, where s is a number that anybody may know. */
static int invert_s(const mbedtls_ecp_group *grp, mbedtls_mpi *inverse, const mbedtls_mpi *s)
{
    unsigned char scalar[LEN], out[LEN];
    if (grp->id == MBEDTLS_ECP_DP_SECP256R1 && mbedtls_mpi_write_binary(s, scalar, LEN) == 0 &&
        iot_mbedtls_p256_invert(scalar, out)) {
        return mbedtls_mpi_read_binary(inverse, out, LEN);
    }
    return mbedtls_mpi_inv_mod(inverse, s, &grp->N);
}

/* Of one that is made, where pk points to a secret. */
static int invert_pk(const mbedtls_ecp_group *grp, mbedtls_mpi *inverse, const mbedtls_mpi *pk)
{
    return mbedtls_mpi_inv_mod(inverse, pk, &grp->N);
}

/* ecdsa.c has the group by this name in both places, inverts modulo its order, and asks for no common divisor; names.h has
 * put "iot_" before the function's name. Before 3.6.5 it was another function, and all goes mbedTLS's way. */
#define iot_mbedtls_mpi_gcd_modinv_odd(divisor, inverse, number, order) invert_##number(grp, inverse, number)
#include "ecdsa.c"
